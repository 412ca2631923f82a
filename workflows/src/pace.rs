//! The pace of a simulated order: a wait after each status change.

use failure_queue::Steps;
use pizza_domain::OrderStatus;
use temporalio_workflow::{TimerOptions, select};

use crate::order_state::{Context, OrderWorkflow};
use crate::steps::{OrderSteps, StatusChange};

/// Waits the pace of a simulated order after a status change. Ends early when
/// the order is called off or the workflow cancelled.
pub(crate) async fn pace(ctx: &Context, status: OrderStatus) {
    let pace = ctx.state(|state| state.order.simulation.pace);
    if pace.is_zero() {
        return;
    }
    let token = ctx.cancellation_token().child_token();
    let options = TimerOptions::builder(pace.duration())
        .cancellation_token(token.clone())
        .summary(summary(status))
        .build();
    select! {
        _ = ctx.timer(options) => {}
        called_off = ctx.wait_condition(|state: &OrderWorkflow| state.called_off.is_some()) => {
            // A cancelled workflow has cancelled its timer by itself.
            if called_off.is_ok() {
                token.cancel();
            }
        }
    }
}

/// As [`pace`], but not ended early: for the rollback.
async fn pace_detached(ctx: &Context, status: OrderStatus) {
    let pace = ctx.state(|state| state.order.simulation.pace);
    if !pace.is_zero() {
        Steps::new(ctx)
            .wait(pace.duration(), &summary(status))
            .await;
    }
}

/// Shows a status for its pace. Without a pace nobody could see it, and the
/// step that follows writes it on its way.
pub(crate) async fn show_if_paced(ctx: &Context, status: OrderStatus) {
    let (order_id, pace_of_order) = ctx.state_mut(|state| {
        state.outcome.status = status;
        (state.order.order_id, state.order.simulation.pace)
    });
    if pace_of_order.is_zero() {
        return;
    }
    let change = StatusChange {
        order_id,
        status,
        report: None,
    };
    Steps::new(ctx)
        .bookkeeping(OrderSteps::set_order_status, change, status.as_str())
        .await;
    if status == OrderStatus::Refunding {
        pace_detached(ctx, status).await;
    } else {
        pace(ctx, status).await;
    }
}

fn summary(status: OrderStatus) -> String {
    format!("pace after {status}")
}
