//! The schema: brought up to date by whoever comes first, and beside
//! processes of the version before.

use sqlx::Executor;

use super::super::Migrated;
use super::super::test_databases::{TestEngine, database, empty, on_each_engine, server};
use super::*;

async fn of_several_who_migrate_at_once_one_does_it(engine: TestEngine) {
    let all = crate::engine::Engine::Sqlite.migrations().iter().count();
    let empty = empty(engine).await;
    let mut migrating = JoinSet::new();
    for _ in 0..6 {
        let url = empty.url.clone();
        migrating.spawn(async move { Store::migrate_only(&url).await });
    }
    let mut made = Vec::new();
    while let Some(migrated) = migrating.join_next().await {
        let Migrated { version, made: new } = migrated.expect("a task").expect("migrated");
        assert_eq!(usize::try_from(version), Ok(all));
        made.push(new);
    }
    made.sort_unstable();
    assert_eq!(made, [0, 0, 0, 0, 0, all]);
}

/// One of them switches the file to WAL, and SQLite's busy timeout does not
/// hold for that.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_who_open_a_new_file_at_once_open_it() {
    for _ in 0..20 {
        let empty = empty(TestEngine::Sqlite).await;
        let mut opening = JoinSet::new();
        for _ in 0..8 {
            let url = empty.url.clone();
            opening.spawn(async move { Store::open(&url).await });
        }
        while let Some(opened) = opening.join_next().await {
            opened.expect("a task").expect("a store").close().await;
        }
    }
}

/// What an addition of a later version does to whoever uses the tables, with
/// statements that were prepared before.
async fn a_process_goes_on_while_a_later_version_adds_to_the_schema(engine: TestEngine) {
    let Database { store, .. } = &database(engine).await;
    let order = order();
    let id = order.order_id;
    let use_all = async || {
        store.create_order(&order).await?;
        store
            .give(&PAYMENTS, &payment(&order, Step::ProcessPayment))
            .await?;
        store.order(id).await?;
        store
            .list_orders(&super::super::OrderFilter::default(), None, 5)
            .await?;
        store.changes_from(id, 0).await?;
        store.business_history(id).await?;
        store.accounts_after("", 5).await?;
        store.book_ticket(&ticket(&order), false).await?;
        store.open_tickets(None, 5).await.map(drop)
    };
    for _ in 0..2 {
        use_all().await.expect("before");
    }
    for table in [
        "orders",
        "order_changes",
        "payments",
        "kitchen_tickets",
        "kitchen_reports",
    ] {
        let add = format!("ALTER TABLE {table} ADD COLUMN allergens TEXT");
        let added = store.pool.execute(sqlx::AssertSqlSafe(add)).await;
        added.expect("added");
    }
    for _ in 0..2 {
        use_all().await.expect("after");
    }
}

async fn a_migration_that_was_changed_afterwards_is_refused(engine: TestEngine) {
    let database = database(engine).await;
    let change = "UPDATE _sqlx_migrations SET checksum = $1 WHERE version = 2";
    sqlx::query(change)
        .bind(vec![1_u8])
        .execute(&database.store.pool)
        .await
        .expect("changed");
    let refused = Store::open(&database.url).await.expect_err("refused");
    assert!(matches!(refused, StoreError::Migrate(_)), "{refused:?}");
    assert!(!refused.may_pass());
}

async fn a_reader_writes_nothing(engine: TestEngine) {
    let database = database(engine).await;
    let reader = Store::open_existing_read_only(&database.url).await;
    let reader = reader.expect("a reader");
    let order = order();
    let refused = reader.create_order(&order).await.expect_err("refused");
    assert!(refused.may_pass(), "{refused:?}");
    database.store.create_order(&order).await.expect("created");
    let seen = reader.order(order.order_id).await.expect("answered");
    assert!(seen.is_some());
}

async fn a_database_of_somebody_else_is_no_store_to_look_at(engine: TestEngine) {
    let empty = empty(engine).await;
    if engine == TestEngine::Sqlite {
        let file = empty.url.trim_start_matches("sqlite:");
        std::fs::write(file, b"").expect("a file");
    }
    let foreign = Store::open_existing_read_only(&empty.url).await;
    assert!(
        matches!(foreign, Err(StoreError::Outdated { .. })),
        "{foreign:?}"
    );
}

on_each_engine!(
    of_several_who_migrate_at_once_one_does_it,
    a_process_goes_on_while_a_later_version_adds_to_the_schema,
    a_migration_that_was_changed_afterwards_is_refused,
    a_reader_writes_nothing,
    a_database_of_somebody_else_is_no_store_to_look_at,
);

#[tokio::test]
async fn every_text_in_postgresql_is_compared_by_its_bytes() {
    let Database { store, .. } = &database(TestEngine::Postgres).await;
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT), \
         CAST(COALESCE(collation_name, 'the database''s') AS TEXT) \
         FROM information_schema.columns WHERE table_schema = 'public' AND data_type = 'text' \
         AND table_name <> '_sqlx_migrations'",
    )
    .fetch_all(&store.pool)
    .await
    .expect("the columns");
    assert!(rows.len() > 40, "{rows:?}");
    let others: Vec<_> = rows.iter().filter(|(.., order)| order != "C").collect();
    assert!(others.is_empty(), "{others:?}");
}

#[tokio::test]
async fn a_postgresql_that_does_not_keep_unicode_is_refused() {
    let name = format!("latin_{}", Uuid::new_v4().simple());
    let create = format!(
        "CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
    );
    server().await.execute(&create).await.expect("created");
    let url = empty(TestEngine::Postgres).await.url;
    let (place, _) = url.rsplit_once('/').expect("a database");
    let refused = Store::open(&format!("{place}/{name}")).await;
    let error = refused.expect_err("refused").to_string();
    assert!(
        error.contains("LATIN1") && error.contains("UTF8"),
        "{error}"
    );
}
