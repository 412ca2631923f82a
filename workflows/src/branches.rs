//! The two branches of an order, and what an earlier run of the order's
//! workflow left of them.
//!
//! A workflow that is reset starts anew beside the branches that its earlier
//! run started: they run on, or have ended. Each branch of an order is started
//! once. Where there is one, the new run joins it: it waits for its end, and
//! takes its word.

use std::future::Future;
use std::time::Duration;

use failure_queue::{StepPolicy, Steps};
use futures::FutureExt;
use pizza_domain::{CancelReason, Order, PointsState, Step};
use temporalio_common::ActivityDefinition;
use temporalio_common::data_converters::{TemporalDeserializable, TemporalSerializable};
use temporalio_common::error::IncomingError;
use temporalio_workflow::{
    ActivityCloseTimeouts, ActivityOptions, ChildWorkflowExecutionError, ChildWorkflowOptions,
    ChildWorkflowStartError, StartChildWorkflowExecutionFailedCause, WorkflowCancellationToken,
    WorkflowIdReusePolicy, select,
};

use crate::change::amend::follow_amendments;
use crate::change::signals::{SettledChange, detached};
use crate::earlier_branches::{fulfilment, looks_for_branches, question};
use crate::failure::cancelled;
use crate::fulfilment_state::FulfilmentWorkflow;
use crate::loyalty::{LoyaltyOutcome, LoyaltyWorkflow, award};
use crate::names::{failure_type, fulfilment_workflow_id, loyalty_workflow_id, task_queue};
use crate::order_state::{Context, Fulfilment, Phase};
use crate::search_attributes::search_attributes;
use crate::steps::{BranchSteps, DeliveryReport, FulfilmentState, OrderSteps, WhileRunning};

/// How long one attempt waits for the end of a branch. The next goes on.
const JOIN_TIMEOUT: Duration = Duration::from_hours(1);

/// How long the worker that waits may keep silent.
const JOIN_SILENCE: Duration = Duration::from_secs(10);

/// Runs the fulfilment branch, or joins the one that is there. One that was
/// ended from outside, with an earlier run of the order for example, is run
/// again: it goes on from what the kitchen has reported.
pub(crate) async fn fulfil(
    ctx: &Context,
    order: &Order,
) -> Result<Option<DeliveryReport>, CancelReason> {
    let start = |order: Order, reuse: WorkflowIdReusePolicy| {
        let options = child(
            &order,
            fulfilment_workflow_id(order.order_id),
            task_queue::FULFILMENT,
            "cooking and delivery",
            reuse,
        );
        ctx.start_child_workflow(FulfilmentWorkflow::run, order, options)
    };
    let mut started = start(order.clone(), WorkflowIdReusePolicy::RejectDuplicate).await;
    if started.as_ref().is_err_and(is_there) && looks_for_branches(ctx) {
        match join_fulfilment(ctx).await {
            FulfilmentState::Delivered(report) => return Ok(report),
            FulfilmentState::Failed(reason) => return Err(reason),
            _ => {
                let order = ctx.state(|state| state.order.clone());
                started = start(order, WorkflowIdReusePolicy::AllowDuplicate).await;
            }
        }
    }
    let Ok(branch) = started else {
        return Err(cancelled(ctx, Step::PrepareOrder).unwrap_or_else(not_started));
    };
    ctx.state_mut(|state| state.fulfilment = Fulfilment::Running);
    let ended = told_of_cancellation(ctx, branch.result()).await;
    ctx.state_mut(|state| state.fulfilment = Fulfilment::Ended);
    ended.map_err(|error| own_word(&error).unwrap_or_else(|| ended_from_outside(ctx)))
}

/// Goes on with the fulfilment branch that an earlier run started, until it has
/// ended.
async fn join_fulfilment(ctx: &Context) -> FulfilmentState {
    catch_up(ctx).await;
    let joined = join_branch(
        ctx,
        || BranchSteps::join_fulfilment,
        question(ctx, WhileRunning::Wait),
        "join the fulfilment branch",
    );
    ctx.state_mut(|state| state.fulfilment = Fulfilment::Running);
    let ended = told_of_cancellation(ctx, joined).await;
    ctx.state_mut(|state| {
        state.fulfilment = match ended {
            FulfilmentState::Delivered(_) | FulfilmentState::Failed(_) => Fulfilment::Ended,
            _ => Fulfilment::Unstarted,
        };
    });
    ended
}

/// Takes over the amendments of the run that started the branch, and lets a
/// kitchen go on that waits for one of them.
async fn catch_up(ctx: &Context) {
    let order_id = ctx.state(|state| state.order.order_id);
    let policy = StepPolicy::bookkeeping();
    let earlier = Steps::new(ctx)
        .local_first(
            OrderSteps::read_earlier_run,
            order_id,
            &policy,
            "read the earlier run",
        )
        .await;
    if let Some(amendments) = earlier
        .ok()
        .flatten()
        .and_then(|earlier| earlier.amendments)
    {
        follow_amendments(ctx, amendments).await;
    }
    let settled = SettledChange {
        order: Some(ctx.state(|state| state.order.clone())),
    };
    // A branch that has ended waits for nothing.
    let _ = ctx
        .external_workflow(fulfilment_workflow_id(order_id), None)
        .signal(
            FulfilmentWorkflow::settle_change,
            settled.into(),
            detached(),
        )
        .await;
}

/// Where the fulfilment branch stands that an earlier run may have started,
/// once it does not run any more.
pub(crate) async fn settle(ctx: &Context) -> FulfilmentState {
    let mut state = fulfilment(ctx).await;
    if state == FulfilmentState::Running {
        state = join_branch(
            ctx,
            || BranchSteps::join_fulfilment,
            question(ctx, WhileRunning::Stop),
            "end the fulfilment branch",
        )
        .await;
    }
    ctx.state_mut(|order| {
        order.fulfilment = match state {
            FulfilmentState::EndedFromOutside => Fulfilment::Stopped,
            _ => Fulfilment::Ended,
        };
    });
    state
}

/// Runs the loyalty branch, or joins the one that is there. Its failure never
/// fails the order. Where it was ended from outside, the order awards the
/// points itself, unless it is rolled back: then they count as awarded, and the
/// rollback, which takes back no more than there is, looks for them.
pub(crate) async fn award_points(ctx: &Context, order: &Order) -> PointsState {
    let options = child(
        order,
        loyalty_workflow_id(order.order_id),
        task_queue::LOYALTY,
        "points",
        WorkflowIdReusePolicy::RejectDuplicate,
    );
    let started = ctx
        .start_child_workflow(LoyaltyWorkflow::run, order.clone(), options)
        .await;
    let outcome = match started {
        Ok(branch) => branch.result().await.ok(),
        Err(ChildWorkflowStartError::Cancelled(_)) => return PointsState::None,
        Err(error) if is_there(&error) && looks_for_branches(ctx) => {
            let join = || BranchSteps::join_loyalty;
            join_branch(ctx, join, order.order_id, "join the loyalty branch").await
        }
        Err(_) => None,
    };
    match outcome {
        Some(LoyaltyOutcome::Parked) => PointsState::Parked,
        Some(LoyaltyOutcome::Awarded) => PointsState::Awarded,
        None if looks_for_branches(ctx) => award_without_branch(ctx, order).await,
        None => PointsState::Awarded,
    }
}

async fn award_without_branch(ctx: &Context, order: &Order) -> PointsState {
    if ctx.state(|state| state.phase) == Phase::RollingBack {
        return PointsState::Awarded;
    }
    match award(ctx, order).await {
        LoyaltyOutcome::Awarded => PointsState::Awarded,
        LoyaltyOutcome::Parked => PointsState::Parked,
    }
}

/// Waits for a fulfilment branch. Should the order's workflow be cancelled
/// meanwhile, the branch is cancelled by its id: one that an earlier run
/// started does not get the cancellation of its parent.
async fn told_of_cancellation<T>(ctx: &Context, ended: impl Future<Output = T>) -> T {
    let mut ended = Box::pin(ended.fuse());
    let token = ctx.cancellation_token();
    select! {
        ended = ended => return ended,
        () = token.cancelled() => {}
    }
    if looks_for_branches(ctx) {
        let id = ctx.state(|state| fulfilment_workflow_id(state.order.order_id));
        // A branch that has ended has nothing to cancel.
        let _ = ctx.external_workflow(id, None).cancel(token.reason()).await;
    }
    ended.await
}

/// Waits for what became of a branch, for as long as it runs.
async fn join_branch<AD>(
    ctx: &Context,
    step: impl Fn() -> AD,
    input: AD::Input,
    summary: &str,
) -> AD::Output
where
    AD: ActivityDefinition + 'static,
    AD::Input: Clone + TemporalSerializable,
    AD::Output: TemporalDeserializable,
{
    let policy = StepPolicy::bookkeeping();
    loop {
        let options =
            ActivityOptions::with_close_timeouts(ActivityCloseTimeouts::StartToClose(JOIN_TIMEOUT))
                .heartbeat_timeout(JOIN_SILENCE)
                .retry_policy(policy.retry_policy())
                .cancellation_token(WorkflowCancellationToken::new())
                .summary(summary.to_owned())
                .build();
        if let Ok(output) = ctx.execute_activity(step(), input.clone(), options).await {
            return output;
        }
        // It is tried until it answers; only an answer that cannot be read
        // ends it, as a worker of another version gives it.
        Steps::new(ctx).wait(policy.longest_wait, summary).await;
    }
}

/// Whether a branch was not started because it is there already.
fn is_there(error: &ChildWorkflowStartError) -> bool {
    matches!(
        error,
        ChildWorkflowStartError::StartFailed {
            cause: StartChildWorkflowExecutionFailedCause::WorkflowAlreadyExists,
            ..
        }
    )
}

/// Why the fulfilment branch failed, in its own words; none when it was ended
/// from outside.
fn own_word(error: &ChildWorkflowExecutionError) -> Option<CancelReason> {
    match error.reason() {
        Some(IncomingError::Application(failure))
            if failure.type_name() == Some(failure_type::FULFILMENT_FAILED) =>
        {
            failure.details().ok().flatten()
        }
        _ => None,
    }
}

/// The reason of an order whose fulfilment branch was ended from outside,
/// which leaves its ticket.
fn ended_from_outside(ctx: &Context) -> CancelReason {
    if looks_for_branches(ctx) {
        ctx.state_mut(|state| state.fulfilment = Fulfilment::Stopped);
    }
    CancelReason {
        step: Step::ProcessOrder,
        code: "fulfilment-ended".to_owned(),
        message: "the cooking and delivery of the order were stopped".to_owned(),
    }
}

fn not_started() -> CancelReason {
    CancelReason {
        step: Step::PrepareOrder,
        code: "fulfilment-not-started".to_owned(),
        message: "the order could not be handed to the kitchen".to_owned(),
    }
}

/// How a branch of an order is started: once, unless `reuse` says otherwise.
fn child(
    order: &Order,
    id: String,
    task_queue: &str,
    summary: &str,
    reuse: WorkflowIdReusePolicy,
) -> ChildWorkflowOptions {
    ChildWorkflowOptions::builder()
        .workflow_id(id)
        .task_queue(task_queue.to_owned())
        .id_reuse_policy(reuse)
        .search_attributes(search_attributes(order))
        .static_summary(summary.to_owned())
        .build()
}
