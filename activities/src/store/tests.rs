//! The store's promises, on a real database.

use std::time::Duration;

use pizza_domain::{
    CancelReason, MoneyState, Order, OrderId, OrderRequest, OrderStatus, PointsState, Simulation,
    Step,
};
use pizza_workflows::names::idempotency_key;
use pizza_workflows::steps::{Payment, Points, Ticket};
use sqlx::Row;
use tempfile::TempDir;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{Change, Reclaim, Refund, Store, now_ms};

struct Database {
    store: Store,
    url: String,
    _folder: TempDir,
}

async fn database() -> Database {
    let folder = TempDir::new().expect("a folder");
    let url = format!("sqlite:{}", folder.path().join("pizza.db").display());
    let store = Store::open(&url).await.expect("a store");
    Database {
        store,
        url,
        _folder: folder,
    }
}

fn order() -> Order {
    let id = OrderId::from_uuid(Uuid::new_v4());
    let deadline = Duration::from_secs(10);
    Order::accept(OrderRequest::default(), id, deadline, now_ms())
}

fn payment(order: &Order, step: Step) -> Payment {
    Payment {
        order_id: order.order_id,
        customer_id: order.customer_id.clone(),
        amount: order.total,
        idempotency_key: idempotency_key(order.order_id, step),
        simulation: Simulation::default(),
    }
}

fn points(order: &Order, step: Step) -> Points {
    Points {
        order_id: order.order_id,
        customer_id: order.customer_id.clone(),
        points: order.points(),
        idempotency_key: idempotency_key(order.order_id, step),
        simulation: Simulation::default(),
    }
}

fn ticket(order: &Order) -> Ticket {
    Ticket {
        order_id: order.order_id,
        flavour: order.flavour.clone(),
        size: order.size,
        quantity: order.quantity,
        simulation: Simulation::default(),
    }
}

async fn count(store: &Store, query: &'static str) -> i64 {
    sqlx::query(query)
        .fetch_one(&store.pool)
        .await
        .expect("a row")
        .get(0)
}

#[tokio::test]
async fn a_charge_happens_once_however_often_and_from_wherever_it_is_made() {
    let database = database().await;
    let order = order();
    let mut attempts = JoinSet::new();
    // Two processes, each with several attempts at once.
    let other = Store::open(&database.url).await.expect("a second process");
    for store in [database.store.clone(), other].iter().cycle().take(16) {
        let (store, payment) = (store.clone(), payment(&order, Step::ProcessPayment));
        attempts.spawn(async move { store.book_charge(&payment).await });
    }
    while let Some(attempt) = attempts.join_next().await {
        assert!(attempt.expect("a task").expect("booked"));
    }
    assert_eq!(
        count(&database.store, "SELECT COUNT(*) FROM payments").await,
        1
    );
}

#[tokio::test]
async fn a_refund_needs_a_charge_and_happens_once() {
    let Database { store, .. } = &database().await;
    let order = order();
    let charge = payment(&order, Step::ProcessPayment);
    let refund = payment(&order, Step::RefundPayment);
    assert!(store.book_charge(&charge).await.expect("booked"));
    for _ in 0..2 {
        let booked = store.book_refund(&refund).await.expect("booked");
        assert_eq!(booked, Refund::Given);
    }
    assert_eq!(
        count(store, "SELECT COUNT(*) FROM payments WHERE kind = 'refund'").await,
        1
    );
}

#[tokio::test]
async fn a_charge_that_comes_after_its_refund_is_void() {
    let Database { store, .. } = &database().await;
    let order = order();
    let refund = payment(&order, Step::RefundPayment);
    let booked = store.book_refund(&refund).await.expect("booked");
    assert_eq!(booked, Refund::NothingCharged);
    let charge = payment(&order, Step::ProcessPayment);
    assert!(!store.book_charge(&charge).await.expect("answered"));
    assert_eq!(
        count(store, "SELECT COUNT(*) FROM payments WHERE kind <> 'void'").await,
        0
    );
}

#[tokio::test]
async fn points_are_taken_back_once_and_only_if_they_were_given() {
    let Database { store, .. } = &database().await;
    let order = order();
    let reclaim = points(&order, Step::ReclaimLoyaltyPoints);
    let none = store.book_reclaim(&reclaim).await.expect("answered");
    assert_eq!(none, Reclaim::NothingAwarded);
    for _ in 0..2 {
        let award = points(&order, Step::AddLoyaltyPoints);
        store.book_award(&award).await.expect("booked");
    }
    let sum = "SELECT CAST(SUM(points) AS BIGINT) FROM loyalty_points";
    assert_eq!(count(store, sum).await, order.points());
    for _ in 0..2 {
        let taken = store.book_reclaim(&reclaim).await.expect("booked");
        assert_eq!(taken, Reclaim::Taken);
    }
    assert_eq!(count(store, sum).await, 0);
}

#[tokio::test]
async fn a_version_grows_with_each_change_and_with_nothing_else() {
    let Database { store, .. } = &database().await;
    let order = order();
    let id = order.order_id;
    for _ in 0..2 {
        store.create_order(&order).await.expect("created");
    }
    for status in [
        OrderStatus::PaymentProcessing,
        OrderStatus::PaymentProcessing,
        OrderStatus::CookingStarted,
        // Overtaken by the one before.
        OrderStatus::PaymentComplete,
    ] {
        store.change_order(id, status).await.expect("changed");
    }
    let record = store.order(id).await.expect("answered").expect("there");
    assert_eq!(record.status, OrderStatus::CookingStarted);
    assert_eq!(record.version, 3);
    assert_eq!(count(store, "SELECT COUNT(*) FROM order_changes").await, 3);
}

#[tokio::test]
async fn money_and_points_are_kept_even_when_their_status_was_overtaken() {
    let Database { store, .. } = &database().await;
    let order = order();
    let id = order.order_id;
    store.create_order(&order).await.expect("created");
    store
        .change_order(id, OrderStatus::CookingStarted)
        .await
        .expect("changed");
    let late = Change {
        money: Some(MoneyState::Charged),
        ..OrderStatus::PaymentComplete.into()
    };
    store.change_order(id, late).await.expect("changed");
    store
        .change_order(id, PointsState::Awarded)
        .await
        .expect("changed");
    let record = store.order(id).await.expect("answered").expect("there");
    assert_eq!(
        (record.status, record.money, record.points),
        (
            OrderStatus::CookingStarted,
            MoneyState::Charged,
            PointsState::Awarded
        )
    );
}

#[tokio::test]
async fn a_step_that_is_run_again_does_not_bring_money_or_points_back() {
    let Database { store, .. } = &database().await;
    let order = order();
    let id = order.order_id;
    store.create_order(&order).await.expect("created");
    let charge = Change {
        money: Some(MoneyState::Charged),
        points: Some(PointsState::Awarded),
        ..OrderStatus::PaymentComplete.into()
    };
    let rollback = Change {
        money: Some(MoneyState::Refunded),
        points: Some(PointsState::Reclaimed),
        ..OrderStatus::Refunding.into()
    };
    for change in [charge.clone(), rollback, charge] {
        store.change_order(id, change).await.expect("changed");
    }
    let record = store.order(id).await.expect("answered").expect("there");
    assert_eq!(
        (record.money, record.points, record.version),
        (MoneyState::Refunded, PointsState::Reclaimed, 3)
    );
}

#[tokio::test]
async fn a_cancelled_order_stays_cancelled_for_its_first_reason() {
    let Database { store, .. } = &database().await;
    let order = order();
    let reason = |code: &str| CancelReason {
        step: Step::CreateOrder,
        code: code.to_owned(),
        message: "because".to_owned(),
    };
    // Its creation had failed: cancelling writes it.
    for code in ["first", "second"] {
        store
            .cancel_order(&order, reason(code))
            .await
            .expect("cancelled");
    }
    store
        .change_order(order.order_id, OrderStatus::DeliveryConfirmed)
        .await
        .expect("passed over");
    let record = store
        .order(order.order_id)
        .await
        .expect("answered")
        .expect("there");
    assert_eq!(record.status, OrderStatus::Cancelled);
    assert_eq!(record.cancelled, Some(reason("first")));
}

#[tokio::test]
async fn an_order_is_read_back_as_it_was_accepted() {
    let Database { store, .. } = &database().await;
    let request = OrderRequest {
        flavour: "HAWAIIAN 🍍".parse().expect("a flavour"),
        ..OrderRequest::default()
    };
    let id = OrderId::from_uuid(Uuid::new_v4());
    let order = Order::accept(request, id, Duration::from_secs(10), 1_234);
    store.create_order(&order).await.expect("created");
    let record = store.order(id).await.expect("answered").expect("there");
    assert_eq!(record.flavour, order.flavour);
    assert_eq!(record.discount, order.discount);
    assert_eq!(record.total, order.total.minor());
    assert_eq!(record.placed_at_ms, 1_234);
    assert_eq!(record.cancelled, None);
}

#[tokio::test]
async fn each_due_report_goes_to_one_kitchen_and_comes_back_unless_acknowledged() {
    use pizza_domain::KitchenReport::{Cooked, Delivered, PickedUp};

    let database = database().await;
    let store = &database.store;
    let other = Store::open(&database.url).await.expect("a second process");
    let order = order();
    store
        .book_ticket(&ticket(&order), true)
        .await
        .expect("booked");
    let (mine, theirs) = tokio::join!(
        store.take_due_reports(10, 60_000),
        other.take_due_reports(10, 60_000)
    );
    let taken = mine.expect("answered").len() + theirs.expect("answered").len();
    assert_eq!(taken, 1);
    // A lease that is over at once: due again.
    for report in [Cooked, PickedUp, Delivered] {
        store
            .advance_ticket(order.order_id, report)
            .await
            .expect("acknowledged");
        let due = store.take_due_reports(10, 0).await.expect("answered");
        let again = store.take_due_reports(10, 0).await.expect("answered");
        assert_eq!(due, again);
        assert_eq!(due.is_empty(), report == Delivered);
    }
}

#[tokio::test]
async fn a_ticket_that_is_withdrawn_or_unanswered_is_never_due() {
    let Database { store, .. } = &database().await;
    let (withdrawn, unanswered) = (order(), order());
    store
        .book_ticket(&ticket(&withdrawn), true)
        .await
        .expect("booked");
    store
        .book_ticket(&ticket(&unanswered), false)
        .await
        .expect("booked");
    store
        .withdraw_ticket(withdrawn.order_id)
        .await
        .expect("withdrawn");
    // Somebody else's report does not wake the kitchen.
    for order in [withdrawn.order_id, unanswered.order_id] {
        store
            .advance_ticket(order, pizza_domain::KitchenReport::Cooked)
            .await
            .expect("booked");
    }
    let due = store.take_due_reports(10, 0).await.expect("answered");
    assert_eq!(due, []);
}

#[tokio::test]
async fn several_processes_may_open_a_new_store_at_once() {
    let folder = TempDir::new().expect("a folder");
    let url = format!("sqlite:{}", folder.path().join("pizza.db").display());
    let mut openings = JoinSet::new();
    for _ in 0..6 {
        let url = url.clone();
        openings.spawn(async move { Store::open(&url).await });
    }
    while let Some(opened) = openings.join_next().await {
        opened.expect("a task").expect("a store");
    }
}

#[tokio::test]
async fn a_store_that_a_later_version_has_migrated_is_opened_all_the_same() {
    let database = database().await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'from the future', TRUE, X'00', 0)",
    )
    .execute(&database.store.pool)
    .await
    .expect("a later migration");
    Store::open(&database.url).await.expect("a store");
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_says_where_it_was_looked_for() {
    let url = "sqlite:/dev/null/pizza.db";
    let error = Store::open(url).await.expect_err("no store");
    assert!(error.to_string().contains(url), "{error}");
}
