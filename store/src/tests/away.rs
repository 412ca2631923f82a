//! A store that is locked, full, read-only, overrun, lost or away: whoever
//! asks is told so in time, and nothing is lost or done twice.

use std::net::Ipv4Addr;

use sqlx::Executor;
use sqlx::pool::PoolConnection;
use temporal_dev_server::postgres::{PostgresServer, locate};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;

use super::super::test_databases::{TestEngine, database, on_each_engine, server};
use super::*;

/// Longer than any wait here.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until there is an answer.
async fn eventually<T>(ask: impl AsyncFn() -> Result<T, StoreError>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) if error.may_pass() && Instant::now() < until => {}
            Err(error) => panic!("never: {error:?}"),
        }
    }
}

/// Whether somebody was told to try again.
fn is_unavailable<T: std::fmt::Debug>(answer: &Result<T, StoreError>) -> bool {
    answer.as_ref().is_err_and(StoreError::may_pass)
}

async fn sql(connection: &mut PoolConnection<sqlx::Any>, statement: &'static str) {
    connection.execute(statement).await.expect(statement);
}

async fn a_store_that_another_process_has_locked_takes_the_same_later(engine: TestEngine) {
    let database = database(engine).await;
    let store = database.impatient(|_| {}).await;
    let (lock, unlock) = match engine {
        TestEngine::Sqlite => (["BEGIN IMMEDIATE", "SELECT 1"], "ROLLBACK"),
        TestEngine::Postgres => (["BEGIN", "LOCK TABLE payments"], "ROLLBACK"),
    };
    let mut somebody = database.store.pool.acquire().await.expect("a connection");
    for statement in lock {
        sql(&mut somebody, statement).await;
    }
    let charge = payment(&order(), Step::ProcessPayment);
    let began = Instant::now();
    let locked = store.give(&PAYMENTS, &charge).await;
    assert!(is_unavailable(&locked), "{locked:?}");
    assert!(began.elapsed() < Duration::from_secs(5));
    sql(&mut somebody, unlock).await;
    for _ in 0..2 {
        assert_eq!(
            store.give(&PAYMENTS, &charge).await.expect("booked"),
            Given::Stands
        );
    }
    assert_eq!(count(&store, "SELECT COUNT(*) FROM payments").await, 1);
}

async fn who_finds_no_connection_free_is_told_so(engine: TestEngine) {
    let database = database(engine).await;
    let store = database.impatient(|it| it.connections = 2).await;
    let held = [store.pool.acquire().await, store.pool.acquire().await];
    let overrun = store.create_order(&order()).await;
    assert!(is_unavailable(&overrun), "{overrun:?}");
    drop(held);
    eventually(async || store.create_order(&order()).await).await;
}

on_each_engine!(
    a_store_that_another_process_has_locked_takes_the_same_later,
    who_finds_no_connection_free_is_told_so,
);

#[tokio::test]
async fn a_file_that_cannot_grow_takes_the_same_once_it_can() {
    let database = database(TestEngine::Sqlite).await;
    let store = database.impatient(|it| it.connections = 1).await;
    let limit = async |pages: i64| {
        let limit = format!("PRAGMA max_page_count = {pages}");
        let limited = store.pool.execute(sqlx::AssertSqlSafe(limit)).await;
        limited.expect("limited");
    };
    limit(1).await;
    let mut orders = Vec::new();
    let full = loop {
        orders.push(order());
        let created = store.create_order(orders.last().expect("one")).await;
        if created.is_err() {
            break created;
        }
    };
    let told = format!("{full:?}");
    assert!(is_unavailable(&full) && told.contains("full"), "{told}");
    limit(1_000_000).await;
    for order in &orders {
        store.create_order(order).await.expect("created");
    }
    let expected = i64::try_from(orders.len()).expect("few");
    assert_eq!(count(&store, "SELECT COUNT(*) FROM orders").await, expected);
    let changes = "SELECT COUNT(*) FROM order_changes";
    assert_eq!(count(&store, changes).await, expected);
}

#[tokio::test]
async fn a_damaged_file_is_nothing_that_passes() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("pizza.db");
    std::fs::write(&file, vec![b'x'; 8192]).expect("a file");
    let opened = Store::open(&format!("sqlite:{}", file.display())).await;
    assert!(opened.is_err_and(|error| !error.may_pass()));
}

/// What PostgreSQL says when it cannot, by its own codes.
#[tokio::test]
async fn what_postgresql_refuses_for_now_may_pass_and_what_it_never_takes_may_not() {
    let Database { store, .. } = &database(TestEngine::Postgres).await;
    for (code, passes) in [
        ("53100", true),
        ("53200", true),
        ("53300", true),
        ("57P01", true),
        ("57P03", true),
        ("40001", true),
        ("40P01", true),
        ("25006", true),
        ("58030", true),
        // An older schema, until it is brought up to date.
        ("42P01", true),
        ("XX001", false),
        ("XX002", false),
        ("22021", false),
        ("23505", false),
    ] {
        let raise = format!("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$");
        let raised = store.pool.execute(sqlx::AssertSqlSafe(raise)).await;
        let error = StoreError::from(raised.expect_err("raised"));
        assert_eq!(error.may_pass(), passes, "{code}: {error:?}");
    }
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_ended_by_the_server() {
    let database = database(TestEngine::Postgres).await;
    let store = database.impatient(|_| {}).await;
    let slow = store.pool.execute("SELECT 1 FROM pg_sleep(30)").await;
    let error = StoreError::from(slow.expect_err("ended"));
    assert!(error.may_pass(), "{error:?}");
    store.prove().await.expect("the next is answered");
}

#[tokio::test]
async fn two_who_wait_for_each_other_are_told_to_try_again() {
    let Database { store, .. } = &database(TestEngine::Postgres).await;
    let (first, second) = (order().order_id, order().order_id);
    let mut one = store.begin(first).await.expect("begun");
    let mut other = store.begin(second).await.expect("begun");
    let (of_one, of_other) = tokio::join!(super::super::postgres::lock(&mut one, second), async {
        let locked = super::super::postgres::lock(&mut other, first).await;
        // What it had goes to the one.
        drop(other);
        locked
    },);
    for error in [of_one, of_other].into_iter().filter_map(Result::err) {
        let error = StoreError::from(error);
        assert!(error.may_pass(), "{error:?}");
    }
}

#[tokio::test]
async fn a_server_that_became_read_only_is_away_until_it_is_not() {
    let database = database(TestEngine::Postgres).await;
    let (_, name) = database.url.rsplit_once('/').expect("a database");
    let set = async |value: &str| {
        let alter = format!("ALTER DATABASE {name} SET default_transaction_read_only = {value}");
        server().await.execute(&alter).await.expect("altered");
        database.impatient(|_| {}).await
    };
    let order = order();
    let replica = set("on").await;
    let refused = replica.create_order(&order).await;
    assert!(is_unavailable(&refused), "{refused:?}");
    assert!(replica.order(order.order_id).await.expect("read").is_none());
    set("off")
        .await
        .create_order(&order)
        .await
        .expect("created");
}

#[tokio::test]
async fn a_server_that_is_stopped_killed_or_overrun_loses_and_doubles_nothing() {
    let settings = ["max_connections=8", "superuser_reserved_connections=0"];
    let installation = locate().await.expect("a PostgreSQL");
    let mut server = PostgresServer::start(installation, &settings)
        .await
        .expect("a server");
    let mut options = StoreOptions::new(server.url("postgres"));
    options.timeout = Duration::from_millis(500);
    options.connections = 4;
    let store = Store::open(options.clone()).await.expect("a store");
    let orders = [order(), order(), order()];
    let charge = |order| payment(order, Step::ProcessPayment);
    let given = store.give(&PAYMENTS, &charge(&orders[0])).await;
    assert_eq!(given.expect("booked"), Given::Stands);

    server.stop().await.expect("stopped");
    let away = store.give(&PAYMENTS, &charge(&orders[1])).await;
    assert!(is_unavailable(&away), "{away:?}");
    let unopened = Store::open(options.clone()).await.map(drop);
    assert!(is_unavailable(&unopened), "{unopened:?}");
    server.start_again().await.expect("started");
    eventually(async || store.give(&PAYMENTS, &charge(&orders[1])).await).await;

    server.crash().await.expect("killed");
    let away = store.order(orders[0].order_id).await;
    assert!(is_unavailable(&away), "{away:?}");
    server.start_again().await.expect("started");
    for order in &orders {
        eventually(async || store.give(&PAYMENTS, &charge(order)).await).await;
    }
    assert_eq!(count(&store, "SELECT COUNT(*) FROM payments").await, 3);

    store.close().await;
    options.connections = 8;
    let greedy = Store::open(options.clone()).await.expect("a store");
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(greedy.pool.acquire().await.expect("a connection"));
    }
    let overrun = Store::open(options.clone()).await.map(drop);
    assert!(is_unavailable(&overrun), "{overrun:?}");
    drop(held);
    greedy.close().await;
    eventually(async || Store::open(options.clone()).await).await;
}

/// Passes on what is said until it is told to keep it to itself.
async fn pass_on(listener: TcpListener, target: String, holds: watch::Receiver<bool>) {
    let mut passing = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        let (target, mut holds) = (target.clone(), holds.clone());
        passing.spawn(async move {
            if *holds.borrow() {
                // Nobody answers.
                std::future::pending::<()>().await;
            }
            let mut server = TcpStream::connect(target).await.expect("a server");
            // Once held, nothing is passed on any more, and nothing is closed.
            let held = async { holds.wait_for(|held| *held).await.map(drop) };
            tokio::select! {
                _ = copy_bidirectional(&mut client, &mut server) => return,
                _ = held => {}
            }
            std::future::pending().await
        });
    }
}

#[tokio::test]
async fn a_server_that_is_lost_without_a_word_is_given_up_and_found_again() {
    let database = database(TestEngine::Postgres).await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a port");
    let port = listener.local_addr().expect("its number").port();
    let (user, place) = database.url.rsplit_once('@').expect("a user");
    let (target, name) = place.split_once('/').expect("a database");
    let (hold, holds) = watch::channel(false);
    let passing = tokio::spawn(pass_on(listener, target.to_owned(), holds));
    let mut options = StoreOptions::new(format!("{user}@127.0.0.1:{port}/{name}"));
    options.timeout = Duration::from_millis(300);
    options.connections = 2;
    let store = Store::open(options.clone()).await.expect("a store");
    store.prove().await.expect("an answer");
    hold.send_replace(true);
    let began = Instant::now();
    for _ in 0..3 {
        let lost = store.create_order(&order()).await;
        assert!(is_unavailable(&lost), "{lost:?}");
    }
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    hold.send_replace(false);
    eventually(async || store.create_order(&order()).await).await;
    passing.abort();
}
