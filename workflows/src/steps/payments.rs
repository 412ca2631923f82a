//! Steps on the customer's money.

#![allow(
    missing_docs,
    clippy::unimplemented,
    reason = "the macros generate items without documentation, and never call the bodies"
)]

use pizza_domain::{CustomerId, Money, OrderId, Simulation};
use serde::{Deserialize, Serialize};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;

use crate::names::activity;

/// An amount to be charged, or to be given back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// The order that it is for.
    pub order_id: OrderId,
    /// Whose money it is.
    pub customer_id: CustomerId,
    /// How much, in minor units.
    pub amount: Money,
    /// The provider acts once for each key.
    pub idempotency_key: String,
    /// For a simulated provider.
    pub simulation: Simulation,
}

/// Steps on the customer's money.
pub struct PaymentSteps;

// What an implementation names in `#[activity(definition = ...)]`.
pub use payment_steps::{ProcessPayment, RefundPayment};

#[activity_definitions]
impl PaymentSteps {
    /// Charges the customer. A decline is final.
    #[activity(name = activity::PROCESS_PAYMENT)]
    pub fn process_payment(payment: Payment) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// Gives the charge back.
    #[activity(name = activity::REFUND_PAYMENT)]
    pub fn refund_payment(payment: Payment) -> Result<(), ActivityError> {
        unimplemented!()
    }
}
