//! An order is delivered or refunded, never both, whatever comes at the same
//! moment as the kitchen's last word.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use crate::harness::gateway::Gateway;
use crate::harness::{LATER, Setup, World, eventually};

/// The silence after which an order is given up.
const DEADLINE: Duration = Duration::from_millis(2000);

const ORDERS: u32 = 60;

/// One order after another, so that each is answered as quickly as may be.
const APART: Duration = Duration::from_millis(100);

/// The last reports of the orders are spread over so much time before the
/// deadline: a report has to travel, too.
const SPREAD: Duration = Duration::from_millis(50);

#[tokio::test]
async fn an_order_that_arrives_at_its_deadline_is_delivered_or_refunded_but_never_both() {
    let world = World::start(Setup {
        kitchen: false,
        kitchen_deadline_seconds: DEADLINE.as_secs_f64(),
        ..Setup::default()
    })
    .await;
    let gateway = world.gateway();
    let start = Instant::now();
    let orders = (0..ORDERS).map(async |number| {
        sleep_until(start + APART * number).await;
        last_word_at_the_deadline(&gateway, number).await
    });
    let (ids, came_so_far): (Vec<_>, Vec<_>) = join_all(orders).await.into_iter().unzip();
    assert!(came_so_far.contains(&true), "none came to its deadline");
    each_is_one_of_both(&world, &ids).await;
}

#[tokio::test]
async fn an_order_that_is_cancelled_as_it_arrives_is_delivered_or_refunded_but_never_both() {
    let world = World::shared_without_kitchen().await;
    let gateway = world.gateway();
    let mut ids = Vec::new();
    for _ in 0..8 {
        let id = on_its_way(&gateway).await;
        let workflow = format!("order-{id}");
        tokio::join!(gateway.report(&id, "delivered"), cancel(&world, &workflow),);
        ids.push(id);
    }
    each_is_one_of_both(&world, &ids).await;
}

#[tokio::test]
async fn a_delivered_order_whose_workflow_is_reset_stays_delivered() {
    let world = World::shared_without_kitchen().await;
    let gateway = world.gateway();
    let id = on_its_way(&gateway).await;
    gateway.report_taken(&id, "delivered").await;
    gateway.until(&id, "DeliveryConfirmed").await;
    let workflow = format!("order-{id}");
    world.final_history(&workflow).await;
    let reset = ["workflow", "reset", "--workflow-id", &workflow];
    let how = ["--type", "FirstWorkflowTask", "--reason", "a journey"];
    world.cli().temporal(&[reset, how].concat()).await;
    // A reset leaves its trace in the history of the new run.
    eventually(LATER, "the new run ends", async || {
        let history = world.history(&workflow).await;
        let is_new = history.types().contains(&"WORKFLOW_TASK_FAILED");
        (is_new && history.has_ended()).then_some(())
    })
    .await;
    each_is_one_of_both(&world, std::slice::from_ref(&id)).await;
    assert_eq!(gateway.order(&id).await["money"], "charged");
}

async fn cancel(world: &World, workflow: &str) {
    let arguments = ["workflow", "cancel", "--workflow-id", workflow];
    world.cli().temporal(&arguments).await;
}

/// An order with the courier.
async fn on_its_way(gateway: &Gateway) -> String {
    let id = cooked(gateway).await;
    gateway.report_taken(&id, "pickedUp").await;
    id
}

/// An order that waits for its courier.
async fn cooked(gateway: &Gateway) -> String {
    let id = gateway.place_accepted(json!({})).await;
    gateway.report_taken(&id, "cooked").await;
    id
}

/// Reports the delivery of an order about when its deadline is over. The time
/// is what is tried out here. Gives the order, and whether it came so far: on
/// a busy machine it may be given up before.
async fn last_word_at_the_deadline(gateway: &Gateway, number: u32) -> (String, bool) {
    let id = gateway.place(json!({})).await;
    let mut heard = Instant::now();
    for event in ["accepted", "cooked", "pickedUp"] {
        heard = Instant::now();
        if !reported(gateway, &id, event).await {
            return (id, false);
        }
    }
    let before = SPREAD * (number % 20) / 20;
    sleep_until(heard + DEADLINE + SPREAD / 5 - before).await;
    reported(gateway, &id, "delivered").await;
    (id, true)
}

/// Whether a report was taken; otherwise it came too late.
async fn reported(gateway: &Gateway, id: &str, event: &str) -> bool {
    // Whoever gets no answer in time reports again, and so does who has no
    // ticket yet.
    let answer = eventually(LATER, "the report is answered", async || {
        let answer = gateway.report(id, event).await;
        (![404, 503].contains(&answer.status)).then_some(answer)
    })
    .await;
    assert!([200, 409].contains(&answer.status), "{answer:?}");
    answer.status == 200
}

async fn each_is_one_of_both(world: &World, ids: &[String]) {
    let mut books = world.books().await;
    for id in ids {
        let order = world.finished(id).await;
        let account = books.account(id).await;
        let (money, kinds): (&str, &[&str]) = match order["status"].as_str() {
            Some("DeliveryConfirmed") => ("charged", &["charge"]),
            Some("Cancelled") => ("refunded", &["charge", "refund"]),
            _ => panic!("an order without an end: {order}"),
        };
        assert_eq!(order["money"], money, "{order}");
        assert_eq!(account.payment_kinds(), kinds, "{order}");
        account.assert_legal();
    }
}
