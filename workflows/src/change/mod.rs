//! What a customer changes about an order, and how the order workflow and its
//! fulfilment branch agree on it.
//!
//! What the kitchen has reported is known to the branch alone, so the order
//! workflow asks it and waits for its word; each side decides by itself in one
//! breath, so that no change and no report can pass each other by.

pub(crate) mod amend;
pub(crate) mod cancel;

use std::error::Error;

use failure_queue::{Steps, refused};
use pizza_domain::{Amendment, CancelReason, Money, Order, OrderId, OrderStatus};
use serde::{Deserialize, Serialize};
use temporalio_common::error::ApplicationFailure;
use temporalio_workflow::{
    SignalWorkflowOptions, WorkflowCancellationToken, WorkflowContext, WorkflowSignalError,
};

use crate::branches::{fulfilment, looks_for_branches};
use crate::fulfilment::FulfilmentWorkflow;
use crate::names::{failure_type, fulfilment_workflow_id};
use crate::order::{OrderWorkflow, Phase};
use crate::steps::FulfilmentState;

/// What the customer is told of an amendment that was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AmendReceipt {
    /// What was asked for, by which a repetition is told from another request.
    pub asked: Amendment,
    /// What is to be paid now, in minor units.
    pub total: Money,
    /// What was charged on top (or given back, when negative), in minor units.
    pub difference: Money,
}

/// Why an order was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeRefusal {
    /// The courier has it.
    #[error("the order is on its way")]
    OnItsWay,
    /// The customer has it.
    #[error("the order was delivered")]
    Delivered,
    /// The kitchen has accepted it.
    #[error("the kitchen cooks already")]
    Cooking,
    /// It is cancelled, or about to be.
    #[error("the order is cancelled")]
    Over,
    /// It is already as the customer wants it.
    #[error("the order is already like that")]
    Unchanged,
    /// It was amended too often.
    #[error("the order was amended {most} times", most = Amendment::MOST_OF_AN_ORDER)]
    TooMany,
    /// The payment of the difference, or the points, were refused.
    #[error("{0}")]
    Declined(String),
    /// Whoever moves money or points could not be reached.
    #[error("{0}")]
    Failed(String),
}

impl ChangeRefusal {
    /// The refusal that a failure of this type and with this message stands
    /// for.
    #[must_use]
    pub fn from_failure(type_name: &str, message: &str) -> Option<Self> {
        let known = [
            Self::OnItsWay,
            Self::Delivered,
            Self::Cooking,
            Self::Over,
            Self::Unchanged,
            Self::TooMany,
            Self::Declined(message.to_owned()),
            Self::Failed(message.to_owned()),
        ];
        known
            .into_iter()
            .find(|refusal| refusal.type_name() == type_name)
    }

    const fn type_name(&self) -> &'static str {
        match self {
            Self::OnItsWay => failure_type::ORDER_ON_ITS_WAY,
            Self::Delivered => failure_type::ORDER_DELIVERED,
            Self::Cooking => failure_type::ORDER_COOKING,
            Self::Over => failure_type::ORDER_OVER,
            Self::Unchanged => failure_type::ORDER_UNCHANGED,
            Self::TooMany => failure_type::TOO_MANY_AMENDMENTS,
            Self::Declined(_) => failure_type::AMENDMENT_DECLINED,
            Self::Failed(_) => failure_type::AMENDMENT_FAILED,
        }
    }
}

/// A refusal as an update answers it.
pub(crate) fn refusal(refusal: ChangeRefusal) -> Box<dyn Error + Send + Sync> {
    let type_name = refusal.type_name().to_owned();
    let failure = ApplicationFailure::builder(refusal)
        .type_name(type_name)
        .non_retryable(true)
        .build();
    refused("the order was not changed", failure)
}

/// What the order workflow asks of its fulfilment branch.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeRequest {
    /// Counts the questions of one order; the answer repeats it.
    pub number: u32,
    /// What is wanted.
    pub change: Change,
}

/// What is to be done with an order that the kitchen has.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// To give it up, for this reason.
    Cancel(CancelReason),
    /// To keep the kitchen from accepting it while it is amended.
    Amend,
}

/// The branch's word on a [`ChangeRequest`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeAnswer {
    /// The request's number.
    pub number: u32,
    /// The status that keeps the change from being made; none when it may be.
    pub refused: Option<OrderStatus>,
}

/// What became of an amendment that the branch waits for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettledChange {
    /// The order as it is now; none when it stays as it was.
    pub order: Option<Order>,
}

/// A signal that is sent also when the workflow was cancelled meanwhile.
pub(crate) fn detached() -> SignalWorkflowOptions {
    SignalWorkflowOptions::builder()
        .cancellation_token(WorkflowCancellationToken::new())
        .build()
}

type Context = WorkflowContext<OrderWorkflow>;

/// The fulfilment branch's word on a change.
enum Word {
    /// It may be made.
    Granted,
    /// It may not: the order stands there.
    Refused(OrderStatus),
    /// The branch has come to its end, and with it the question.
    Ended,
}

/// Whether this run of an order will join a fulfilment branch that an earlier
/// run started: then that branch alone knows what may be changed, also before
/// this run has come to it.
async fn joins_a_branch(ctx: &Context) -> bool {
    ctx.state(|state| state.phase) == Phase::Beginning
        && looks_for_branches(ctx)
        && fulfilment(ctx).await != FulfilmentState::Absent
}

/// Asks the fulfilment branch for a change. A cancellation that it grants is
/// answered by its end.
async fn ask(ctx: &Context, change: Change) -> Word {
    let steps = Steps::new(ctx);
    // Whoever is not there yet cannot be asked.
    steps
        .until(|state: &OrderWorkflow| state.kitchen_is_open || state.phase != Phase::Kitchen)
        .await;
    if ctx.state(|state| state.phase) != Phase::Kitchen {
        return Word::Ended;
    }
    let (number, order_id) = ctx.state_mut(|state| {
        state.questions += 1;
        state.awaited.insert(state.questions);
        (state.questions, state.order.order_id)
    });
    // A branch that has ended while it was asked says so by its end.
    let _ = tell(ctx, order_id, ChangeRequest { number, change }).await;
    steps
        .until(move |state: &OrderWorkflow| {
            state.answers.contains_key(&number) || state.phase != Phase::Kitchen
        })
        .await;
    match ctx.state_mut(|state| state.answers.remove(&number)) {
        // It knows that it ends before this workflow hears of it.
        Some(Some(OrderStatus::Refunding)) => {
            steps
                .until(|state: &OrderWorkflow| state.phase != Phase::Kitchen)
                .await;
            Word::Ended
        }
        Some(Some(status)) => Word::Refused(status),
        Some(None) => Word::Granted,
        None => Word::Ended,
    }
}

async fn tell(
    ctx: &Context,
    order_id: OrderId,
    request: ChangeRequest,
) -> Result<(), WorkflowSignalError> {
    ctx.external_workflow(fulfilment_workflow_id(order_id), None)
        .signal(
            FulfilmentWorkflow::request_change,
            request.into(),
            detached(),
        )
        .await
}
