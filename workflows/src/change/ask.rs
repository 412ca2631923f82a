//! Asks the fulfilment branch for a change, and waits for its answer.

use failure_queue::Steps;
use pizza_domain::{OrderId, OrderStatus};
use temporalio_workflow::WorkflowSignalError;

use super::signals::{Change, ChangeRequest, detached};
use crate::earlier_branches::{fulfilment, looks_for_branches};
use crate::fulfilment_state::FulfilmentWorkflow;
use crate::names::fulfilment_workflow_id;
use crate::order_state::{Context, Fulfilment, OrderWorkflow, Phase};
use crate::steps::FulfilmentState;

/// The fulfilment branch's word on a change.
pub(super) enum Word {
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
pub(super) async fn joins_a_branch(ctx: &Context) -> bool {
    ctx.state(|state| state.phase) == Phase::Beginning
        && looks_for_branches(ctx)
        && fulfilment(ctx).await != FulfilmentState::Absent
}

/// Asks the fulfilment branch for a change. A cancellation that it grants is
/// answered by its end.
pub(super) async fn ask(ctx: &Context, change: Change) -> Word {
    let steps = Steps::new(ctx);
    // Whoever is not there yet cannot be asked.
    steps
        .until(|state: &OrderWorkflow| {
            state.fulfilment != Fulfilment::Unstarted || state.phase != Phase::Kitchen
        })
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
