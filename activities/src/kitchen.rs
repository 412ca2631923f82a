//! Steps of and with the kitchen.

#![allow(
    missing_docs,
    reason = "the macros generate items without documentation"
)]

use std::sync::Arc;

use async_trait::async_trait;
use pizza_domain::{KitchenReport, OrderId, OrderStatus};
use pizza_workflows::steps::{RecordedReport, Ticket, kitchen};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::fault::{Answer, PartyError, simulation_in};
use crate::store::Store;

/// A kitchen. It takes tickets and reports on them from outside, through the
/// gateway.
#[async_trait]
pub trait Kitchen: Send + Sync {
    /// Hands over a ticket. Handing it over again changes nothing.
    ///
    /// # Errors
    /// A refusal, or a fault when it may not have arrived.
    async fn prepare(&self, ticket: &Ticket) -> Result<(), PartyError>;

    /// Confirms that a report of the kitchen was taken.
    ///
    /// # Errors
    /// A fault when the kitchen may not know.
    async fn acknowledge(&self, order: OrderId, report: KitchenReport) -> Result<(), PartyError>;

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

    async fn prepare(&self, ticket: &Ticket) -> Result<(), PartyError> {
        self.kitchen.prepare(ticket).await?;
        let change = OrderStatus::CookingStarted;
        Ok(self.store.change_order(ticket.order_id, change).await?)
    }

    /// The order's record first: once the kitchen goes on, an observer must
    /// be able to see what it went on from.
    async fn record(
        &self,
        RecordedReport { order_id, report }: RecordedReport,
    ) -> Result<(), PartyError> {
        self.store
            .change_order(order_id, report.order_status())
            .await?;
        self.kitchen.acknowledge(order_id, report).await
    }
}

#[activities]
impl KitchenActivities {
    #[activity(definition = kitchen::PrepareOrder)]
    pub async fn prepare_order(
        self: Arc<Self>,
        ctx: ActivityContext,
        mut ticket: Ticket,
    ) -> Result<(), ActivityError> {
        ticket.simulation = simulation_in(&ctx, ticket.simulation);
        self.prepare(&ticket).await.answer(&ctx)
    }

    #[activity(definition = kitchen::RecordKitchenReport)]
    pub async fn record_kitchen_report(
        self: Arc<Self>,
        ctx: ActivityContext,
        report: RecordedReport,
    ) -> Result<(), ActivityError> {
        self.record(report).await.answer(&ctx)
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
