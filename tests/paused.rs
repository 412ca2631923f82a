//! A workflow that somebody paused in Temporal is open still, and whoever asks
//! it for something is told so at once.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::gateway::Answer;
use crate::harness::{SOON, World, eventually};

/// Well below the gateway's own limit for an answer of a worker.
const AT_ONCE: Duration = Duration::from_secs(5);

async fn pause(world: &World, workflow: &str, verb: &str) {
    let arguments = [
        "workflow",
        verb,
        "--workflow-id",
        workflow,
        "--reason",
        "a journey",
    ];
    world.cli().temporal(&arguments).await;
}

async fn at_once(asked: impl Future<Output = Answer>) -> Answer {
    let began = Instant::now();
    let answer = asked.await;
    assert!(
        began.elapsed() < AT_ONCE,
        "{:?}: {answer:?}",
        began.elapsed()
    );
    answer
}

/// Holds an error against what it must say of a paused workflow: which it is,
/// and how it goes on.
fn says_it_is_paused(answer: &Answer, code: &str, workflow: &str) {
    assert_eq!(answer.problem(), code, "{answer:?}");
    let detail = answer.json()["detail"].to_string();
    let command = format!("`pizza temporal workflow unpause --workflow-id {workflow}`");
    for part in ["is paused in Temporal", &command] {
        assert!(detail.contains(part), "{part} is not in {detail}");
    }
}

/// The answer, once the gateway has found out in time why there is none: a
/// server that is busy may answer that question too late.
async fn told_of_pause(mut ask: impl AsyncFnMut() -> Answer) -> Answer {
    eventually(SOON, "the pause is named", async || {
        let answer = ask().await;
        assert_eq!(answer.status, 503, "{answer:?}");
        answer.text.contains("is paused").then_some(answer)
    })
    .await
}

#[tokio::test]
async fn a_parked_task_that_is_paused_is_listed_and_says_so() {
    let world = World::shared().await;
    let gateway = world.gateway();
    let id = gateway.place(json!({ "errorOnStep": 6 })).await;
    world.finished(&id).await;
    let task = format!("failed-refund-payment-{id}");
    let operator = world.operator();
    let listed = async || {
        let list = operator.get(&format!("/failures?orderId={id}")).await;
        list.text.contains(&task).then_some(())
    };
    eventually(SOON, "the task is listed", listed).await;
    pause(&world, &task, "pause").await;
    let query = format!("OrderId = '{id}' AND ExecutionStatus = 'Paused'");
    eventually(SOON, "Temporal lists it as paused", async || {
        let arguments = ["workflow", "list", "--query", &query];
        let list = world.cli().temporal(&arguments).await;
        list.contains(&task).then_some(())
    })
    .await;
    listed().await.expect("it is listed while it is paused");

    let path = format!("/failures/{task}");
    let shown = at_once(operator.get(&path)).await;
    assert_eq!(shown.problem(), "workflow-paused", "{shown:?}");
    let redrive = json!({ "reason": "a journey" });
    let redriven = at_once(operator.post(&format!("{path}/redrive"), &redrive)).await;
    assert_eq!(redriven.status, 409, "{redriven:?}");
    assert_eq!(redriven.problem(), "workflow-paused");
    let discarded = at_once(operator.post(&format!("{path}/discard"), &redrive)).await;
    assert_eq!(discarded.problem(), "workflow-paused", "{discarded:?}");
    world.assert_audit_clean().await;

    pause(&world, &task, "unpause").await;
    assert_eq!(operator.get(&path).await.status, 200);
    operator.redrive(&task).await;
    world.assert_audit_clean().await;
}

#[tokio::test]
async fn an_order_that_is_paused_says_so_and_goes_on_later() {
    let world = World::shared_without_kitchen().await;
    let gateway = world.gateway();
    let id = world.handed_over().await;
    let order = format!("order-{id}");
    pause(&world, &order, "pause").await;
    let amended = at_once(gateway.amend(&id, &json!({ "quantity": 2 }))).await;
    assert_eq!(amended.status, 503, "{amended:?}");
    says_it_is_paused(&amended, "order-unattended", &order);
    let cancelled = at_once(gateway.cancel(&id)).await;
    says_it_is_paused(&cancelled, "order-unattended", &order);
    pause(&world, &order, "unpause").await;

    let branch = format!("{order}-fulfilment");
    pause(&world, &branch, "pause").await;
    let reported = at_once(gateway.report(&id, "accepted")).await;
    says_it_is_paused(&reported, "order-unattended", &branch);
    // The order's own workflow takes them, and waits for the branch.
    let amendment = json!({ "quantity": 2 });
    let amend = async || gateway.amend(&id, &amendment).await;
    let cancel = async || gateway.cancel(&id).await;
    let (amended, cancelled) = tokio::join!(told_of_pause(amend), told_of_pause(cancel));
    for answer in [amended, cancelled] {
        says_it_is_paused(&answer, "temporal-unavailable", &branch);
    }
    pause(&world, &branch, "unpause").await;
    let cancelled = gateway.cancel(&id).await;
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
    assert_eq!(world.finished(&id).await["status"], "Cancelled");
    world.assert_audit_clean().await;
}
