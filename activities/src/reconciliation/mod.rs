//! The reconciliation: brings the orders' records in line with Temporal.
//!
//! It stands here, with the hands, since its outside party is Temporal itself:
//! it reads there how an order's workflow ended, and starts a new run of it. And
//! it writes to the orders' records by the functions that the steps write by,
//! which nobody outside of this crate can call.
//!
//! Looked at is every order without an end that has not changed for a while,
//! and every workflow of an order that was ended from outside. What is done:
//!
//! | the order's workflow | its record | what is done |
//! |---|---|---|
//! | runs | any | nothing, however old: its worker may be away |
//! | completed | without an end | written as delivered |
//! | failed as cancelled orders do | without an end, or none | written as cancelled, with its reason |
//! | was ended from outside, or is lost | without an end, or none | taken up again |
//! | was ended from outside | with its end | taken up again if the books lack what was to follow |
//!
//! An order is *taken up again* by a new run of its workflow under the same id,
//! which delivers it when its fulfilment had reached the door, and rolls it
//! back otherwise. Temporal lets one run of an id be at a time, and each step of
//! the run has its effect once, so two reconciliations at once do no harm, nor
//! does one that is lost in the middle.
//!
//! What is left alone, and why:
//!
//! - A branch that was ended from outside while its order runs: the order's
//!   workflow hears of it, and decides.
//! - An order that was ended while its fulfilment runs on, until that has ended
//!   too, and it is known whether the food is at the door. It is ended with its
//!   order, a moment later; where the order was reset, it is cancelled here.
//! - A workflow that was reset by hand and runs: it goes on from what an
//!   observer has seen. One that ended again by itself: its steps found done what
//!   was done. A delivered order was delivered again, a cancelled one refused by
//!   its kitchen and rolled back, and each effect has its one key.
//! - A record with an end beside a workflow with another one: delivered, and the
//!   run that an operator made of it by a reset was then cancelled, for example.
//!   An observer has seen the record, so it stays; what the ledgers hold against
//!   it the audit says, and a person has to decide who was wronged.
//! - Orders of which Temporal knows none, five or more: it is the wrong Temporal.
//! - A completed workflow without any record: the store has lost what is not in
//!   Temporal either, and comes back from its backup. The audit names each.
//! - A workflow without a record and without the memo of a gateway: nobody was
//!   told that there is such an order.
//! - What waits in a failure queue, whatever became of its order.

#![allow(
    missing_docs,
    reason = "the macros generate items without documentation"
)]

mod temporal;
#[cfg(test)]
mod tests;
mod trouble;
mod verdict;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use failure_queue::Bytes;
use futures::{StreamExt, stream};
use pizza_domain::{CancelReason, CustomerId, Order, OrderId, OrderStatus, Recovery};
use pizza_workflows::steps::{
    Place, ReconciledPage, ReconciliationCounts, ReconciliationPage, ReconciliationPart,
    StatusChange, reconciliation,
};
use temporalio_client::Client;
use temporalio_common::error::ApplicationFailure;
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use tokio::time::interval;

use pizza_store::meters::Reconciled;
use pizza_store::{OrderRecord, Store};
use temporal::{ByItself, Fulfilment, Standing, Temporal, Workflow};
use trouble::Trouble;
use verdict::{Outside, order_as_it_was, recovery_of, was_left_undone};

/// Orders on a page.
const PAGE: u32 = 100;

/// Orders that are looked at, at once.
const AT_ONCE: usize = 8;

/// So many orders that Temporal does not know, and none that it knows, are no
/// accident: this is another Temporal than the one they were placed in, and to
/// roll them back here would take them from under those that run there.
const STRANGERS: usize = 5;

/// How often a page tells that its worker lives.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// Carries out the steps of the reconciliation.
pub struct ReconciliationActivities {
    temporal: Temporal,
    store: Store,
}

/// What was found of an order, or done for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finding {
    /// It ended meanwhile, or is nobody's order.
    Nothing,
    Running,
    DeliveryConfirmed,
    Cancelled,
    RolledBack(Outside),
    RecoveredDelivered(Outside),
}

impl ReconciliationActivities {
    /// Holds the records of `store` against the workflows that `client` finds.
    #[must_use]
    pub const fn new(client: Client, store: Store) -> Self {
        Self {
            temporal: Temporal::new(client),
            store,
        }
    }

    /// Lets `alias` stand for customers in the search attributes of the orders
    /// that are taken up again.
    #[must_use]
    pub fn with_aliases(
        mut self,
        alias: impl Fn(&CustomerId) -> String + Send + Sync + 'static,
    ) -> Self {
        self.temporal = self.temporal.with_alias(Box::new(alias));
        self
    }
}

#[activities]
impl ReconciliationActivities {
    #[activity(definition = reconciliation::ReconcilePage)]
    pub async fn reconcile_page(
        self: Arc<Self>,
        ctx: ActivityContext,
        page: ReconciliationPage,
    ) -> Result<ReconciledPage, ActivityError> {
        let mut reconciling = Box::pin(self.reconcile(page));
        let mut alive = interval(HEARTBEAT);
        loop {
            tokio::select! {
                page = &mut reconciling => return page.map_err(fault),
                // Only tells that this worker lives; a page run again finds
                // done what was done.
                _ = alive.tick() => drop(ctx.record_heartbeat(()).await),
                () = ctx.cancelled() => {
                    return Err(fault(Trouble::Fault("the worker is being stopped".to_owned())));
                }
            }
        }
    }
}

impl ReconciliationActivities {
    async fn reconcile(&self, page: ReconciliationPage) -> Result<ReconciledPage, Trouble> {
        let since_ms = page.unchanged_since_ms;
        match page.part {
            ReconciliationPart::OpenOrders(after) => self.open_orders(since_ms, after).await,
            ReconciliationPart::EndedWorkflows(after) => self.ended(since_ms, after).await,
        }
    }

    /// A page of orders that have no end.
    async fn open_orders(&self, since_ms: i64, after: Place) -> Result<ReconciledPage, Trouble> {
        let page = self.store.open_orders(since_ms, &after, PAGE).await?;
        let next = match page.last() {
            Some(last) if page.len() == PAGE as usize => {
                ReconciliationPart::OpenOrders(last.clone())
            }
            _ => ReconciliationPart::EndedWorkflows(Bytes::default()),
        };
        if self.are_strangers(&page).await? {
            let stuck = page.len() as u64;
            tracing::error!(
                orders = stuck,
                "Temporal knows none of these orders: is this the namespace that they were \
                 placed in? They are left alone"
            );
            let counts = ReconciliationCounts {
                looked: stuck,
                stuck,
                ..ReconciliationCounts::default()
            };
            return Ok(ReconciledPage { counts, next: None });
        }
        let found: Vec<_> = stream::iter(page)
            .map(|place| self.open_order(place.order_id))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        Ok(ReconciledPage {
            counts: counted(found)?,
            next: Some(next),
        })
    }

    /// Whether Temporal knows none of the first orders of a page.
    async fn are_strangers(&self, page: &[Place]) -> Result<bool, Trouble> {
        let Some(first) = page.get(..STRANGERS) else {
            return Ok(false);
        };
        for id in first.iter().filter_map(|place| place.order_id.parse().ok()) {
            let standing = self.temporal.order(id).await?;
            if !matches!(standing.workflow, Workflow::Ended(Outside::Lost)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A page of workflows that did not end with a delivery.
    async fn ended(&self, since_ms: i64, after: Bytes) -> Result<ReconciledPage, Trouble> {
        let page = self.temporal.ended(since_ms, after).await?;
        let left = self.left_undone(page.orders).await?;
        let found: Vec<_> = stream::iter(left)
            .map(|id| self.ended_order(id))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        Ok(ReconciledPage {
            counts: counted(found)?,
            next: page.next.map(ReconciliationPart::EndedWorkflows),
        })
    }

    /// Those of these orders that have no record, or whose books lack what was
    /// to follow their end. Those with a record without an end stand on the
    /// other list.
    async fn left_undone(
        &self,
        orders: BTreeMap<OrderId, ByItself>,
    ) -> Result<Vec<OrderId>, Trouble> {
        let ids = orders.keys().map(ToString::to_string).collect();
        let accounts = self.store.accounts(ids).await?;
        let mut left = Vec::new();
        // Both are in the order of their ids.
        for ((id, by_itself), account) in orders.into_iter().zip(&accounts) {
            let undone = match &account.record {
                None => true,
                Some(_) if by_itself => false,
                Some(_) => was_left_undone(account, self.store.was_told(id).await?),
            };
            if undone {
                left.push(id);
            }
        }
        Ok(left)
    }

    /// Looks at an order of the store, and brings it in line.
    async fn open_order(&self, id: String) -> (String, Result<Finding, Trouble>) {
        let mend = async {
            let id: OrderId = id
                .parse()
                .map_err(|_| Trouble::Stuck("its id is none of an order".to_owned()))?;
            // In this order: a workflow that is over has written its last.
            let standing = self.temporal.order(id).await?;
            match self.store.order(id).await? {
                Some(record) if !record.status.is_final() => {
                    self.mend(id, Some(record), standing).await
                }
                _ => Ok(Finding::Nothing),
            }
        };
        let found = mend.await;
        (id, found)
    }

    /// Looks at an order of Temporal, and brings it in line.
    async fn ended_order(&self, id: OrderId) -> (String, Result<Finding, Trouble>) {
        let mend = async {
            let standing = self.temporal.order(id).await?;
            match self.store.order(id).await? {
                None if standing.order.is_none() => Ok(Finding::Nothing),
                None => self.mend(id, None, standing).await,
                // Only what was ended from outside is taken up: one that ended
                // by itself since then left nothing undone that it can do.
                Some(record) => match standing.workflow {
                    Workflow::Ended(outside) if record.status.is_final() => {
                        self.take_up(id, Some(record), standing.order, outside)
                            .await
                    }
                    _ => Ok(Finding::Nothing),
                },
            }
        };
        let found = mend.await;
        (id.to_string(), found)
    }

    /// Brings an order without an end in line with its workflow.
    async fn mend(
        &self,
        id: OrderId,
        record: Option<OrderRecord>,
        standing: Standing,
    ) -> Result<Finding, Trouble> {
        match standing.workflow {
            Workflow::Running => Ok(Finding::Running),
            Workflow::Completed => self.confirm_delivery(id).await,
            Workflow::Cancelled(reason) => {
                let order = order_as_it_was(record.as_ref(), standing.order);
                self.cancel(id, order, reason).await
            }
            Workflow::Ended(outside) => self.take_up(id, record, standing.order, outside).await,
        }
    }

    async fn confirm_delivery(&self, id: OrderId) -> Result<Finding, Trouble> {
        let change = StatusChange {
            order_id: id,
            status: OrderStatus::DeliveryConfirmed,
            report: None,
        };
        self.store.set_order_status(&change).await?;
        self.has_become(id, OrderStatus::DeliveryConfirmed).await?;
        Ok(Finding::DeliveryConfirmed)
    }

    async fn cancel(
        &self,
        id: OrderId,
        order: Option<Order>,
        reason: CancelReason,
    ) -> Result<Finding, Trouble> {
        let order = order.ok_or_else(unknown_order)?;
        self.store.cancel_order(&order, reason).await?;
        self.has_become(id, OrderStatus::Cancelled).await?;
        Ok(Finding::Cancelled)
    }

    /// The store passes over a status that may not follow.
    async fn has_become(&self, id: OrderId, status: OrderStatus) -> Result<(), Trouble> {
        let now = self.store.order(id).await?.map(|record| record.status);
        if now == Some(status) {
            return Ok(());
        }
        let now = now.map_or("without a record", OrderStatus::as_str);
        Err(Trouble::Stuck(format!(
            "its workflow ended as {status}, and it is {now}"
        )))
    }

    async fn take_up(
        &self,
        id: OrderId,
        record: Option<OrderRecord>,
        accepted: Option<Order>,
        outside: Outside,
    ) -> Result<Finding, Trouble> {
        let fulfilment = self.temporal.fulfilment(id).await?;
        if fulfilment == Fulfilment::Running {
            self.temporal.end_fulfilment(id).await?;
            return Ok(Finding::Running);
        }
        let is_at_the_door = fulfilment == Fulfilment::Completed;
        if is_at_the_door && record.is_none() {
            let text = "the food is at the door, and the store has lost its record";
            return Err(Trouble::Stuck(text.to_owned()));
        }
        let recovery = recovery_of(record.as_ref(), outside, is_at_the_door);
        let order = order_as_it_was(record.as_ref(), accepted).ok_or_else(unknown_order)?;
        let finding = match &recovery {
            Recovery::Delivered => Finding::RecoveredDelivered(outside),
            Recovery::RollBack(_) => Finding::RolledBack(outside),
        };
        let begun = self.temporal.take_up(order, recovery).await?;
        Ok(if begun { finding } else { Finding::Running })
    }
}

fn unknown_order() -> Trouble {
    Trouble::Stuck("neither the store nor Temporal says what was ordered".to_owned())
}

/// Says what was done for each order, and counts. One that the store or
/// Temporal gave no answer on fails the page, after all others had their turn.
fn counted(
    found: Vec<(String, Result<Finding, Trouble>)>,
) -> Result<ReconciliationCounts, Trouble> {
    let mut counts = ReconciliationCounts::default();
    let mut fault = None;
    for (order_id, finding) in found {
        counts.looked += u64::from(!matches!(finding, Ok(Finding::Nothing)));
        match finding {
            Ok(Finding::Nothing) => {}
            Ok(Finding::Running) => counts.running += 1,
            Ok(Finding::DeliveryConfirmed) => {
                counts.delivery_confirmed += 1;
                Reconciled::DeliveryConfirmed.count();
                tracing::info!(order_id, "its workflow completed: written as delivered");
            }
            Ok(Finding::Cancelled) => {
                counts.cancelled += 1;
                Reconciled::Cancelled.count();
                tracing::info!(order_id, "its workflow failed: written as cancelled");
            }
            Ok(Finding::RolledBack(outside)) => {
                counts.rolled_back += 1;
                Reconciled::RolledBack.count();
                let code = outside.code();
                tracing::warn!(order_id, code, "ended from outside: being rolled back");
            }
            Ok(Finding::RecoveredDelivered(outside)) => {
                counts.recovered_delivered += 1;
                Reconciled::RecoveredDelivered.count();
                let code = outside.code();
                tracing::warn!(order_id, code, "ended from outside: delivered all the same");
            }
            Err(Trouble::Stuck(error)) => {
                counts.stuck += 1;
                Reconciled::Stuck.count();
                tracing::warn!(order_id, error, "cannot be brought in line");
            }
            Err(trouble @ Trouble::Fault(_)) => fault = Some(trouble),
        }
    }
    tracing::debug!(?counts, "a page of orders was held against Temporal");
    fault.map_or(Ok(counts), Err)
}

/// Nothing that a page meets is final: it is tried again.
fn fault(trouble: Trouble) -> ActivityError {
    let (Trouble::Fault(text) | Trouble::Stuck(text)) = trouble;
    let failure = ApplicationFailure::builder(text)
        .type_name("ReconciliationUnavailable".to_owned())
        .build();
    ActivityError::application(failure)
}
