//! A worker gives back what it kept, without anybody noticing.

use serde_json::{Value, json};

use crate::harness::process::Process;
use crate::harness::proxy::Proxy;
use crate::harness::{A_MINUTE, SOON, Setup, World, eventually};

/// Orders that are under way at any time.
const AT_ONCE: usize = 8;

const REPLACED: &str = "the workers were replaced";
const NOT_REPLACED: &str = "the workers were not replaced";

#[tokio::test]
async fn workers_that_are_replaced_all_the_time_lose_nothing_and_keep_nobody_waiting() {
    let mut world = World::found(Setup::default()).await;
    let proxy = Proxy::start(world.temporal()).await;
    let mut worker = world.worker_told(&[
        ("PIZZA_RECYCLE_EVERY_SECONDS", "1"),
        ("TEMPORAL_ADDRESS", &proxy.address()),
    ]);
    world.start_gateway().await;
    world.start_kitchen();

    let mut orders = until_said(&world, &worker, REPLACED, 3).await;
    proxy.close_to_new(true);
    orders.extend(until_said(&world, &worker, NOT_REPLACED, 1).await);
    proxy.close_to_new(false);
    let before = said(&worker, REPLACED);
    orders.extend(until_said(&world, &worker, REPLACED, before + 1).await);

    for id in &orders {
        let order = world.finished(id).await;
        assert_eq!(order["status"], "DeliveryConfirmed", "{order}");
        for part in ["", "-loyalty", "-fulfilment"] {
            let history = world.final_history(&format!("order-{id}{part}")).await;
            assert_not_lost(history.events());
        }
    }
    world.assert_audit_clean().await;

    // In the middle of whatever it is at.
    let under_way = world.gateway().place(json!({})).await;
    worker.interrupt();
    assert!(worker.wait(SOON).await.success());
    world.start_worker();
    world.gateway().until(&under_way, "DeliveryConfirmed").await;
}

/// Orders until the worker has said something so many times.
async fn until_said(world: &World, worker: &Process, what: &str, times: usize) -> Vec<String> {
    let mut placed = Vec::new();
    eventually(A_MINUTE, what, async || {
        let gateway = world.gateway();
        let wave: Vec<String> = futures::future::join_all(
            (0..AT_ONCE).map(|_| gateway.place(json!({ "perStepDelaySeconds": 0.1 }))),
        )
        .await;
        for id in &wave {
            gateway.until(id, "DeliveryConfirmed").await;
        }
        placed.extend(wave);
        (said(worker, what) >= times).then_some(())
    })
    .await;
    placed
}

fn said(worker: &Process, what: &str) -> usize {
    worker.stderr().matches(what).count()
}

/// Nothing was begun by a worker that did not end it. A task that had waited
/// for one that was gone is handed to another when its sticky queue gives it
/// up.
fn assert_not_lost(events: &[Value]) {
    for event in events {
        let text = event.to_string();
        assert_ne!(
            event["eventType"], "EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT",
            "{text}"
        );
        assert_ne!(
            event["eventType"], "EVENT_TYPE_WORKFLOW_TASK_FAILED",
            "{text}"
        );
        let timed_out = &event["workflowTaskTimedOutEventAttributes"]["timeoutType"];
        assert_ne!(timed_out, "TIMEOUT_TYPE_START_TO_CLOSE", "{text}");
        let attempt = &event["activityTaskStartedEventAttributes"]["attempt"];
        assert!(attempt.is_null() || *attempt == 1, "{text}");
    }
}
