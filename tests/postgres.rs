//! The shop on the other engine: what happens to an order does not depend on
//! what its books are kept in.

use serde_json::json;

use crate::harness::audit::clean_summary;
use crate::harness::gateway::{Answer, Gateway};
use crate::harness::{Engine, LATER, Setup, World, eventually};

/// Customers who change their mind at once.
const FICKLE: usize = 12;

#[tokio::test]
async fn on_postgresql_orders_end_as_on_sqlite_with_races_and_locked_books_on_the_way() {
    let world = World::start(Setup {
        engine: Engine::Postgres,
        kitchen_deadline_seconds: 4.0,
        ..Setup::default()
    })
    .await;
    let cli = world.cli();
    let scenarios = async {
        let ended = cli.pizza(&["scenarios", "--json"]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
    };
    tokio::join!(scenarios, races(&world));
    locked_books_delay_an_order_and_nothing_else(&world).await;
    cli.ok(&["reconcile", "--grace-seconds", "0"]).await;
    let found = cli.ok(&["orders", "--status", "Cancelled", "--json"]).await;
    assert!(found.contains("Cancelled"), "{found}");
    let summary = world.assert_audit_clean().await;
    assert_eq!(summary["orders"], 8 + FICKLE + 2, "{summary}");
}

async fn races(world: &World) {
    let gateway = &world.gateway();
    let fickle = (0..FICKLE).map(|_| async move {
        let id = gateway.place(json!({})).await;
        let wanted = json!({ "quantity": 2 });
        let (_, cancelled) = tokio::join!(gateway.amend(&id, &wanted), gateway.cancel(&id));
        (id, cancelled.status)
    });
    let fickle = futures::future::join_all(fickle).await;
    let mut books = world.books().await;
    for (id, cancelled) in &fickle {
        let order = world.finished(id).await;
        let account = books.account(id).await;
        account.assert_legal();
        if *cancelled == 200 {
            assert_eq!(order["status"], "Cancelled", "{order}");
            assert_ne!(account.payment_kinds(), ["charge"], "{order}");
        }
    }
}

async fn locked_books_delay_an_order_and_nothing_else(world: &World) {
    let gateway = world.gateway();
    let mut books = world.books().await;
    books.lock().await;
    let id = gateway.place(json!({})).await;
    let refused = placed_under_a_key(&gateway).await;
    assert_eq!(refused.problem(), "store-unavailable");
    assert_eq!(refused.header("retry-after"), "2", "{refused:?}");
    books.unlock().await;
    eventually(LATER, "the key is taken", async || {
        let answer = placed_under_a_key(&gateway).await;
        (answer.status == 201).then_some(())
    })
    .await;
    let order = world.finished(&id).await;
    assert_eq!(order["status"], "DeliveryConfirmed", "{order}");
}

async fn placed_under_a_key(gateway: &Gateway) -> Answer {
    let request = gateway.client.post(gateway.at("/orders"));
    let request = request.header("idempotency-key", "once");
    gateway.send(request.json(&json!({}))).await
}

#[tokio::test]
async fn of_several_processes_that_migrate_at_once_one_does_it() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../store/migrations");
    let files = std::fs::read_dir(folder).expect("the migrations");
    let files = files.map(|file| file.expect("a file").path());
    let migrations = files.filter(|path| path.extension().is_some_and(|it| it == "sql"));
    let migrations = migrations.count() as u64;
    for engine in Engine::ALL {
        let world = World::found(Setup {
            engine,
            ..Setup::default()
        })
        .await;
        let cli = &world.cli();
        let migrating = (0..4).map(|_| cli.pizza(&["migrate", "--json"]));
        let mut made = Vec::new();
        for output in futures::future::join_all(migrating).await {
            assert_eq!(output.code, Some(0), "{output:?}");
            let outcome = output.json_lines().remove(0);
            assert_eq!(outcome["version"], migrations, "{outcome}");
            made.push(outcome["made"].as_u64().expect("a number"));
        }
        made.sort_unstable();
        assert_eq!(made, [0, 0, 0, migrations], "{engine:?}");
        let text = cli.ok(&["migrate"]).await;
        assert_eq!(
            text.trim(),
            format!("the store is up to date (version {migrations})")
        );
        let audit = cli.pizza(&["audit", "--store-only", "--json"]).await;
        clean_summary(&audit);
    }
}

#[tokio::test]
async fn migrate_waits_for_a_database_that_is_away_and_not_for_one_that_refuses() {
    let world = World::found(Setup::default()).await;
    let cli = world.cli().without("DATABASE_URL");
    let migrate = async |seconds: &str, url: &str| {
        let arguments = ["migrate", "--wait-seconds", seconds, "--database-url", url];
        let output = cli.pizza(&arguments).await;
        assert_eq!(output.code, Some(1), "{output:?}");
        assert!(!output.stderr.contains("secret"), "{output:?}");
        output.stderr
    };
    let away = migrate("1", "postgres://u:secret@127.0.0.1:1/db").await;
    assert!(away.contains("after 1 s"), "{away}");
    assert!(away.contains("postgres://127.0.0.1:1/db"), "{away}");

    let there = Engine::Postgres.new_store(&world.cli().folder).await;
    let (place, _) = there.rsplit_once('/').expect("a database");
    let refused = migrate("600", &format!("{place}/no_such_database")).await;
    assert!(refused.contains("no_such_database"), "{refused}");
    let mistaken = migrate("600", "mysql://u:secret@h/db").await;
    assert!(mistaken.contains("--database-url"), "{mistaken}");
}
