//! A kitchen that cooks nothing.
//!
//! The saga hands it tickets through [`Kitchen`]; they come onto the shop's
//! list. The kitchen process reads that list, and reports, at the gateway's
//! door like any other kitchen.

use async_trait::async_trait;
use pizza_domain::{OrderId, Step};
use pizza_store::Store;
use pizza_workflows::steps::{StepSpec, Ticket};

use crate::fault::{PartyError, simulated_failure};
use crate::kitchen::{Kitchen, was_cancelled};

/// A kitchen whose tickets are kept in the store.
#[derive(Clone)]
pub(crate) struct SimulatedKitchen {
    store: Store,
}

impl SimulatedKitchen {
    /// Keeps the tickets in `store`.
    pub(crate) const fn new(store: Store) -> Self {
        Self { store }
    }
}

#[async_trait]
impl Kitchen for SimulatedKitchen {
    async fn prepare(&self, ticket: &Ticket) -> Result<(), PartyError> {
        simulated_failure(ticket.simulation, Step::PrepareOrder)?;
        let silent = StepSpec::of(Step::ProcessOrder).fails_in(ticket.simulation);
        if self.store.book_ticket(ticket, silent).await? {
            Ok(())
        } else {
            Err(was_cancelled())
        }
    }

    async fn amend(&self, ticket: &Ticket) -> Result<(), PartyError> {
        Ok(self.store.amend_ticket(ticket).await?)
    }

    async fn withdraw(&self, order: OrderId) -> Result<(), PartyError> {
        Ok(self.store.withdraw_ticket(order).await?)
    }
}
