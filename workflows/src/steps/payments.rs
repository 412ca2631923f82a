//! Steps on the customer's money.

use pizza_domain::{CustomerId, Money, MoneyState, OrderId, Simulation, Step};
use serde::{Deserialize, Serialize};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;

use super::spec::{Parked, Part, Retries, SimulatedFailure, StepSpec};
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

/// The difference to an amended order's price.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentAdjustment {
    /// The order that it is for.
    pub order_id: OrderId,
    /// Whose money it is.
    pub customer_id: CustomerId,
    /// The amendment's number, which counts from 1.
    pub amendment: u32,
    /// What is charged on top, or, when negative, given back; in minor units.
    pub difference: Money,
    /// What the order then costs. None from a worker of before this was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Money>,
    /// The provider acts once for each key.
    pub idempotency_key: String,
}

/// Steps on the customer's money.
pub struct PaymentSteps;

// What an implementation names in `#[activity(definition = ...)]`.
pub use payment_steps::{AdjustPayment, ProcessPayment, RefundPayment, VoidPaymentAdjustment};

/// Step 2.
pub const PROCESS_PAYMENT: StepSpec = StepSpec {
    simulated: Some(SimulatedFailure::refusal(
        "payment-declined",
        "the payment was declined",
    )),
    ..StepSpec::new(Step::ProcessPayment, "Charge", Part::Order)
};

/// Step 6.
pub const REFUND_PAYMENT: StepSpec = StepSpec {
    retries: Retries(5, 1, 1.1),
    compensates: Some(Step::ProcessPayment),
    simulated: Some(
        SimulatedFailure::fault("refund-failed", "the payment provider did not refund")
            .with(Step::PrepareOrder),
    ),
    parked: Some(&REFUND_PAYMENT_FAILED),
    ..StepSpec::new(Step::RefundPayment, "Refund", Part::Rollback)
};

/// A charge was not refunded.
pub const REFUND_PAYMENT_FAILED: Parked = Parked {
    step: Step::RefundPayment,
    queue: "refund-payment",
    message_type: "RefundPaymentFailed",
    local_first: false,
    heading: "Money not given back",
    owed: "{money} back to {customer}",
    money: Some(MoneyState::RefundParked),
    points: None,
};

#[activity_definitions]
impl PaymentSteps {
    /// Charges the customer. A decline is final.
    #[activity(name = activity::PROCESS_PAYMENT)]
    pub fn process_payment(payment: Payment) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// Charges the difference to a higher price, or gives back that to a
    /// lower one. A decline is final.
    #[activity(name = activity::ADJUST_PAYMENT)]
    pub fn adjust_payment(adjustment: PaymentAdjustment) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// Takes an adjustment back; one that was not made cannot be any more.
    #[activity(name = activity::VOID_PAYMENT_ADJUSTMENT)]
    pub fn void_payment_adjustment(adjustment: PaymentAdjustment) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// Gives back everything that was charged for the order.
    #[activity(name = activity::REFUND_PAYMENT)]
    pub fn refund_payment(payment: Payment) -> Result<(), ActivityError> {
        unimplemented!()
    }
}
