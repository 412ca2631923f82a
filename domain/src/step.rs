//! The steps of the saga, and why an order was cancelled.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::InvalidField;

/// Declares the steps in the order in which an order meets them: each with its
/// name on the wire, in the store and in Temporal, and with the number of the
/// scenario in which it fails ([`crate::ErrorOnStep`]). New steps have no number:
/// `ALL` stays as it is.
macro_rules! steps {
    ($($(#[$doc:meta])* $step:ident $name:literal $(scenario $number:literal)?,)+) => {
        /// A step of the saga.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub enum Step {
            $($(#[$doc])* $step,)+
        }

        impl Step {
            /// All steps, in the order in which an order meets them.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$step),+];

            /// The steps of the numbered scenarios.
            pub(crate) const OF_SCENARIOS: [(usize, Self); [$($($number,)?)+].len()] =
                [$($(($number, Self::$step),)?)+];

            /// The step's name on the wire, in the store and in Temporal.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$step => $name,)+
                }
            }
        }
    };
}

steps! {
    /// The order is written to the store.
    CreateOrder "createOrder" scenario 1,
    /// The customer is charged.
    ProcessPayment "processPayment" scenario 2,
    /// The points for the order are awarded.
    AddLoyaltyPoints "addLoyaltyPoints" scenario 3,
    /// The kitchen is handed its ticket.
    PrepareOrder "prepareOrder" scenario 4,
    /// The wait until the food is cooked and delivered.
    ProcessOrder "processOrder" scenario 5,
    /// The charge is refunded.
    RefundPayment "refundPayment" scenario 6,
    /// The points are reclaimed.
    ReclaimLoyaltyPoints "reclaimLoyaltyPoints" scenario 7,
    /// The customer is notified that the order failed.
    NotifyCustomer "notifyCustomer",
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
