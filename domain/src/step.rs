//! The steps of the saga, and why an order was cancelled.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::InvalidField;

/// A step of the saga. The first seven can be made to fail on purpose, see
/// [`crate::ErrorOnStep`]; their numbers are the specification's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// 1: the order is written to the store.
    CreateOrder,
    /// 2: the customer is charged.
    ProcessPayment,
    /// 3: the points for the order are awarded.
    AddLoyaltyPoints,
    /// 4: the kitchen is handed its ticket.
    PrepareOrder,
    /// 5: the wait until the food is cooked and delivered.
    ProcessOrder,
    /// 6: the charge is taken back.
    RefundPayment,
    /// 7: the points are taken back.
    ReclaimLoyaltyPoints,
    /// The customer is told that the order failed.
    NotifyCustomer,
}

impl Step {
    /// All steps, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::CreateOrder,
        Self::ProcessPayment,
        Self::AddLoyaltyPoints,
        Self::PrepareOrder,
        Self::ProcessOrder,
        Self::RefundPayment,
        Self::ReclaimLoyaltyPoints,
        Self::NotifyCustomer,
    ];

    /// The step's name on the wire, in the store and in Temporal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CreateOrder => "createOrder",
            Self::ProcessPayment => "processPayment",
            Self::AddLoyaltyPoints => "addLoyaltyPoints",
            Self::PrepareOrder => "prepareOrder",
            Self::ProcessOrder => "processOrder",
            Self::RefundPayment => "refundPayment",
            Self::ReclaimLoyaltyPoints => "reclaimLoyaltyPoints",
            Self::NotifyCustomer => "notifyCustomer",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Step {
    type Err = InvalidField;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|step| step.as_str() == text)
            .ok_or_else(|| InvalidField::new("step", "must be the name of a step"))
    }
}

/// Why an order was cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CancelReason {
    /// The step that failed for good.
    pub step: Step,
    /// A stable code for programs, `payment-declined` for example.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

impl fmt::Display for CancelReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: {} ({})", self.step, self.message, self.code)
    }
}
