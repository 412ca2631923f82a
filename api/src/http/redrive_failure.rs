//! `POST /failures/{id}/redrive`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use failure_queue::client::Redriven;
use failure_queue::{RedriveAnswer, TaskState};
use http::StatusCode;
use pizza_app::RedriveFailure;
use pizza_app::access::Operator;
use pizza_contract as contract;

use super::failures::{FailureIdInPath, step_error};
use super::json::Body;
use crate::gateway::AppState;
use crate::idempotency_key::Key;
use crate::problem::Problem;

/// Run a parked task's step again, with the same idempotency key.
///
/// Sent again with the same `Idempotency-Key`, the request acts once.
#[utoipa::path(
    post, path = "/failures/{id}/redrive", operation_id = "redriveFailure", tag = "failures",
    params(
        ("id" = String, Path, description = "The task's id."),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-'."),
    ),
    request_body(content = Option<contract::RedriveFailure>, description = "How; may be empty."),
    responses(
        (status = 200, description = "The redrive has ended, with success or not.", body = contract::FailureRedriven),
        (status = 202, description = "The redrive was taken and goes on; look at the task.", body = contract::FailureRedriving,
         headers(("Location" = String, description = "The path of the task."))),
        (status = 400, description = "The body cannot be read."),
        (status = 404, description = "There is no such task."),
        (status = 409, description = "The task is closed, or being redriven."),
        (status = 422, description = "A field is unknown, or its value not allowed."),
        (status = 503, description = "Temporal or its worker did not answer in time."),
    ),
    security(("operatorKey" = [])),
)]
pub(super) async fn redrive_failure(
    operator: Operator,
    State(app): State<AppState>,
    FailureIdInPath(id): FailureIdInPath,
    Key(key): Key,
    Body(how): Body<contract::RedriveFailure>,
) -> Result<Response, Problem> {
    let request = RedriveFailure {
        id: id.clone(),
        principal: operator.name,
        reason: how.reason,
        key,
        input: how.input,
        original_input: how.original_input.unwrap_or_default(),
    };
    let redriven = app.use_cases().redrive_failure(request).await?;
    let id = id.as_str().to_owned();
    Ok(match redriven {
        Redriven::Ended(answer) => Json(ended(id, answer)).into_response(),
        Redriven::StillRunning => {
            let location = [(http::header::LOCATION, format!("/failures/{id}"))];
            let state = TaskState::Redriving.as_str().into();
            let body = Json(contract::FailureRedriving { id, state });
            (StatusCode::ACCEPTED, location, body).into_response()
        }
    })
}

fn ended(id: String, answer: RedriveAnswer) -> contract::FailureRedriven {
    contract::FailureRedriven {
        id,
        state: answer.state.as_str().into(),
        outcome: match answer.state {
            TaskState::Done => contract::RedriveOutcome::Done,
            _ => contract::RedriveOutcome::FailedAgain,
        }
        .into(),
        attempts: answer.attempts,
        error: answer.failure.map(step_error),
    }
}
