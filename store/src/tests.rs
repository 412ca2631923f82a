//! The store's promises, on a real database.

mod away;
mod concurrency;
mod files;
mod kitchen;
mod latency;
mod pooler;
mod schema;

use std::time::Duration;

use pizza_domain::{
    Amendment, CancelReason, Money, MoneyState, Order, OrderId, OrderRequest, OrderStatus,
    PointsState, Prices, Quantity, Simulation, StageDeadlines, Step,
};
use pizza_workflows::names::{amendment_key, failed_task_workflow_id, idempotency_key};
use pizza_workflows::steps::{
    EarlierRun, Parked, Payment, PaymentAdjustment, Points, PointsAdjustment, RecordedAmendment,
    StatusChange, Ticket, customers, loyalty, payments,
};
use sqlx::Row;
use tempfile::TempDir;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::access::Access;
use super::test_databases::{Database, TestEngine, database, empty, on_each_engine};
use super::{
    Change, FailedTaskState, Given, KeptRequest, PAYMENTS, POINTS, ResolvedPosition, Store,
    StoreError, StoreOptions, TakenBack, now_ms,
};
use failure_queue::{TaskChange, TaskState};

fn order() -> Order {
    let id = OrderId::from_uuid(Uuid::new_v4());
    let deadline = Duration::from_secs(10);
    let stages = StageDeadlines::all(deadline);
    Order::accept(OrderRequest::default(), id, Prices::FIRST, stages, now_ms())
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
        accept_within_ms: Some(10_000),
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

async fn a_charge_happens_once_however_often_and_from_wherever_it_is_made(engine: TestEngine) {
    let database = database(engine).await;
    let order = order();
    let mut attempts = JoinSet::new();
    // Two processes, each with several attempts at once.
    let other = database.second_process().await;
    for store in [database.store.clone(), other].iter().cycle().take(16) {
        let (store, payment) = (store.clone(), payment(&order, Step::ProcessPayment));
        attempts.spawn(async move { store.give(&PAYMENTS, &payment).await });
    }
    while let Some(attempt) = attempts.join_next().await {
        assert_eq!(attempt.expect("a task").expect("booked"), Given::Stands);
    }
    assert_eq!(
        count(&database.store, "SELECT COUNT(*) FROM payments").await,
        1
    );
}

async fn a_refund_needs_a_charge_and_happens_once(engine: TestEngine) {
    let Database { store, .. } = &database(engine).await;
    let order = order();
    let charge = payment(&order, Step::ProcessPayment);
    let refund = payment(&order, Step::RefundPayment);
    assert_eq!(
        store.give(&PAYMENTS, &charge).await.expect("booked"),
        Given::Stands
    );
    for _ in 0..2 {
        let booked = store.take_back(&PAYMENTS, &refund).await.expect("booked");
        assert_eq!(booked, TakenBack::Taken);
    }
    assert_eq!(
        count(store, "SELECT COUNT(*) FROM payments WHERE kind = 'refund'").await,
        1
    );
}

async fn a_charge_that_comes_after_its_refund_is_void(engine: TestEngine) {
    let Database { store, .. } = &database(engine).await;
    let order = order();
    let refund = payment(&order, Step::RefundPayment);
    let booked = store.take_back(&PAYMENTS, &refund).await.expect("booked");
    assert_eq!(booked, TakenBack::NothingGiven);
    let charge = payment(&order, Step::ProcessPayment);
    assert_eq!(
        store.give(&PAYMENTS, &charge).await.expect("answered"),
        Given::CalledOff
    );
    assert_eq!(
        count(store, "SELECT COUNT(*) FROM payments WHERE kind <> 'void'").await,
        0
    );
}

async fn points_are_taken_back_once_and_only_if_they_were_given(engine: TestEngine) {
    let Database { store, .. } = &database(engine).await;
    let order = order();
    let reclaim = points(&order, Step::ReclaimLoyaltyPoints);
    for _ in 0..2 {
        let award = points(&order, Step::AddLoyaltyPoints);
        let given = store.give(&POINTS, &award).await.expect("booked");
        assert_eq!(given, Given::Stands);
    }
    let sum = "SELECT CAST(SUM(points) AS BIGINT) FROM loyalty_points";
    assert_eq!(count(store, sum).await, order.points());
    for _ in 0..2 {
        let taken = store.take_back(&POINTS, &reclaim).await.expect("booked");
        assert_eq!(taken, TakenBack::Taken);
    }
    assert_eq!(count(store, sum).await, 0);
}

async fn an_award_that_comes_after_its_reclaim_is_called_off(engine: TestEngine) {
    let Database { store, .. } = &database(engine).await;
    let order = order();
    let reclaim = points(&order, Step::ReclaimLoyaltyPoints);
    let award = points(&order, Step::AddLoyaltyPoints);
    for _ in 0..2 {
        let none = store.take_back(&POINTS, &reclaim).await.expect("answered");
        assert_eq!(none, TakenBack::NothingGiven);
        let called_off = store.give(&POINTS, &award).await.expect("answered");
        assert_eq!(called_off, Given::CalledOff);
    }
    let books = "SELECT CAST(SUM(points) AS BIGINT) FROM loyalty_points";
    assert_eq!(count(store, books).await, 0);
    let entries = "SELECT COUNT(*) FROM loyalty_points";
    assert_eq!(count(store, entries).await, 1);
}

/// A change of the task that `message_type` stands for.
fn task(order: &Order, parked: &Parked, state: TaskState, at_ms: i64) -> TaskChange {
    let queue = parked.queue;
    let by_somebody = matches!(state, TaskState::Done | TaskState::Discarded);
    TaskChange {
        task_id: failed_task_workflow_id(queue, order.order_id),
        queue: queue.to_owned(),
        message_type: parked.message_type.to_owned(),
        subject: [
            ("OrderId".to_owned(), order.order_id.to_string()),
            ("CustomerId".to_owned(), order.customer_id.to_string()),
        ]
        .into(),
        state,
        at_ms,
        principal: by_somebody.then(|| "ann".to_owned()),
        reason: by_somebody.then(|| "because".to_owned()),
    }
}

/// State, parked at, resolved at, resolved by, of the only task.
async fn booked_task(store: &Store) -> (String, i64, Option<i64>, Option<String>) {
    let row = sqlx::query("SELECT * FROM failed_tasks")
        .fetch_one(&store.pool)
        .await
        .expect("one row");
    (
        row.get("state"),
        row.get("parked_at_ms"),
        row.get("resolved_at_ms"),
        row.get("resolved_by"),
    )
}

async fn the_oldest_that_waits_in_a_queue_is_known(engine: TestEngine) {
    let Database { store, .. } = &database(engine).await;
    let refund = &payments::REFUND_PAYMENT_FAILED;
    let queue = refund.queue;
    let oldest = async || store.oldest_parked_at_ms(queue).await.expect("answered");
    assert_eq!(oldest().await, None);
    let orders = [order(), order()];
    for (order, at_ms) in orders.iter().zip([10, 20]) {
        store.create_order(order).await.expect("created");
        let parked = task(order, refund, TaskState::Waiting, at_ms);
        store.record_failed_task(&parked).await.expect("booked");
    }
    assert_eq!(oldest().await, Some(10));
    let done = task(&orders[0], refund, TaskState::Done, 30);
    store.record_failed_task(&done).await.expect("booked");
    assert_eq!(oldest().await, Some(20));
}

async fn a_parked_task_is_booked_once_with_what_it_owes(engine: TestEngine) {
    let Database { store, .. } = &database(engine).await;
    let order = order();
    let id = order.order_id;
    store.create_order(&order).await.expect("created");
    let parked = task(
        &order,
        &payments::REFUND_PAYMENT_FAILED,
        TaskState::Waiting,
        10,
    );
    for _ in 0..2 {
        store.record_failed_task(&parked).await.expect("booked");
        let record = store.order(id).await.expect("answered").expect("there");
        assert_eq!(
            (record.money, record.version),
            (MoneyState::RefundParked, 2)
        );
        let owed = store.owed(id).await.expect("answered");
        assert_eq!(owed.len(), 1);
        assert_eq!(owed[0].task_id, parked.task_id);
        assert_eq!(owed[0].queue, "refund-payment");
        assert_eq!(owed[0].message_type, "RefundPaymentFailed");
        assert_eq!(owed[0].state, FailedTaskState::Parked);
    }
}

async fn each_parking_of_points_shows_in_the_order(engine: TestEngine) {
    let Database { store, .. } = &database(engine).await;
    let order = order();
    store.create_order(&order).await.expect("created");
    for (parked, points) in [
        (&loyalty::ADD_LOYALTY_POINTS_FAILED, PointsState::Parked),
        (
            &loyalty::REMOVE_LOYALTY_POINTS_FAILED,
            PointsState::ReclaimParked,
        ),
        (
            &customers::NOTIFY_CUSTOMER_FAILED,
            PointsState::ReclaimParked,
        ),
    ] {
        let parked = task(&order, parked, TaskState::Waiting, 10);
        store.record_failed_task(&parked).await.expect("booked");
        let record = store.order(order.order_id).await.expect("answered");
        assert_eq!(record.expect("there").points, points);
    }
    let owed = store.owed(order.order_id).await.expect("answered");
    assert_eq!(owed.len(), 3);
}

async fn a_task_that_is_over_is_never_parked_by_an_old_word(engine: TestEngine) {
    for (over, owed) in [(TaskState::Done, 0), (TaskState::Discarded, 1)] {
        let Database { store, .. } = &database(engine).await;
        let order = order();
        store.create_order(&order).await.expect("created");
        let change = |state, at_ms| task(&order, &payments::REFUND_PAYMENT_FAILED, state, at_ms);
        for change in [
            change(TaskState::Waiting, 10),
            change(over, 20),
            change(TaskState::Waiting, 10),
            change(over, 20),
            change(TaskState::Waiting, 20),
        ] {
            store.record_failed_task(&change).await.expect("booked");
        }
        let name = if owed == 0 { "done" } else { "discarded" };
        let expected = (name.to_owned(), 10, Some(20), Some("ann".to_owned()));
        assert_eq!(booked_task(store).await, expected);
        // A discarded task owes what it owed.
        let still = store.owed(order.order_id).await.expect("answered");
        assert_eq!(still.len(), owed);
        let owes = store.task_owes(&change(over, 20).task_id).await;
        assert_eq!(owes.expect("answered"), owed == 1);
    }
}

async fn a_task_may_end_before_its_parking_is_told(engine: TestEngine) {
    let Database { store, .. } = &database(engine).await;
    let order = order();
    let id = order.order_id;
    store.create_order(&order).await.expect("created");
    let change = |state, at_ms| task(&order, &loyalty::ADD_LOYALTY_POINTS_FAILED, state, at_ms);
    for change in [change(TaskState::Done, 20), change(TaskState::Waiting, 10)] {
        store.record_failed_task(&change).await.expect("booked");
        assert_eq!(booked_task(store).await.0, "done");
        let record = store.order(id).await.expect("answered").expect("there");
        assert_eq!(record.points, PointsState::None);
    }
}

async fn a_later_run_may_park_the_same_task_anew(engine: TestEngine) {
    let Database { store, .. } = &database(engine).await;
    let order = order();
    store.create_order(&order).await.expect("created");
    let change = |state, at_ms| task(&order, &payments::REFUND_PAYMENT_FAILED, state, at_ms);
    for change in [
        change(TaskState::Waiting, 10),
        change(TaskState::Done, 20),
        change(TaskState::Waiting, 30),
        // Told once more, late.
        change(TaskState::Done, 20),
        change(TaskState::Waiting, 10),
    ] {
        store.record_failed_task(&change).await.expect("booked");
    }
    let expected = ("parked".to_owned(), 30, None, None);
    assert_eq!(booked_task(store).await, expected);
    let discarded = change(TaskState::Discarded, 40);
    store.record_failed_task(&discarded).await.expect("booked");
    assert_eq!(booked_task(store).await.0, "discarded");
}

/// Its workflow may be reset after its end, and is open again.
async fn a_task_that_was_done_cannot_be_discarded_later(engine: TestEngine) {
    let Database { store, .. } = &database(engine).await;
    let order = order();
    store.create_order(&order).await.expect("created");
    let ends = [
        (TaskState::Waiting, 10, "parked"),
        (TaskState::Done, 20, "done"),
        (TaskState::Discarded, 30, "done"),
        (TaskState::Done, 40, "done"),
    ];
    for (state, at_ms, expected) in ends {
        let change = task(&order, &payments::REFUND_PAYMENT_FAILED, state, at_ms);
        store.record_failed_task(&change).await.expect("booked");
        assert_eq!(booked_task(store).await.0, expected, "{at_ms}");
    }
    assert_eq!(store.owed(order.order_id).await.expect("answered"), vec![]);
}

async fn what_is_over_is_listed_last_first_page_by_page(engine: TestEngine) {
    let Database { store, .. } = &database(engine).await;
    let refund = &payments::REFUND_PAYMENT_FAILED;
    // Two of them at the same time, and one that still waits.
    let ends = [
        Some((TaskState::Done, 20)),
        Some((TaskState::Discarded, 30)),
        Some((TaskState::Done, 30)),
        None,
    ];
    for end in ends {
        let order = order();
        store.create_order(&order).await.expect("created");
        let parked = task(&order, refund, TaskState::Waiting, 10);
        store.record_failed_task(&parked).await.expect("booked");
        if let Some((state, at_ms)) = end {
            let ended = task(&order, refund, state, at_ms);
            store.record_failed_task(&ended).await.expect("booked");
        }
    }
    let mut found = Vec::new();
    let mut after = ResolvedPosition::start();
    loop {
        let page = store.resolved_tasks(&after, 1).await.expect("answered");
        let Some(last) = page.last() else { break };
        after = last.into();
        found.extend(page);
    }
    let times: Vec<_> = found.iter().map(|task| task.resolved_at_ms).collect();
    assert_eq!(times, [30, 30, 20]);
    assert!(found[0].task_id > found[1].task_id, "{found:?}");
    assert_eq!(found[2].state, FailedTaskState::Done);
    assert_eq!(found[2].queue, refund.queue);
    assert_eq!(found[2].message_type, refund.message_type);
    for task in &found {
        assert!(task.task_id.ends_with(&task.order_id.to_string()));
        assert_eq!(task.resolved_by.as_deref(), Some("ann"));
        assert_eq!(task.reason.as_deref(), Some("because"));
    }
}

async fn a_task_without_an_order_is_refused(engine: TestEngine) {
    let Database { store, .. } = &database(engine).await;
    let mut change = task(
        &order(),
        &customers::NOTIFY_CUSTOMER_FAILED,
        TaskState::Waiting,
        10,
    );
    change.subject.remove("OrderId");
    let refused = store.record_failed_task(&change).await;
    assert!(
        matches!(refused, Err(StoreError::ForeignTask(_))),
        "{refused:?}"
    );
}

async fn what_was_parked_before_there_was_a_table_of_it_is_booked_by_the_migration(
    engine: TestEngine,
) {
    let empty = empty(engine).await;
    let url = &empty.url;
    let old = Store::connect(StoreOptions::new(url), Access::Write)
        .await
        .expect("a store");
    let mut first = old.engine.migrations();
    first.migrations.to_mut().truncate(1);
    let mut transaction = old.pool.begin().await.expect("a transaction");
    first
        .run_direct(None, &mut *transaction, false)
        .await
        .expect("the first schema");
    transaction.commit().await.expect("committed");
    let outdated = Store::open_existing_read_only(url).await;
    assert!(
        matches!(outdated, Err(StoreError::Outdated { .. })),
        "{outdated:?}"
    );
    for (money, points) in [
        (MoneyState::RefundParked, PointsState::ReclaimParked),
        (MoneyState::Charged, PointsState::Parked),
        (MoneyState::Refunded, PointsState::Reclaimed),
    ] {
        // As the first version wrote it: this one's statements know more.
        sqlx::query(
            "INSERT INTO orders VALUES ($1, 'guest', 'plain', 'small', 1, 900, 0, 'Cancelled', \
             $2, $3, NULL, NULL, NULL, 1, 0, 0)",
        )
        .bind(order().order_id.to_string())
        .bind(money.as_str())
        .bind(points.as_str())
        .execute(&old.pool)
        .await
        .expect("an order");
    }
    old.close().await;
    let store = Store::open(url).await.expect("a store");
    for parked in [
        &payments::REFUND_PAYMENT_FAILED,
        &loyalty::REMOVE_LOYALTY_POINTS_FAILED,
        &loyalty::ADD_LOYALTY_POINTS_FAILED,
    ] {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT task_id, order_id FROM failed_tasks WHERE message_type = $1")
                .bind(parked.message_type)
                .fetch_all(&store.pool)
                .await
                .expect("the tasks");
        let [(task, order)] = &rows[..] else {
            panic!("{parked:?}: {rows:?}");
        };
        let order: OrderId = order.parse().expect("an id");
        assert_eq!(*task, failed_task_workflow_id(parked.queue, order));
        let owed = store.owed(order).await.expect("answered");
        assert!(owed.iter().any(|owed| owed.task_id == *task), "{owed:?}");
    }
}

async fn a_version_grows_with_each_change_and_with_nothing_else(engine: TestEngine) {
    let Database { store, .. } = &database(engine).await;
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

async fn money_and_points_are_kept_even_when_their_status_was_overtaken(engine: TestEngine) {
    let Database { store, .. } = &database(engine).await;
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

async fn a_step_that_is_run_again_does_not_bring_money_or_points_back(engine: TestEngine) {
    let Database { store, .. } = &database(engine).await;
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

async fn a_cancelled_order_stays_cancelled_for_its_first_reason(engine: TestEngine) {
    let Database { store, .. } = &database(engine).await;
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

async fn an_order_is_read_back_as_it_was_accepted(engine: TestEngine) {
    let Database { store, .. } = &database(engine).await;
    let request = OrderRequest {
        flavour: "HAWAIIAN 🍍".parse().expect("a flavour"),
        ..OrderRequest::default()
    };
    let id = OrderId::from_uuid(Uuid::new_v4());
    let stages = StageDeadlines::all(Duration::from_secs(10));
    let order = Order::accept(request, id, Prices::FIRST, stages, 1_234);
    store.create_order(&order).await.expect("created");
    let record = store.order(id).await.expect("answered").expect("there");
    assert_eq!(record.flavour, order.flavour);
    assert_eq!(record.discount, order.discount);
    assert_eq!(record.total, order.total.minor());
    assert_eq!(record.placed_at_ms, 1_234);
    assert_eq!(record.cancelled, None);
}

async fn several_processes_may_open_a_new_store_at_once(engine: TestEngine) {
    let empty = empty(engine).await;
    let mut openings = JoinSet::new();
    for _ in 0..6 {
        let url = empty.url.clone();
        openings.spawn(async move { Store::open(&url).await });
    }
    while let Some(opened) = openings.join_next().await {
        opened.expect("a task").expect("a store");
    }
}

async fn a_store_that_a_later_version_has_migrated_is_opened_all_the_same(engine: TestEngine) {
    let database = database(engine).await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'from the future', TRUE, $1, 0)",
    )
    .bind(vec![0_u8])
    .execute(&database.store.pool)
    .await
    .expect("a later migration");
    Store::open(&database.url).await.expect("a store");
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_says_where_it_was_looked_for() {
    let mut away = StoreOptions::new("postgres://u:secret@127.0.0.1:1/db?password=secret");
    away.timeout = Duration::from_millis(100);
    for (options, place) in [
        (
            "sqlite:/dev/null/pizza.db".into(),
            "sqlite:/dev/null/pizza.db",
        ),
        (away, "postgres://127.0.0.1:1/db"),
        ("mysql://u:secret@h/db".into(), "postgres://"),
    ] {
        let error = Store::open(options).await.expect_err("no store");
        let told = format!("{error} {error:?}");
        assert!(told.contains(place), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }
}

#[tokio::test]
async fn a_store_makes_the_folder_that_it_lies_in() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("not/yet/pizza.db");
    let url = format!("sqlite:{}", file.display());
    Store::open(&url).await.expect("a store");
    assert!(file.exists());
}

#[tokio::test]
async fn a_reader_makes_nothing_and_writes_nothing() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("pizza.db");
    let url = format!("sqlite:{}", file.display());
    let missing = Store::open_existing_read_only(&url).await;
    let error = missing.expect_err("nothing there");
    assert!(matches!(error, StoreError::Missing { .. }), "{error:?}");
    assert!(error.to_string().contains(&url), "{error}");
    assert!(!file.exists());

    // A file that is none of ours stays as it is.
    std::fs::write(&file, b"").expect("a file");
    let foreign = Store::open_existing_read_only(&url).await;
    assert!(
        matches!(foreign, Err(StoreError::Outdated { .. })),
        "{foreign:?}"
    );
    assert_eq!(std::fs::read(&file).expect("the file"), b"");

    let writer = Store::open(&url).await.expect("a store");
    let reader = Store::open_existing_read_only(&url)
        .await
        .expect("a reader");
    let order = order();
    writer.create_order(&order).await.expect("created");
    assert!(reader.create_order(&order).await.is_err());
    let seen = reader.order(order.order_id).await.expect("answered");
    assert!(seen.is_some());
    // The last of the writers takes its files with it.
    writer.close().await;
    reader.close().await;
    let reader = Store::open_existing_read_only(&url)
        .await
        .expect("a reader");
    let seen = reader.order(order.order_id).await.expect("answered");
    assert!(seen.is_some());
}

async fn an_auditor_reads_every_order_once_page_by_page_with_all_that_bears_its_id(
    engine: TestEngine,
) {
    let Database { store, .. } = &database(engine).await;
    let mut ids = Vec::new();
    for _ in 0..7 {
        let order = order();
        store.create_order(&order).await.expect("created");
        store
            .change_order(order.order_id, OrderStatus::PaymentProcessing)
            .await
            .expect("changed");
        let charge = payment(&order, Step::ProcessPayment);
        store.give(&PAYMENTS, &charge).await.expect("booked");
        let award = points(&order, Step::AddLoyaltyPoints);
        store.give(&POINTS, &award).await.expect("booked");
        let parked = task(
            &order,
            &customers::NOTIFY_CUSTOMER_FAILED,
            TaskState::Waiting,
            10,
        );
        store.record_failed_task(&parked).await.expect("booked");
        ids.push(order.order_id.to_string());
    }
    // One that has books and no record.
    let stranger = order();
    let charge = payment(&stranger, Step::ProcessPayment);
    store.give(&PAYMENTS, &charge).await.expect("booked");
    ids.push(stranger.order_id.to_string());
    ids.sort();

    let mut read = Vec::new();
    let mut after = String::new();
    loop {
        let page = store.accounts_after(&after, 3).await.expect("a page");
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 3);
        after.clone_from(&last.order_id);
        read.extend(page);
    }
    let order_ids: Vec<_> = read
        .iter()
        .map(|account| account.order_id.clone())
        .collect();
    assert_eq!(order_ids, ids);
    for account in &read {
        assert_eq!(account.payments.len(), 1, "{account:?}");
        if account.order_id == stranger.order_id.to_string() {
            assert_eq!(account.record, None);
            continue;
        }
        let record = account.record.as_ref().expect("a record");
        assert_eq!((record.version, record.total), (2, 1200));
        assert_eq!(record.standing.status, "PaymentProcessing");
        let versions: Vec<_> = account
            .changes
            .iter()
            .map(|change| change.version)
            .collect();
        assert_eq!(versions, [1, 2]);
        assert_eq!(account.points[0].amount, 12);
        assert_eq!(account.tasks[0].state, "parked");
    }
    let unknown = order().order_id.to_string();
    let mut named = vec![ids[5].clone(), unknown, ids[1].clone()];
    let again = store.accounts(named.clone()).await.expect("accounts");
    assert_eq!([&again[0], &again[2]], [&read[5], &read[1]]);
    assert_eq!(again[1].record, None);
    named.clear();
    assert_eq!(store.accounts(named).await.expect("none"), []);
}

fn payment_adjustment(order: &Order, amendment: u32, difference: i64) -> PaymentAdjustment {
    PaymentAdjustment {
        order_id: order.order_id,
        customer_id: order.customer_id.clone(),
        amendment,
        difference: Money::from_minor(difference),
        total: None,
        idempotency_key: amendment_key(order.order_id, amendment, "payment"),
    }
}

fn points_adjustment(order: &Order, amendment: u32, points: i64) -> PointsAdjustment {
    PointsAdjustment {
        order_id: order.order_id,
        customer_id: order.customer_id.clone(),
        amendment,
        points,
        idempotency_key: amendment_key(order.order_id, amendment, "points"),
    }
}

async fn booked(store: &Store, query: &'static str) -> i64 {
    sqlx::query_scalar(query)
        .fetch_one(&store.pool)
        .await
        .expect("a number")
}

async fn a_refund_gives_back_the_charge_with_its_standing_differences(engine: TestEngine) {
    let Database { store, .. } = &database(engine).await;
    let order = order();
    let charge = payment(&order, Step::ProcessPayment);
    assert_eq!(
        store.give(&PAYMENTS, &charge).await.expect("answered"),
        Given::Stands
    );
    let dearer = payment_adjustment(&order, 1, 500);
    let cheaper = payment_adjustment(&order, 2, -200);
    let undone = payment_adjustment(&order, 3, 9000);
    for adjustment in [&dearer, &dearer, &cheaper, &undone] {
        let stands = store.book_payment_adjustment(adjustment).await;
        assert!(stands.expect("answered"));
    }
    store.void_payment_adjustment(&undone).await.expect("void");
    let stands = store.book_payment_adjustment(&undone).await;
    assert!(!stands.expect("answered"), "a void adjustment came back");

    let refund = payment(&order, Step::RefundPayment);
    assert_eq!(
        store.take_back(&PAYMENTS, &refund).await.expect("answered"),
        TakenBack::Taken
    );
    let given_back = "SELECT amount FROM payments WHERE kind = 'refund'";
    let expected = order.total.minor() + 500 - 200;
    assert_eq!(booked(store, given_back).await, expected);
    // What comes after the refund is too late.
    let late = payment_adjustment(&order, 4, 100);
    let stands = store.book_payment_adjustment(&late).await;
    assert!(!stands.expect("answered"), "charged after the refund");
}

async fn points_that_an_amendment_moved_are_taken_back_with_the_award(engine: TestEngine) {
    let Database { store, .. } = &database(engine).await;
    let order = order();
    // The amendment may be quicker than the award.
    let more = points_adjustment(&order, 1, 5);
    let undone = points_adjustment(&order, 2, 70);
    for adjustment in [&more, &more, &undone] {
        let stands = store.book_points_adjustment(adjustment).await;
        assert!(stands.expect("answered"));
    }
    store.void_points_adjustment(&undone).await.expect("void");
    let award = points(&order, Step::AddLoyaltyPoints);
    assert_eq!(
        store.give(&POINTS, &award).await.expect("answered"),
        Given::Stands
    );
    let reclaim = points(&order, Step::ReclaimLoyaltyPoints);
    let taken = store.take_back(&POINTS, &reclaim).await.expect("answered");
    assert_eq!(taken, TakenBack::Taken);
    let reclaimed = "SELECT points FROM loyalty_points WHERE kind = 'reclaim'";
    assert_eq!(booked(store, reclaimed).await, -(order.points() + 5));
    let late = store
        .book_points_adjustment(&points_adjustment(&order, 3, 1))
        .await;
    assert!(!late.expect("answered"), "points after the reclaim");
}

async fn a_later_run_learns_what_an_earlier_one_wrote(engine: TestEngine) {
    let database = database(engine).await;
    let store = &database.store;
    let order = order();
    assert_eq!(store.create_order(&order).await.expect("created"), None);
    let nothing = Some(EarlierRun::default());
    assert_eq!(store.create_order(&order).await.expect("answered"), nothing);

    let wanted = Amendment {
        quantity: Some(Quantity::try_from(3).expect("in range")),
        ..Amendment::default()
    };
    let amended = order.amended(&wanted);
    let recorded = RecordedAmendment {
        order: amended.clone(),
        amendment: 1,
    };
    store.record_amendment(&recorded).await.expect("written");
    // The second moved money, and was not written.
    let begun = payment_adjustment(&order, 2, 500);
    assert!(store.book_payment_adjustment(&begun).await.expect("booked"));
    let reason = CancelReason {
        step: Step::ProcessOrder,
        code: "kitchen-overdue".to_owned(),
        message: "too late".to_owned(),
    };
    let cancelled = store.cancel_order(&order, reason.clone()).await;
    cancelled.expect("cancelled");
    let earlier = store.create_order(&order).await.expect("answered");
    let earlier = earlier.expect("it was there");
    assert_eq!(earlier.cancelled, Some(reason));
    let amendments = earlier.amendments.clone().expect("amended");
    assert_eq!((amendments.last, amendments.unfinished), (2, vec![2]));
    assert_eq!(amendments.quantity, amended.quantity);
    assert_eq!(amendments.total, amended.total);
    let read = store.earlier_run(order.order_id).await.expect("answered");
    assert_eq!(read, Some(earlier));
}

/// A run that was reset to a task after the amendment's beginning does not know
/// of it.
async fn an_amendment_that_was_never_written_is_void_once_its_order_is_delivered(
    engine: TestEngine,
) {
    let Database { store, .. } = &database(engine).await;
    let order = order();
    let id = order.order_id;
    store.create_order(&order).await.expect("created");
    let charge = payment(&order, Step::ProcessPayment);
    store.give(&PAYMENTS, &charge).await.expect("booked");
    let wanted = Amendment {
        quantity: Some(Quantity::try_from(3).expect("in range")),
        ..Amendment::default()
    };
    let mut recorded = RecordedAmendment {
        order: order.amended(&wanted),
        amendment: 1,
    };
    let money = async |amendment, difference| {
        let adjustment = payment_adjustment(&order, amendment, difference);
        store
            .book_payment_adjustment(&adjustment)
            .await
            .expect("answered")
    };
    let points = async |amendment, points| {
        let adjustment = points_adjustment(&order, amendment, points);
        store
            .book_points_adjustment(&adjustment)
            .await
            .expect("answered")
    };
    assert!(money(1, 500).await && points(1, 5).await);
    store.record_amendment(&recorded).await.expect("written");
    // Of an amendment that was written nothing is made again.
    assert!(!money(1, 500).await && !points(1, 5).await);
    let total = recorded.order.total;
    let mut priced = payment_adjustment(&order, 2, 300);
    priced.total = Some(Money::from_minor(total.minor() + 200));
    let booked = store.book_payment_adjustment(&priced).await;
    assert!(!booked.expect("answered"), "another price was known");
    priced.total = Some(Money::from_minor(total.minor() + 300));
    let booked = store.book_payment_adjustment(&priced).await;
    assert!(booked.expect("answered"));
    assert!(money(2, 300).await && points(2, 3).await);
    let due = store.points_to_award(id).await.expect("answered");
    assert_eq!(due, Some(total.whole_units() - 5));
    // Again is as once; the number of another amendment is not taken.
    assert!(money(2, 300).await && points(2, 3).await);
    assert!(!money(2, 200).await && !money(2, -300).await && !points(2, 4).await);

    for status in [
        OrderStatus::PaymentProcessing,
        OrderStatus::CookingStarted,
        OrderStatus::DeliveryStarted,
        OrderStatus::DeliveryConfirmed,
    ] {
        let change = StatusChange {
            order_id: id,
            status,
            report: None,
        };
        store.set_order_status(&change).await.expect("changed");
    }
    let before = store.order(id).await.expect("answered");
    assert!(!money(2, 300).await && !points(2, 3).await);
    assert!(!money(3, 100).await && !points(3, 1).await);
    for amendment in [2, 3] {
        recorded.amendment = amendment;
        let is_taken = store.record_amendment(&recorded).await;
        assert!(!is_taken.expect("answered"), "{amendment}");
    }
    assert_eq!(store.order(id).await.expect("answered"), before);
    let mut connection = store.pool.acquire().await.expect("connected");
    let moved =
        super::amendments::difference(&mut connection, &super::amendments::PAYMENTS, id).await;
    assert_eq!(moved.expect("answered"), 500);
    let moved =
        super::amendments::difference(&mut connection, &super::amendments::POINTS, id).await;
    assert_eq!(moved.expect("answered"), 5);
}

/// An attempt of the run before may go on after its end.
async fn what_a_run_amends_after_another_took_over_comes_to_nothing(engine: TestEngine) {
    let Database { store, .. } = &database(engine).await;
    let order = order();
    let id = order.order_id;
    store.create_order(&order).await.expect("created");
    let taken_over = async |run: &str| {
        let earlier = store.take_over(id, run).await.expect("answered");
        earlier.expect("it was there").amendments
    };
    // A first run may ask twice, and has amended nothing.
    assert_eq!(taken_over("first").await, None);
    store
        .give(&PAYMENTS, &payment(&order, Step::ProcessPayment))
        .await
        .expect("booked");
    let charged = Change {
        money: Some(MoneyState::Charged),
        ..Change::default()
    };
    store.change_order(id, charged).await.expect("changed");

    let wanted = Amendment {
        quantity: Some(Quantity::try_from(3).expect("in range")),
        ..Amendment::default()
    };
    for (run, of_old, of_new) in [("second", 1, 2), ("third", 3, 4)] {
        let amendments = taken_over(run).await.expect("one may be under way");
        assert_eq!((amendments.last, amendments.unfinished), (of_old, vec![]));
        assert_eq!(taken_over(run).await.expect("amended").last, of_new);

        let money = payment_adjustment(&order, of_old, 500);
        assert!(
            !store
                .book_payment_adjustment(&money)
                .await
                .expect("answered")
        );
        let points = points_adjustment(&order, of_old, 5);
        assert!(
            !store
                .book_points_adjustment(&points)
                .await
                .expect("answered")
        );
        let before = store.order(id).await.expect("answered");
        let mut recorded = RecordedAmendment {
            order: order.amended(&wanted),
            amendment: of_old,
        };
        let is_taken = store.record_amendment(&recorded).await;
        assert!(!is_taken.expect("answered"));
        assert_eq!(store.order(id).await.expect("answered"), before);

        let money = payment_adjustment(&order, of_new, 500);
        assert!(store.book_payment_adjustment(&money).await.expect("booked"));
        recorded.amendment = of_new;
        store.record_amendment(&recorded).await.expect("written");
    }
}

async fn an_amendment_is_written_once_and_is_a_change_of_its_own(engine: TestEngine) {
    let Database { store, .. } = &database(engine).await;
    let order = order();
    store.create_order(&order).await.expect("created");
    let wanted = Amendment {
        quantity: Some(Quantity::try_from(3).expect("in range")),
        ..Amendment::default()
    };
    let recorded = RecordedAmendment {
        order: order.amended(&wanted),
        amendment: 1,
    };
    for _ in 0..2 {
        assert!(store.record_amendment(&recorded).await.expect("written"));
    }
    let record = store.order(order.order_id).await.expect("answered");
    let record = record.expect("there");
    assert_eq!((record.version, record.quantity), (2, 3));
    assert_eq!(record.total, 3 * order.total.minor());
    let quantities = "SELECT CAST(SUM(quantity) AS BIGINT) FROM order_changes";
    assert_eq!(booked(store, quantities).await, 1 + 3);
    // A run that does not know of it counts from 1 again.
    let forgetful = RecordedAmendment {
        order: order.amended(&Amendment {
            quantity: Some(Quantity::try_from(5).expect("in range")),
            ..Amendment::default()
        }),
        amendment: 1,
    };
    assert!(!store.record_amendment(&forgetful).await.expect("answered"));
    let record = store.order(order.order_id).await.expect("answered");
    assert_eq!(record.expect("there").quantity, 3);
    let later = RecordedAmendment {
        amendment: 2,
        ..forgetful
    };
    assert!(store.record_amendment(&later).await.expect("written"));
    assert!(!store.record_amendment(&recorded).await.expect("answered"));
}

async fn of_many_requests_under_one_key_the_first_is_kept(engine: TestEngine) {
    let database = database(engine).await;
    let other = database.second_process().await;
    let mut attempts = JoinSet::new();
    for store in [database.store.clone(), other].iter().cycle().take(16) {
        let store = store.clone();
        attempts.spawn(async move {
            let request = request_of_two();
            let customer = "ann".parse().expect("an id");
            store.keep_request(&customer, "monday", &request).await
        });
    }
    let mut kept = Vec::new();
    while let Some(attempt) = attempts.join_next().await {
        kept.push(attempt.expect("a task").expect("kept"));
    }
    kept.dedup();
    assert_eq!(kept.len(), 1, "{kept:?}");

    let request = request_of_two();
    for (customer, key) in [("ben", "monday"), ("ann", "tuesday")] {
        let customer = customer.parse().expect("an id");
        let store = &database.store;
        let kept = store.keep_request(&customer, key, &request).await;
        assert_eq!(kept.expect("kept"), request, "{customer} {key}");
    }
}

fn request_of_two() -> KeptRequest {
    let id = || OrderId::from_uuid(Uuid::new_v4());
    KeptRequest {
        fingerprint: Uuid::new_v4().to_string(),
        order_ids: vec![id(), id()],
    }
}

on_each_engine!(
    a_charge_happens_once_however_often_and_from_wherever_it_is_made,
    a_refund_needs_a_charge_and_happens_once,
    a_charge_that_comes_after_its_refund_is_void,
    points_are_taken_back_once_and_only_if_they_were_given,
    an_award_that_comes_after_its_reclaim_is_called_off,
    the_oldest_that_waits_in_a_queue_is_known,
    a_parked_task_is_booked_once_with_what_it_owes,
    each_parking_of_points_shows_in_the_order,
    a_task_that_is_over_is_never_parked_by_an_old_word,
    a_task_may_end_before_its_parking_is_told,
    a_later_run_may_park_the_same_task_anew,
    what_is_over_is_listed_last_first_page_by_page,
    a_task_without_an_order_is_refused,
    what_was_parked_before_there_was_a_table_of_it_is_booked_by_the_migration,
    a_version_grows_with_each_change_and_with_nothing_else,
    money_and_points_are_kept_even_when_their_status_was_overtaken,
    a_step_that_is_run_again_does_not_bring_money_or_points_back,
    a_cancelled_order_stays_cancelled_for_its_first_reason,
    an_order_is_read_back_as_it_was_accepted,
    several_processes_may_open_a_new_store_at_once,
    a_store_that_a_later_version_has_migrated_is_opened_all_the_same,
    an_auditor_reads_every_order_once_page_by_page_with_all_that_bears_its_id,
    a_refund_gives_back_the_charge_with_its_standing_differences,
    points_that_an_amendment_moved_are_taken_back_with_the_award,
    what_a_run_amends_after_another_took_over_comes_to_nothing,
    a_task_that_was_done_cannot_be_discarded_later,
    an_amendment_that_was_never_written_is_void_once_its_order_is_delivered,
    an_amendment_is_written_once_and_is_a_change_of_its_own,
    a_later_run_learns_what_an_earlier_one_wrote,
    of_many_requests_under_one_key_the_first_is_kept,
);
