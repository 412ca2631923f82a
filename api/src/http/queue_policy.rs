//! `GET` and `PUT /failure-queues/{queue}/policy`.

use axum::Json;
use axum::extract::State;
use failure_queue::{PolicyChange, QueuePolicy};
use pizza_app::AutoRedriveInSeconds;
use pizza_app::access::Operator;
use pizza_contract::rfc_3339;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::failures::{AutoRedriveBody, NameInPath};
use super::json::Fields;
use super::problem::ProblemBody;
use crate::gateway::AppState;
use crate::problem::Problem;

/// A queue's new policy.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = SetQueuePolicy)]
#[expect(
    dead_code,
    reason = "only its schema is used: `Fields` says more about what is wrong"
)]
struct SetQueuePolicyBody {
    /// When tasks are run again by themselves; `null` switches it off. It
    /// must be given, so that nothing is switched off by a slip.
    #[schema(required = true)]
    auto_redrive: Option<AutoRedriveBody>,
    /// Why.
    #[schema(min_length = 1, max_length = 500, nullable = false)]
    reason: Option<String>,
}

/// A queue's policy, and how it came about.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = QueuePolicy)]
pub(super) struct QueuePolicyBody {
    /// The queue.
    queue: String,
    /// Counts the changes; 0 for a queue that never had a policy.
    version: u32,
    /// When tasks are run again by themselves; `null` for never.
    #[schema(required = true)]
    auto_redrive: Option<AutoRedriveBody>,
    /// The latest changes, oldest first.
    changes: Vec<PolicyChangeBody>,
    /// How many parked tasks were told of this version so far.
    reached: u64,
    /// Whether more are being told.
    spreading: bool,
}

/// A change of a queue's policy.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PolicyChange)]
struct PolicyChangeBody {
    /// The version that it made.
    version: u32,
    /// When.
    #[schema(format = DateTime)]
    at: String,
    /// Who.
    principal: String,
    /// Why; `null` when nobody said.
    #[schema(required = true)]
    reason: Option<String>,
    /// When tasks were run again by themselves from then on.
    #[schema(required = true)]
    auto_redrive: Option<AutoRedriveBody>,
}

/// See when a queue's tasks are run again by themselves.
#[utoipa::path(
    get, path = "/failure-queues/{queue}/policy", operation_id = "getQueuePolicy", tag = "failures",
    params(("queue" = String, Path, description = "The queue's name.")),
    responses(
        (status = 200, description = "The policy.", body = QueuePolicyBody),
        (status = 401, description = "An operator's key is needed.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "This gateway has no operators.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "There is no such queue.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Nobody can tell right now.", body = ProblemBody, content_type = "application/problem+json",
         headers(("Retry-After" = u32, description = "Seconds to wait before another try."))),
    ),
    security(("operatorKey" = [])),
)]
pub(super) async fn queue_policy(
    _: Operator,
    State(app): State<AppState>,
    NameInPath(queue): NameInPath,
) -> Result<Json<QueuePolicyBody>, Problem> {
    Ok(Json(app.use_cases().queue_policy(&queue).await?.into()))
}

/// Change when a queue's tasks are run again by themselves.
///
/// Tasks that are parked already hear of it, too.
#[utoipa::path(
    put, path = "/failure-queues/{queue}/policy", operation_id = "setQueuePolicy", tag = "failures",
    params(("queue" = String, Path, description = "The queue's name.")),
    request_body = SetQueuePolicyBody,
    responses(
        (status = 200, description = "The new policy.", body = QueuePolicyBody),
        (status = 400, description = "The body cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "An operator's key is needed.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "This gateway has no operators.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "There is no such queue.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 408, description = "The body did not arrive in time.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "A field is missing, unknown or not allowed.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Temporal or its worker did not answer in time.", body = ProblemBody, content_type = "application/problem+json",
         headers(("Retry-After" = u32, description = "Seconds to wait before another try."))),
    ),
    security(("operatorKey" = [])),
)]
pub(super) async fn set_queue_policy(
    operator: Operator,
    State(app): State<AppState>,
    NameInPath(queue): NameInPath,
    fields: Fields,
) -> Result<Json<QueuePolicyBody>, Problem> {
    let mut fields = fields.only(&["autoRedrive", "reason"])?;
    let auto_redrive = fields.required("autoRedrive", Fields::fields_or_null)?;
    let auto_redrive = auto_redrive.map(in_seconds).transpose()?;
    let reason = fields.text("reason")?;
    let policy = app
        .use_cases()
        .set_queue_policy(&queue, operator.name, reason, auto_redrive)
        .await?;
    Ok(Json(policy.into()))
}

fn in_seconds(fields: Fields) -> Result<AutoRedriveInSeconds, Problem> {
    let mut fields = fields.only(&[
        "firstWaitSeconds",
        "backoff",
        "longestWaitSeconds",
        "maxAttempts",
        "maxAgeSeconds",
    ])?;
    Ok(AutoRedriveInSeconds {
        first_wait_seconds: fields.required("firstWaitSeconds", Fields::number)?,
        backoff: fields.required("backoff", Fields::number)?,
        longest_wait_seconds: fields.required("longestWaitSeconds", Fields::number)?,
        max_attempts: fields.required("maxAttempts", Fields::integer)?,
        max_age_seconds: fields.required("maxAgeSeconds", Fields::number)?,
    })
}

impl From<QueuePolicy> for QueuePolicyBody {
    fn from(policy: QueuePolicy) -> Self {
        Self {
            queue: policy.queue,
            version: policy.version,
            auto_redrive: policy.auto_redrive.map(Into::into),
            changes: policy.changes.into_iter().map(Into::into).collect(),
            reached: policy.reached,
            spreading: policy.spreading,
        }
    }
}

impl From<PolicyChange> for PolicyChangeBody {
    fn from(change: PolicyChange) -> Self {
        Self {
            version: change.version,
            at: rfc_3339(change.at_ms),
            principal: change.principal,
            reason: change.reason,
            auto_redrive: change.auto_redrive.map(Into::into),
        }
    }
}
