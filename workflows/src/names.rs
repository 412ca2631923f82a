//! Every name that may never change.
//!
//! They stand in histories, in schedules, in operators' scripts and in the
//! visibility store of running clusters. To change one is to lose what bears
//! it, so this file only grows.

use pizza_domain::{OrderId, Step};
use temporalio_common::search_attributes::SearchAttributeKey;

/// Task queues, one for each part that is scaled by itself.
pub mod task_queue {
    /// The order workflow, payments and notifications.
    pub const ORDERS: &str = "orders";
    /// The loyalty workflow and its points.
    pub const LOYALTY: &str = "loyalty";
    /// The fulfilment workflow and the kitchen's steps.
    pub const FULFILMENT: &str = "fulfilment";
    /// Parked tasks.
    pub const FAILURES: &str = "failures";
    /// The reconciliation of the orders' records with Temporal. Its worker has
    /// a client of Temporal, and goes on while orders wait for theirs.
    pub const RECONCILIATION: &str = "reconciliation";

    /// All of them.
    pub const ALL: [&str; 5] = [ORDERS, LOYALTY, FULFILMENT, FAILURES, RECONCILIATION];
}

/// Workflow types.
pub mod workflow_type {
    pub use failure_queue::names::workflow_type::{BULK, FAILED_TASK, FAILURE_QUEUE};

    /// One order, from its acceptance to its end.
    pub const ORDER: &str = "PizzaOrder";
    /// The points of one order.
    pub const LOYALTY: &str = "PizzaLoyalty";
    /// The cooking and delivery of one order.
    pub const FULFILMENT: &str = "PizzaFulfilment";
    /// A look at the orders that Temporal and the store may not agree about.
    pub const RECONCILIATION: &str = "PizzaReconciliation";
}

/// Schedules.
pub mod schedule {
    /// Starts a reconciliation now and then. Also what the ids of its
    /// workflows begin with.
    pub const RECONCILE_ORDERS: &str = "reconcile-orders";
}

/// Activity types. A redrive finds its activity by this name.
pub mod activity {
    /// Step 1.
    pub const CREATE_ORDER: &str = "createOrder";
    /// Step 2.
    pub const PROCESS_PAYMENT: &str = "processPayment";
    /// Step 3.
    pub const ADD_LOYALTY_POINTS: &str = "addLoyaltyPoints";
    /// Step 4.
    pub const PREPARE_ORDER: &str = "prepareOrder";
    /// Step 6.
    pub const REFUND_PAYMENT: &str = "refundPayment";
    /// Step 7.
    pub const RECLAIM_LOYALTY_POINTS: &str = "reclaimLoyaltyPoints";
    /// After every failed order.
    pub const NOTIFY_CUSTOMER: &str = "notifyCustomer";
    /// A taken kitchen report is written to the books.
    pub const RECORD_KITCHEN_REPORT: &str = "recordKitchenReport";
    /// The kitchen is told to stop.
    pub const WITHDRAW_TICKET: &str = "withdrawTicket";
    /// The last kitchen report of an order that is in the store.
    pub const LAST_KITCHEN_REPORT: &str = "lastKitchenReport";
    /// The kitchen is told of a changed order.
    pub const AMEND_TICKET: &str = "amendTicket";
    /// The difference to an amended order's price is charged or given back.
    pub const ADJUST_PAYMENT: &str = "adjustPayment";
    /// That is taken back.
    pub const VOID_PAYMENT_ADJUSTMENT: &str = "voidPaymentAdjustment";
    /// The points of an amended order are brought in line.
    pub const ADJUST_LOYALTY_POINTS: &str = "adjustLoyaltyPoints";
    /// That is taken back.
    pub const VOID_POINTS_ADJUSTMENT: &str = "voidPointsAdjustment";
    /// An amendment is written to the order's record.
    pub const RECORD_AMENDMENT: &str = "recordAmendment";
    /// A status that no other step writes.
    pub const SET_ORDER_STATUS: &str = "setOrderStatus";
    /// The end of an order that was not delivered.
    pub const CANCEL_ORDER: &str = "cancelOrder";
    /// The order's record says what waits in a failure queue.
    pub const RECORD_PARKED_TASK: &str = "recordParkedTask";
    /// What an earlier run of the order's workflow wrote is read.
    pub const READ_EARLIER_RUN: &str = "readEarlierRun";
    /// What became of an order's fulfilment branch.
    pub const JOIN_FULFILMENT: &str = "joinFulfilment";
    /// What became of an order's loyalty branch.
    pub const JOIN_LOYALTY: &str = "joinLoyalty";
    /// A page of orders is brought in line with Temporal.
    pub const RECONCILE_PAGE: &str = "reconcilePage";
}

/// Updates, signals, queries.
pub mod message {
    /// Update of the fulfilment workflow: the kitchen reports progress.
    pub const REPORT_KITCHEN_EVENT: &str = "reportKitchenEvent";
    /// Query of the order and the fulfilment workflow: how far it is.
    pub const PROGRESS: &str = "progress";
    /// Update of the order workflow: the customer does not want it any more.
    pub const CANCEL_ORDER: &str = "cancelOrder";
    /// Update of the order workflow: the customer wants something else.
    pub const AMEND_ORDER: &str = "amendOrder";
    /// Signal to the fulfilment workflow: its order is to be changed.
    pub const REQUEST_CHANGE: &str = "requestChange";
    /// Signal to the order workflow: whether it may be.
    pub const ANSWER_CHANGE: &str = "answerChange";
    /// Signal to the fulfilment workflow: the change was made, or given up.
    pub const SETTLE_CHANGE: &str = "settleChange";
}

/// Types of application failures.
pub mod failure_type {
    /// How a cancelled order's workflow fails.
    pub const ORDER_CANCELLED: &str = "OrderCancelled";
    /// How a fulfilment that did not reach the door fails.
    pub const FULFILMENT_FAILED: &str = "FulfilmentFailed";
    /// A kitchen report that was taken before.
    pub const REPORT_REPEATED: &str = "KitchenReportRepeated";
    /// A kitchen report that must wait for another.
    pub const REPORT_OUT_OF_ORDER: &str = "KitchenReportOutOfOrder";
    /// A kitchen report on an order that is over.
    pub const REPORT_LATE: &str = "KitchenReportLate";
    /// A kitchen report under the id of another.
    pub const REPORT_ID_REUSED: &str = "KitchenReportIdReused";
    /// A kitchen report beyond those that are looked into.
    pub const TOO_MANY_REPORTS: &str = "TooManyKitchenReports";
    /// A change of an order that the courier has.
    pub const ORDER_ON_ITS_WAY: &str = "OrderOnItsWay";
    /// A change of an order that was delivered.
    pub const ORDER_DELIVERED: &str = "OrderDelivered";
    /// An amendment of an order that is cooked.
    pub const ORDER_COOKING: &str = "OrderCooking";
    /// An amendment of an order that is cancelled, or about to be.
    pub const ORDER_OVER: &str = "OrderOver";
    /// An amendment that would change nothing.
    pub const ORDER_UNCHANGED: &str = "OrderUnchanged";
    /// An amendment of an order that was amended too often.
    pub const TOO_MANY_AMENDMENTS: &str = "TooManyAmendments";
    /// An amendment whose payment was declined.
    pub const AMENDMENT_DECLINED: &str = "AmendmentDeclined";
    /// An amendment that met a fault, and was undone.
    pub const AMENDMENT_FAILED: &str = "AmendmentFailed";
}

/// What an order is cancelled for that was ended from outside.
pub mod cancel_code {
    /// Somebody terminated its workflow.
    pub const TERMINATED: &str = "workflow-terminated";
    /// Its workflow ran into a timeout of the server.
    pub const TIMED_OUT: &str = "workflow-timed-out";
    /// Its workflow was cancelled, and ended without a rollback.
    pub const CANCELED: &str = "workflow-canceled";
    /// Its workflow failed in a way that the saga does not know.
    pub const FAILED: &str = "workflow-failed";
    /// Temporal does not know its workflow (any more).
    pub const LOST: &str = "workflow-lost";
}

/// Search attributes. None holds personal data: they are never encrypted.
pub mod search_attribute {
    use super::SearchAttributeKey;

    /// The order that a workflow belongs to.
    pub const ORDER_ID: SearchAttributeKey<String> = SearchAttributeKey::keyword("OrderId");
    /// The opaque id of the customer that a workflow belongs to.
    pub const CUSTOMER_ID: SearchAttributeKey<String> = SearchAttributeKey::keyword("CustomerId");

    /// All of them, and those of parked tasks, with the names of their types:
    /// what a namespace must have.
    #[must_use]
    pub fn all() -> Vec<(&'static str, &'static str)> {
        let own = [ORDER_ID, CUSTOMER_ID].map(|key| (key.name(), "Keyword"));
        let of_tasks = failure_queue::names::search_attribute::all();
        own.into_iter().chain(of_tasks).collect()
    }
}

/// Changes of a workflow's plan that running workflows must not notice.
pub mod patch {
    /// A rollback calls off an award that is parked.
    pub const CALL_OFF_PARKED_AWARD: &str = "call-off-parked-award";
    /// An order that an operator cancels takes back whatever the books hold,
    /// not only what this run knows of: an earlier run may have given it.
    pub const TAKE_BACK_WHATEVER_IS_THERE: &str = "take-back-whatever-is-there";
    /// An order looks for branches that an earlier run of it started, and for
    /// what a branch left behind that was ended from outside.
    pub const LOOK_FOR_BRANCHES: &str = "look-for-branches";
    /// A fulfilment branch asks the store for reports that its history may have
    /// lost in a reset, before it refuses a later one or gives the order up.
    pub const ASK_FOR_LOST_REPORTS: &str = "ask-for-lost-reports";
}

/// The memo of an order workflow: what the gateway answers with while no
/// worker has written the order to the store yet.
pub const MEMO_ORDER: &str = "order";

/// The code of an order that its customer cancelled.
pub const CANCELLED_BY_CUSTOMER: &str = "cancelled-by-customer";

/// The workflow id of an order.
#[must_use]
pub fn order_workflow_id(order: OrderId) -> String {
    format!("order-{order}")
}

/// The order whose workflow has this id; none for any other workflow.
#[must_use]
pub fn order_of_workflow_id(id: &str) -> Option<OrderId> {
    let order = id.strip_prefix("order-")?.parse().ok()?;
    // A UUID has several spellings, an order's workflow has one.
    (order_workflow_id(order) == id).then_some(order)
}

/// The workflow id of a reconciliation that somebody asked for.
#[must_use]
pub fn reconciliation_workflow_id(request: &str) -> String {
    format!("{}-asked-{request}", schedule::RECONCILE_ORDERS)
}

/// The workflow id of an order's loyalty branch.
#[must_use]
pub fn loyalty_workflow_id(order: OrderId) -> String {
    format!("order-{order}-loyalty")
}

/// The workflow id of an order's fulfilment branch.
#[must_use]
pub fn fulfilment_workflow_id(order: OrderId) -> String {
    format!("order-{order}-fulfilment")
}

/// The workflow id of an order's parked task. An order has at most one task
/// in each queue, so its queue and its order name it.
#[must_use]
pub fn failed_task_workflow_id(queue: &str, order: OrderId) -> String {
    failure_queue::names::failed_task_workflow_id(queue, &order.to_string())
}

/// The key under which a step's effect happens once, whatever the number of
/// attempts. It comes from the order and the step alone.
#[must_use]
pub fn idempotency_key(order: OrderId, step: Step) -> String {
    format!("{order}/{step}")
}

/// The key under which what an amendment moves happens once. It comes from the
/// order, the amendment's number and what is moved.
#[must_use]
pub fn amendment_key(order: OrderId, amendment: u32, what: &str) -> String {
    format!("{order}/amendment-{amendment}/{what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A change here is a change to what running clusters hold.
    #[test]
    fn ids_keep_their_shape() {
        let order: OrderId = "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11"
            .parse()
            .expect("a UUID");
        assert_eq!(
            [
                order_workflow_id(order),
                loyalty_workflow_id(order),
                fulfilment_workflow_id(order),
                failed_task_workflow_id("refund-payment", order),
                idempotency_key(order, Step::RefundPayment),
                reconciliation_workflow_id("7"),
            ],
            [
                "order-6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11",
                "order-6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11-loyalty",
                "order-6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11-fulfilment",
                "failed-refund-payment-6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11",
                "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11/refundPayment",
                "reconcile-orders-asked-7",
            ]
        );
    }

    #[test]
    fn an_order_is_known_by_its_workflow_id_alone() {
        let text = "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";
        let order: OrderId = text.parse().expect("a UUID");
        assert_eq!(order_of_workflow_id(&order_workflow_id(order)), Some(order));
        let upper = format!("order-{}", text.to_uppercase());
        for other in [text, &loyalty_workflow_id(order), "order-7", &upper] {
            assert_eq!(order_of_workflow_id(other), None, "{other}");
        }
    }
}
