//! Looks for the fulfilment branch that an earlier run of an order's workflow
//! started.

use failure_queue::{StepPolicy, Steps};

use crate::names::patch;
use crate::order_state::Context;
use crate::steps::{BranchSteps, FulfilmentJoin, FulfilmentState, WhileRunning};

/// Whether this order looks for branches that an earlier run of it started.
/// One that has passed by such a place before it was there never does.
pub(crate) fn looks_for_branches(ctx: &Context) -> bool {
    ctx.patched(patch::LOOK_FOR_BRANCHES)
}

/// Where the fulfilment branch stands that an earlier run may have started.
/// One that cannot be told counts as running.
pub(crate) async fn fulfilment(ctx: &Context) -> FulfilmentState {
    let policy = StepPolicy::bookkeeping();
    Steps::new(ctx)
        .local_first(
            BranchSteps::join_fulfilment,
            question(ctx, WhileRunning::Answer),
            &policy,
            "look for a fulfilment branch",
        )
        .await
        .unwrap_or(FulfilmentState::Running)
}

pub(crate) fn question(ctx: &Context, while_running: WhileRunning) -> FulfilmentJoin {
    FulfilmentJoin {
        order_id: ctx.state(|state| state.order.order_id),
        while_running,
    }
}
