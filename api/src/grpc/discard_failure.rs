//! `FailureQueueService/DiscardFailure`.

use failure_queue::TaskState;

use super::failures::{key, state};
use super::proto::{DiscardFailureRequest, DiscardFailureResponse};
use crate::gateway::App;
use pizza_app::access::Operator;
use pizza_app::{DiscardFailure, FailureId, UseCaseError};

pub(super) async fn serve(
    app: &App,
    operator: Operator,
    request: DiscardFailureRequest,
) -> Result<DiscardFailureResponse, UseCaseError> {
    let id = FailureId::parse(&request.id)?;
    let discard = DiscardFailure {
        id: id.clone(),
        principal: operator.name,
        // The protocol cannot tell an empty text from none.
        reason: Some(request.reason).filter(|reason| !reason.is_empty()),
        key: key(request.idempotency_key)?,
    };
    app.use_cases().discard_failure(discard).await?;
    Ok(DiscardFailureResponse {
        id: id.as_str().to_owned(),
        state: state(TaskState::Discarded).into(),
    })
}
