//! Tells how the failure queues stand.

use std::time::Duration;

use failure_queue::AutoRedrive;
use failure_queue::client::{FailureQueues, QueueStats};
use futures::future::try_join_all;
use pizza_activities::store::now_ms;
use pizza_workflows::parking::MessageType;

use super::{UseCaseError, UseCases};

/// Over which time arrivals and ends are counted.
const WINDOW: Duration = Duration::from_secs(3600);

/// How a failure queue stands.
#[derive(Clone, Debug)]
pub struct FailureQueue {
    /// What waits there.
    pub message_type: MessageType,
    /// How much, since when, and how that has changed over the last hour.
    pub stats: QueueStats,
    /// When its oldest task was parked, by the books, in milliseconds since the
    /// Unix epoch.
    pub oldest_parked_at_ms: Option<i64>,
    /// How long that one has waited, in seconds.
    pub oldest_age_seconds: Option<u64>,
    /// When its tasks are run again by themselves.
    pub auto_redrive: Option<AutoRedrive>,
}

impl UseCases {
    /// Every failure queue, empty ones included, as Temporal counts: a moment
    /// behind what it does.
    ///
    /// # Errors
    /// When Temporal is away. No worker need be there.
    pub async fn failure_queues(&self) -> Result<Vec<FailureQueue>, UseCaseError> {
        let queues = self.queues_to_read().await?;
        let queues =
            MessageType::ALL.map(|message_type| self.failure_queue(queues.clone(), message_type));
        try_join_all(queues).await
    }

    async fn failure_queue(
        &self,
        queues: FailureQueues,
        message_type: MessageType,
    ) -> Result<FailureQueue, UseCaseError> {
        let queue = message_type.queue();
        let (stats, policy) =
            tokio::try_join!(queues.stats(queue, WINDOW), queues.last_change(queue))?;
        let oldest_parked_at_ms = self.store.oldest_parked_at_ms(queue).await?;
        Ok(FailureQueue {
            message_type,
            stats,
            oldest_parked_at_ms,
            oldest_age_seconds: oldest_parked_at_ms.map(age_seconds),
            auto_redrive: policy.and_then(|change| change.auto_redrive),
        })
    }
}

/// Clocks differ, so what was parked just now may seem to come from the
/// future: its age is 0.
fn age_seconds(parked_at_ms: i64) -> u64 {
    u64::try_from(now_ms().saturating_sub(parked_at_ms) / 1000).unwrap_or_default()
}
