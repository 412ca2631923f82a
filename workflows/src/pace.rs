//! The pace of a simulated order: a wait after each status change.

use pizza_domain::{OrderStatus, Pace};
use temporalio_workflow::{TimerOptions, WorkflowContext};

use failure_queue::Steps;

/// Waits the pace of a simulated order after a status change. Ends early when
/// the workflow is cancelled.
pub(crate) async fn pace<W>(ctx: &WorkflowContext<W>, pace: Pace, status: OrderStatus) {
    if !pace.is_zero() {
        let options = TimerOptions::builder(pace.duration())
            .summary(format!("pace after {status}"))
            .build();
        ctx.timer(options).await;
    }
}

/// As [`pace`], but not ended by a cancellation: for the rollback.
pub(crate) async fn pace_detached<W>(ctx: &WorkflowContext<W>, pace: Pace, status: OrderStatus) {
    if !pace.is_zero() {
        Steps::new(ctx)
            .wait(pace.duration(), &format!("pace after {status}"))
            .await;
    }
}
