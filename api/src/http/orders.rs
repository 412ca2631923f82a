//! Orders, as the API answers with them.

use pizza_app::OrderState;
use pizza_contract::{self as contract, rfc_3339};
use pizza_domain::{CancelReason, Discount};
use pizza_store::{OrderChange, OrderRecord, OwedTask};

/// An order as an observer sees it.
pub(super) fn order(state: OrderState) -> contract::Order {
    contract::Order {
        summary: summary(state.record),
        owed: state.owed.into_iter().map(owed).collect(),
        age_seconds: state.age.as_secs_f64(),
    }
}

/// An order as a list shows it.
pub(super) fn summary(order: OrderRecord) -> contract::OrderSummary {
    contract::OrderSummary {
        order_id: order.order_id,
        status: order.status.as_str().into(),
        flavour: order.flavour.into(),
        size: order.size.as_str().into(),
        quantity: order.quantity,
        discount_applied: percent(order.discount),
        discount_reason: order.discount.reason().map(Into::into),
        total: order.total,
        money: order.money.as_str().into(),
        points: order.points.as_str().into(),
        cancelled: order.cancelled.map(cancel_reason),
        customer_id: order.customer_id.into(),
        version: order.version,
        placed_at: rfc_3339(order.placed_at_ms),
        updated_at: rfc_3339(order.updated_at_ms),
    }
}

/// An order as it was at one of its versions.
pub(super) fn change(change: OrderChange) -> contract::OrderChange {
    contract::OrderChange {
        order_id: change.order_id,
        version: change.version,
        status: change.status.as_str().into(),
        money: change.money.as_str().into(),
        points: change.points.as_str().into(),
        flavour: change.flavour.into(),
        size: change.size.as_str().into(),
        quantity: change.quantity,
        total: change.total,
        discount_applied: percent(change.discount),
        cancelled: change.cancelled.map(cancel_reason),
        changed_at: rfc_3339(change.changed_at_ms),
    }
}

fn percent(discount: Discount) -> String {
    format!("{}%", discount.percent())
}

fn cancel_reason(reason: CancelReason) -> contract::CancelReason {
    contract::CancelReason {
        step: reason.step.as_str().into(),
        code: reason.code,
        message: reason.message,
    }
}

fn owed(task: OwedTask) -> contract::Owed {
    contract::Owed {
        queue: task.queue,
        message_type: task.message_type,
        task_id: task.task_id,
        state: task.state.as_str().into(),
    }
}
