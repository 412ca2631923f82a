//! Steps of and with the kitchen.

#![allow(
    missing_docs,
    reason = "the macros generate items without documentation"
)]

use std::sync::Arc;

use async_trait::async_trait;
use pizza_domain::{KitchenReport, OrderId, OrderStatus};
use pizza_store::{OrderRecord, Store};
use pizza_workflows::steps::{Prepared, RecordedReport, Ticket, kitchen};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::fault::{Answer, PartyError, simulation_in};

/// A kitchen. It takes tickets and reports on them from outside, through the
/// gateway.
#[async_trait]
pub trait Kitchen: Send + Sync {
    /// Hands over a ticket. Handing it over again changes nothing.
    ///
    /// # Errors
    /// A refusal, or a fault when it may not have arrived.
    async fn prepare(&self, ticket: &Ticket) -> Result<(), PartyError>;

    /// Tells the kitchen what a ticket is about now. The kitchen has not
    /// accepted it, and does not before it was told.
    ///
    /// # Errors
    /// A fault when the kitchen may not know.
    async fn amend(&self, ticket: &Ticket) -> Result<(), PartyError>;

    /// Tells the kitchen to stop working on a ticket.
    ///
    /// # Errors
    /// A fault when the kitchen may not know.
    async fn withdraw(&self, order: OrderId) -> Result<(), PartyError>;
}

/// Carries out the steps of and with the kitchen.
pub struct KitchenActivities {
    kitchen: Arc<dyn Kitchen>,
    store: Store,
}

impl KitchenActivities {
    /// Asks `kitchen`, and keeps the order's record in `store`.
    #[must_use]
    pub const fn new(kitchen: Arc<dyn Kitchen>, store: Store) -> Self {
        Self { kitchen, store }
    }

    /// Hands over the ticket, unless the order is over: this may be a new run
    /// of a workflow that had ended.
    async fn prepare(&self, ticket: &Ticket) -> Result<Prepared, PartyError> {
        let order = self.store.order(ticket.order_id).await?;
        let status = order.as_ref().map(|order| order.status);
        if status.is_some_and(is_given_up) {
            return Err(was_cancelled());
        }
        let reported = status.and_then(KitchenReport::that_brings_to);
        if reported != Some(KitchenReport::Delivered) {
            self.kitchen.prepare(&as_recorded(ticket, order)).await?;
            if ticket.accept_within_ms.is_none() {
                self.store
                    .change_order(ticket.order_id, OrderStatus::CookingStarted)
                    .await?;
            }
        }
        Ok(Prepared { reported })
    }

    async fn amend(&self, ticket: &Ticket) -> Result<(), PartyError> {
        let order = self.store.order(ticket.order_id).await?;
        self.kitchen.amend(&as_recorded(ticket, order)).await
    }
}

/// A ticket about what the order's record says. A run that was reset to a later
/// task may not know what was amended.
fn as_recorded(ticket: &Ticket, order: Option<OrderRecord>) -> Ticket {
    let mut ticket = ticket.clone();
    if let Some(order) = order
        && let Ok(quantity) = u64::try_from(order.quantity).unwrap_or_default().try_into()
    {
        ticket.flavour = order.flavour;
        ticket.size = order.size;
        ticket.quantity = quantity;
    }
    ticket
}

/// Whether an order of this status is not to be cooked any more.
const fn is_given_up(status: OrderStatus) -> bool {
    matches!(
        status,
        OrderStatus::Cancelled | OrderStatus::Refunding | OrderStatus::PaymentFailed
    )
}

/// How a ticket is refused whose order is over.
pub(crate) const fn was_cancelled() -> PartyError {
    PartyError::Refused {
        code: "order-cancelled",
        message: "the order was cancelled before",
    }
}

#[activities]
impl KitchenActivities {
    #[activity(definition = kitchen::PrepareOrder)]
    pub async fn prepare_order(
        self: Arc<Self>,
        ctx: ActivityContext,
        mut ticket: Ticket,
    ) -> Result<Prepared, ActivityError> {
        ticket.simulation = simulation_in(&ctx, ticket.simulation);
        self.prepare(&ticket).await.answer(&ctx)
    }

    #[activity(definition = kitchen::RecordKitchenReport)]
    pub async fn record_kitchen_report(
        self: Arc<Self>,
        ctx: ActivityContext,
        report: RecordedReport,
    ) -> Result<(), ActivityError> {
        self.store.record_report(&report).await.answer(&ctx)
    }

    #[activity(definition = kitchen::LastKitchenReport)]
    pub async fn last_kitchen_report(
        self: Arc<Self>,
        ctx: ActivityContext,
        order_id: OrderId,
    ) -> Result<Prepared, ActivityError> {
        let order = self.store.order(order_id).await;
        let prepared = order.map(|order| Prepared {
            reported: order.and_then(|order| KitchenReport::that_brings_to(order.status)),
        });
        prepared.answer(&ctx)
    }

    #[activity(definition = kitchen::AmendTicket)]
    pub async fn amend_ticket(
        self: Arc<Self>,
        ctx: ActivityContext,
        ticket: Ticket,
    ) -> Result<(), ActivityError> {
        self.amend(&ticket).await.answer(&ctx)
    }

    #[activity(definition = kitchen::WithdrawTicket)]
    pub async fn withdraw_ticket(
        self: Arc<Self>,
        ctx: ActivityContext,
        order_id: OrderId,
    ) -> Result<(), ActivityError> {
        self.kitchen.withdraw(order_id).await.answer(&ctx)
    }
}
