//! Taking back what was given, and telling the customer.

use pizza_domain::{CancelReason, MoneyState, Order, OrderStatus, PointsState, Step};
use temporalio_workflow::WorkflowContext;

use crate::loyalty::points_of;
use crate::names::idempotency_key;
use crate::order::{OrderWorkflow, payment_of, show_if_paced};
use crate::parking::{Continuation, MessageType, Parking, now_ms, park};
use crate::runner::{self, Runner};
use crate::steps::{
    Cancellation, CustomerSteps, LoyaltySteps, Notification, OrderSteps, PaymentSteps,
};

type Context = WorkflowContext<OrderWorkflow>;

/// Rolls an order back: the money, then the points, each only if it was
/// given; then the order is cancelled and the customer told. Whatever fails
/// for good on the way is parked.
pub(crate) async fn roll_back(ctx: &Context, order: &Order, reason: &CancelReason) {
    let settled = !ctx.state(|state| state.may_be_charged) || refund(ctx, order).await;
    // Points stay until the refund is settled.
    if settled && ctx.state(|state| state.outcome.points) == PointsState::Awarded {
        reclaim(ctx, order).await;
    }
    cancel(ctx, order, reason).await;
    notify(ctx, order, reason).await;
}

/// Gives the charge back, if the provider has one. Whether that is settled.
async fn refund(ctx: &Context, order: &Order) -> bool {
    show_if_paced(ctx, order, OrderStatus::Refunding).await;
    let payment = payment_of(order, Step::RefundPayment);
    let first_attempt_at_ms = now_ms(ctx);
    let (policy, summary) = runner::of(Step::RefundPayment);
    let refunded = Runner::new(ctx)
        .regular(
            PaymentSteps::refund_payment,
            payment.clone(),
            &policy,
            summary,
        )
        .await;
    let Err(failure) = refunded else {
        ctx.state_mut(|state| {
            if state.outcome.money == MoneyState::Charged {
                state.outcome.money = MoneyState::Refunded;
            }
        });
        return true;
    };
    let awarded = ctx.state(|state| state.outcome.points) == PointsState::Awarded;
    let parking = Parking {
        order,
        message_type: MessageType::RefundPaymentFailed,
        input: &payment,
        failure,
        first_attempt_at_ms,
        then: if awarded {
            Continuation::ReclaimLoyaltyPoints
        } else {
            Continuation::Nothing
        },
    };
    park(ctx, parking).await;
    ctx.state_mut(|state| state.outcome.money = MoneyState::RefundParked);
    false
}

async fn reclaim(ctx: &Context, order: &Order) {
    let points = points_of(order, Step::ReclaimLoyaltyPoints);
    let first_attempt_at_ms = now_ms(ctx);
    let (policy, summary) = runner::of(Step::ReclaimLoyaltyPoints);
    let reclaimed = Runner::new(ctx)
        .local_first(
            LoyaltySteps::reclaim_loyalty_points,
            points.clone(),
            &policy,
            summary,
        )
        .await;
    let Err(failure) = reclaimed else {
        ctx.state_mut(|state| state.outcome.points = PointsState::Reclaimed);
        return;
    };
    let parking = Parking {
        order,
        message_type: MessageType::RemoveLoyaltyPointsFailed,
        input: &points,
        failure,
        first_attempt_at_ms,
        then: Continuation::Nothing,
    };
    park(ctx, parking).await;
    ctx.state_mut(|state| state.outcome.points = PointsState::ReclaimParked);
}

async fn cancel(ctx: &Context, order: &Order, reason: &CancelReason) {
    let cancellation = Cancellation {
        order: order.clone(),
        reason: reason.clone(),
    };
    Runner::new(ctx)
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
    let first_attempt_at_ms = now_ms(ctx);
    let (policy, summary) = runner::of(Step::NotifyCustomer);
    let notified = Runner::new(ctx)
        .regular(
            CustomerSteps::notify_customer,
            notification.clone(),
            &policy,
            summary,
        )
        .await;
    let Err(failure) = notified else {
        return;
    };
    let parking = Parking {
        order,
        message_type: MessageType::NotifyCustomerFailed,
        input: &notification,
        failure,
        first_attempt_at_ms,
        then: Continuation::Nothing,
    };
    park(ctx, parking).await;
}
