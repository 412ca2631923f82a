//! The loyalty branch: the points of one order.

#![allow(
    missing_docs,
    reason = "the macros generate items without documentation"
)]

use pizza_domain::{Order, Step};
use serde::{Deserialize, Serialize};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{WorkflowContext, WorkflowContextView, WorkflowResult};

use crate::names::{idempotency_key, workflow_type};
use crate::parking::run_or_park;
use crate::steps::{LoyaltySteps, Points, loyalty};

/// What became of the points of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LoyaltyOutcome {
    /// The customer has them.
    Awarded,
    /// Awarding them failed and waits in a failure queue.
    Parked,
}

/// The loyalty branch of one order.
#[workflow]
pub struct LoyaltyWorkflow {
    order: Order,
}

#[workflow_methods]
impl LoyaltyWorkflow {
    #[init]
    fn new(_ctx: &WorkflowContextView, order: Order) -> Self {
        Self { order }
    }

    /// Awards the points, or parks the award. Never fails an order.
    #[run(name = workflow_type::LOYALTY)]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<LoyaltyOutcome> {
        let order = ctx.state(|state| state.order.clone());
        Ok(award(ctx, &order).await)
    }
}

/// Awards the points of an order, or parks the award.
pub(crate) async fn award<W>(ctx: &WorkflowContext<W>, order: &Order) -> LoyaltyOutcome {
    let awarded = run_or_park(
        ctx,
        order,
        &loyalty::ADD_LOYALTY_POINTS_FAILED,
        LoyaltySteps::add_loyalty_points,
        points_of(order, Step::AddLoyaltyPoints),
    )
    .await;
    match awarded {
        Ok(()) => LoyaltyOutcome::Awarded,
        Err(_) => LoyaltyOutcome::Parked,
    }
}

/// The points of an order, for one of the two steps that move them.
pub(crate) fn points_of(order: &Order, step: Step) -> Points {
    Points {
        order_id: order.order_id,
        customer_id: order.customer_id.clone(),
        points: order.points(),
        idempotency_key: idempotency_key(order.order_id, step),
        simulation: order.simulation,
    }
}
