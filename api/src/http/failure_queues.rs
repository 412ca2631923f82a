//! `GET /failure-queues`.

use axum::Json;
use axum::extract::State;
use pizza_app::FailureQueue;
use pizza_app::access::Operator;
use pizza_contract::{self as contract, rfc_3339};

use super::failures::auto_redrive;
use crate::gateway::AppState;
use crate::problem::Problem;

/// See how the failure queues stand.
///
/// Temporal's counts are a moment behind what it does.
#[utoipa::path(
    get, path = "/failure-queues", operation_id = "listFailureQueues", tag = "failures",
    responses(
        (status = 200, description = "The queues.", body = contract::FailureQueues),
        (status = 503, description = "Nobody can tell right now."),
    ),
    security(("operatorKey" = [])),
)]
pub(super) async fn failure_queues(
    _: Operator,
    State(app): State<AppState>,
) -> Result<Json<contract::FailureQueues>, Problem> {
    let queues = app.use_cases().failure_queues().await?;
    Ok(Json(contract::FailureQueues {
        queues: queues.into_iter().map(queue).collect(),
    }))
}

fn queue(queue: FailureQueue) -> contract::FailureQueue {
    contract::FailureQueue {
        queue: queue.parked.queue.into(),
        message_type: queue.parked.message_type.into(),
        depth: queue.stats.depth,
        oldest_parked_at: queue.oldest_parked_at_ms.map(rfc_3339),
        oldest_age_seconds: queue.oldest_age_seconds,
        arrived_last_hour: queue.stats.arrived,
        resolved_last_hour: queue.stats.resolved,
        auto_redrive: queue.auto_redrive.map(auto_redrive),
    }
}
