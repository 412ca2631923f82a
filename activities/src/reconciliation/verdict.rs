//! What is to be done for an order, by what the store and Temporal say of it.

use pizza_domain::{
    CancelReason, Money, MoneyState, Order, OrderStatus, Quantity, Recovery, Simulation, Step,
};
use pizza_workflows::names::cancel_code;
use pizza_workflows::steps::{Parked, customers, loyalty, payments};

use pizza_store::{Account, LedgerRow, OrderRecord};

/// How long the kitchen may keep silent on an order of which nothing says how
/// long. Nobody asks the kitchen for it any more.
const NO_DEADLINE_KNOWN_MS: u64 = 10_000;

/// How an order's workflow ended that did not end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outside {
    Terminated,
    TimedOut,
    Canceled,
    /// It failed, and not as cancelled orders do.
    Failed,
    /// Temporal does not know it.
    Lost,
}

impl Outside {
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Terminated => cancel_code::TERMINATED,
            Self::TimedOut => cancel_code::TIMED_OUT,
            Self::Canceled => cancel_code::CANCELED,
            Self::Failed => cancel_code::FAILED,
            Self::Lost => cancel_code::LOST,
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Self::Terminated => "the order's workflow was terminated",
            Self::TimedOut => "the order's workflow timed out",
            Self::Canceled => "the order's workflow was cancelled",
            Self::Failed => "the order's workflow failed",
            Self::Lost => "the order's workflow is lost",
        }
    }

    /// Why the order is cancelled, which stood at `status`; none for one that
    /// has no record yet.
    pub(super) fn reason(self, status: Option<OrderStatus>) -> CancelReason {
        CancelReason {
            step: status.map_or(Step::CreateOrder, step_at),
            code: self.code().to_owned(),
            message: self.message().to_owned(),
        }
    }
}

/// The step that an order of this status was at.
const fn step_at(status: OrderStatus) -> Step {
    match status {
        OrderStatus::Pending => Step::CreateOrder,
        OrderStatus::PaymentProcessing | OrderStatus::PaymentFailed => Step::ProcessPayment,
        OrderStatus::PaymentComplete => Step::PrepareOrder,
        OrderStatus::CookingStarted
        | OrderStatus::CookingCompleted
        | OrderStatus::DeliveryStarted => Step::ProcessOrder,
        OrderStatus::Refunding => Step::RefundPayment,
        OrderStatus::DeliveryConfirmed | OrderStatus::Cancelled => Step::NotifyCustomer,
    }
}

/// The order as it was: as it was accepted, with what its record says, since
/// it may have been amended. None when nothing says what was ordered.
pub(super) fn order_as_it_was(
    record: Option<&OrderRecord>,
    accepted: Option<Order>,
) -> Option<Order> {
    let Some(record) = record else {
        return accepted;
    };
    let (prices, kitchen_deadline_ms, stages, simulation) = accepted.map_or(
        (None, NO_DEADLINE_KNOWN_MS, None, Simulation::default()),
        |order| {
            let Order {
                prices,
                kitchen_deadline_ms,
                stages,
                simulation,
                ..
            } = order;
            (prices, kitchen_deadline_ms, stages, simulation)
        },
    );
    let quantity = u64::try_from(record.quantity).ok()?;
    Some(Order {
        order_id: record.order_id,
        customer_id: record.customer_id.clone(),
        flavour: record.flavour.clone(),
        size: record.size,
        quantity: Quantity::try_from(quantity).ok()?,
        discount: record.discount,
        total: Money::from_minor(record.total),
        prices,
        kitchen_deadline_ms,
        stages,
        placed_at_ms: record.placed_at_ms,
        simulation,
        recovery: None,
        // Whoever takes the order up knows it.
        customer_alias: None,
    })
}

/// What is left to do for an order whose workflow was ended from outside,
/// given whether its fulfilment reached the door. What an observer has seen as
/// the order's end stays its end.
pub(super) fn recovery_of(
    record: Option<&OrderRecord>,
    outside: Outside,
    is_at_the_door: bool,
) -> Recovery {
    let status = record.map(|record| record.status);
    let delivered = match status {
        Some(OrderStatus::DeliveryConfirmed) => true,
        Some(status) => is_at_the_door && status.may_become(OrderStatus::DeliveryConfirmed),
        None => false,
    };
    if delivered {
        return Recovery::Delivered;
    }
    // One that was cancelled keeps the reason that it has.
    let reason = record.and_then(|record| record.cancelled.clone());
    Recovery::RollBack(reason.unwrap_or_else(|| outside.reason(status)))
}

/// Whether the books of an order that has its last status lack what was to
/// follow: its workflow was ended between the two. What a task owes, or owed,
/// is its queue's affair.
pub(super) fn was_left_undone(account: &Account, was_told: bool) -> bool {
    let Some(record) = &account.record else {
        return false;
    };
    let has = |ledger: &[LedgerRow], kind| ledger.iter().any(|entry| entry.kind == kind);
    let has_task = |parked: &Parked| {
        let mut tasks = account.tasks.iter();
        tasks.any(|task| task.queue == parked.queue)
    };
    let refund_owed = has_task(&payments::REFUND_PAYMENT_FAILED);
    let status = record.standing.status.as_str();
    if status == OrderStatus::Cancelled.as_str() {
        let keeps_money = has(&account.payments, "charge") && !has(&account.payments, "refund");
        let keeps_points = has(&account.points, "award") && !has(&account.points, "reclaim");
        let reclaim_owed = has_task(&loyalty::REMOVE_LOYALTY_POINTS_FAILED);
        (keeps_money && !refund_owed)
            || (keeps_points && !refund_owed && !reclaim_owed)
            || !(was_told || has_task(&customers::NOTIFY_CUSTOMER_FAILED))
    } else if status == OrderStatus::DeliveryConfirmed.as_str() {
        let was_refunded = record.standing.money != MoneyState::Charged.as_str();
        let has_points = has(&account.points, "award");
        !was_refunded && !has_points && !has_task(&loyalty::ADD_LOYALTY_POINTS_FAILED)
    } else {
        false
    }
}
