//! `GET` and `PUT /failure-queues/{queue}/policy`.

use axum::Json;
use axum::extract::State;
use failure_queue::{PolicyChange, QueuePolicy};
use pizza_app::access::Operator;
use pizza_contract::{self as contract, rfc_3339};

use super::failures::{NameInPath, auto_redrive};
use super::json::Body;
use crate::gateway::AppState;
use crate::problem::Problem;

/// See when a queue's tasks are run again by themselves.
#[utoipa::path(
    get, path = "/failure-queues/{queue}/policy", operation_id = "getQueuePolicy", tag = "failures",
    params(("queue" = String, Path, description = "The queue's name.")),
    responses(
        (status = 200, description = "The policy.", body = contract::QueuePolicy),
        (status = 404, description = "There is no such queue."),
        (status = 503, description = "Nobody can tell right now."),
    ),
    security(("operatorKey" = [])),
)]
pub(super) async fn queue_policy(
    _: Operator,
    State(app): State<AppState>,
    NameInPath(queue): NameInPath,
) -> Result<Json<contract::QueuePolicy>, Problem> {
    Ok(answer(app.use_cases().queue_policy(&queue).await?))
}

/// Change when a queue's tasks are run again by themselves.
///
/// Tasks that are parked already hear of it, too.
#[utoipa::path(
    put, path = "/failure-queues/{queue}/policy", operation_id = "setQueuePolicy", tag = "failures",
    params(("queue" = String, Path, description = "The queue's name.")),
    request_body = contract::SetQueuePolicy,
    responses(
        (status = 200, description = "The new policy.", body = contract::QueuePolicy),
        (status = 400, description = "The body cannot be read."),
        (status = 404, description = "There is no such queue."),
        (status = 422, description = "A field is missing, unknown or not allowed."),
        (status = 503, description = "Temporal or its worker did not answer in time."),
    ),
    security(("operatorKey" = [])),
)]
pub(super) async fn set_queue_policy(
    operator: Operator,
    State(app): State<AppState>,
    NameInPath(queue): NameInPath,
    Body(new): Body<contract::SetQueuePolicy>,
) -> Result<Json<contract::QueuePolicy>, Problem> {
    let policy = app
        .use_cases()
        .set_queue_policy(&queue, operator.name, new.reason, new.auto_redrive)
        .await?;
    Ok(answer(policy))
}

fn answer(policy: QueuePolicy) -> Json<contract::QueuePolicy> {
    Json(contract::QueuePolicy {
        queue: policy.queue,
        version: policy.version,
        auto_redrive: policy.auto_redrive.map(auto_redrive),
        changes: policy.changes.into_iter().map(change).collect(),
        reached: policy.reached,
        spreading: policy.spreading,
    })
}

fn change(change: PolicyChange) -> contract::PolicyChange {
    contract::PolicyChange {
        version: change.version,
        at: rfc_3339(change.at_ms),
        principal: change.principal,
        reason: change.reason,
        auto_redrive: change.auto_redrive.map(auto_redrive),
    }
}
