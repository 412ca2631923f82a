//! The simulated kitchen does as it is told, at the door alone.

use std::time::Duration;

use pizza_domain::OrderStatus;
use serde_json::{Value, json};

use crate::harness::{LATER, SOON, Setup, World, eventually};

/// How long a ticket has to lie there to be called left alone.
const LEFT_ALONE: f64 = 1.0;

const SIMULATION: &str = "/kitchen/simulation";

async fn behave(world: &World, simulation: Value) {
    let answer = world.cook().put(SIMULATION, &simulation).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Waits until the ticket has lain at one stage for a while, and says which.
async fn left_alone(world: &World, id: &str) -> String {
    let what = format!("{id} is left alone");
    eventually(SOON, &what, async || {
        let page = world.cook().get("/kitchen/tickets").await.json();
        let tickets = page["tickets"].as_array().expect("a list");
        let ticket = tickets.iter().find(|ticket| ticket["ticketId"] == id)?;
        let at_stage = ticket["secondsAtStage"].as_f64().expect("a number");
        let stage = ticket["stage"].as_str().expect("a name").to_owned();
        (at_stage >= LEFT_ALONE).then_some(stage)
    })
    .await
}

#[tokio::test]
async fn a_paused_kitchen_reports_nothing_and_goes_on_where_it_was() {
    let mut world = World::start(Setup {
        kitchen: false,
        kitchen_deadline_seconds: 60.0,
        ..Setup::default()
    })
    .await;
    let gateway = world.gateway();
    behave(&world, json!({ "paused": true })).await;
    // One that starts while there is a pause, and one that is told so.
    world.start_kitchen();
    let id = gateway.place(json!({ "perStepDelaySeconds": 0.2 })).await;
    assert_eq!(left_alone(&world, &id).await, "received");
    behave(&world, json!({})).await;
    gateway.until(&id, "CookingStarted").await;

    let cli = world.cli();
    let paused = ["kitchen-simulation", "--paused", "true", "--json"];
    let told: Value = serde_json::from_str(&cli.ok(&paused).await).expect("JSON");
    assert_eq!(told["paused"], true, "{told}");
    // It may be told a moment later; from then on the ticket lies there for
    // longer than its pace.
    let next = gateway.place(json!({ "perStepDelaySeconds": 0.2 })).await;
    left_alone(&world, &next).await;
    let shown = cli.ok(&["kitchen-simulation"]).await;
    assert!(shown.contains("paused    yes"), "{shown}");
    cli.ok(&["kitchen-simulation", "--paused", "false"]).await;
    for id in [&id, &next] {
        gateway.until(id, "DeliveryConfirmed").await;
        world.books().await.account(id).await.assert_legal();
    }
}

#[tokio::test]
async fn a_slow_kitchen_waits_before_each_report() {
    let mut world = World::start(Setup {
        kitchen: false,
        kitchen_deadline_seconds: 60.0,
        ..Setup::default()
    })
    .await;
    behave(&world, json!({ "delaySeconds": 0.4 })).await;
    world.start_kitchen();
    let gateway = world.gateway();
    let id = gateway.place(json!({})).await;
    gateway.until(&id, "DeliveryConfirmed").await;
    let account = world.books().await.account(&id).await;
    let at = |status| {
        let change = account
            .changes
            .iter()
            .find(|change| change.status == status);
        change.expect("it was seen").changed_at_ms
    };
    let cooking = [
        OrderStatus::CookingStarted,
        OrderStatus::CookingCompleted,
        OrderStatus::DeliveryStarted,
        OrderStatus::DeliveryConfirmed,
    ];
    for pair in cooking.windows(2) {
        let between = at(pair[1]) - at(pair[0]);
        // Less what it takes to write what was taken.
        assert!(between >= 300, "{pair:?} took {between} ms: {account:?}");
    }
}

#[tokio::test]
async fn kitchens_that_share_the_work_or_die_over_it_do_no_harm() {
    let mut world = World::start(Setup {
        kitchen_deadline_seconds: 60.0,
        ..Setup::default()
    })
    .await;
    let first = world.kitchen.take().expect("a kitchen");
    world.start_kitchen();
    let gateway = world.gateway();
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(gateway.place(json!({ "perStepDelaySeconds": 0.5 })).await);
    }
    for id in &ids {
        eventually(LATER, "the kitchen is at it", async || {
            let status = gateway.order(id).await["status"].clone();
            let waits = ["Pending", "PaymentProcessing", "PaymentComplete"];
            (!waits.contains(&status.as_str()?)).then_some(())
        })
        .await;
    }
    first.kill();
    world.kitchen.take().expect("the other").kill();
    world.start_kitchen();
    for id in &ids {
        gateway.until(id, "DeliveryConfirmed").await;
        let account = world.books().await.account(id).await;
        account.assert_legal();
        assert_eq!(account.payment_kinds(), ["charge"]);
    }
}

/// Its pace runs on while nobody cooks: a kitchen that comes back makes up
/// for the time.
#[tokio::test]
async fn a_kitchen_that_comes_back_does_not_begin_its_wait_anew() {
    let mut world = World::start(Setup {
        kitchen_deadline_seconds: 60.0,
        ..Setup::default()
    })
    .await;
    let gateway = world.gateway();
    let pace = Duration::from_secs(3);
    let wish = json!({ "perStepDelaySeconds": pace.as_secs() });
    let id = gateway.place(wish).await;
    gateway.until(&id, "CookingStarted").await;
    world.kitchen.take().expect("the kitchen").kill();
    assert_eq!(left_alone(&world, &id).await, "accepted");
    world.start_kitchen();
    gateway.until(&id, "CookingCompleted").await;
    let account = world.books().await.account(&id).await;
    let times: Vec<i64> = account
        .changes
        .iter()
        .filter(|change| {
            [OrderStatus::CookingStarted, OrderStatus::CookingCompleted].contains(&change.status)
        })
        .map(|change| change.changed_at_ms)
        .collect();
    let took = times[times.len() - 1] - times[0];
    let anew = i64::try_from((pace * 4 / 3).as_millis()).expect("a small number");
    assert!(took < anew, "{took} ms: {account:?}");
    eventually(LATER, "it arrives", async || {
        (gateway.order(&id).await["status"] == "DeliveryConfirmed").then_some(())
    })
    .await;
}
