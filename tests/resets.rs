//! A workflow of an order is reset while the order is under way: it has one end
//! all the same, and everything tells of that one.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::harness::gateway::Gateway;
use crate::harness::recording::record_if_wanted;
use crate::harness::{LATER, Setup, World, eventually};

/// How far an order is when it is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Uncharged,
    HandedOver,
    Accepted,
    PickedUp,
    Delivered,
    RollingBack,
}

const STAGES: [Stage; 6] = [
    Stage::Uncharged,
    Stage::HandedOver,
    Stage::Accepted,
    Stage::PickedUp,
    Stage::Delivered,
    Stage::RollingBack,
];

/// What is reset, by the ends of the workflows' ids: each as often as it
/// stands here.
const RESETS: [&[&str]; 6] = [
    &[""],
    &["-fulfilment"],
    &["-loyalty"],
    &["", "-fulfilment"],
    &["-fulfilment", "-loyalty", ""],
    &["", ""],
];

const WAY: [&str; 4] = ["accepted", "cooked", "pickedUp", "delivered"];

/// A pace at which an order stays uncharged for long enough, in seconds.
const PACE: f64 = 2.0;

/// The journey is the kitchen, and takes its time.
fn patient() -> Setup {
    Setup {
        kitchen: false,
        kitchen_deadline_seconds: 120.0,
        ..Setup::default()
    }
}

#[tokio::test]
async fn an_order_has_one_end_whatever_of_it_is_reset_and_whenever() {
    let world = World::start(patient()).await;
    for stage in STAGES {
        let mut ids = Vec::new();
        for _ in RESETS {
            ids.push(brought_to(&world, stage).await);
        }
        if stage == Stage::RollingBack {
            begin_rollback(&world, &ids).await;
        }
        join_all(RESETS.iter().zip(&ids).map(async |(parts, id)| {
            for part in *parts {
                // Before the charge there are no branches.
                if stage != Stage::Uncharged || part.is_empty() {
                    reset(&world, &format!("order-{id}{part}"), &[]).await;
                }
            }
        }))
        .await;
        if stage == Stage::RollingBack {
            world.books().await.accept("payments").await;
        }
        let expected = match stage {
            Stage::RollingBack => "Cancelled",
            _ => "DeliveryConfirmed",
        };
        join_all(ids.iter().zip(RESETS).map(async |(id, parts)| {
            delivered_as_far_as_possible(&world.gateway(), id).await;
            let order = told_once(&world, id).await;
            assert_eq!(order["status"], expected, "{stage:?} {parts:?}: {order}");
        }))
        .await;
    }
    world.assert_audit_clean().await;
}

#[tokio::test]
async fn a_reset_that_keeps_nothing_of_what_came_later_has_one_end() {
    let world = World::start(patient()).await;
    let bare = ["--reapply-exclude", "All"];
    let mut ids = Vec::new();
    for parts in [&["", "-fulfilment"][..], &["-fulfilment"], &[""]] {
        let id = brought_to(&world, Stage::PickedUp).await;
        for part in parts {
            reset(&world, &format!("order-{id}{part}"), &bare).await;
        }
        ids.push(id);
    }
    for id in &ids {
        delivered_as_far_as_possible(&world.gateway(), id).await;
        let order = told_once(&world, id).await;
        assert_eq!(order["status"], "DeliveryConfirmed", "{order}");
    }
    record_if_wanted(&world, "joined.order", &format!("order-{}", ids[2])).await;
    world.assert_audit_clean().await;
}

#[tokio::test]
async fn a_reset_order_ends_once_while_the_worker_of_a_queue_is_away() {
    let mut world = World::start(patient()).await;
    for away in ["orders", "loyalty", "fulfilment"] {
        let id = brought_to(&world, Stage::Accepted).await;
        world.worker.take().expect("the worker").kill();
        let others: Vec<&str> = [
            "orders",
            "loyalty",
            "fulfilment",
            "failures",
            "reconciliation",
        ]
        .into_iter()
        .filter(|queue| *queue != away)
        .flat_map(|queue| ["--queue", queue])
        .collect();
        let partial = world.worker_with(&others);
        reset(&world, &format!("order-{id}"), &[]).await;
        if away == "orders" {
            // The kitchen's last report comes while nobody works on orders.
            delivered_as_far_as_possible(&world.gateway(), &id).await;
            world.final_history(&format!("order-{id}-fulfilment")).await;
        }
        world.start_worker();
        delivered_as_far_as_possible(&world.gateway(), &id).await;
        let order = told_once(&world, &id).await;
        assert_eq!(order["status"], "DeliveryConfirmed", "{away}: {order}");
        drop(partial);
    }
    world.assert_audit_clean().await;
}

#[tokio::test]
async fn a_branch_that_was_terminated_leaves_no_ticket_and_no_points_behind() {
    let world = World::start(patient()).await;
    let gateway = world.gateway();
    for then_reset in [false, true] {
        let id = brought_to(&world, Stage::Accepted).await;
        terminate(&world, &format!("order-{id}-fulfilment")).await;
        if then_reset {
            world.finished(&id).await;
            reset(&world, &format!("order-{id}"), &[]).await;
        }
        let order = told_once(&world, &id).await;
        assert_eq!(order["status"], "Cancelled", "{order}");
        assert_eq!(order["cancelled"]["code"], "fulfilment-ended", "{order}");
        if !then_reset {
            record_if_wanted(&world, "branch-terminated.order", &format!("order-{id}")).await;
        }
        let late = gateway.report(&id, "cooked").await;
        assert_eq!(late.problem(), "kitchen-report-late", "{late:?}");
    }
    // Where the award waits for a store that takes none, its branch still runs.
    let mut books = world.books().await;
    books.refuse("loyalty_points", "").await;
    let id = gateway.place_accepted(json!({})).await;
    terminate(&world, &format!("order-{id}-loyalty")).await;
    books.accept("loyalty_points").await;
    delivered_as_far_as_possible(&gateway, &id).await;
    let order = told_once(&world, &id).await;
    assert_eq!(order["status"], "DeliveryConfirmed", "{order}");
    assert_eq!(order["points"], "awarded", "{order}");
    world.assert_audit_clean().await;
}

#[tokio::test]
async fn an_order_that_is_reset_while_it_is_changed_is_paid_for_as_it_is_cooked() {
    let world = World::start(patient()).await;
    let gateway = world.gateway();
    for how in [&[][..], &["--reapply-exclude", "All"]] {
        // It was amended before.
        let before = world.handed_over().await;
        let wanted = json!({ "quantity": 2 });
        let amended = gateway.amend(&before, &wanted).await;
        assert_eq!(amended.status, 200, "{amended:?}");
        reset(&world, &format!("order-{before}"), how).await;

        // The amendment gets as far as the money, and waits.
        let during = world.handed_over().await;
        let mut books = world.books().await;
        books.lock().await;
        let order = format!("order-{during}");
        let resetting = async {
            let asks = "signalExternalWorkflowExecutionInitiatedEventAttributes";
            eventually(LATER, "the amendment is under way", async || {
                let history = world.history(&order).await;
                let mut events = history.events().iter();
                events.any(|event| event[asks].is_object()).then_some(())
            })
            .await;
            reset(&world, &order, how).await;
            books.unlock().await;
        };
        // It may get no answer in time.
        tokio::join!(gateway.amend(&during, &wanted), resetting);

        for id in [&before, &during] {
            delivered_as_far_as_possible(&gateway, id).await;
            let order = told_once(&world, id).await;
            assert_eq!(order["status"], "DeliveryConfirmed", "{how:?}: {order}");
            let cooked = "SELECT quantity || '' FROM kitchen_tickets WHERE order_id = $1";
            let cooked = world.books().await.text(cooked, id).await;
            assert_eq!(
                cooked,
                Some(order["quantity"].to_string()),
                "{how:?}: {order}"
            );
        }
        assert_eq!(gateway.order(&before).await["quantity"], 2, "{how:?}");
    }
    world.assert_audit_clean().await;
}

#[tokio::test]
async fn an_order_that_was_paid_before_its_reset_is_amended_for_its_price() {
    let world = World::start(patient()).await;
    let gateway = world.gateway();
    for (how, before, after) in [
        (&[][..], None, 20),
        (&["--reapply-exclude", "All"], Some(5), 1),
    ] {
        let id = gateway.place_paced(2.0, "PaymentComplete").await;
        if let Some(quantity) = before {
            let amended = gateway.amend(&id, &json!({ "quantity": quantity })).await;
            assert_eq!(amended.status, 200, "{amended:?}");
        }
        reset(&world, &format!("order-{id}"), how).await;
        let amended = eventually(LATER, "the amendment is answered", async || {
            let answer = gateway.amend(&id, &json!({ "quantity": after })).await;
            (answer.status != 503).then_some(answer)
        })
        .await;
        assert_eq!(amended.status, 200, "{amended:?}");
        delivered_as_far_as_possible(&gateway, &id).await;
        let order = told_once(&world, &id).await;
        assert_eq!(order["status"], "DeliveryConfirmed", "{order}");
        assert_eq!(order["quantity"], after, "{order}");
    }
    world.assert_audit_clean().await;
}

#[tokio::test]
async fn a_cancellation_is_answered_as_the_order_ends_although_it_is_reset() {
    let world = World::start(patient()).await;
    let gateway = world.gateway();
    // Refused before: what was asked comes again in the new run, and is
    // refused again.
    let on_its_way = brought_to(&world, Stage::PickedUp).await;
    let refused = gateway.cancel(&on_its_way).await;
    assert_eq!(refused.problem(), "order-on-its-way", "{refused:?}");
    reset(&world, &format!("order-{on_its_way}"), &[]).await;
    delivered_as_far_as_possible(&gateway, &on_its_way).await;
    let order = told_once(&world, &on_its_way).await;
    assert_eq!(order["status"], "DeliveryConfirmed", "{order}");

    // Asked at the same moment.
    let cooking = brought_to(&world, Stage::Accepted).await;
    let workflow = format!("order-{cooking}");
    let resetting = reset(&world, &workflow, &[]);
    tokio::join!(gateway.cancel(&cooking), resetting);
    let answer = eventually(LATER, "it is answered", async || {
        let answer = gateway.cancel(&cooking).await;
        (answer.status != 503).then_some(answer)
    })
    .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let order = told_once(&world, &cooking).await;
    assert_eq!(order["status"], "Cancelled", "{order}");

    // By an operator, after the reset, wherever that led to.
    for kind in ["FirstWorkflowTask", "LastWorkflowTask"] {
        let id = brought_to(&world, Stage::Accepted).await;
        let workflow = format!("order-{id}");
        reset_to(&world, &workflow, kind, &[]).await;
        let cancel = ["workflow", "cancel", "--workflow-id", &workflow];
        world.cli().temporal(&cancel).await;
        let order = told_once(&world, &id).await;
        assert_eq!(order["status"], "Cancelled", "{kind}: {order}");
        let code = &order["cancelled"]["code"];
        assert_eq!(code, "cancelled-by-operator", "{kind}: {order}");
        if kind == "FirstWorkflowTask" {
            record_if_wanted(&world, "reset-cancelled.order", &workflow).await;
        }
    }
    world.assert_audit_clean().await;
}

/// What was confirmed to the customer holds, also where the new run does not
/// know of it.
#[tokio::test]
async fn what_a_reset_forgets_of_amendments_is_charged_cooked_and_awarded_all_the_same() {
    let world = World::start(patient()).await;
    for again in [None, Some(13), Some(5)] {
        let id = world.gateway().place_paced(3.0 * PACE, "Pending").await;
        for quantity in [13, 7] {
            let wanted = json!({ "quantity": quantity });
            let amended = world.gateway().amend(&id, &wanted).await;
            assert_eq!(amended.status, 200, "{amended:?}");
        }
        let workflow = format!("order-{id}");
        reset_before_update(&world, &workflow, 0).await;
        if let Some(quantity) = again {
            // The record holds another amendment under this number.
            let wanted = json!({ "quantity": quantity });
            let refused = world.gateway().amend(&id, &wanted).await;
            assert_ne!(refused.status, 200, "{quantity}: {refused:?}");
        }
        eventually(LATER, "the kitchen has it", async || {
            let answer = world.gateway().report(&id, "accepted").await;
            (answer.status == 200).then_some(())
        })
        .await;
        delivered_as_far_as_possible(&world.gateway(), &id).await;
        let order = told_once(&world, &id).await;
        assert_eq!(order["status"], "DeliveryConfirmed", "{order}");
        assert_eq!(order["quantity"], 7, "{order}");
    }
    world.assert_audit_clean().await;
}

/// Reports that the history of the new run has lost are in the store.
#[tokio::test]
async fn what_a_reset_forgets_of_kitchen_reports_is_not_asked_for_again() {
    let world = World::start(patient()).await;
    let gateway = world.gateway();
    for forgotten in 0..3 {
        let id = brought_to(&world, Stage::PickedUp).await;
        let branch = format!("order-{id}-fulfilment");
        reset_before_update(&world, &branch, forgotten).await;
        let delivered = eventually(LATER, "the new run answers", async || {
            let answer = gateway.report(&id, "delivered").await;
            (answer.status != 503).then_some(answer)
        })
        .await;
        assert_eq!(delivered.status, 200, "{forgotten}: {delivered:?}");
        let order = told_once(&world, &id).await;
        assert_eq!(order["status"], "DeliveryConfirmed", "{order}");
    }
    world.assert_audit_clean().await;
}

#[tokio::test]
async fn a_reset_run_whose_kitchen_says_no_more_waits_for_what_is_missing_in_the_store() {
    let world = World::start(Setup {
        kitchen_deadline_seconds: 30.0,
        ..patient()
    })
    .await;
    let id = world.gateway().place_accepted(json!({})).await;
    world.gateway().report_taken(&id, "cooked").await;
    reset_before_update(&world, &format!("order-{id}-fulfilment"), 1).await;
    let order = told_once(&world, &id).await;
    assert_eq!(order["status"], "Cancelled", "{order}");
    let told = "the kitchen did not report pickedUp within 30 s";
    assert_eq!(order["cancelled"]["message"], told, "{order}");
    world.assert_audit_clean().await;
}

/// The ids of reports that the new run does not know are in the store.
#[tokio::test]
async fn an_id_of_a_report_that_a_reset_forgets_is_that_reports_still() {
    let world = World::start(patient()).await;
    let gateway = world.gateway();
    let report = async |id: &str, event: &str, report_id: &str| {
        let report = json!({ "event": event, "reportId": report_id });
        let answer = eventually(LATER, "it is answered", async || {
            let answer = gateway.report_all(id, &report).await;
            (answer.status != 503).then_some(answer)
        });
        let answer = answer.await;
        let outcome = answer.json()["outcome"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        (answer.status, outcome)
    };
    let taken = || (200, "taken".to_owned());
    for forgotten in [0, 1] {
        let id = world.handed_over().await;
        assert_eq!(report(&id, "accepted", "r1").await, taken());
        assert_eq!(report(&id, "cooked", "r2").await, taken());
        let branch = format!("order-{id}-fulfilment");
        reset_before_update(&world, &branch, forgotten).await;
        // Another report bears this id, or this report another id.
        for (event, report_id) in [("pickedUp", "r2"), ("delivered", "r1")] {
            assert_eq!(report(&id, event, report_id).await.0, 422, "{event}");
        }
        assert_eq!(report(&id, "accepted", "r1").await.0, 200);
        assert_eq!(report(&id, "pickedUp", "r4").await, taken());
        assert_eq!(report(&id, "delivered", "r5").await, taken());
        let order = told_once(&world, &id).await;
        assert_eq!(order["status"], "DeliveryConfirmed", "{order}");
    }
    world.assert_audit_clean().await;
}

/// Resets a workflow to the task that took in an update, the first of which is
/// number 0: the new run knows neither that nor what came later.
async fn reset_before_update(world: &World, workflow: &str, number: usize) {
    let history = world.history(workflow).await;
    let types = history.types();
    let mut updates =
        (0..types.len()).filter(|place| types[*place] == "WORKFLOW_EXECUTION_UPDATE_ACCEPTED");
    let update = updates.nth(number).expect("an update");
    let task = types[..update]
        .iter()
        .rposition(|it| *it == "WORKFLOW_TASK_COMPLETED");
    // Events are counted from one.
    let task = (task.expect("a task") + 1).to_string();
    let reset = ["workflow", "reset", "--workflow-id", workflow];
    let to = ["--event-id", &task, "--reapply-exclude", "All"];
    let reason = ["--reason", "a journey"];
    world
        .cli()
        .temporal(&[&reset[..], &to, &reason].concat())
        .await;
}

/// An order at this stage; one that is to be rolled back is with the kitchen.
async fn brought_to(world: &World, stage: Stage) -> String {
    let gateway = world.gateway();
    let reports = match stage {
        Stage::Uncharged => return gateway.place_paced(PACE, "Pending").await,
        Stage::HandedOver => return world.handed_over().await,
        Stage::Accepted | Stage::RollingBack => 1,
        Stage::PickedUp => 3,
        Stage::Delivered => 4,
    };
    let id = gateway.place_accepted(json!({})).await;
    for report in &WAY[1..reports] {
        gateway.report_taken(&id, report).await;
    }
    if stage == Stage::Delivered {
        world.finished(&id).await;
    }
    // The loyalty branch, which may be reset as well, has come so far.
    eventually(LATER, "its points are awarded", async || {
        (gateway.order(&id).await["points"] == "awarded").then_some(())
    })
    .await;
    id
}

/// Cancels orders whose money cannot be given back yet.
async fn begin_rollback(world: &World, ids: &[String]) {
    let refunds = "NEW.kind = 'refund'";
    world.books().await.refuse("payments", refunds).await;
    for id in ids {
        let answer = world.gateway().cancel(id).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        world.gateway().until(id, "Refunding").await;
    }
}

async fn reset(world: &World, workflow: &str, how: &[&str]) {
    reset_to(world, workflow, "FirstWorkflowTask", how).await;
}

async fn reset_to(world: &World, workflow: &str, kind: &str, how: &[&str]) {
    // A run that has done nothing yet cannot be reset.
    eventually(LATER, "the run has begun", async || {
        let history = world.history(workflow).await;
        let has_begun = history.types().contains(&"WORKFLOW_TASK_COMPLETED");
        has_begun.then_some(())
    })
    .await;
    let reset = ["workflow", "reset", "--workflow-id", workflow];
    let kind = ["--type", kind, "--reason", "a journey"];
    world.cli().temporal(&[&reset, &kind, how].concat()).await;
}

async fn terminate(world: &World, workflow: &str) {
    let arguments = ["workflow", "terminate", "--workflow-id", workflow];
    world.cli().temporal(&arguments).await;
}

/// Reports the whole way of an order; what is not taken was taken before, or
/// comes too late.
async fn delivered_as_far_as_possible(gateway: &Gateway, id: &str) {
    for event in WAY {
        let answer = eventually(LATER, "the report is answered", async || {
            let answer = gateway.report(id, event).await;
            (![404, 503].contains(&answer.status)).then_some(answer)
        })
        .await;
        assert!([200, 409].contains(&answer.status), "{event}: {answer:?}");
    }
}

/// An order that has ended: its money, its points, its ticket, what its customer
/// and its kitchen were told are of one end.
async fn told_once(world: &World, id: &str) -> Value {
    let order = world.finished(id).await;
    let mut books = world.books().await;
    let account = books.account(id).await;
    account.assert_legal();
    let stage = "SELECT stage FROM kitchen_tickets WHERE order_id = $1";
    let stage = books.text(stage, id).await;
    let delivered = format!(
        "SELECT count(*) FROM kitchen_reports WHERE order_id = '{id}' AND event = 'delivered'"
    );
    let delivered = books.number(&delivered).await;
    let late = world.gateway().report(id, "rejected").await;
    assert_eq!(late.status, 409, "{late:?}");
    match order["status"].as_str() {
        Some("DeliveryConfirmed") => {
            assert_eq!(order["money"], "charged", "{order}");
            assert_eq!(account.payment_kinds(), ["charge"], "{order}");
            assert_eq!(account.points_kinds(), ["award"], "{order}");
            assert_eq!(stage.as_deref(), Some("delivered"), "{order}");
            assert_eq!(delivered, 1, "{order}");
            assert!(account.notifications.is_empty(), "{account:?}");
        }
        Some("Cancelled") => {
            assert_eq!(order["money"], "refunded", "{order}");
            assert_eq!(account.payment_kinds(), ["charge", "refund"], "{order}");
            assert_eq!(account.points_left(), 0, "{account:?}");
            assert_eq!(stage.as_deref(), Some("withdrawn"), "{order}");
            assert_eq!(delivered, 0, "{order}");
            assert_eq!(account.notifications.len(), 1, "{account:?}");
            let told = order["cancelled"].to_string() + account.notifications[0].as_str();
            for raw in ["Workflow", "workflow_id", "error"] {
                assert!(!told.contains(raw), "{told}");
            }
        }
        _ => panic!("an order without an end: {order}"),
    }
    order
}

#[tokio::test]
async fn an_order_that_was_terminated_goes_to_the_door_when_it_is_reset() {
    let world = World::start(patient()).await;
    let id = brought_to(&world, Stage::Accepted).await;
    terminate(&world, &format!("order-{id}")).await;
    world.final_history(&format!("order-{id}-fulfilment")).await;
    reset(&world, &format!("order-{id}"), &[]).await;
    // Reports come too late until the branch runs again.
    for event in &WAY[1..] {
        eventually(LATER, "the report is taken", async || {
            (world.gateway().report(&id, event).await.status == 200).then_some(())
        })
        .await;
    }
    let order = told_once(&world, &id).await;
    assert_eq!(order["status"], "DeliveryConfirmed", "{order}");
    world.assert_audit_clean().await;
}
