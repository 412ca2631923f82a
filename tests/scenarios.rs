//! Each scenario of the specification's table, through both doors, to its
//! end: the order, its workflows, what is parked, and the books.

use std::time::Duration;

use futures::future::join_all;
use pizza_api::proto::PlaceOrderRequest;
use pizza_api::proto::place_order_request;
use pizza_domain::{ErrorOnStep, MoneyState};
use pizza_workflows::steps::ExpectedEnd;
use serde_json::{Value, json};

use crate::harness::expected::{Expected, Parked, SCENARIOS};
use crate::harness::gateway::{id_of, is_final};
use crate::harness::grpc::{self, Grpc};
use crate::harness::history::History;
use crate::harness::recording::record_if_wanted;
use crate::harness::{LATER, SOON, World, eventually};

#[tokio::test]
async fn each_scenario_ends_as_the_table_says_over_http() {
    let world = World::shared().await;
    let gateway = world.gateway();
    let journey = async |expected: &'static Expected| {
        let order = json!({ "errorOnStep": expected.number });
        let placed = gateway.placed(&order).await;
        assert_eq!(placed["message"], MESSAGE);
        let id = id_of(&placed);
        let check = placed["statusCheck"].as_str().expect("a link");
        assert_eq!(check, gateway.at(&format!("/orders/{id}")));
        assert_ended(&world, expected, &world.finished(&id).await).await;
        record(&world, expected, &id).await;
    };
    join_all(SCENARIOS.iter().map(journey)).await;
}

#[tokio::test]
async fn each_scenario_ends_as_the_table_says_over_grpc() {
    let world = World::shared().await;
    let client = Grpc::connect(world.gateway_url()).await;
    let journey = async |expected: &'static Expected| {
        let request = grpc::scenario(expected.number);
        let placed = client.place(request).await.expect("an order");
        assert_eq!(placed.message, MESSAGE);
        assert!(placed.orders.is_empty(), "{placed:?}");
        world.finished(&placed.order_id).await;
        let order = client.order(&placed.order_id).await.expect("the order");
        assert_ended(&world, expected, &order).await;
    };
    join_all(SCENARIOS.iter().map(journey)).await;
}

#[tokio::test]
async fn all_is_eight_orders_each_with_an_id_and_an_end_of_its_own_over_http() {
    let world = World::shared().await;
    let gateway = world.gateway();
    let placed = gateway.placed(&json!({ "errorOnStep": 100 })).await;
    let orders = placed["orders"].as_array().expect("a list");
    assert_eq!(orders.len(), 8, "{placed}");
    assert_eq!(placed["orderId"], orders[0]["orderId"]);
    let journey = async |(order, expected): (&Value, &'static Expected)| {
        assert_eq!(order["errorOnStep"], expected.name);
        let id = id_of(order);
        assert_eq!(order["statusCheck"], gateway.at(&format!("/orders/{id}")));
        assert_ended(&world, expected, &world.finished(&id).await).await;
    };
    join_all(orders.iter().zip(&SCENARIOS).map(journey)).await;
    assert_distinct(orders.iter().map(id_of).collect());
}

#[tokio::test]
async fn all_is_eight_orders_each_with_an_id_and_an_end_of_its_own_over_grpc() {
    let world = World::shared().await;
    let client = Grpc::connect(world.gateway_url()).await;
    let request = PlaceOrderRequest {
        error_on_step: Some(place_order_request::ErrorOnStep::ErrorOnStepName(
            "ALL".to_owned(),
        )),
        ..PlaceOrderRequest::default()
    };
    let placed = client.place(request).await.expect("eight orders");
    assert_eq!(placed.orders.len(), 8, "{placed:?}");
    assert_eq!(placed.order_id, placed.orders[0].order_id);
    for (order, expected) in placed.orders.iter().zip(&SCENARIOS) {
        assert_eq!(order.error_on_step, expected.name);
        world.finished(&order.order_id).await;
        expected.assert_order(&client.order(&order.order_id).await.expect("the order"));
    }
    assert_distinct(
        placed
            .orders
            .into_iter()
            .map(|order| order.order_id)
            .collect(),
    );
}

#[tokio::test]
async fn each_step_that_may_be_named_ends_its_order_as_it_is_declared() {
    let world = World::shared().await;
    let gateway = world.gateway();
    let journey = async |scenario: ErrorOnStep| {
        let id = gateway
            .place(json!({ "errorOnStep": scenario.as_str() }))
            .await;
        let order = world.finished(&id).await;
        let owed = order["owed"].as_array().expect("a list");
        let owed: Vec<_> = owed.iter().map(|it| it["queue"].as_str()).collect();
        let end = ExpectedEnd::of(scenario);
        assert_eq!(order["status"], end.status.as_str(), "{order}");
        assert_eq!(order["money"], end.money.as_str(), "{order}");
        assert_eq!(order["points"], end.points.as_str(), "{order}");
        let parked: Vec<_> = end.parked.iter().map(|it| Some(it.queue)).collect();
        assert_eq!(owed, parked, "{order}");
    };
    join_all(ErrorOnStep::all().map(journey)).await;
}

#[tokio::test]
async fn an_order_needs_no_body_and_has_its_defaults() {
    let world = World::shared().await;
    let gateway = world.gateway();
    let bare = gateway
        .send(gateway.client.post(gateway.at("/orders")))
        .await;
    assert_eq!(bare.status, 201, "{bare:?}");
    let order = gateway.until_ended(&id_of(&bare.json())).await;
    for (field, value) in [
        ("flavour", json!("plain")),
        ("size", json!("medium")),
        ("quantity", json!(1)),
        ("customerId", json!("guest")),
        ("discountApplied", json!("0%")),
        ("discountReason", Value::Null),
        ("total", json!(1200)),
    ] {
        assert_eq!(order[field], value, "{field}: {order}");
    }
}

#[tokio::test]
async fn pineapple_gets_its_discount_whatever_the_case_and_is_charged_less() {
    let world = World::shared().await;
    let gateway = world.gateway();
    for flavour in ["pineapple", "Hawaiian", "PINEAPPLE", "hawaiian"] {
        let wish = json!({ "flavour": flavour, "size": "large", "quantity": 3 });
        let id = gateway.place(wish).await;
        let order = gateway.until_ended(&id).await;
        assert_eq!(order["flavour"], flavour);
        assert_eq!(order["discountApplied"], "20%", "{order}");
        assert_eq!(
            order["discountReason"],
            "You like pineapple, you're one of us!"
        );
        // Three at 15.00, less a fifth; a point for each whole unit paid.
        let account = world.books().await.account(&id).await;
        assert_eq!(account.payments, [("charge".to_owned(), 3600)]);
        assert_eq!(account.points, [("award".to_owned(), 36)]);
    }
}

#[tokio::test]
async fn a_pace_shows_an_observer_each_status_and_never_one_again() {
    const PACE: f64 = 0.3;
    let world = World::shared().await;
    let gateway = world.gateway();
    let journey = async |expected: &'static Expected| {
        let wish = json!({ "errorOnStep": expected.number, "perStepDelaySeconds": PACE });
        let id = gateway.place(wish).await;
        let seen = observe(&world, &id).await;
        let account = world.books().await.account(&id).await;
        account.assert_legal();
        let way: Vec<_> = account.way().iter().map(|status| status.as_str()).collect();
        assert_eq!(seen, way, "scenario {}", expected.number);
        assert_paced(&account.changes, PACE);
    };
    join_all([0, 2, 4].map(|number| journey(&SCENARIOS[number]))).await;
}

/// What the customer is told.
const MESSAGE: &str =
    "Order created successfully. Use the statusCheck link to see how the order is going!";

/// The statuses that somebody sees who looks all the time.
async fn observe(world: &World, id: &str) -> Vec<String> {
    let gateway = world.gateway();
    let mut seen: Vec<String> = Vec::new();
    let mut version = 0;
    eventually(LATER, &format!("order {id} ends"), async || {
        let order = gateway.order(id).await;
        let status = order["status"].as_str().expect("a status").to_owned();
        let next = order["version"].as_i64().expect("a version");
        assert!(next >= version, "the version went back: {order}");
        version = next;
        if seen.last() != Some(&status) {
            seen.push(status);
        }
        is_final(&order).then_some(())
    })
    .await;
    seen
}

/// Between one status and the next lies the pace, to the millisecond that the
/// books round to.
fn assert_paced(changes: &[crate::harness::books::Change], pace: f64) {
    let mut arrivals: Vec<(&str, i64)> = Vec::new();
    for change in changes {
        if arrivals.last().map(|(status, _)| *status) != Some(change.status.as_str()) {
            arrivals.push((change.status.as_str(), change.changed_at_ms));
        }
    }
    for pair in arrivals.windows(2) {
        let gap = Duration::from_millis(u64::try_from(pair[1].1 - pair[0].1).expect("forward"));
        assert!(
            gap + Duration::from_millis(1) >= Duration::from_secs_f64(pace),
            "{pair:?}"
        );
    }
}

/// Checks an order that has ended from all sides.
async fn assert_ended(world: &World, expected: &Expected, order: &Value) {
    expected.assert_order(order);
    let id = order["orderId"].as_str().expect("an id");
    let history = world.history(&format!("order-{id}")).await;
    assert_workflow_end(expected, &history);
    assert_workflows(world, expected, id).await;
    if let Some(parked) = &expected.parked {
        assert_parked(world, parked, id).await;
    }
    let total = order["total"].as_i64().expect("a total");
    let mut books = world.books().await;
    // The customer is told after the order's record is final.
    let account = eventually(SOON, "the customer is told", async || {
        let account = books.account(id).await;
        let told = !account.notifications.is_empty();
        (told == expected.cancelled.is_some()).then_some(account)
    })
    .await;
    expected.assert_account(&account, total);
    let version = account.changes.last().map(|change| change.version);
    assert_eq!(order["version"].as_i64(), version, "{order}");
}

/// A delivered order's workflow is Completed; a cancelled one's fails with
/// the reason, typed, for good, and without raising an alarm.
fn assert_workflow_end(expected: &Expected, history: &History) {
    let Some([step, code, message]) = expected.cancelled else {
        assert_eq!(history.end(), "COMPLETED", "scenario {}", expected.number);
        return;
    };
    assert_eq!(history.end(), "FAILED", "scenario {}", expected.number);
    let failure = history.failure();
    let info = &failure["applicationFailureInfo"];
    assert_eq!(info["type"], "OrderCancelled", "{failure}");
    assert_eq!(info["nonRetryable"], true, "{failure}");
    assert_eq!(
        info["category"], "APPLICATION_ERROR_CATEGORY_BENIGN",
        "{failure}"
    );
    let reason = json!({ "step": step, "code": code, "message": message });
    assert_eq!(details(info), [reason], "{failure}");
    let text = failure["message"].as_str().expect("a message");
    assert!(
        text.contains(step) && text.contains(code) && text.contains(message),
        "{text}"
    );
}

/// The details of a failure.
fn details(info: &Value) -> &[Value] {
    info["details"].as_array().map_or(&[], Vec::as_slice)
}

/// The order's workflows, its parked task among them, and how they stand.
async fn assert_workflows(world: &World, expected: &Expected, id: &str) {
    let charged = expected.end().money != MoneyState::NotCharged;
    let order_end = match expected.cancelled {
        None => "COMPLETED",
        Some(_) => "FAILED",
    };
    let mut all = vec![(format!("order-{id}"), "PizzaOrder", order_end)];
    if charged {
        all.push((
            format!("order-{id}-fulfilment"),
            "PizzaFulfilment",
            order_end,
        ));
        all.push((format!("order-{id}-loyalty"), "PizzaLoyalty", "COMPLETED"));
    }
    if let Some(parked) = &expected.parked {
        all.push((failed_task_id(parked, id), "FailedTask", "RUNNING"));
    }
    all.sort();
    let query = format!("OrderId='{id}'");
    let what = format!(
        "scenario {}: these workflows are listed: {all:?}",
        expected.number
    );
    // What is listed follows what is so, after a moment.
    eventually(SOON, &what, async || {
        let list = ["workflow", "list", "--query", &query];
        let listed = world.cli().temporal_json(&list).await;
        let mut found: Vec<_> = listed.as_array()?.iter().map(listing).collect();
        found.sort();
        let same = found
            .iter()
            .map(|(id, kind, status)| (id.clone(), *kind, *status));
        same.eq(all.iter().cloned()).then_some(())
    })
    .await;
}

/// Id, type and status of a listed workflow.
fn listing(listed: &Value) -> (String, &str, &str) {
    let text = |value: &'_ Value| value.as_str().unwrap_or_default().to_owned();
    let status = listed["status"].as_str().unwrap_or_default();
    (
        text(&listed["execution"]["workflowId"]),
        listed["type"]["name"].as_str().unwrap_or_default(),
        status.trim_start_matches("WORKFLOW_EXECUTION_STATUS_"),
    )
}

fn failed_task_id(parked: &Parked, id: &str) -> String {
    format!("failed-{}-{id}", parked.queue)
}

/// What a parked task knows of itself: enough to run the step again, and for
/// a person to decide.
async fn assert_parked(world: &World, parked: &Parked, id: &str) {
    let workflow = failed_task_id(parked, id);
    let ask = [
        "workflow",
        "query",
        "--workflow-id",
        &workflow,
        "--type",
        "task",
    ];
    let answer = world.cli().temporal_json(&ask).await;
    let view = &answer["queryResult"][0];
    let task = &view["task"];
    let parent = if parked.step == "addLoyaltyPoints" {
        "-loyalty"
    } else {
        ""
    };
    for (field, value) in [
        ("messageType", parked.message_type.to_owned()),
        ("queue", parked.queue.to_owned()),
        ("activityType", parked.step.to_owned()),
        ("taskQueue", parked.task_queue.to_owned()),
        ("idempotencyKey", format!("{id}/{}", parked.step)),
        ("workflowId", format!("order-{id}{parent}")),
    ] {
        assert_eq!(task[field], value, "{field}: {answer}");
    }
    let subject = json!({ "OrderId": id, "CustomerId": "guest" });
    assert_eq!(task["subject"], subject, "{answer}");
    let follow_ups = task["followUps"].as_array().map_or(&[][..], Vec::as_slice);
    let then: Vec<&Value> = follow_ups.iter().map(|one| &one["activityType"]).collect();
    match parked.step {
        "refundPayment" => assert_eq!(then, ["reclaimLoyaltyPoints"], "{answer}"),
        _ => assert!(then.is_empty(), "{answer}"),
    }
    assert_eq!(view["state"], "waiting", "{answer}");
    assert_eq!(view["attempts"], parked.attempts, "{answer}");
    assert_eq!(task["failure"]["code"], parked.code, "{answer}");
    assert_eq!(task["failure"]["attempts"], parked.attempts, "{answer}");
    let first = task["firstAttemptAtMs"].as_i64().expect("a time");
    let last = task["parkedAtMs"].as_i64().expect("a time");
    assert!(0 < first && first <= last, "{answer}");
    let history = world.history(&workflow).await;
    let input = &history.events()[0]["workflowExecutionStartedEventAttributes"]["input"][1];
    assert_eq!(input["orderId"], id, "the step's input is kept: {input}");
    assert_eq!(input["idempotencyKey"], format!("{id}/{}", parked.step));
}

fn assert_distinct(mut ids: Vec<String>) {
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "an id was given twice");
}

/// Writes the histories of a scenario, when asked to.
async fn record(world: &World, expected: &Expected, id: &str) {
    let mut workflows = vec![("order", format!("order-{id}"))];
    if expected.end().money != MoneyState::NotCharged {
        workflows.push(("loyalty", format!("order-{id}-loyalty")));
        workflows.push(("fulfilment", format!("order-{id}-fulfilment")));
    }
    if let Some(parked) = &expected.parked {
        workflows.push(("failed-task", failed_task_id(parked, id)));
    }
    for (part, workflow) in workflows {
        let name = format!("{}-{}.{part}", expected.number, expected.name);
        record_if_wanted(world, &name, &workflow).await;
    }
}
