//! `FailureQueueService/RedriveFailure`.

use failure_queue::TaskState;
use failure_queue::client::Redriven;
use pizza_domain::InvalidField;
use serde_json::{Map, Value};

use super::failures::{key, state};
use super::proto::redrive_failure_request::Input;
use super::proto::{RedriveFailureRequest, RedriveFailureResponse};
use crate::gateway::App;
use crate::unique_json::UniqueFields;
use pizza_app::access::Operator;
use pizza_app::{FailureId, RedriveFailure, UseCaseError, Violation};

pub(super) async fn serve(
    app: &App,
    operator: Operator,
    request: RedriveFailureRequest,
) -> Result<RedriveFailureResponse, UseCaseError> {
    let id = FailureId::parse(&request.id)?;
    let (input, original_input) = match request.input {
        None => (None, false),
        Some(Input::CorrectedInputJson(json)) => (Some(object(&json)?), false),
        Some(Input::OriginalInput(original)) => (None, original),
    };
    let redrive = RedriveFailure {
        id: id.clone(),
        principal: operator.name,
        reason: request.reason,
        key: key(request.idempotency_key)?,
        input,
        original_input,
    };
    let redriven = app.use_cases().redrive_failure(redrive).await?;
    let id = id.as_str().to_owned();
    Ok(match redriven {
        Redriven::Ended(answer) => RedriveFailureResponse {
            id,
            state: state(answer.state).into(),
            attempts: answer.attempts,
            error: answer.failure.map(Into::into),
        },
        Redriven::StillRunning => RedriveFailureResponse {
            id,
            state: state(TaskState::Redriving).into(),
            attempts: 0,
            error: None,
        },
    })
}

/// A JSON object, each field of which is given once.
fn object(json: &str) -> Result<Map<String, Value>, UseCaseError> {
    let invalid = |expected| {
        let field = InvalidField {
            field: "input",
            expected,
        };
        UseCaseError::invalid(Violation::InvalidValue, field)
    };
    let object: UniqueFields = serde_json::from_str(json)
        .map_err(|error| invalid(format!("must be a JSON object: {error}")))?;
    match object.repeated {
        None => Ok(Map::from_iter(object.fields)),
        Some(_) => Err(invalid("must have each field once".to_owned())),
    }
}
