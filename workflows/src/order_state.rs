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

/// Whether the order is in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// Not as far as this run knows.
    Unwritten,
    /// This run wrote it.
    New,
    /// An earlier run of this workflow had written it.
    OfEarlierRun,
}

/// The charge of the order, as far as this run knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charge {
    /// None was asked for, or it was declined.
    Absent,
    /// The payment provider is being asked.
    UnderWay,
    /// Made, and answered.
    Made,
    /// It may have been made: the provider was asked and did not answer.
    Possible,
    /// An earlier run may have made one, so the rollback looks for it.
    Sought,
}

impl Charge {
    /// Whether there may be a charge to refund.
    pub(crate) fn may_exist(self) -> bool {
        !matches!(self, Self::Absent | Self::UnderWay)
    }

    /// The charge once the rollback looks for what earlier runs did. It is
    /// asked for a second time where an order that was to be cancelled has a
    /// fulfilment branch: that order was charged.
    pub(crate) fn sought(self) -> Self {
        match self {
            Self::Absent | Self::UnderWay => Self::Sought,
            Self::Sought | Self::Possible => Self::Possible,
            Self::Made => Self::Made,
        }
    }
}

/// The fulfilment branch, as far as this run knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fulfilment {
    /// Not there to be asked for a change.
    Unstarted,
    /// Runs, and can be asked.
    Running,
    /// Ended, and said how; or there was none to end.
    Ended,
    /// Ended from outside, so its ticket may still be open.
    Stopped,
}

impl Fulfilment {
    /// Whether it will not go on.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Ended | Self::Stopped)
    }
}

/// The saga of one order.
#[workflow]
pub struct OrderWorkflow {
    pub(crate) order: Order,
    pub(crate) outcome: OrderOutcome,
    pub(crate) phase: Phase,
    pub(crate) record: Record,
    pub(crate) charge: Charge,
    pub(crate) fulfilment: Fulfilment,
    /// Whether the rollback looks for what an earlier run may have left: a
    /// charge, points, a ticket.
    pub(crate) looks_for_more: bool,
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
