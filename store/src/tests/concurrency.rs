//! What holds when several processes write at once, and when one of them is
//! lost between an effect and its commit.

use std::sync::Arc;

use pizza_domain::{Amendment, KitchenReport, OrderStatus, Quantity};
use pizza_workflows::steps::{Notification, RecordedReport, customers};
use tokio::sync::Barrier;

use super::super::list_orders::{OrderFilter, OrderPosition};
use super::super::test_databases::{TestEngine, database, on_each_engine};
use super::*;

/// How many orders are fought over. A race that is lost once in a while is
/// lost here.
const ORDERS: usize = 25;

/// Runs both at the same moment, on the stores of two processes.
async fn at_once<A, B>(
    one: impl Future<Output = A> + Send,
    other: impl Future<Output = B> + Send,
) -> (A, B) {
    let start = Arc::new(Barrier::new(2));
    let other_start = Arc::clone(&start);
    tokio::join!(
        async move {
            start.wait().await;
            one.await
        },
        async move {
            other_start.wait().await;
            other.await
        }
    )
}

async fn sum(store: &Store, query: &'static str, order: &Order) -> i64 {
    sqlx::query_scalar(query)
        .bind(order.order_id.to_string())
        .fetch_one(&store.pool)
        .await
        .expect("a sum")
}

async fn versions_grow_by_one_whoever_writes(engine: TestEngine) {
    let database = database(engine).await;
    let other = database.second_process().await;
    let stores = [database.store.clone(), other];
    let order = order();
    database.store.create_order(&order).await.expect("created");
    let mut writers = JoinSet::new();
    let statuses = [
        OrderStatus::PaymentProcessing,
        OrderStatus::PaymentComplete,
        OrderStatus::CookingStarted,
        OrderStatus::CookingCompleted,
        OrderStatus::DeliveryStarted,
    ];
    for (status, store) in statuses.into_iter().zip(stores.iter().cycle()) {
        let (store, id) = (store.clone(), order.order_id);
        writers.spawn(async move { store.change_order(id, status).await });
    }
    for (amendment, store) in (1..=8).zip(stores.iter().cycle()) {
        let wanted = Amendment {
            quantity: Quantity::try_from(amendment + 1).ok(),
            ..Amendment::default()
        };
        let recorded = RecordedAmendment {
            order: order.amended(&wanted),
            amendment: u32::try_from(amendment).expect("few"),
        };
        // Twice, as an activity may run.
        for store in [store.clone(), database.store.clone()] {
            let recorded = recorded.clone();
            writers.spawn(async move { store.record_amendment(&recorded).await.map(drop) });
        }
    }
    while let Some(written) = writers.join_next().await {
        written.expect("a task").expect("written");
    }
    let record = database.store.order(order.order_id).await;
    let record = record.expect("answered").expect("there");
    assert_eq!(record.status, OrderStatus::DeliveryStarted);
    let changes = database.store.changes_from(order.order_id, 0).await;
    let changes = changes.expect("answered");
    let versions: Vec<i64> = changes.iter().map(|change| change.version).collect();
    assert_eq!(versions, (1..=record.version).collect::<Vec<_>>());
    let mut before = &changes[0];
    for change in &changes {
        let status = change.status;
        let forward = status == before.status || before.status.may_become(status);
        assert!(forward, "{} after {}", status, before.status);
        assert!(change.changed_at_ms >= before.changed_at_ms);
        before = change;
    }
    let last = (before.status, before.quantity, before.total);
    assert_eq!(last, (record.status, record.quantity, record.total));
    // Eight amendments, and the statuses that were not overtaken.
    assert!((10..=14).contains(&record.version), "{}", record.version);
}

async fn a_charge_and_its_refund_at_once_leave_no_money_behind(engine: TestEngine) {
    let database = database(engine).await;
    let (one, other) = (&database.store, database.second_process().await);
    for _ in 0..ORDERS {
        let order = order();
        let charge = payment(&order, Step::ProcessPayment);
        let refund = payment(&order, Step::RefundPayment);
        let (charged, refunded) = at_once(
            one.give(&PAYMENTS, &charge),
            other.take_back(&PAYMENTS, &refund),
        )
        .await;
        let outcome = (charged.expect("answered"), refunded.expect("answered"));
        assert!(
            matches!(
                outcome,
                (Given::Stands, TakenBack::Taken) | (Given::CalledOff, TakenBack::NothingGiven)
            ),
            "{outcome:?}"
        );
        let left = "SELECT CAST(COALESCE(SUM(CASE kind WHEN 'charge' THEN amount \
             WHEN 'refund' THEN -amount ELSE 0 END), 0) AS BIGINT) \
             FROM payments WHERE order_id = $1";
        assert_eq!(sum(one, left, &order).await, 0);
    }
}

async fn an_award_and_its_reclaim_at_once_leave_no_points_behind(engine: TestEngine) {
    let database = database(engine).await;
    let (one, other) = (&database.store, database.second_process().await);
    for _ in 0..ORDERS {
        let order = order();
        let award = points(&order, Step::AddLoyaltyPoints);
        let reclaim = points(&order, Step::ReclaimLoyaltyPoints);
        let (awarded, reclaimed) = at_once(
            one.give(&POINTS, &award),
            other.take_back(&POINTS, &reclaim),
        )
        .await;
        let outcome = (awarded.expect("answered"), reclaimed.expect("answered"));
        assert!(
            matches!(
                outcome,
                (Given::Stands, TakenBack::Taken) | (Given::CalledOff, TakenBack::NothingGiven)
            ),
            "{outcome:?}"
        );
        let left = "SELECT CAST(SUM(points) AS BIGINT) FROM loyalty_points WHERE order_id = $1";
        assert_eq!(sum(one, left, &order).await, 0);
    }
}

async fn a_difference_and_the_refund_at_once_give_back_what_was_taken(engine: TestEngine) {
    let database = database(engine).await;
    let (one, other) = (&database.store, database.second_process().await);
    for _ in 0..ORDERS {
        let order = order();
        let charge = payment(&order, Step::ProcessPayment);
        assert_eq!(
            one.give(&PAYMENTS, &charge).await.expect("answered"),
            Given::Stands
        );
        let dearer = payment_adjustment(&order, 1, 500);
        let refund = payment(&order, Step::RefundPayment);
        let (stands, refunded) = at_once(
            one.book_payment_adjustment(&dearer),
            other.take_back(&PAYMENTS, &refund),
        )
        .await;
        assert_eq!(refunded.expect("answered"), TakenBack::Taken);
        let taken = if stands.expect("answered") { 500 } else { 0 };
        let given_back = "SELECT amount FROM payments WHERE order_id = $1 AND kind = 'refund'";
        let given_back = sum(one, given_back, &order).await;
        assert_eq!(given_back, order.total.minor() + taken);
    }
}

async fn a_report_is_not_lost_to_a_hand_over_at_the_same_time(engine: TestEngine) {
    let database = database(engine).await;
    let (one, other) = (&database.store, database.second_process().await);
    for _ in 0..ORDERS {
        let order = order();
        let ticket = ticket(&order);
        let report = RecordedReport {
            order_id: order.order_id,
            report: KitchenReport::Accepted,
            report_id: None,
            reason: None,
            due_at_ms: Some(1),
        };
        let (booked, recorded) = at_once(
            one.book_ticket(&ticket, false),
            other.record_report(&report),
        )
        .await;
        booked.expect("booked");
        recorded.expect("recorded");
        let stage = "SELECT CAST(COUNT(*) AS BIGINT) FROM kitchen_tickets \
             WHERE order_id = $1 AND stage = 'accepted'";
        assert_eq!(sum(one, stage, &order).await, 1);
    }
}

async fn no_effect_happens_twice_whoever_asks_for_it(engine: TestEngine) {
    let database = database(engine).await;
    let other = database.second_process().await;
    let order = Arc::new(order());
    database.store.create_order(&order).await.expect("created");
    let mut writers = JoinSet::new();
    for store in [database.store.clone(), other].iter().cycle().take(12) {
        let (store, order) = (store.clone(), Arc::clone(&order));
        writers.spawn(async move {
            store.create_order(&order).await?;
            let told = Notification {
                order_id: order.order_id,
                customer_id: order.customer_id.clone(),
                reason: CancelReason {
                    step: Step::PrepareOrder,
                    code: "no-oven".to_owned(),
                    message: "no oven".to_owned(),
                },
                idempotency_key: idempotency_key(order.order_id, Step::NotifyCustomer),
                simulation: Simulation::default(),
            };
            store.book_notification(&told).await?;
            store
                .give(&PAYMENTS, &payment(&order, Step::ProcessPayment))
                .await?;
            store
                .book_payment_adjustment(&payment_adjustment(&order, 1, 500))
                .await?;
            store
                .give(&POINTS, &points(&order, Step::AddLoyaltyPoints))
                .await?;
            store
                .book_points_adjustment(&points_adjustment(&order, 1, 5))
                .await?;
            store.book_ticket(&ticket(&order), false).await?;
            let report = RecordedReport {
                order_id: order.order_id,
                report: KitchenReport::Accepted,
                report_id: None,
                reason: None,
                due_at_ms: None,
            };
            store.record_report(&report).await?;
            let parked = task(
                &order,
                &customers::NOTIFY_CUSTOMER_FAILED,
                TaskState::Waiting,
                10,
            );
            store.record_failed_task(&parked).await?;
            store.withdraw_ticket(order.order_id).await
        });
    }
    while let Some(written) = writers.join_next().await {
        written.expect("a task").expect("written");
    }
    for table in [
        "SELECT COUNT(*) FROM orders",
        "SELECT COUNT(*) FROM notifications",
        "SELECT COUNT(*) FROM payments",
        "SELECT COUNT(*) FROM payment_adjustments",
        "SELECT COUNT(*) FROM loyalty_points",
        "SELECT COUNT(*) FROM loyalty_adjustments",
        "SELECT COUNT(*) FROM kitchen_tickets",
        "SELECT COUNT(*) FROM kitchen_reports",
        "SELECT COUNT(*) FROM failed_tasks",
    ] {
        assert_eq!(count(&database.store, table).await, 1, "{table}");
    }
}

async fn pages_neither_skip_nor_repeat_an_order_while_others_come_in(engine: TestEngine) {
    let database = database(engine).await;
    let (store, other) = (&database.store, database.second_process().await);
    let placed = async |store: &Store, at_ms: i64| {
        let mut order = order();
        order.placed_at_ms = at_ms;
        store.create_order(&order).await.expect("created");
        order.order_id
    };
    // Some of the same time, which their ids tell apart.
    let mut expected = Vec::new();
    for at_ms in [10, 20, 20, 20, 30, 40, 40] {
        expected.push((at_ms, placed(store, at_ms).await));
    }
    expected.sort_by_key(|(at_ms, id)| (-at_ms, std::cmp::Reverse(id.to_string())));
    let mut listed = Vec::new();
    let mut after: Option<OrderPosition> = None;
    loop {
        let page = store.list_orders(&OrderFilter::default(), after, 2).await;
        let page = page.expect("a page");
        let Some(last) = page.last() else { break };
        after = Some(last.into());
        listed.extend(page.iter().map(|it| (it.placed_at_ms, it.order_id)));
        placed(&other, 50).await;
    }
    assert_eq!(listed, expected);
}

async fn a_flavour_is_found_however_it_is_spelled(engine: TestEngine) {
    let empty = empty(engine).await;
    let store = &Store::open(&empty.url).await.expect("a store");
    for flavour in [
        "Hawaiian",
        "ÄPFEL",
        "Ｈａｗａｉｉａｎ",
        "Weißwurst",
        "WEISSWURST",
        "100% _",
    ] {
        let request = OrderRequest {
            flavour: flavour.parse().expect("a flavour"),
            ..OrderRequest::default()
        };
        let id = OrderId::from_uuid(Uuid::new_v4());
        let stages = StageDeadlines::all(Duration::from_secs(10));
        let order = Order::accept(request, id, Prices::FIRST, stages, now_ms());
        store.create_order(&order).await.expect("created");
    }
    let found = async |store: &Store, flavour: &str| {
        let filter = OrderFilter {
            flavour: Some(flavour.parse().expect("a flavour")),
            ..OrderFilter::default()
        };
        let listed = store.list_orders(&filter, None, 10).await;
        listed.expect("listed").len()
    };
    let each = [
        ("hAWAIIAN", 2),
        ("Äpfel", 1),
        ("a\u{308}pfel", 1),
        ("weißWURST", 2),
        ("apfel", 0),
        ("100% _", 1),
        ("%", 0),
    ];
    for (flavour, all) in each {
        assert_eq!(found(store, flavour).await, all, "{flavour}");
    }
    // As a process of the version before writes: it lists no spellings.
    sqlx::query("DELETE FROM flavours")
        .execute(&store.pool)
        .await
        .expect("deleted");
    assert_eq!(found(store, "ÄPFEL").await, 1);
    assert_eq!(found(store, "äpfel").await, 0);
    // Nor is there a table of them before the migration, which fills it.
    let tables = crate::tables_since(6);
    let drops = tables.iter().map(|table| format!("DROP TABLE {table}"));
    let forgets = "DELETE FROM _sqlx_migrations WHERE version >= 6".to_owned();
    for statement in drops.chain([forgets]) {
        let done = sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&store.pool);
        done.await.expect("back to version 5");
    }
    store.close().await;
    let store = &Store::open(&empty.url).await.expect("migrated");
    for (flavour, all) in each {
        assert_eq!(found(store, flavour).await, all, "{flavour}, migrated");
    }
}

async fn an_effect_that_was_not_committed_did_not_happen_and_happens_once(engine: TestEngine) {
    let Database { store, .. } = &database(engine).await;
    let order = order();
    let charge = payment(&order, Step::ProcessPayment);
    let write = "INSERT INTO payments VALUES ($1, 'charge', 'guest', 1200, $2, 1)";
    let mut lost = store.begin(order.order_id).await.expect("begun");
    sqlx::query(write)
        .bind(order.order_id.to_string())
        .bind(charge.idempotency_key.clone())
        .execute(&mut *lost)
        .await
        .expect("written");
    if engine == TestEngine::Postgres {
        let id: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
            .fetch_one(&mut *lost)
            .await
            .expect("an id");
        let kill = sqlx::query("SELECT pg_terminate_backend($1)").bind(id);
        kill.execute(&store.pool).await.expect("killed");
        let lost: StoreError = lost.commit().await.expect_err("killed").into();
        assert!(lost.may_pass(), "{lost:?}");
    } else {
        drop(lost);
    }
    for _ in 0..2 {
        assert_eq!(
            store.give(&PAYMENTS, &charge).await.expect("booked"),
            Given::Stands
        );
    }
    assert_eq!(count(store, "SELECT COUNT(*) FROM payments").await, 1);
}

async fn a_snapshot_is_of_one_moment(engine: TestEngine) {
    let database = database(engine).await;
    let other = database.second_process().await;
    let order = order();
    database.store.create_order(&order).await.expect("created");
    let mut snapshot = database.store.snapshot().await.expect("begun");
    let versions = "SELECT COUNT(*) FROM order_changes";
    let seen: i64 = sqlx::query_scalar(versions)
        .fetch_one(&mut *snapshot)
        .await
        .expect("a number");
    other
        .change_order(order.order_id, OrderStatus::PaymentProcessing)
        .await
        .expect("changed");
    let still: i64 = sqlx::query_scalar(versions)
        .fetch_one(&mut *snapshot)
        .await
        .expect("a number");
    assert_eq!((seen, still), (1, 1));
}

/// The change feed asks for what is younger than the latest that it saw, less
/// an overlap.
async fn a_change_that_is_committed_after_a_later_one_is_found_by_its_time(engine: TestEngine) {
    // SQLite has one writer at a time.
    if engine == TestEngine::Sqlite {
        return;
    }
    let Database { store, .. } = &database(engine).await;
    let (slow, quick) = (order(), order());
    for order in [&slow, &quick] {
        store.create_order(order).await.expect("created");
    }
    let mut transaction = store.begin(slow.order_id).await.expect("begun");
    let paying = OrderStatus::PaymentProcessing;
    let _not_measured = super::super::orders::apply(&mut transaction, slow.order_id, paying.into())
        .await
        .expect("changed");
    store
        .change_order(quick.order_id, paying)
        .await
        .expect("another order is not waited for");
    let latest = store.last_changed_at_ms().await.expect("answered");
    let latest = latest.expect("there were changes");
    transaction.commit().await.expect("committed");
    let found = store.changed_after(latest - 5_000).await.expect("answered");
    let found = found
        .iter()
        .any(|it| (it.order_id, it.version) == (slow.order_id, 2));
    assert!(found);
}

on_each_engine!(
    versions_grow_by_one_whoever_writes,
    a_charge_and_its_refund_at_once_leave_no_money_behind,
    an_award_and_its_reclaim_at_once_leave_no_points_behind,
    a_difference_and_the_refund_at_once_give_back_what_was_taken,
    a_report_is_not_lost_to_a_hand_over_at_the_same_time,
    no_effect_happens_twice_whoever_asks_for_it,
    pages_neither_skip_nor_repeat_an_order_while_others_come_in,
    a_flavour_is_found_however_it_is_spelled,
    an_effect_that_was_not_committed_did_not_happen_and_happens_once,
    a_snapshot_is_of_one_moment,
    a_change_that_is_committed_after_a_later_one_is_found_by_its_time,
);
