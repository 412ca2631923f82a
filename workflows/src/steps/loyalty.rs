//! Steps on the customer's points.

use pizza_domain::{CustomerId, OrderId, PointsState, Simulation, Step};
use serde::{Deserialize, Serialize};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;

use super::spec::{Parked, Part, SimulatedFailure, StepSpec};
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

/// The points that an amended order earns more, or less.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PointsAdjustment {
    /// The order that they are for.
    pub order_id: OrderId,
    /// Whose points they are.
    pub customer_id: CustomerId,
    /// The amendment's number, which counts from 1.
    pub amendment: u32,
    /// How many more; fewer when negative.
    pub points: i64,
    /// The programme acts once for each key.
    pub idempotency_key: String,
}

/// Steps on the customer's points.
pub struct LoyaltySteps;

// What an implementation names in `#[activity(definition = ...)]`.
pub use loyalty_steps::{
    AddLoyaltyPoints, AdjustLoyaltyPoints, ReclaimLoyaltyPoints, VoidPointsAdjustment,
};

/// Step 3.
pub const ADD_LOYALTY_POINTS: StepSpec = StepSpec {
    simulated: Some(SimulatedFailure::refusal(
        "points-refused",
        "the loyalty programme refused to award the points",
    )),
    parked: Some(&ADD_LOYALTY_POINTS_FAILED),
    ..StepSpec::new(Step::AddLoyaltyPoints, "Give points", Part::Loyalty)
};

/// Points were not awarded.
pub const ADD_LOYALTY_POINTS_FAILED: Parked = Parked {
    step: Step::AddLoyaltyPoints,
    queue: "add-loyalty-points",
    message_type: "AddLoyaltyPointsFailed",
    local_first: true,
    heading: "Points not given",
    owed: "{points} to {customer}",
    money: None,
    points: Some(PointsState::Parked),
};

/// Step 7.
pub const RECLAIM_LOYALTY_POINTS: StepSpec = StepSpec {
    compensates: Some(Step::AddLoyaltyPoints),
    simulated: Some(
        SimulatedFailure::refusal(
            "reclaim-refused",
            "the loyalty programme refused to take the points back",
        )
        .with(Step::PrepareOrder),
    ),
    parked: Some(&REMOVE_LOYALTY_POINTS_FAILED),
    ..StepSpec::new(
        Step::ReclaimLoyaltyPoints,
        "Take points back",
        Part::Rollback,
    )
};

/// Points were not reclaimed.
pub const REMOVE_LOYALTY_POINTS_FAILED: Parked = Parked {
    step: Step::ReclaimLoyaltyPoints,
    queue: "remove-loyalty-points",
    message_type: "RemoveLoyaltyPointsFailed",
    local_first: true,
    heading: "Points not taken back",
    owed: "{points} to be taken back from {customer}",
    money: None,
    points: Some(PointsState::ReclaimParked),
};

#[activity_definitions]
impl LoyaltySteps {
    /// Awards the points of an order.
    #[activity(name = activity::ADD_LOYALTY_POINTS)]
    pub fn add_loyalty_points(points: Points) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// Brings the points of an order in line with its amendment. They count
    /// together with the award, also when that is still to come.
    #[activity(name = activity::ADJUST_LOYALTY_POINTS)]
    pub fn adjust_loyalty_points(adjustment: PointsAdjustment) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// Takes an adjustment back; one that was not made cannot be any more.
    #[activity(name = activity::VOID_POINTS_ADJUSTMENT)]
    pub fn void_points_adjustment(adjustment: PointsAdjustment) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// Takes the points of an order back, if there are any.
    #[activity(name = activity::RECLAIM_LOYALTY_POINTS)]
    pub fn reclaim_loyalty_points(points: Points) -> Result<(), ActivityError> {
        unimplemented!()
    }
}
