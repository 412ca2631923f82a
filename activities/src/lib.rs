//! The hands of the saga: each step carried out on an outside party, and the
//! store that both the parties' books and the orders' read model are kept in.
//!
//! Each outside party is a narrow trait with a simulated implementation that
//! really keeps books. A real one takes its place in [`Parties`].

mod branches;
mod customers;
mod fault;
mod kitchen;
mod loyalty;
mod orders;
mod payments;
mod reconciliation;
mod simulated_kitchen;
mod temporal_calls;

use std::sync::Arc;

pub use branches::BranchActivities;
pub use customers::{CustomerActivities, Messenger};
pub use fault::{Fault, PartyError};
pub use kitchen::{Kitchen, KitchenActivities};
pub use loyalty::{LoyaltyActivities, LoyaltyProgramme};
pub use orders::OrderActivities;
pub use payments::{PaymentActivities, PaymentProvider};
pub use reconciliation::ReconciliationActivities;

use pizza_store::Store;
use temporalio_client::Client;
use temporalio_sdk::WorkerOptions;

/// The outside parties of the saga.
#[derive(Clone)]
pub struct Parties {
    /// Who charges and refunds.
    pub payments: Arc<dyn PaymentProvider>,
    /// Who keeps the points.
    pub loyalty: Arc<dyn LoyaltyProgramme>,
    /// Who cooks.
    pub kitchen: Arc<dyn Kitchen>,
    /// Who tells customers.
    pub messenger: Arc<dyn Messenger>,
}

/// Lets the worker of a task queue carry out every step of an order. Each
/// queue's worker can take all of them, and what is recorded when one is parked,
/// so that no step waits for a worker that there is not.
pub fn register_steps(
    worker: &mut WorkerOptions,
    parties: &Parties,
    store: &Store,
    client: &Client,
) {
    let Parties {
        payments,
        loyalty,
        kitchen,
        messenger,
    } = parties.clone();
    worker
        .register_activities(OrderActivities::new(store.clone()))
        .register_activities(PaymentActivities::new(payments, store.clone()))
        .register_activities(LoyaltyActivities::new(loyalty, store.clone()))
        .register_activities(KitchenActivities::new(kitchen, store.clone()))
        .register_activities(CustomerActivities::new(messenger))
        .register_activities(BranchActivities::new(client.clone(), store.clone()));
}

impl Parties {
    /// Simulated parties, which keep their books in `store`.
    #[must_use]
    pub fn simulated(store: &Store) -> Self {
        Self {
            payments: Arc::new(payments::SimulatedProvider::new(store.clone())),
            loyalty: Arc::new(loyalty::SimulatedProgramme::new(store.clone())),
            kitchen: Arc::new(simulated_kitchen::SimulatedKitchen::new(store.clone())),
            messenger: Arc::new(customers::SimulatedMessenger::new(store.clone())),
        }
    }
}
