//! The change feed: one for each gateway, however many watch.
//!
//! While there is a watcher, one indexed query finds what changed lately, and
//! the watchers of those orders are woken. What changed, each reads by itself,
//! from where it stands: being woken once too often costs it a look, and
//! nothing is lost by being woken late.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pizza_domain::OrderId;
use pizza_store::meters::{self, Present};
use pizza_store::{LatestChange, OrderChange, OrderRecord, Store, StoreError};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// How often the store is asked what changed. A change is told at most this
/// much later than the store has it.
const POLL_EVERY: Duration = Duration::from_millis(100);

/// How long a store that did not answer is left alone.
pub(crate) const RETRY_EVERY: Duration = Duration::from_secs(1);

/// How far behind the latest change that was seen each query begins, in
/// milliseconds: several processes write, and one that took its time from the
/// clock first may commit last.
const OVERLAP_MS: i64 = 5_000;

/// How often the watched orders are looked up one by one, in case that a
/// clock was wrong by more than the overlap.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// The feed. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Feed {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    /// The latest version that the feed has seen of each watched order.
    watched: Mutex<HashMap<OrderId, watch::Sender<i64>>>,
    /// Told when the first watcher comes.
    begun: Notify,
}

impl Feed {
    /// A feed on this store, which asks nothing until it runs.
    pub fn new(store: Store) -> Self {
        Self {
            shared: Arc::new(Shared {
                store,
                watched: Mutex::default(),
                begun: Notify::new(),
            }),
        }
    }

    /// Begins to watch an order. What changes after the first read of the
    /// watcher wakes it.
    pub fn watch(&self, order_id: OrderId) -> Watcher {
        let mut watched = self.shared.watched();
        let was_idle = watched.is_empty();
        let latest = match watched.entry(order_id) {
            Entry::Occupied(order) => order.get().subscribe(),
            Entry::Vacant(order) => order.insert(watch::Sender::new(0)).subscribe(),
        };
        drop(watched);
        if was_idle {
            self.shared.begun.notify_one();
        }
        Watcher {
            shared: Arc::clone(&self.shared),
            order_id,
            latest,
            _counted: Present::of(meters::WATCHERS),
        }
    }

    /// Wakes watchers until `shutdown`.
    pub async fn run(&self, shutdown: CancellationToken) {
        let feeding = async {
            loop {
                while self.shared.watched().is_empty() {
                    self.shared.begun.notified().await;
                }
                self.while_watched().await;
            }
        };
        let _: Option<()> = shutdown.run_until_cancelled(feeding).await;
    }

    /// Asks what changed until nobody watches any more.
    async fn while_watched(&self) {
        let mut progress = Progress::default();
        let mut is_away = false;
        while !self.shared.watched().is_empty() {
            match self.shared.look(&mut progress).await {
                Ok(()) => {
                    is_away = false;
                    sleep(POLL_EVERY).await;
                }
                Err(error) => {
                    if !is_away {
                        tracing::warn!(%error, "the watched orders cannot be followed for now");
                    }
                    is_away = true;
                    sleep(RETRY_EVERY).await;
                }
            }
        }
    }
}

/// What the feed has seen.
#[derive(Default)]
struct Progress {
    /// The latest time of a change, by the clock of whoever made it.
    latest_ms: Option<i64>,
    swept: Option<Instant>,
}

impl Shared {
    /// The watched orders. A panic cannot leave them half changed.
    fn watched(&self) -> MutexGuard<'_, HashMap<OrderId, watch::Sender<i64>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look(&self, progress: &mut Progress) -> Result<(), StoreError> {
        let changed = match progress.latest_ms {
            // What came before this moment, the sweep below finds.
            None => {
                progress.latest_ms = Some(self.store.last_changed_at_ms().await?.unwrap_or(0));
                Vec::new()
            }
            Some(latest_ms) => self.store.changed_after(latest_ms - OVERLAP_MS).await?,
        };
        let times = changed.iter().map(|change| change.changed_at_ms);
        progress.latest_ms = times.chain(progress.latest_ms).max();
        self.wake(&changed);
        if progress.swept.is_none_or(|at| at.elapsed() >= SWEEP_EVERY) {
            let ids: Vec<_> = self.watched().keys().copied().collect();
            self.wake(&self.store.latest_changes(&ids).await?);
            progress.swept = Some(Instant::now());
        }
        Ok(())
    }

    /// Wakes those who watch orders that have come further than was seen.
    fn wake(&self, changed: &[LatestChange]) {
        let watched = self.watched();
        for change in changed {
            if let Some(latest) = watched.get(&change.order_id) {
                latest.send_if_modified(|version| {
                    let is_new = change.version > *version;
                    *version = change.version.max(*version);
                    is_new
                });
            }
        }
    }
}

/// Somebody who watches an order.
#[derive(Debug)]
pub struct Watcher {
    shared: Arc<Shared>,
    order_id: OrderId,
    latest: watch::Receiver<i64>,
    _counted: Present,
}

impl Watcher {
    /// Waits until the order may have changed.
    pub async fn woken(&mut self) {
        if self.latest.changed().await.is_err() {
            // The sender is there as long as this watcher is.
            std::future::pending::<()>().await;
        }
    }

    /// The order's changes from a version on.
    pub async fn changes_from(&self, version: i64) -> Result<Vec<OrderChange>, StoreError> {
        self.shared.store.changes_from(self.order_id, version).await
    }

    /// The order as it stands.
    pub async fn order(&self) -> Result<Option<OrderRecord>, StoreError> {
        self.shared.store.order(self.order_id).await
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut watched = self.shared.watched();
        let is_last = watched
            .get(&self.order_id)
            .is_some_and(|latest| latest.receiver_count() <= 1);
        if is_last {
            watched.remove(&self.order_id);
        }
    }
}
