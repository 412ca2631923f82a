//! Tells each change of an order.

use std::collections::VecDeque;

use pizza_domain::OrderId;
use pizza_store::{OrderChange, StoreError};
use tokio::time::sleep;

use super::error::UseCaseError;
use super::use_cases::UseCases;
use crate::access::Viewer;
use crate::feed::{Feed, RETRY_EVERY, Watcher};

/// The place of a client that watches, which bounds how many read at once.
pub trait WatchPlace {
    /// Whose turn it is to read, until it is dropped.
    type Turn<'a>: Send
    where
        Self: 'a;

    /// Waits for the turn to read what changed.
    fn turn_to_read(&self) -> impl Future<Output = Self::Turn<'_>> + Send;
}

/// What became of an order after a version, each change once, in its order,
/// until the first with a final status.
#[derive(Debug)]
pub struct Changes<P> {
    watcher: Watcher,
    /// The version that was told last.
    after: i64,
    ready: VecDeque<OrderChange>,
    is_over: bool,
    place: P,
}

impl UseCases {
    /// The changes of an order after a version; none when the order had ended
    /// by then. An order that no worker has written yet has its first change
    /// still before it, and one whose versions end before `after` those beyond
    /// it.
    ///
    /// # Errors
    /// When there is no such order for this viewer, or who could tell is away.
    pub async fn watch_order<P: WatchPlace>(
        &self,
        feed: &Feed,
        viewer: &Viewer,
        id: OrderId,
        after: i64,
        place: P,
    ) -> Result<Option<Changes<P>>, UseCaseError> {
        self.order_record(viewer, id).await?;
        let mut changes = Changes {
            watcher: feed.watch(id),
            after,
            ready: VecDeque::new(),
            is_over: false,
            place,
        };
        changes.read().await?;
        Ok((!changes.is_over).then_some(changes))
    }
}

impl<P: WatchPlace> Changes<P> {
    /// The next change, once there is one; none after the last. A store that
    /// does not answer is asked again until it does.
    pub async fn next(&mut self) -> Option<OrderChange> {
        loop {
            if let Some(change) = self.ready.pop_front() {
                self.after = change.version;
                if change.status.is_final() {
                    self.is_over = true;
                    self.ready.clear();
                }
                return Some(change);
            }
            if self.is_over {
                return None;
            }
            self.watcher.woken().await;
            while let Err(error) = self.read().await {
                if !error.may_pass() {
                    tracing::error!(%error, "an order cannot be watched any more");
                    return None;
                }
                sleep(RETRY_EVERY).await;
            }
        }
    }

    /// Reads what came after the last change that was told.
    async fn read(&mut self) -> Result<(), StoreError> {
        let _turn = self.place.turn_to_read().await;
        let mut changes: VecDeque<_> = self.watcher.changes_from(self.after).await?.into();
        match changes.front() {
            Some(told) if told.version == self.after => {
                self.is_over = told.status.is_final();
                changes.pop_front();
            }
            Some(_) => {}
            // Nothing was written yet, or not as much as the client has seen.
            None => {
                let order = self.watcher.order().await?;
                self.is_over = order.is_some_and(|order| order.status.is_final());
            }
        }
        if !self.is_over {
            self.ready = changes;
        }
        Ok(())
    }
}
