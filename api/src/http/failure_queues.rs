//! `GET /failure-queues`.

use axum::Json;
use axum::extract::State;
use pizza_app::FailureQueue;
use pizza_app::access::Operator;
use pizza_contract::rfc_3339;
use serde::Serialize;
use utoipa::ToSchema;

use super::failures::AutoRedriveBody;
use super::problem::ProblemBody;
use crate::gateway::AppState;
use crate::problem::Problem;

/// The failure queues.
#[derive(Serialize, ToSchema)]
#[schema(as = FailureQueues)]
pub(super) struct FailureQueuesBody {
    /// Each queue, empty ones included.
    queues: Vec<FailureQueueBody>,
}

/// How a failure queue stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FailureQueue)]
struct FailureQueueBody {
    /// The queue's name.
    queue: &'static str,
    /// What its tasks are about.
    message_type: &'static str,
    /// How many tasks wait in it.
    depth: u64,
    /// Since when the oldest of them is parked; `null` when none is.
    #[schema(required = true, format = DateTime)]
    oldest_parked_at: Option<String>,
    /// How long that is.
    #[schema(required = true)]
    oldest_age_seconds: Option<u64>,
    /// How many were parked within the last hour.
    arrived_last_hour: u64,
    /// How many were done or discarded within the last hour.
    resolved_last_hour: u64,
    /// When its tasks are run again by themselves; `null` for never.
    #[schema(required = true)]
    auto_redrive: Option<AutoRedriveBody>,
}

/// See how the failure queues stand.
///
/// Temporal's counts are a moment behind what it does.
#[utoipa::path(
    get, path = "/failure-queues", operation_id = "listFailureQueues", tag = "failures",
    responses(
        (status = 200, description = "The queues.", body = FailureQueuesBody),
        (status = 401, description = "An operator's key is needed.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "This gateway has no operators.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Nobody can tell right now.", body = ProblemBody, content_type = "application/problem+json",
         headers(("Retry-After" = u32, description = "Seconds to wait before another try."))),
    ),
    security(("operatorKey" = [])),
)]
pub(super) async fn failure_queues(
    _: Operator,
    State(app): State<AppState>,
) -> Result<Json<FailureQueuesBody>, Problem> {
    let queues = app.use_cases().failure_queues().await?;
    Ok(Json(FailureQueuesBody {
        queues: queues.into_iter().map(Into::into).collect(),
    }))
}

impl From<FailureQueue> for FailureQueueBody {
    fn from(queue: FailureQueue) -> Self {
        Self {
            queue: queue.parked.queue,
            message_type: queue.parked.message_type,
            depth: queue.stats.depth,
            oldest_parked_at: queue.oldest_parked_at_ms.map(rfc_3339),
            oldest_age_seconds: queue.oldest_age_seconds,
            arrived_last_hour: queue.stats.arrived,
            resolved_last_hour: queue.stats.resolved,
            auto_redrive: queue.auto_redrive.map(Into::into),
        }
    }
}
