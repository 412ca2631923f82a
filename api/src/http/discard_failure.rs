//! `POST /failures/{id}/discard`.

use axum::Json;
use axum::extract::State;
use failure_queue::TaskState;
use pizza_app::DiscardFailure;
use pizza_app::access::Operator;
use pizza_contract as contract;

use super::failures::FailureIdInPath;
use super::json::Body;
use crate::gateway::AppState;
use crate::idempotency_key::Key;
use crate::problem::Problem;

/// Close a parked task for good. What it owed is still owed.
///
/// Sent again with the same `Idempotency-Key`, the request acts once.
#[utoipa::path(
    post, path = "/failures/{id}/discard", operation_id = "discardFailure", tag = "failures",
    params(
        ("id" = String, Path, description = "The task's id."),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-'."),
    ),
    request_body = contract::DiscardFailure,
    responses(
        (status = 200, description = "The task is discarded.", body = contract::FailureDiscarded),
        (status = 400, description = "The body cannot be read."),
        (status = 404, description = "There is no such task."),
        (status = 409, description = "The task is closed, or being redriven."),
        (status = 422, description = "The field is missing, unknown or not allowed."),
        (status = 503, description = "Temporal or its worker did not answer in time."),
    ),
    security(("operatorKey" = [])),
)]
pub(super) async fn discard_failure(
    operator: Operator,
    State(app): State<AppState>,
    FailureIdInPath(id): FailureIdInPath,
    Key(key): Key,
    Body(why): Body<contract::DiscardFailure>,
) -> Result<Json<contract::FailureDiscarded>, Problem> {
    let request = DiscardFailure {
        id: id.clone(),
        principal: operator.name,
        reason: Some(why.reason),
        key,
    };
    app.use_cases().discard_failure(request).await?;
    Ok(Json(contract::FailureDiscarded {
        id: id.as_str().to_owned(),
        state: TaskState::Discarded.as_str().into(),
    }))
}
