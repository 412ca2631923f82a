//! A worker gives back what it kept, without anybody noticing.

use serde_json::json;
use temporalio_common::protos::temporal::api::enums::v1::TimeoutType;
use temporalio_common::protos::temporal::api::history::v1::{
    HistoryEvent, history_event::Attributes,
};

use crate::harness::process::Process;
use crate::harness::proxy::Proxy;
use crate::harness::runs::Runs;
use crate::harness::{LATER, SOON, Setup, World, eventually};

/// Orders that are under way at any time.
const AT_ONCE: usize = 8;

/// Tasks that may be done again in all the replacements of a run.
const MOST_LOST: usize = 2;

const REPLACED: &str = "the workers were replaced";
const NOT_REPLACED: &str = "the workers were not replaced";

#[tokio::test]
async fn workers_that_are_replaced_all_the_time_lose_no_order() {
    let mut world = World::found(Setup::default()).await;
    let proxy = Proxy::start(world.temporal()).await;
    let mut worker = world.worker_told(&[
        ("PIZZA_RECYCLE_EVERY_SECONDS", "1"),
        ("TEMPORAL_ADDRESS", &proxy.address()),
    ]);
    world.start_gateway().await;
    world.start_kitchen();

    until_said(&world, &worker, REPLACED, 3).await;
    proxy.close_to_new(true);
    until_said(&world, &worker, NOT_REPLACED, 1).await;
    proxy.close_to_new(false);
    let before = said(&worker, REPLACED);
    until_said(&world, &worker, REPLACED, before + 1).await;

    // The server may lose the answer to a poll that it is ending: seen once in
    // fifty replacements on a busy machine. Such a task is done again.
    let mut events = Runs::of(&world).await.events().await;
    events.retain(is_lost);
    assert!(events.len() <= MOST_LOST, "{events:?}");
    world.assert_audit_clean().await;

    // In the middle of whatever it is at.
    let under_way = world.gateway().place(json!({})).await;
    worker.interrupt();
    assert!(worker.wait(SOON).await.success());
    world.start_worker();
    world.gateway().until(&under_way, "DeliveryConfirmed").await;
}

/// Orders until the worker has said something so many times.
async fn until_said(world: &World, worker: &Process, what: &str, times: usize) {
    eventually(LATER, what, async || {
        let gateway = world.gateway();
        let wave: Vec<String> = futures::future::join_all(
            (0..AT_ONCE).map(|_| gateway.place(json!({ "perStepDelaySeconds": 0.1 }))),
        )
        .await;
        for id in &wave {
            gateway.until(id, "DeliveryConfirmed").await;
        }
        (said(worker, what) >= times).then_some(())
    })
    .await;
}

fn said(worker: &Process, what: &str) -> usize {
    worker.stderr().matches(what).count()
}

/// Whether a task was given to a worker that did not answer. One that waits for
/// a worker that has left is handed to another when its sticky queue gives it
/// up, and one that met something new is tried again at once: both are nothing.
fn is_lost(event: &HistoryEvent) -> bool {
    match &event.attributes {
        Some(Attributes::WorkflowTaskTimedOutEventAttributes(timed_out)) => {
            timed_out.timeout_type() != TimeoutType::ScheduleToStart
        }
        Some(Attributes::ActivityTaskStartedEventAttributes(started)) => started.attempt > 1,
        Some(Attributes::ActivityTaskTimedOutEventAttributes(_)) => true,
        _ => false,
    }
}
