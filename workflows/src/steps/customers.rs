//! Steps towards the customer.

use pizza_domain::{CancelReason, CustomerId, OrderId, Simulation, Step};
use serde::{Deserialize, Serialize};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;

use super::spec::{Parked, Part, Retries, StepSpec};
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

/// After every order that failed. No scenario makes it fail.
pub const NOTIFY_CUSTOMER: StepSpec = StepSpec {
    retries: Retries(5, 1, 2.0),
    parked: Some(&NOTIFY_CUSTOMER_FAILED),
    ..StepSpec::new(Step::NotifyCustomer, "Tell customer", Part::Rollback)
};

/// The customer was not notified.
pub const NOTIFY_CUSTOMER_FAILED: Parked = Parked {
    step: Step::NotifyCustomer,
    queue: "notify-customer",
    message_type: "NotifyCustomerFailed",
    local_first: false,
    heading: "Customers not told",
    owed: "word to {customer} that the order was cancelled",
    money: None,
    points: None,
};

#[activity_definitions]
impl CustomerSteps {
    /// Tells the customer that the order failed.
    #[activity(name = activity::NOTIFY_CUSTOMER)]
    pub fn notify_customer(notification: Notification) -> Result<(), ActivityError> {
        unimplemented!()
    }
}
