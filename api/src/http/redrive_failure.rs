//! `POST /failures/{id}/redrive`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use failure_queue::client::Redriven;
use failure_queue::{RedriveAnswer, TaskState};
use http::StatusCode;
use pizza_app::RedriveFailure;
use pizza_app::access::Operator;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::failures::{FailureIdInPath, StepErrorBody};
use super::json::Fields;
use super::problem::ProblemBody;
use super::show_failure::{FailureStateBody, RedriveOutcomeBody};
use crate::gateway::AppState;
use crate::idempotency_key::Key;
use crate::problem::Problem;

/// How to run the step again. Every field may be left out, and so may the
/// whole body.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = RedriveFailure)]
#[expect(
    dead_code,
    reason = "only its schema is used: `Fields` says more about what is wrong"
)]
struct RedriveFailureBody {
    /// Why.
    #[schema(min_length = 1, max_length = 500, nullable = false)]
    reason: Option<String>,
    /// The input to take from now on, in the step's own form, with the
    /// `idempotencyKey` and the `orderId` of the original, which is kept.
    #[schema(nullable = false)]
    input: Option<Map<String, Value>>,
    /// Whether the original input is to be taken again.
    #[schema(default = false, nullable = false)]
    original_input: Option<bool>,
}

/// A redrive that has ended.
#[derive(Serialize, ToSchema)]
#[schema(as = FailureRedriven)]
struct FailureRedrivenBody {
    /// The task's id.
    id: String,
    /// Where it stands now: `done` or `waiting`.
    #[schema(value_type = FailureStateBody)]
    state: &'static str,
    /// How the redrive ended.
    outcome: RedriveOutcomeBody,
    /// How often the step was tried in all.
    attempts: u32,
    /// How it failed; `null` when it did not.
    #[schema(required = true)]
    error: Option<StepErrorBody>,
}

/// A redrive that was taken and goes on.
#[derive(Serialize, ToSchema)]
#[schema(as = FailureRedriving)]
struct FailureRedrivingBody {
    /// The task's id.
    id: String,
    /// Where it stands now: `redriving`.
    #[schema(value_type = FailureStateBody)]
    state: &'static str,
}

/// Run a parked task's step again, with the same idempotency key.
///
/// Sent again with the same `Idempotency-Key`, the request acts once.
#[utoipa::path(
    post, path = "/failures/{id}/redrive", operation_id = "redriveFailure", tag = "failures",
    params(
        ("id" = String, Path, description = "The task's id."),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-'."),
    ),
    request_body(content = Option<RedriveFailureBody>, description = "How; may be empty."),
    responses(
        (status = 200, description = "The redrive has ended, with success or not.", body = FailureRedrivenBody),
        (status = 202, description = "The redrive was taken and goes on; look at the task.", body = FailureRedrivingBody,
         headers(("Location" = String, description = "The path of the task."))),
        (status = 400, description = "The body cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "An operator's key is needed.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "This gateway has no operators.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "There is no such task.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 408, description = "The body did not arrive in time.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "The task is closed, or being redriven.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "A field is unknown, or its value not allowed.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Temporal or its worker did not answer in time.", body = ProblemBody, content_type = "application/problem+json",
         headers(("Retry-After" = u32, description = "Seconds to wait before another try."))),
    ),
    security(("operatorKey" = [])),
)]
pub(super) async fn redrive_failure(
    operator: Operator,
    State(app): State<AppState>,
    FailureIdInPath(id): FailureIdInPath,
    Key(key): Key,
    fields: Fields,
) -> Result<Response, Problem> {
    let mut fields = fields.only(&["reason", "input", "originalInput"])?;
    let request = RedriveFailure {
        id: id.clone(),
        principal: operator.name,
        reason: fields.text("reason")?,
        key,
        input: fields.object("input")?,
        original_input: fields.truth("originalInput")?.unwrap_or_default(),
    };
    let redriven = app.use_cases().redrive_failure(request).await?;
    let id = id.as_str().to_owned();
    Ok(match redriven {
        Redriven::Ended(answer) => Json(ended(id, answer)).into_response(),
        Redriven::StillRunning => {
            let location = [(http::header::LOCATION, format!("/failures/{id}"))];
            let state = TaskState::Redriving.as_str();
            let body = Json(FailureRedrivingBody { id, state });
            (StatusCode::ACCEPTED, location, body).into_response()
        }
    })
}

fn ended(id: String, answer: RedriveAnswer) -> FailureRedrivenBody {
    FailureRedrivenBody {
        id,
        state: answer.state.as_str(),
        outcome: match answer.state {
            TaskState::Done => RedriveOutcomeBody::Done,
            _ => RedriveOutcomeBody::FailedAgain,
        },
        attempts: answer.attempts,
        error: answer.failure.map(Into::into),
    }
}
