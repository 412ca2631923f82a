//! A kitchen that cooks nothing but keeps its tickets.
//!
//! The saga hands it tickets through [`Kitchen`]; the kitchen process takes
//! the due ones from here and reports on them at the gateway's door.

use async_trait::async_trait;
use pizza_domain::{KitchenReport, OrderId, Step};
use pizza_workflows::steps::Ticket;

use crate::fault::{PartyError, simulated_failure};
use crate::kitchen::Kitchen;
use crate::store::{Store, StoreError};

/// A kitchen that keeps its tickets in the store.
#[derive(Clone)]
pub struct SimulatedKitchen {
    store: Store,
}

/// A report that the kitchen has to make now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueReport {
    /// The ticket, and the order.
    pub order_id: OrderId,
    /// What there is to report.
    pub report: KitchenReport,
}

impl SimulatedKitchen {
    /// Opens the kitchen's books.
    #[must_use]
    pub const fn new(store: Store) -> Self {
        Self { store }
    }

    /// Takes at most `limit` due reports. One that is not booked as taken
    /// within `lease_ms` milliseconds becomes due again, for whichever
    /// kitchen process comes first.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn take_due(&self, limit: i64, lease_ms: i64) -> Result<Vec<DueReport>, StoreError> {
        self.store.take_due_reports(limit, lease_ms).await
    }

    /// Books a report that was taken, now or before.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn book_taken(
        &self,
        order: OrderId,
        report: KitchenReport,
    ) -> Result<(), StoreError> {
        self.store.advance_ticket(order, report).await
    }

    /// Gives up on a ticket whose report was refused for good.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn give_up(&self, order: OrderId) -> Result<(), StoreError> {
        self.store.withdraw_ticket(order).await
    }
}

#[async_trait]
impl Kitchen for SimulatedKitchen {
    async fn prepare(&self, ticket: &Ticket) -> Result<(), PartyError> {
        simulated_failure(ticket.simulation, Step::PrepareOrder)?;
        let answers = !ticket.simulation.fails(Step::ProcessOrder);
        Ok(self.store.book_ticket(ticket, answers).await?)
    }

    async fn amend(&self, ticket: &Ticket) -> Result<(), PartyError> {
        Ok(self.store.amend_ticket(ticket).await?)
    }

    async fn withdraw(&self, order: OrderId) -> Result<(), PartyError> {
        Ok(self.store.withdraw_ticket(order).await?)
    }
}
