//! An order is accepted only once Temporal has it.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::gateway::{Answer, Gateway};
use crate::harness::temporal::Temporal;
use crate::harness::{LATER, SOON, Setup, World, eventually, folder, ports};

/// What the gateway allows itself for Temporal's answer, and what a busy
/// machine takes on top.
const GATEWAY_DEADLINE: Duration = Duration::from_secs(6);

#[tokio::test]
async fn while_temporal_is_away_no_order_is_taken_and_old_ones_are_still_shown() {
    let port = ports::free();
    let database = folder::new("temporal-data").join("temporal.db");
    let temporal = Temporal::start(port, Some(&database)).await;
    let mut world = World::start(Setup {
        temporal: Some(temporal.address().to_owned()),
        ..Setup::default()
    })
    .await;
    let gateway = world.gateway();
    let old = gateway.place(json!({})).await;
    gateway.until(&old, "DeliveryConfirmed").await;

    temporal.kill();
    assert_refused(&gateway).await;
    assert_eq!(gateway.get("/healthz").await.status, 200);
    let readiness = gateway.get("/readyz").await;
    assert_eq!(readiness.status, 503, "{readiness:?}");
    assert_eq!(readiness.problem(), "not-ready");
    let shown = gateway.get(&format!("/orders/{old}")).await;
    assert_eq!(shown.json()["status"], "DeliveryConfirmed", "{shown:?}");
    assert_eq!(world.books().await.orders().await, 1);

    let _temporal = Temporal::start(port, Some(&database)).await;
    until_ready(&gateway).await;
    let new = gateway.place(json!({})).await;
    gateway.until(&new, "DeliveryConfirmed").await;
    // What was refused did not come to life with the server.
    assert_eq!(world.books().await.orders().await, 2);
    let worker = world.worker.take().expect("the worker");
    worker.kill();
}

#[tokio::test]
async fn a_gateway_that_starts_before_temporal_serves_as_soon_as_it_is_there() {
    let port = ports::free();
    let mut world = World::found(Setup {
        temporal: Some(format!("127.0.0.1:{port}")),
        ..Setup::default()
    })
    .await;
    world.start_gateway().await;
    let gateway = world.gateway();
    assert_eq!(gateway.get("/healthz").await.status, 200);
    assert_eq!(gateway.get("/readyz").await.status, 503);
    assert_refused(&gateway).await;

    let _temporal = Temporal::start(port, None).await;
    world.start_worker();
    world.start_kitchen();
    until_ready(&gateway).await;
    let id = eventually(SOON, "an order is taken", async || {
        let answer = gateway.post("/orders", &json!({})).await;
        (answer.status == 201).then(|| answer.json()["orderId"].as_str().map(str::to_owned))?
    })
    .await;
    gateway.until(&id, "DeliveryConfirmed").await;
    assert_eq!(world.books().await.orders().await, 1);
}

#[tokio::test]
async fn an_order_is_taken_and_shown_before_any_worker_has_ever_run() {
    let mut world = World::found(Setup::default()).await;
    world.start_gateway().await;
    let gateway = world.gateway();
    let id = gateway.place(json!({ "flavour": "hawaiian" })).await;
    let order = gateway.order(&id).await;
    assert_eq!(order["status"], "Pending", "{order}");
    assert_eq!(order["version"], 0, "{order}");
    assert_eq!(order["discountApplied"], "20%", "{order}");
    assert_eq!(world.books().await.orders().await, 0);

    world.start_worker();
    world.start_kitchen();
    gateway.until(&id, "DeliveryConfirmed").await;
}

/// A refusal in time that says when to come back.
async fn assert_refused(gateway: &Gateway) {
    let started = Instant::now();
    let refused = gateway.post("/orders", &json!({})).await;
    let took = started.elapsed();
    assert!(took < GATEWAY_DEADLINE, "it took {took:?}");
    assert_unavailable(&refused);
    let unknown = "/orders/6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";
    assert_unavailable(&gateway.get(unknown).await);
}

fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.problem(), "temporal-unavailable");
    let wait: u64 = answer.header("retry-after").parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{answer:?}");
}

async fn until_ready(gateway: &Gateway) {
    eventually(LATER, "the gateway is ready", async || {
        (gateway.get("/readyz").await.status == 200).then_some(())
    })
    .await;
}
