//! Steps on the customer's points.

#![allow(
    missing_docs,
    clippy::unimplemented,
    reason = "the macros generate items without documentation, and never call the bodies"
)]

use pizza_domain::{CustomerId, OrderId, Simulation};
use serde::{Deserialize, Serialize};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;

use crate::names::activity;

/// Points to be awarded, or to be taken back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Points {
    /// The order that they are for.
    pub order_id: OrderId,
    /// Whose points they are.
    pub customer_id: CustomerId,
    /// How many.
    pub points: i64,
    /// The programme acts once for each key.
    pub idempotency_key: String,
    /// For a simulated programme.
    pub simulation: Simulation,
}

/// Steps on the customer's points.
pub struct LoyaltySteps;

// What an implementation names in `#[activity(definition = ...)]`.
pub use loyalty_steps::{AddLoyaltyPoints, ReclaimLoyaltyPoints};

#[activity_definitions]
impl LoyaltySteps {
    /// Awards the points of an order.
    #[activity(name = activity::ADD_LOYALTY_POINTS)]
    pub fn add_loyalty_points(points: Points) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// Takes the points of an order back, if there are any.
    #[activity(name = activity::RECLAIM_LOYALTY_POINTS)]
    pub fn reclaim_loyalty_points(points: Points) -> Result<(), ActivityError> {
        unimplemented!()
    }
}
