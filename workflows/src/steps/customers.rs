//! Steps towards the customer.

#![allow(
    missing_docs,
    clippy::unimplemented,
    reason = "the macros generate items without documentation, and never call the bodies"
)]

use pizza_domain::{CancelReason, CustomerId, OrderId, Simulation};
use serde::{Deserialize, Serialize};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;

use crate::names::activity;

/// What the customer is to be told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// The order that it is about.
    pub order_id: OrderId,
    /// Who is told.
    pub customer_id: CustomerId,
    /// Why the order was cancelled.
    pub reason: CancelReason,
    /// The customer hears once for each key.
    pub idempotency_key: String,
    /// For a simulated messenger.
    pub simulation: Simulation,
}

/// Steps towards the customer.
pub struct CustomerSteps;

// What an implementation names in `#[activity(definition = ...)]`.
pub use customer_steps::NotifyCustomer;

#[activity_definitions]
impl CustomerSteps {
    /// Tells the customer that the order failed.
    #[activity(name = activity::NOTIFY_CUSTOMER)]
    pub fn notify_customer(notification: Notification) -> Result<(), ActivityError> {
        unimplemented!()
    }
}
