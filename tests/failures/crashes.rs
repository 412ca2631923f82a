//! A redrive across crashes.

use serde_json::{Value, json};

use super::{failed_order, redriven, task_id};
use crate::harness::proxy::Proxy;
use crate::harness::temporal::Temporal;
use crate::harness::{LATER, Setup, World, eventually, folder, ports};

#[tokio::test]
async fn a_worker_killed_before_the_effect_of_a_redrive_leaves_one_effect() {
    let mut world = World::start(Setup::default()).await;
    let id = failed_order(&world, 6).await;
    let mut books = world.books().await;
    // The redriven activity waits for the books, and is killed waiting.
    books.lock().await;
    begin_redrive(&world, &id).await;
    until_redriving(&world, &id).await;
    world.worker.take().expect("the worker").kill();
    books.unlock().await;
    let account = books.account(&id).await;
    assert_eq!(account.payment_kinds(), ["charge"], "nothing happened yet");
    world.start_worker();
    assert_refunded_once(&world, &id).await;
}

#[tokio::test]
async fn a_worker_killed_after_the_effect_of_a_redrive_leaves_one_effect() {
    let mut world = World::start(Setup::default()).await;
    let id = failed_order(&world, 6).await;
    world.worker.take().expect("the worker").kill();
    // This worker hears its tasks, and is not heard any more once the effect
    // is about to happen.
    let proxy = Proxy::start(world.temporal()).await;
    world.start_worker_on(&proxy.address());
    // It has opened the books, and works, once another order has ended.
    failed_order(&world, 2).await;
    let mut books = world.books().await;
    books.lock().await;
    begin_redrive(&world, &id).await;
    until_redriving(&world, &id).await;
    proxy.hold_requests();
    books.unlock().await;
    eventually(LATER, "the refund is booked", async || {
        let account = books.account(&id).await;
        (account.payment_kinds() == ["charge", "refund"]).then_some(())
    })
    .await;
    world.worker.take().expect("the worker").kill();
    // Its connections end with it.
    drop(proxy);
    world.start_worker();
    assert_refunded_once(&world, &id).await;
}

#[tokio::test]
async fn parked_tasks_survive_a_killed_server() {
    let folder = folder::new("server");
    let database = folder.join("temporal.db");
    let port = ports::free();
    let server = Temporal::start(port, Some(&database)).await;
    let mut world = World::start(Setup {
        temporal: Some(server.address().to_owned()),
        ..Setup::default()
    })
    .await;
    let id = failed_order(&world, 6).await;
    server.kill();
    world.worker.take().expect("the worker").kill();
    world.gateway.take().expect("the gateway").kill();
    let _server = Temporal::start(port, Some(&database)).await;
    world.start_worker();
    world.start_gateway().await;
    redriven(&world, &task_id("refund-payment", &id)).await;
    assert_refunded_once(&world, &id).await;
}

/// Asks for a redrive without waiting for its end.
async fn begin_redrive(world: &World, order: &str) {
    let path = format!("/failures/{}/redrive", task_id("refund-payment", order));
    let gateway = world.operator();
    let request = gateway.client.post(gateway.at(&path)).json(&json!({}));
    tokio::spawn(request.send());
}

/// Waits until a worker has begun the redriven activity.
async fn until_redriving(world: &World, order: &str) {
    let task = task_id("refund-payment", order);
    eventually(LATER, "the redrive's activity has begun", async || {
        let arguments = ["workflow", "describe", "--workflow-id", &task];
        let described = world.cli().temporal_json(&arguments).await;
        let pending = described["pendingActivities"].as_array()?;
        let started = |activity: &Value| activity["state"] == "PENDING_ACTIVITY_STATE_STARTED";
        pending.iter().any(started).then_some(())
    })
    .await;
}

/// Waits until the refund and the reclaim are through, and counts.
async fn assert_refunded_once(world: &World, order: &str) {
    let task = task_id("refund-payment", order);
    let done = eventually(LATER, "the redrive is done", async || {
        // Nobody can say until the new worker is there.
        let answer = world.operator().get(&format!("/failures/{task}")).await;
        let view = (answer.status == 200).then(|| answer.json())?;
        (view["state"] == "done").then_some(view)
    })
    .await;
    assert_eq!(done["redrives"].as_array().map(Vec::len), Some(1), "{done}");
    world.final_history(&task).await;
    let account = world.books().await.account(order).await;
    assert_eq!(account.payment_kinds(), ["charge", "refund"]);
    assert_eq!(account.points_kinds(), ["award", "reclaim"]);
    let order = world.gateway().order(order).await;
    assert_eq!(order["money"], "refunded", "{order}");
    assert_eq!(order["points"], "reclaimed", "{order}");
}
