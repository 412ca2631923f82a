//! `POST /failures/{id}/discard`.

use axum::Json;
use axum::extract::State;
use failure_queue::TaskState;
use pizza_app::DiscardFailure;
use pizza_app::access::Operator;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::failures::FailureIdInPath;
use super::json::Fields;
use super::problem::ProblemBody;
use super::show_failure::FailureStateBody;
use crate::gateway::AppState;
use crate::idempotency_key::Key;
use crate::problem::Problem;

/// Why a task is let go.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DiscardFailure)]
#[expect(
    dead_code,
    reason = "only its schema is used: `Fields` says more about what is wrong"
)]
struct DiscardFailureBody {
    /// Why: what became of what is owed, for example.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

/// A task that was let go.
#[derive(Serialize, ToSchema)]
#[schema(as = FailureDiscarded)]
pub(super) struct FailureDiscardedBody {
    /// The task's id.
    id: String,
    /// Where it stands now: `discarded`.
    #[schema(value_type = FailureStateBody)]
    state: &'static str,
}

/// Close a parked task for good. What it owed is still owed.
///
/// Sent again with the same `Idempotency-Key`, the request acts once.
#[utoipa::path(
    post, path = "/failures/{id}/discard", operation_id = "discardFailure", tag = "failures",
    params(
        ("id" = String, Path, description = "The task's id."),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-'."),
    ),
    request_body = DiscardFailureBody,
    responses(
        (status = 200, description = "The task is discarded.", body = FailureDiscardedBody),
        (status = 400, description = "The body cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "An operator's key is needed.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "This gateway has no operators.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "There is no such task.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 408, description = "The body did not arrive in time.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "The task is closed, or being redriven.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The field is missing, unknown or not allowed.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Temporal or its worker did not answer in time.", body = ProblemBody, content_type = "application/problem+json",
         headers(("Retry-After" = u32, description = "Seconds to wait before another try."))),
    ),
    security(("operatorKey" = [])),
)]
pub(super) async fn discard_failure(
    operator: Operator,
    State(app): State<AppState>,
    FailureIdInPath(id): FailureIdInPath,
    Key(key): Key,
    fields: Fields,
) -> Result<Json<FailureDiscardedBody>, Problem> {
    let mut fields = fields.only(&["reason"])?;
    let request = DiscardFailure {
        id: id.clone(),
        principal: operator.name,
        reason: fields.text("reason")?,
        key,
    };
    app.use_cases().discard_failure(request).await?;
    Ok(Json(FailureDiscardedBody {
        id: id.as_str().to_owned(),
        state: TaskState::Discarded.as_str(),
    }))
}
