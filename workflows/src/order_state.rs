//! What the workflow of an order knows of it.

use std::collections::{BTreeMap, BTreeSet};

use pizza_domain::{CancelReason, MoneyState, Order, OrderStatus, PointsState, Step};
use serde::{Deserialize, Serialize};
use temporalio_macros::workflow;
use temporalio_workflow::WorkflowContext;

use crate::names::idempotency_key;
use crate::steps::Payment;

/// How an order stands, or how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderOutcome {
    /// The last status that the order workflow itself brought about. The
    /// kitchen's own stages are the fulfilment workflow's to tell.
    pub status: OrderStatus,
    /// What became of the money.
    pub money: MoneyState,
    /// What became of the points.
    pub points: PointsState,
}

/// How far an order is, for those who want to change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The kitchen has no ticket yet.
    Beginning,
    /// The fulfilment branch has the order.
    Kitchen,
    /// The food is at the door, and nothing can be changed any more.
    Delivered,
    /// It will be rolled back, unless a branch of an earlier run has delivered
    /// it: that is being found out.
    Settling,
    /// What was given is being taken back, whatever comes.
    RollingBack,
}

/// The saga of one order.
#[workflow]
pub struct OrderWorkflow {
    pub(crate) order: Order,
    pub(crate) outcome: OrderOutcome,
    pub(crate) phase: Phase,
    /// Whether there may be a charge to take back. Not the same as a charge
    /// that is known: the provider may have been cut off in the middle.
    pub(crate) may_be_charged: bool,
    /// Whether the rollback looks for what this run knows nothing of: a
    /// charge, points, a ticket of an earlier run.
    pub(crate) looks_for_more: bool,
    /// Whether a charge is among what is only looked for.
    pub(crate) charge_is_unknown: bool,
    /// Whether the order is in the store.
    pub(crate) created: bool,
    /// Whether an earlier run of this workflow wrote it there.
    pub(crate) has_earlier_run: bool,
    /// Whether the payment provider is being asked.
    pub(crate) charging: bool,
    /// Whether the loyalty branch has the order.
    pub(crate) awarding: bool,
    /// Whether the fulfilment branch is there to be asked.
    pub(crate) kitchen_is_open: bool,
    /// Whether the fulfilment branch has ended, and said how.
    pub(crate) fulfilment_ended: bool,
    /// Whether a fulfilment branch was ended from outside, so that its ticket
    /// may still be open.
    pub(crate) ticket_is_left: bool,
    /// Why the customer does not want it, if that is said before the kitchen
    /// has it.
    pub(crate) called_off: Option<CancelReason>,
    /// Whether the order is being amended.
    pub(crate) amending: bool,
    /// How many amendments wait for their turn.
    pub(crate) wanted_amendments: u32,
    /// How many amendments were tried.
    pub(crate) amendments: u32,
    /// How many questions the fulfilment branch was asked.
    pub(crate) questions: u32,
    /// Those that wait for an answer. Any other answer is one to an earlier
    /// run of this workflow.
    pub(crate) awaited: BTreeSet<u32>,
    /// Its answers that nobody has read yet: the status that keeps a change
    /// from being made, or none.
    pub(crate) answers: BTreeMap<u32, Option<OrderStatus>>,
}

/// What the workflow of an order acts through.
pub(crate) type Context = WorkflowContext<OrderWorkflow>;

/// The money of an order, for one of the two steps that move it.
pub(crate) fn payment_of(ctx: &Context, step: Step) -> Payment {
    ctx.state(|state| {
        let order = &state.order;
        Payment {
            order_id: order.order_id,
            customer_id: order.customer_id.clone(),
            amount: order.total,
            idempotency_key: idempotency_key(order.order_id, step),
            simulation: order.simulation,
        }
    })
}
