//! Steps that look at an order's branches from outside: an earlier run of the
//! order's workflow may have started them.

use pizza_domain::{CancelReason, OrderId};
use serde::{Deserialize, Serialize};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;

use super::orders::DeliveryReport;
use crate::loyalty::LoyaltyOutcome;
use crate::names::activity;

/// A question about the fulfilment branch of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FulfilmentJoin {
    /// The order.
    pub order_id: OrderId,
    /// What is done while the branch runs.
    pub while_running: WhileRunning,
}

/// What is done with a branch that still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WhileRunning {
    /// The answer is that it runs.
    Answer,
    /// Its end is waited for.
    Wait,
    /// It is cancelled, and its end is waited for.
    Stop,
}

/// Where the fulfilment branch of an order stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FulfilmentState {
    /// It never began, or Temporal has forgotten it.
    Absent,
    /// It runs.
    Running,
    /// The food was delivered, and this was the kitchen's last report.
    Delivered(Option<DeliveryReport>),
    /// It failed for this reason, and its ticket is withdrawn.
    Failed(CancelReason),
    /// It was ended from outside, and its ticket may still be open.
    EndedFromOutside,
}

/// Steps that look at an order's branches.
pub struct BranchSteps;

// What an implementation names in `#[activity(definition = ...)]`.
pub use branch_steps::{JoinFulfilment, JoinLoyalty};

#[activity_definitions]
impl BranchSteps {
    /// Says where the fulfilment branch of an order stands. It counts as
    /// delivered once any run of it was, unless the order was cancelled before.
    #[activity(name = activity::JOIN_FULFILMENT)]
    pub fn join_fulfilment(join: FulfilmentJoin) -> Result<FulfilmentState, ActivityError> {
        unimplemented!()
    }

    /// Waits for the end of an order's loyalty branch, and says what it came to;
    /// none when there is no such branch, or it was ended from outside.
    #[activity(name = activity::JOIN_LOYALTY)]
    pub fn join_loyalty(order_id: OrderId) -> Result<Option<LoyaltyOutcome>, ActivityError> {
        unimplemented!()
    }
}
