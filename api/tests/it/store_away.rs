//! A store on PostgreSQL that goes away and comes back.

use std::time::Duration;

use pizza_store::StoreOptions;
use serde_json::Value;
use temporal_dev_server::postgres::{PostgresServer, locate};
use tokio::time::{Instant, timeout};

use crate::shop::{Shop, Written, id};
use crate::support::{TestGateway, problem};
use crate::watching::Events;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn while_postgresql_is_away_the_door_says_when_to_come_again() {
    let installation = locate().await.expect("a PostgreSQL");
    let mut server = PostgresServer::start(installation, &[])
        .await
        .expect("a server");
    let mut options = StoreOptions::new(server.url("postgres"));
    options.timeout = Duration::from_millis(500);
    let gateway = TestGateway::on(options, |_| {}).await;
    let mut shop = Shop::of(&gateway).await;
    let order = id(1);
    shop.order(Written {
        id: &order,
        ..Written::default()
    })
    .await;
    let path = format!("/orders/{order}");
    assert_eq!(gateway.get(&path).await.status(), 200);
    let mut events = Events::of(&gateway, &order, None).await;
    assert_eq!(events.next().await.map(|(id, _)| id), Some(1));

    server.stop().await.expect("stopped");
    for path in [path.as_str(), "/orders"] {
        // With a wait, as it checks.
        let away = problem(gateway.get(path).await).await;
        assert_eq!(away["code"], "store-unavailable", "{path}");
    }
    let mut keyed = gateway.http.post(gateway.url("/orders"));
    keyed = keyed.header("idempotency-key", "once");
    let away = problem(keyed.send().await.expect("an answer")).await;
    assert_eq!(away["code"], "store-unavailable");
    let ready: Value = gateway.get("/readyz").await.json().await.expect("JSON");
    assert!(ready.to_string().contains("store"), "{ready}");

    server.start_again().await.expect("started");
    let until = Instant::now() + PATIENCE;
    while gateway.get(&path).await.status() != 200 {
        assert!(Instant::now() < until, "the gateway does not find it again");
    }
    let mut shop = Shop::of(&gateway).await;
    shop.change(&order, "PaymentProcessing").await;
    let told = timeout(PATIENCE, events.next()).await.expect("told");
    assert_eq!(told.map(|(id, _)| id), Some(2));
}
