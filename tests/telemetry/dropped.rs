//! A signal that no version of the code can read holds nothing up.

use serde_json::{Value, json};

use super::metrics::Scrape;
use crate::harness::{SOON, Setup, World, eventually, ports};

/// Inputs that no signal handler can read, as flags of the Temporal CLI.
const UNREADABLE: [&[&str]; 4] = [
    &[],
    &["--input", "[7]"],
    &["--input", "1", "--input", "2"],
    &[
        "--input",
        "AAEC",
        "--input-base64",
        "--input-meta",
        "encoding=binary/plain",
    ],
];

#[tokio::test]
async fn a_signal_that_nobody_can_read_is_dropped_counted_and_named() {
    let metrics = format!("127.0.0.1:{}", ports::free());
    let world = World::start(Setup {
        kitchen: false,
        // None passes while so many signals are sent.
        kitchen_deadline_seconds: 600.0,
        worker_variables: vec![("PIZZA_METRICS_LISTEN".to_owned(), metrics.clone())],
        ..Setup::default()
    })
    .await;
    let gateway = world.gateway();
    let parked = gateway.place(json!({ "errorOnStep": 6 })).await;
    world.finished(&parked).await;
    let task = format!("failed-refund-payment-{parked}");
    let bulk = json!({ "action": "redrive", "orderId": parked, "ratePerSecond": 0.1 });
    let started = world.operator().post("/failures/bulk", &bulk).await;
    assert_eq!(started.status, 202, "{started:?}");
    let bulk = started.json()["bulkId"].as_str().expect("an id").to_owned();
    let id = world.handed_over().await;
    let order = format!("order-{id}");
    let branch = format!("{order}-fulfilment");
    let bulk_workflow = format!("failure-bulk-{bulk}");
    let signals = [
        (&order, "PizzaOrder", "answerChange"),
        (&branch, "PizzaFulfilment", "requestChange"),
        (&branch, "PizzaFulfilment", "settleChange"),
        (&task, "FailedTask", "queuePolicy"),
        (&bulk_workflow, "FailureBulk", "stop"),
    ];
    for (workflow, _, signal) in signals {
        for input in UNREADABLE {
            signal_to(&world, workflow, signal, input).await;
        }
    }
    signal_to(&world, &order, "answerChange", &["--input", "\"x\""]).await;
    signal_to(&world, &branch, "requestChange", &["--input", "\"x\""]).await;

    // Each is counted once, by the workflow and the signal.
    for (workflow, workflow_type, signal) in signals {
        let labels = [
            &*format!("workflow=\"{workflow_type}\""),
            &*format!("message=\"{signal}\""),
        ];
        let what = format!("what was sent to {workflow} is counted");
        eventually(SOON, &what, async || {
            let scrape = Scrape::of(&metrics).await;
            (scrape.sum("pizza_messages_dropped_total", &labels) >= 4.0).then_some(())
        })
        .await;
        let text = world.worker.as_ref().expect("a worker").stderr();
        let named = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .any(|line| line["workflow_id"] == **workflow && line["message_name"] == signal);
        assert!(named, "{workflow} {signal} in {text}");
    }

    // The workflows go on: the two sides agree on an amendment, and the
    // bulk operation comes to its end without having been stopped.
    let amended = gateway.amend(&id, &json!({ "quantity": 2 })).await;
    assert_eq!(amended.status, 200, "{amended:?}");
    for event in ["accepted", "cooked", "pickedUp", "delivered"] {
        gateway.report_taken(&id, event).await;
    }
    assert_eq!(world.finished(&id).await["status"], "DeliveryConfirmed");
    let ended = eventually(SOON, "the bulk operation ends", async || {
        let path = format!("/failures/bulk/{bulk}");
        let progress = world.operator().get(&path).await.json();
        (progress["running"] == false).then_some(progress)
    })
    .await;
    assert_eq!(ended["stopped"], false, "{ended}");
    for workflow in [&order, &branch, &task, &bulk_workflow] {
        let history = world.history(workflow).await;
        let failed = history.types().contains(&"WORKFLOW_TASK_FAILED");
        assert!(!failed, "{workflow}: {:?}", history.types());
    }
    world.assert_audit_clean().await;
}

async fn signal_to(world: &World, workflow: &str, signal: &str, input: &[&str]) {
    let to = [
        "workflow",
        "signal",
        "--workflow-id",
        workflow,
        "--name",
        signal,
    ];
    world.cli().temporal(&[&to, input].concat()).await;
}
