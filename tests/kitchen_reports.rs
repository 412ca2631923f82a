//! The kitchen reports from outside: late, twice, out of order, all at once.
//! Here the tests are the kitchen, but for the last.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::harness::gateway::{Answer, Gateway};
use crate::harness::grpc::Grpc;
use crate::harness::{LATER, SOON, Setup, World, eventually};

/// What follows once the kitchen has accepted.
const REPORTS: [&str; 3] = ["cooked", "pickedUp", "delivered"];

#[tokio::test]
async fn four_reports_bring_an_order_to_the_door_over_http_and_over_grpc() {
    let world = World::shared_without_kitchen().await;
    let gateway = world.gateway();
    let id = accepted(&gateway).await;
    gateway.until(&id, "CookingStarted").await;
    for (report, status) in
        REPORTS
            .into_iter()
            .zip(["CookingCompleted", "DeliveryStarted", "DeliveryConfirmed"])
    {
        let answer = gateway.report(&id, report).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(!repeated(&answer), "{answer:?}");
        assert_eq!(answer.json()["status"], status, "{answer:?}");
        // The end is written once the workflows have agreed on it.
        gateway.until(&id, status).await;
    }

    let client = Grpc::connect(world.gateway_url()).await;
    let id = gateway.place(json!({})).await;
    let accepted = eventually(SOON, "the kitchen can accept it", async || {
        client.report(&id, 4).await.ok()
    })
    .await;
    assert_eq!((accepted.repeated, accepted.status), (false, 4));
    for event in 1..=3 {
        let answer = client.report(&id, event).await.expect("it is taken");
        assert!(!answer.repeated, "{answer:?}");
        assert_eq!(answer.status, event + 4, "{answer:?}");
    }
    gateway.until(&id, "DeliveryConfirmed").await;
}

#[tokio::test]
async fn a_repeated_report_is_answered_and_changes_nothing() {
    let world = patient().await;
    let gateway = world.gateway();
    let id = accepted(&gateway).await;
    let mut taken: Vec<&str> = Vec::new();
    for report in REPORTS {
        gateway.report_taken(&id, report).await;
        taken.push(report);
        let before = settled(&world, &id).await;
        for known in &taken {
            let again = gateway.report(&id, known).await;
            assert_eq!(again.status, 200, "{known} again: {again:?}");
            assert!(repeated(&again), "{known} again: {again:?}");
            assert_eq!(again.json()["status"], before.0["status"], "{again:?}");
        }
        let after = settled(&world, &id).await;
        assert_eq!(before, after, "{report} was repeated");
    }
    let client = Grpc::connect(world.gateway_url()).await;
    let again = client.report(&id, 1).await.expect("an answer");
    assert!(again.repeated, "{again:?}");
}

#[tokio::test]
async fn a_report_out_of_order_is_refused_and_changes_nothing() {
    let world = patient().await;
    let gateway = world.gateway();
    let id = world.handed_over().await;
    let before = settled(&world, &id).await;
    for early in ["cooked", "pickedUp", "delivered"] {
        assert_conflict(
            &gateway.report(&id, early).await,
            "kitchen-report-out-of-order",
        );
    }
    assert_eq!(before, settled(&world, &id).await);
    for report in ["accepted", "cooked"] {
        gateway.report_taken(&id, report).await;
    }
    let before = settled(&world, &id).await;
    assert_conflict(
        &gateway.report(&id, "delivered").await,
        "kitchen-report-out-of-order",
    );
    assert_eq!(before, settled(&world, &id).await);
    for report in ["pickedUp", "delivered"] {
        gateway.report_taken(&id, report).await;
    }
    gateway.until(&id, "DeliveryConfirmed").await;
}

#[tokio::test]
async fn a_late_report_never_revives_an_order() {
    let world = World::shared_without_kitchen().await;
    let gateway = world.gateway();
    // One that the kitchen never answered, and one that it forgot about.
    let silent = world.handed_over().await;
    let forgotten = accepted(&gateway).await;
    gateway.report_taken(&forgotten, "cooked").await;
    for id in [&silent, &forgotten] {
        let order = gateway.until_ended(id).await;
        assert_eq!(order["status"], "Cancelled", "{order}");
        assert_eq!(order["cancelled"]["code"], "kitchen-overdue", "{order}");
        world.final_history(&format!("order-{id}")).await;
        let before = settled(&world, id).await;
        for late in ["pickedUp", "delivered"] {
            assert_conflict(&gateway.report(id, late).await, "kitchen-report-late");
        }
        let cooked = gateway.report(id, "cooked").await;
        assert!(matches!(cooked.status, 200 | 409), "{cooked:?}");
        if *id == silent {
            assert_conflict(&cooked, "kitchen-report-late");
        }
        assert_eq!(before, settled(&world, id).await);
        let account = world.books().await.account(id).await;
        assert_eq!(account.payment_kinds(), ["charge", "refund"]);
        assert_eq!(account.points_left(), 0);
        assert_eq!(account.notifications.len(), 1);
    }
}

#[tokio::test]
async fn a_report_on_an_order_that_the_kitchen_refused_is_late() {
    let world = World::shared_without_kitchen().await;
    let gateway = world.gateway();
    let id = gateway
        .place(json!({ "errorOnStep": "prepareOrder" }))
        .await;
    gateway.until(&id, "Cancelled").await;
    let before = settled(&world, &id).await;
    assert_conflict(&gateway.report(&id, "cooked").await, "kitchen-report-late");
    assert_eq!(before, settled(&world, &id).await);
}

#[tokio::test]
async fn an_order_that_an_operator_cancels_is_rolled_back_and_never_revived() {
    let world = World::shared_without_kitchen().await;
    let gateway = world.gateway();
    let id = accepted(&gateway).await;
    gateway.report_taken(&id, "cooked").await;
    let order = format!("order-{id}");
    let cancel = ["workflow", "cancel", "--workflow-id", &order];
    world.cli().temporal(&cancel).await;
    let order = world.finished(&id).await;
    assert_eq!(order["status"], "Cancelled", "{order}");
    assert_eq!(order["money"], "refunded", "{order}");
    assert_eq!(order["points"], "reclaimed", "{order}");
    assert_eq!(order["cancelled"]["step"], "processOrder", "{order}");
    assert_eq!(
        order["cancelled"]["code"], "cancelled-by-operator",
        "{order}"
    );
    let told = &order["cancelled"]["message"];
    assert_eq!(told, "the shop cancelled the order", "{order}");
    let before = settled(&world, &id).await;
    assert_conflict(
        &gateway.report(&id, "pickedUp").await,
        "kitchen-report-late",
    );
    assert_eq!(before, settled(&world, &id).await);
    let account = world.books().await.account(&id).await;
    account.assert_legal();
    assert_eq!(account.payment_kinds(), ["charge", "refund"]);
    assert_eq!(account.points_left(), 0);
}

#[tokio::test]
async fn of_twenty_reports_at_once_one_is_taken() {
    let world = patient().await;
    let gateway = world.gateway();
    let id = accepted(&gateway).await;
    // They are a change of the order as well, which is not to come later.
    eventually(SOON, "the points are there", async || {
        (gateway.order(&id).await["points"] == "awarded").then_some(())
    })
    .await;
    let report = async || {
        // So many at once that one may get no answer in time.
        eventually(LATER, "the report is answered", async || {
            let answer = gateway.report(&id, "cooked").await;
            (answer.status != 503).then_some(answer)
        })
        .await
    };
    let answers = join_all((0..20).map(|_| report())).await;
    for answer in &answers {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let taken = answers.iter().filter(|answer| !repeated(answer)).count();
    // None, where the one that was taken was not answered in time.
    assert!(taken <= 1, "{answers:?}");
    let (order, _) = settled(&world, &id).await;
    assert_eq!(order["status"], "CookingCompleted");
    let history = world.history(&format!("order-{id}-fulfilment")).await;
    // Those that came with the one that was taken, in the same workflow task,
    // may leave a refusal in the history, but no second success. The other
    // success is the acceptance.
    let successes = history.events().iter().filter(|event| {
        let completed = &event["workflowExecutionUpdateCompletedEventAttributes"];
        !completed["outcome"]["success"].is_null()
    });
    assert_eq!(successes.count(), 2, "{:?}", history.events());
    let account = world.books().await.account(&id).await;
    account.assert_legal();
    let cooked =
        |change: &&crate::harness::books::Change| change.status.as_str() == "CookingCompleted";
    assert_eq!(
        account.changes.iter().filter(cooked).count(),
        1,
        "{account:?}"
    );
    for report in ["pickedUp", "delivered"] {
        gateway.report_taken(&id, report).await;
    }
}

#[tokio::test]
async fn an_unknown_ticket_is_not_found() {
    let world = World::shared_without_kitchen().await;
    let gateway = world.gateway();
    let nobody = "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";
    let answer = gateway.report(nobody, "cooked").await;
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (404, "ticket-not-found")
    );
    // An order without a ticket: its payment was declined.
    let id = gateway.place(json!({ "errorOnStep": 2 })).await;
    gateway.until(&id, "Cancelled").await;
    let answer = gateway.report(&id, "cooked").await;
    assert!(matches!(answer.status, 404 | 409), "{answer:?}");
    answer.problem();
}

#[tokio::test]
async fn an_order_arrives_although_its_kitchen_was_killed_in_the_middle() {
    let mut world = World::start(Setup {
        kitchen_deadline_seconds: 60.0,
        ..Setup::default()
    })
    .await;
    let gateway = world.gateway();
    let id = gateway.place(json!({ "perStepDelaySeconds": 0.5 })).await;
    gateway.until(&id, "CookingCompleted").await;
    world.kitchen.take().expect("the kitchen").kill();
    world.start_kitchen();
    gateway.until(&id, "DeliveryConfirmed").await;
    world.books().await.account(&id).await.assert_legal();
}

/// A world that waits while a test looks at everything.
async fn patient() -> World {
    World::start(Setup {
        kitchen: false,
        kitchen_deadline_seconds: 120.0,
        ..Setup::default()
    })
    .await
}

/// An order that the kitchen has accepted.
async fn accepted(gateway: &Gateway) -> String {
    gateway.place_accepted(json!({})).await
}

/// Whether a report that was answered with 200 had been taken before.
fn repeated(answer: &Answer) -> bool {
    match answer.json()["outcome"].as_str() {
        Some("taken") => false,
        Some("repeated") => true,
        _ => panic!("neither: {answer:?}"),
    }
}

fn assert_conflict(answer: &Answer, code: &str) {
    assert_eq!(answer.status, 409, "{answer:?}");
    assert_eq!(answer.problem(), code, "{answer:?}");
}

/// The order and the number of events of its workflows, once neither changes
/// any more: an answer may overtake the last event of what it answers.
async fn settled(world: &World, id: &str) -> (Value, Vec<usize>) {
    let look = async || {
        let order = world.gateway().order(id).await;
        let mut events = Vec::new();
        for part in ["", "-loyalty", "-fulfilment"] {
            let history = world.history(&format!("order-{id}{part}")).await;
            let last = history.types().last().map(|kind| (*kind).to_owned());
            events.push((history.events().len(), last.unwrap_or_default()));
        }
        (order, events)
    };
    let (order, events) = eventually(SOON, "nothing is under way", async || {
        let first = look().await;
        let second = look().await;
        let idle = |(_, last): &(usize, String)| {
            !matches!(
                last.as_str(),
                "WORKFLOW_TASK_SCHEDULED" | "WORKFLOW_TASK_STARTED"
            )
        };
        (first == second && first.1.iter().all(idle)).then_some(first)
    })
    .await;
    (order, events.into_iter().map(|(count, _)| count).collect())
}

/// Kept here so that a change of the door's deadline is noticed: a report is
/// answered within it, or not at all.
#[tokio::test]
async fn a_report_without_a_worker_is_answered_in_time_and_may_be_made_again() {
    let mut world = World::start(Setup {
        kitchen: false,
        kitchen_deadline_seconds: 120.0,
        ..Setup::default()
    })
    .await;
    let gateway = world.gateway();
    let id = accepted(&gateway).await;
    world.worker.take().expect("the worker").kill();
    let started = std::time::Instant::now();
    let answer = gateway.report(&id, "cooked").await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(!answer.header("retry-after").is_empty(), "{answer:?}");
    assert!(started.elapsed() < Duration::from_secs(15));
    world.start_worker();
    for report in REPORTS {
        eventually(SOON * 2, "the report is taken", async || {
            (gateway.report(&id, report).await.status == 200).then_some(())
        })
        .await;
    }
    let order = gateway.until_ended(&id).await;
    assert_eq!(order["status"], "DeliveryConfirmed", "{order}");
    world.books().await.account(&id).await.assert_legal();
}
