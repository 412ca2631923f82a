//! Tells how the failure queues stand.

use std::sync::Arc;
use std::time::Duration;

use failure_queue::AutoRedrive;
use failure_queue::client::{FailureQueues, QueueStats};
use futures::future::{join_all, try_join_all};
use pizza_store::{Waiting, now_ms};
use pizza_workflows::steps::Parked;

use super::error::UseCaseError;
use super::use_cases::UseCases;

/// For how long those who look on share one look at the queues.
pub const QUEUES_KEPT: Duration = Duration::from_secs(2);

/// How the failure queues stand, as far as can be told.
#[derive(Clone, Debug)]
pub struct QueuesSoFar {
    /// Every queue, empty ones included.
    pub queues: Vec<QueueSoFar>,
    /// Whether Temporal tells what it is to tell.
    pub temporal_answers: bool,
    /// Whether the books are open.
    pub store_answers: bool,
}

/// How a failure queue stands, as far as can be told.
#[derive(Clone, Debug)]
pub struct QueueSoFar {
    /// What waits there.
    pub parked: &'static Parked,
    /// By Temporal: how much, and how that has changed over the last hour.
    pub stats: Option<QueueStats>,
    /// By Temporal: when its tasks are run again by themselves.
    pub auto_redrive: Option<AutoRedrive>,
    /// By the books: how much, and since when the oldest. None where nothing
    /// waits, or nobody knows.
    pub booked: Option<Waiting>,
}

impl QueueSoFar {
    /// How many tasks wait, by Temporal's count, or by the books' while it is
    /// away; none where nobody knows.
    pub fn depth(&self, store_answers: bool) -> Option<u64> {
        let booked = self.booked.as_ref().map_or(0, |booked| booked.count);
        let booked = store_answers.then(|| u64::try_from(booked).unwrap_or_default());
        self.stats.map(|stats| stats.depth).or(booked)
    }
}

/// Over which time arrivals and ends are counted.
const WINDOW: Duration = Duration::from_secs(3600);

/// How a failure queue stands.
#[derive(Clone, Debug)]
pub struct FailureQueue {
    /// What waits there.
    pub parked: &'static Parked,
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
        let queues = Parked::ALL.map(|parked| self.failure_queue(queues.clone(), parked));
        try_join_all(queues).await
    }

    /// The same as far as it can be told: who is away is left out.
    ///
    /// # Errors
    /// When something is wrong that does not pass.
    pub async fn failure_queues_so_far(&self) -> Result<QueuesSoFar, UseCaseError> {
        let by_temporal = async {
            let queues = self.queues_to_read().await?;
            let queues = Parked::ALL.map(|parked| {
                let queues = queues.clone();
                async move {
                    let queue = parked.queue;
                    Ok(tokio::try_join!(
                        queues.stats(queue, WINDOW),
                        queues.last_change(queue)
                    )?)
                }
            });
            join_all(queues).await.into_iter().collect()
        };
        let by_temporal = async { unless_away::<Vec<_>>(by_temporal.await) };
        let by_books = async {
            let booked = self.store.waiting_tasks().await;
            unless_away(booked.map_err(UseCaseError::from))
        };
        let (by_temporal, by_books) = tokio::try_join!(by_temporal, by_books)?;
        let of = |(at, parked): (usize, &'static Parked)| {
            let told = by_temporal.as_ref().and_then(|told| told.get(at));
            let mut booked = by_books.iter().flatten();
            QueueSoFar {
                parked,
                stats: told.map(|(stats, _)| *stats),
                auto_redrive: told.and_then(|(_, change)| change.clone()?.auto_redrive),
                booked: booked.find(|booked| booked.what == parked.queue).cloned(),
            }
        };
        Ok(QueuesSoFar {
            queues: Parked::ALL.into_iter().enumerate().map(of).collect(),
            temporal_answers: by_temporal.is_some(),
            store_answers: by_books.is_some(),
        })
    }

    /// The same, as somebody saw it within the last [`QUEUES_KEPT`]: Temporal
    /// counts for a namespace no faster than some times a second.
    ///
    /// # Errors
    /// When something is wrong that does not pass.
    pub async fn failure_queues_lately(&self) -> Result<Arc<QueuesSoFar>, UseCaseError> {
        let look = async { Ok(Arc::new(self.failure_queues_so_far().await?)) };
        self.queues_lately.try_get(look).await
    }

    async fn failure_queue(
        &self,
        queues: FailureQueues,
        parked: &'static Parked,
    ) -> Result<FailureQueue, UseCaseError> {
        let queue = parked.queue;
        let (stats, policy) =
            tokio::try_join!(queues.stats(queue, WINDOW), queues.last_change(queue))?;
        let oldest_parked_at_ms = self.store.oldest_parked_at_ms(queue).await?;
        Ok(FailureQueue {
            parked,
            stats,
            oldest_parked_at_ms,
            oldest_age_seconds: oldest_parked_at_ms.map(age_seconds),
            auto_redrive: policy.and_then(|change| change.auto_redrive),
        })
    }
}

/// None for what is away.
fn unless_away<T>(told: Result<T, UseCaseError>) -> Result<Option<T>, UseCaseError> {
    match told {
        Ok(told) => Ok(Some(told)),
        Err(error) if error.may_pass() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Clocks differ, so what was parked just now may seem to come from the
/// future: its age is 0.
fn age_seconds(parked_at_ms: i64) -> u64 {
    u64::try_from(now_ms().saturating_sub(parked_at_ms) / 1000).unwrap_or_default()
}
