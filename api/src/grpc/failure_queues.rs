//! `FailureQueueService/ListFailureQueues`.

use super::convert::timestamp;
use super::proto::{self, ListFailureQueuesResponse};
use crate::gateway::App;
use pizza_app::{FailureQueue, UseCaseError};

pub(super) async fn serve(app: &App) -> Result<ListFailureQueuesResponse, UseCaseError> {
    let queues = app.use_cases().failure_queues().await?;
    Ok(ListFailureQueuesResponse {
        queues: queues.into_iter().map(Into::into).collect(),
    })
}

impl From<FailureQueue> for proto::FailureQueue {
    fn from(queue: FailureQueue) -> Self {
        Self {
            queue: queue.message_type.queue().to_owned(),
            message_type: queue.message_type.as_str().to_owned(),
            depth: queue.stats.depth,
            oldest_parked_at: queue.oldest_parked_at_ms.map(timestamp),
            oldest_age_seconds: queue.oldest_age_seconds,
            arrived_last_hour: queue.stats.arrived,
            resolved_last_hour: queue.stats.resolved,
            auto_redrive: queue.auto_redrive.map(Into::into),
        }
    }
}
