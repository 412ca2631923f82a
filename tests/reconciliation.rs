//! Whatever ends an order's workflow from outside, or loses its last write: the
//! record comes in line with Temporal, and the books with both.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::books::Books;
use crate::harness::gateway::Gateway;
use crate::harness::recording::record_if_wanted;
use crate::harness::{LATER, SOON, Setup, World, eventually};

/// A reconciliation runs when it is asked for, and the kitchen is the journey.
fn when_asked() -> Setup {
    Setup {
        kitchen: false,
        kitchen_deadline_seconds: 300.0,
        ..Setup::default()
    }
}

#[tokio::test]
async fn an_order_that_was_ended_from_outside_is_rolled_back_whatever_it_was_at() {
    let world = World::start(when_asked()).await;
    let gateway = world.gateway();
    let mut books = world.books().await;

    books.refuse("payments", "").await;
    let uncharged = gateway.place(json!({})).await;
    gateway.until(&uncharged, "PaymentProcessing").await;
    terminate(&world, &uncharged).await;
    books.accept("payments").await;

    let cooking = accepted(&gateway).await;
    let on_its_way = accepted(&gateway).await;
    for event in ["cooked", "pickedUp"] {
        gateway.report_taken(&on_its_way, event).await;
    }
    let timed_out = timing_out(&world, &cooking).await;
    let running = accepted(&gateway).await;
    terminate(&world, &cooking).await;
    terminate(&world, &on_its_way).await;

    let counts = reconciled(&world, 4).await;
    assert_eq!(counts["rolledBack"], 4, "{counts}");
    for (id, code, ledger) in [
        (&uncharged, "workflow-terminated", &["void"][..]),
        (&cooking, "workflow-terminated", &["charge", "refund"]),
        (&on_its_way, "workflow-terminated", &["charge", "refund"]),
        (&timed_out, "workflow-timed-out", &["charge", "refund"]),
    ] {
        let order = rolled_back(&world, &mut books, id, code).await;
        let account = books.account(id).await;
        assert_eq!(account.payment_kinds(), ledger, "{order}");
    }
    record_if_wanted(&world, "taken-up.order", &format!("order-{cooking}")).await;
    for id in [&cooking, &on_its_way] {
        assert_eq!(gateway.order(id).await["points"], "reclaimed");
        let late = gateway.report(id, "delivered").await;
        assert_eq!(late.status, 409, "{late:?}");
    }
    // What the run that was ended did is told with the rest.
    let timeline = format!("/orders/{cooking}/timeline");
    eventually(SOON, "both runs are told of", async || {
        let told = gateway.get(&timeline).await.json();
        let entries = told["entries"].as_array().expect("a list");
        let has = |field: &str, value: &str| entries.iter().any(|it| it[field] == value);
        (has("outcome", "terminated") && has("what", "processPayment")).then_some(())
    })
    .await;
    quiet(&world, 1).await;
    for event in ["cooked", "pickedUp", "delivered"] {
        gateway.report_taken(&running, event).await;
    }
    gateway.until(&running, "DeliveryConfirmed").await;
    world.final_history(&format!("order-{running}")).await;
    clean(&world).await;
}

#[tokio::test]
async fn a_last_write_that_was_lost_is_made_up_for_and_a_reset_by_hand_left_alone() {
    let world = World::start(when_asked()).await;
    let gateway = world.gateway();
    let mut books = world.books().await;
    let delivered = delivered(&world).await;
    let refused = gateway.place(json!({ "errorOnStep": 4 })).await;
    let before = world.finished(&refused).await;
    assert_eq!(before["status"], "Cancelled", "{before}");
    lose_last_change(&mut books, &delivered, "DeliveryStarted").await;
    lose_last_change(&mut books, &refused, "Refunding").await;

    let counts = reconciled(&world, 2).await;
    assert_eq!(counts["deliveryConfirmed"], 1, "{counts}");
    assert_eq!(counts["cancelled"], 1, "{counts}");
    let order = gateway.order(&delivered).await;
    assert_eq!(order["status"], "DeliveryConfirmed", "{order}");
    let order = gateway.order(&refused).await;
    assert_eq!(order["status"], "Cancelled", "{order}");
    assert_eq!(order["cancelled"], before["cancelled"], "{order}");
    for id in [&delivered, &refused] {
        books.account(id).await.assert_legal();
    }
    quiet(&world, 0).await;

    // The new runs find done what was done, and leave their predecessors'
    // records as they are.
    for id in [&delivered, &refused] {
        reset(&world, id).await;
    }
    quiet(&world, 0).await;
    // Ended once more, in the middle of that. Its record has its end, and its
    // books lack nothing.
    for id in [&delivered, &refused] {
        reset_and_terminate(&world, &mut books, id).await;
    }
    quiet(&world, 0).await;
    assert_eq!(gateway.order(&delivered).await["money"], "charged");
    assert_eq!(gateway.order(&refused).await["money"], "refunded");
    let account = books.account(&refused).await;
    assert_eq!(account.notifications.len(), 1, "{account:?}");
    clean(&world).await;
}

#[tokio::test]
async fn by_itself_it_mends_what_was_ended_and_leaves_alone_what_waits_for_a_worker() {
    let mut world = World::start(Setup {
        reconcile_every_seconds: 1,
        reconcile_grace_seconds: 1,
        ..when_asked()
    })
    .await;
    let gateway = world.gateway();
    let mut books = world.books().await;
    let at_the_door = accepted(&gateway).await;
    let waiting = accepted(&gateway).await;

    // Nobody works on orders for a while.
    world.worker.take().expect("the worker").kill();
    let others = ["loyalty", "fulfilment", "failures", "reconciliation"];
    let others = others.map(|queue| ["--queue", queue]).concat();
    world.worker = Some(world.worker_with(&others));
    for id in [&at_the_door, &waiting] {
        for event in ["cooked", "pickedUp", "delivered"] {
            gateway.report_taken(id, event).await;
        }
        world.final_history(&format!("order-{id}-fulfilment")).await;
    }
    let unwritten = gateway.place(json!({})).await;
    eventually(LATER, "both are old, and left alone", async || {
        let counts = &last(&world).await["runs"][0]["counts"];
        (counts["running"] == 2 && counts["looked"] == 2).then_some(())
    })
    .await;
    for id in [&at_the_door, &waiting] {
        assert_eq!(gateway.order(id).await["status"], "DeliveryStarted");
    }

    terminate(&world, &at_the_door).await;
    terminate(&world, &unwritten).await;
    let orders = world.worker_with(&["--queue", "orders"]);
    let order = gateway.until(&at_the_door, "DeliveryConfirmed").await;
    assert_eq!(order["money"], "charged", "{order}");
    let account = books.account(&at_the_door).await;
    assert_eq!(account.payment_kinds(), ["charge"], "{account:?}");
    assert_eq!(account.points_kinds(), ["award"], "{account:?}");
    assert!(account.notifications.is_empty(), "{account:?}");
    account.assert_legal();
    rolled_back(&world, &mut books, &unwritten, "workflow-terminated").await;
    gateway.until(&waiting, "DeliveryConfirmed").await;
    let history = world.final_history(&format!("order-{waiting}")).await;
    let input = &history.events()[0]["workflowExecutionStartedEventAttributes"]["input"];
    assert_eq!(input[0]["recovery"], Value::Null, "{input}");

    eventually(LATER, "a run finds nothing", async || {
        let counts = &last(&world).await["runs"][0]["counts"];
        (counts["looked"] == 0).then_some(())
    })
    .await;
    let log = world.worker.as_ref().expect("a worker").stderr();
    let told = |id: &str| log.lines().filter(|line| line.contains(id)).count();
    assert_eq!(
        [told(&at_the_door), told(&unwritten), told(&waiting)],
        [1, 1, 0]
    );
    let shown = world.cli().ok(&["reconcile", "--last"]).await;
    assert!(shown.contains("completed"), "{shown}");
    clean(&world).await;
    drop(orders);
}

#[tokio::test]
async fn an_order_that_temporal_lost_is_rolled_back_and_one_that_nobody_told_of_is_told() {
    let world = World::start(when_asked()).await;
    let gateway = world.gateway();
    let mut books = world.books().await;
    let running = accepted(&gateway).await;
    let lost = without_a_workflow(&mut books, &running).await;
    // Its messenger is away when it is ended, between its last status and that.
    books.refuse("notifications", "").await;
    let untold = gateway.place(json!({ "errorOnStep": 4 })).await;
    gateway.until(&untold, "Cancelled").await;
    terminate(&world, &untold).await;
    books.accept("notifications").await;

    let counts = reconciled(&world, 2).await;
    assert_eq!(counts["rolledBack"], 2, "{counts}");
    let order = rolled_back(&world, &mut books, &lost, "workflow-lost").await;
    assert_eq!(order["money"], "refunded", "{order}");
    assert_eq!(order["points"], "reclaimed", "{order}");
    rolled_back(&world, &mut books, &untold, "kitchen-refused").await;
    quiet(&world, 1).await;
    clean(&world).await;
}

#[tokio::test]
async fn the_schedule_is_that_of_the_worker_that_started_last_and_stays_paused() {
    let mut world = World::found(when_asked()).await;
    let nobody = ["reconcile", "--timeout-seconds", "1"];
    let nobody = world.cli().pizza(&nobody).await;
    assert_eq!(nobody.code, Some(1), "{nobody:?}");
    assert!(
        nobody.stderr.contains("task queue reconciliation"),
        "{nobody:?}"
    );
    let shown = last(&world).await;
    assert_eq!(shown["schedule"], Value::Null, "{shown}");
    assert_eq!(shown["runs"][0]["status"], "running", "{shown}");

    world.start_worker();
    let is_every = async |seconds: u64| {
        eventually(SOON, "the schedule is as asked for", async || {
            let schedule = last(&world).await["schedule"].clone();
            (schedule["everySeconds"] == seconds).then_some(schedule)
        })
        .await
    };
    assert_eq!(is_every(86_400).await["paused"], false);
    // Not before its worker is through with it: what happens to a schedule
    // while somebody else changes it is lost.
    let describe = ["schedule", "describe", "--schedule-id", "reconcile-orders"];
    eventually(SOON, "the schedule has all that it is given", async || {
        let described = world.cli().temporal_json(&describe).await;
        let window = &described["schedule"]["policies"]["catchupWindow"];
        (window == "10s").then_some(())
    })
    .await;
    let pause = ["schedule", "toggle", "--schedule-id", "reconcile-orders"];
    let why = ["--pause", "--reason", "a journey"];
    world.cli().temporal(&[&pause[..], &why].concat()).await;
    let other = world.worker_with(&["--reconcile-every-seconds", "43200"]);
    assert_eq!(is_every(43_200).await["paused"], true);
    drop(other);
}

/// An order that the kitchen has accepted, with its points awarded.
async fn accepted(gateway: &Gateway) -> String {
    let id = gateway.place(json!({})).await;
    eventually(LATER, "the kitchen has its ticket", async || {
        let answer = gateway.report(&id, "accepted").await;
        (answer.status == 200).then_some(())
    })
    .await;
    eventually(LATER, "its points are awarded", async || {
        let order = gateway.order(&id).await;
        (order["points"] == "awarded" && order["status"] == "CookingStarted").then_some(())
    })
    .await;
    id
}

async fn delivered(world: &World) -> String {
    let gateway = world.gateway();
    let id = accepted(&gateway).await;
    for event in ["cooked", "pickedUp", "delivered"] {
        gateway.report_taken(&id, event).await;
    }
    world.finished(&id).await;
    id
}

async fn terminate(world: &World, id: &str) {
    let workflow = format!("order-{id}");
    let arguments = ["workflow", "terminate", "--workflow-id", &workflow];
    world.cli().temporal(&arguments).await;
}

/// An order like this one, whose workflow has a timeout, once that has fired.
async fn timing_out(world: &World, like: &str) -> String {
    let history = world.history(&format!("order-{like}")).await;
    let attributes = &history.events()[0]["workflowExecutionStartedEventAttributes"];
    let mut order = attributes["input"][0].clone();
    let id = Uuid::new_v4().to_string();
    order["orderId"] = json!(id);
    let workflow = format!("order-{id}");
    let input = order.to_string();
    let memo = format!("order={order}");
    let attribute = format!("OrderId=\"{id}\"");
    let arguments = ["workflow", "start", "--workflow-id", &workflow];
    let what = [
        "--type",
        "PizzaOrder",
        "--task-queue",
        "orders",
        "--input",
        &input,
    ];
    let more = ["--memo", &memo, "--search-attribute", &attribute];
    let limit = ["--execution-timeout", "4s"];
    let all = [&arguments[..], &what, &more, &limit].concat();
    world.cli().temporal(&all).await;
    assert_eq!(world.final_history(&workflow).await.end(), "TIMED_OUT");
    id
}

/// An order like this one, which Temporal does not know.
async fn without_a_workflow(books: &mut Books, like: &str) -> String {
    let id = Uuid::new_v4().to_string();
    for (table, key) in [
        ("orders", ""),
        ("order_changes", ""),
        ("kitchen_tickets", ""),
        ("kitchen_reports", ""),
        (
            "payments",
            ", idempotency_key = idempotency_key || '-copied'",
        ),
        (
            "loyalty_points",
            ", idempotency_key = idempotency_key || '-copied'",
        ),
    ] {
        books
            .execute(&format!(
                "CREATE TEMP TABLE copied AS SELECT * FROM {table} WHERE order_id = '{like}'; \
                 UPDATE copied SET order_id = '{id}'{key}; \
                 INSERT INTO {table} SELECT * FROM copied; DROP TABLE copied"
            ))
            .await;
    }
    id
}

async fn reset(world: &World, id: &str) {
    let workflow = format!("order-{id}");
    begin_again(world, &workflow).await;
    eventually(LATER, "the new run ends", async || {
        let history = world.history(&workflow).await;
        let is_new = history.types().contains(&"WORKFLOW_TASK_FAILED");
        (is_new && history.has_ended()).then_some(())
    })
    .await;
}

/// Resets an order's workflow, and terminates the new run before it ends: its
/// first step finds the books closed.
async fn reset_and_terminate(world: &World, books: &mut Books, id: &str) {
    books.lock().await;
    begin_again(world, &format!("order-{id}")).await;
    terminate(world, id).await;
    books.unlock().await;
}

async fn begin_again(world: &World, workflow: &str) {
    let reset = ["workflow", "reset", "--workflow-id", workflow];
    let how = ["--type", "FirstWorkflowTask", "--reason", "a journey"];
    world.cli().temporal(&[reset, how].concat()).await;
}

/// The record is as if its last change had not been written.
async fn lose_last_change(books: &mut Books, id: &str, status: &str) {
    let last = format!("(SELECT version FROM orders WHERE order_id = '{id}')");
    books
        .falsify(&format!(
            "DELETE FROM order_changes WHERE order_id = '{id}' AND version = {last} \
             AND status IN ('DeliveryConfirmed', 'Cancelled')"
        ))
        .await;
    books
        .falsify(&format!(
            "UPDATE orders SET version = version - 1, status = '{status}', cancel_step = NULL, \
             cancel_code = NULL, cancel_message = NULL WHERE order_id = '{id}'"
        ))
        .await;
}

/// Asks for reconciliations until so many orders were mended, and gives the
/// sums: a branch ends a moment after its order, and a list shows an end a
/// moment after that.
async fn reconciled(world: &World, mended: i64) -> Value {
    let mut sums = json!({});
    let what = format!("{mended} orders are mended");
    eventually(LATER, &what, async || {
        let counts = asked(world).await;
        for name in MENDED {
            let sum = sums[name].as_i64().unwrap_or_default();
            sums[name] = json!(sum + counts[name].as_i64().expect("a count"));
        }
        assert_eq!(counts["stuck"], 0, "{counts}");
        (mended_in(&sums) >= mended).then_some(())
    })
    .await;
    assert_eq!(mended_in(&sums), mended, "{sums}");
    sums
}

const MENDED: [&str; 4] = [
    "deliveryConfirmed",
    "cancelled",
    "rolledBack",
    "recoveredDelivered",
];

fn mended_in(counts: &Value) -> i64 {
    MENDED.iter().filter_map(|name| counts[name].as_i64()).sum()
}

async fn asked(world: &World) -> Value {
    let arguments = ["reconcile", "--json", "--grace-seconds", "0"];
    serde_json::from_str(&world.cli().ok(&arguments).await).expect("JSON")
}

/// A reconciliation mends nothing, and finds so many orders under way.
async fn quiet(world: &World, running: i64) {
    let counts = asked(world).await;
    assert_eq!(mended_in(&counts), 0, "{counts}");
    assert_eq!(counts["running"], running, "{counts}");
    assert_eq!(counts["stuck"], 0, "{counts}");
}

async fn last(world: &World) -> Value {
    let shown = world.cli().ok(&["reconcile", "--last", "--json"]).await;
    serde_json::from_str(&shown).expect("JSON")
}

/// An order whose rollback is done, with nothing kept and its customer told
/// once.
async fn rolled_back(world: &World, books: &mut Books, id: &str, code: &str) -> Value {
    let order = world.finished(id).await;
    assert_eq!(order["status"], "Cancelled", "{order}");
    assert_eq!(order["cancelled"]["code"], code, "{order}");
    let account = books.account(id).await;
    account.assert_legal();
    let refunded = account.payment_kinds() == ["charge", "refund"];
    assert_eq!(order["money"] == "refunded", refunded, "{account:?}");
    assert_eq!(account.points_left(), 0, "{account:?}");
    assert_eq!(account.notifications.len(), 1, "{account:?}");
    assert!(account.notifications[0].contains(code), "{account:?}");
    let open = format!(
        "SELECT count(*) FROM kitchen_tickets WHERE order_id = '{id}' AND stage <> 'withdrawn'"
    );
    assert_eq!(books.number(&open).await, 0, "{id}");
    order
}

async fn clean(world: &World) {
    let output = world.cli().pizza(&["audit", "--json"]).await;
    assert_eq!(output.code, Some(0), "{output:?}");
}

#[tokio::test]
async fn a_temporal_that_knows_none_of_the_orders_takes_none_of_them_up() {
    let mut world = World::start(when_asked()).await;
    let gateway = world.gateway();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(accepted(&gateway).await);
    }
    world.worker = None;
    world.forget_workflows().await;
    world.start_worker();
    let counts = asked(&world).await;
    assert_eq!(counts["stuck"], 5, "{counts}");
    for id in &ids {
        let order = gateway.order(id).await;
        assert_eq!(order["status"], "CookingStarted", "{order}");
    }
}
