//! Taking back what was given, and telling the customer.

use failure_queue::{FollowUp, Steps};
use pizza_domain::{CancelReason, MoneyState, Order, OrderStatus, PointsState, Step};

use crate::loyalty::points_of;
use crate::names::{idempotency_key, patch, task_queue};
use crate::order_state::{Charge, Context, Fulfilment, OrderWorkflow, payment_of};
use crate::pace::show_if_paced;
use crate::parking::{parkable, run_or_park};
use crate::steps::{
    Cancellation, CustomerSteps, KitchenSteps, LoyaltySteps, Notification, OrderSteps,
    PaymentSteps, customers, loyalty, payments,
};

/// Rolls an order back: the money, then the points, each only if it was
/// given; then the order is cancelled and the customer told. Whatever fails
/// for good on the way is parked.
pub(crate) async fn roll_back(ctx: &Context, reason: &CancelReason) {
    // What an amendment moves is taken back with the rest.
    Steps::new(ctx)
        .until(|state: &OrderWorkflow| !state.amending)
        .await;
    let order = &ctx.state(|state| state.order.clone());
    if ctx.state(|state| state.looks_for_more || state.fulfilment == Fulfilment::Stopped) {
        Steps::new(ctx)
            .bookkeeping(
                KitchenSteps::withdraw_ticket,
                order.order_id,
                "withdraw ticket",
            )
            .await;
    }
    let settled = !ctx.state(|state| state.charge.may_exist()) || refund(ctx, order).await;
    // Points stay until the refund is settled.
    if settled && must_take_points_back(ctx) {
        reclaim(ctx, order).await;
    }
    cancel(ctx, order, reason).await;
    notify(ctx, order, reason).await;
}

/// Whether points were awarded, or may be yet: an award that is parked has to
/// be called off, or a redrive would give it for an order that was taken back.
fn must_take_points_back(ctx: &Context) -> bool {
    match ctx.state(|state| state.outcome.points) {
        PointsState::Awarded => true,
        PointsState::Parked => ctx.patched(patch::CALL_OFF_PARKED_AWARD),
        _ => false,
    }
}

/// Gives the charge back, if the provider has one. Whether that is settled.
async fn refund(ctx: &Context, order: &Order) -> bool {
    if ctx.state(|state| state.charge != Charge::Sought) {
        show_if_paced(ctx, OrderStatus::Refunding).await;
    }
    let mut step = parkable(order, &payments::REFUND_PAYMENT_FAILED);
    step.follow_ups = reclaim_after_refund(ctx, order);
    let refunded = Steps::new(ctx)
        .run_or_park(
            PaymentSteps::refund_payment,
            payment_of(ctx, Step::RefundPayment),
            step,
            Step::RefundPayment.as_str(),
        )
        .await;
    ctx.state_mut(|state| match refunded {
        Ok(()) if state.outcome.money == MoneyState::Charged => {
            state.outcome.money = MoneyState::Refunded;
        }
        Ok(()) => {}
        Err(_) => state.outcome.money = MoneyState::RefundParked,
    });
    refunded.is_ok()
}

/// What a refund that is parked leaves undone: the points.
fn reclaim_after_refund(ctx: &Context, order: &Order) -> Vec<FollowUp> {
    let may_have_points = matches!(
        ctx.state(|state| state.outcome.points),
        PointsState::Awarded | PointsState::Parked
    );
    if !may_have_points {
        return Vec::new();
    }
    let follow_up = Steps::new(ctx).to_follow(
        &LoyaltySteps::reclaim_loyalty_points,
        &points_of(order, Step::ReclaimLoyaltyPoints),
        task_queue::LOYALTY,
        parkable(order, &loyalty::REMOVE_LOYALTY_POINTS_FAILED),
    );
    match follow_up {
        Ok(follow_up) => vec![follow_up],
        Err(error) => {
            // Plain data of our own: it has been serialized before.
            ctx.force_task_fail(error);
            Vec::new()
        }
    }
}

async fn reclaim(ctx: &Context, order: &Order) {
    let reclaimed = run_or_park(
        ctx,
        order,
        &loyalty::REMOVE_LOYALTY_POINTS_FAILED,
        LoyaltySteps::reclaim_loyalty_points,
        points_of(order, Step::ReclaimLoyaltyPoints),
    )
    .await;
    ctx.state_mut(|state| {
        state.outcome.points = match (reclaimed, state.outcome.points) {
            // The task that waits finds the award called off.
            (Ok(()), PointsState::Parked) => PointsState::Parked,
            (Ok(()), _) => PointsState::Reclaimed,
            (Err(_), _) => PointsState::ReclaimParked,
        };
    });
}

async fn cancel(ctx: &Context, order: &Order, reason: &CancelReason) {
    let cancellation = Cancellation {
        order: order.clone(),
        reason: reason.clone(),
    };
    Steps::new(ctx)
        .bookkeeping(OrderSteps::cancel_order, cancellation, "cancel order")
        .await;
    ctx.state_mut(|state| state.outcome.status = OrderStatus::Cancelled);
}

async fn notify(ctx: &Context, order: &Order, reason: &CancelReason) {
    let notification = Notification {
        order_id: order.order_id,
        customer_id: order.customer_id.clone(),
        reason: reason.clone(),
        idempotency_key: idempotency_key(order.order_id, Step::NotifyCustomer),
        simulation: order.simulation,
    };
    // An end of the order that the customer does not hear of is an end.
    let failed = &customers::NOTIFY_CUSTOMER_FAILED;
    let _ = run_or_park(
        ctx,
        order,
        failed,
        CustomerSteps::notify_customer,
        notification,
    )
    .await;
}
