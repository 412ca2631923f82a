//! What happened to an order, told in one list: from the books and from its
//! workflows' own histories, or from exported histories alone.

use pizza_api::proto::GetTimelineRequest;
use pizza_api::proto::order_service_client::OrderServiceClient;
use serde_json::{Value, json};

use crate::harness::grpc::Grpc;
use crate::harness::world::OPERATOR_KEY;
use crate::harness::{Setup, World, ports};

#[tokio::test]
async fn a_delivered_order_is_told_from_placing_to_delivery_through_every_door() {
    let world = World::shared().await;
    let pace = json!({ "perStepDelaySeconds": 0.1 });
    let id = world.gateway().place(pace).await;
    until_settled(&world, &id).await;
    let timeline = told(&world, &id).await;
    assert_eq!(
        timeline["sources"],
        json!({ "store": "read", "temporal": "read" })
    );
    assert_eq!(timeline["truncated"], false);
    assert_in_order(
        &timeline,
        &[
            "placed: 1 x plain, medium: 12.00",
            "start: order started",
            "step: createOrder",
            "status: Pending",
            "wait: pace after Pending",
            "status: PaymentProcessing",
            "step: processPayment",
            "payment: charge 12.00",
            "status: PaymentComplete, money charged",
            "start: fulfilment branch started",
            "step: prepareOrder",
            "wait: kitchen deadline",
            "request: kitchen report accepted",
            "report: accepted",
            "status: CookingStarted",
            "request: kitchen report cooked",
            "step: recordKitchenReport (cooked)",
            "report: cooked",
            "status: CookingCompleted",
            "report: pickedUp",
            "status: DeliveryStarted",
            "request: kitchen report delivered",
            "end: fulfilment branch completed",
            "step: setOrderStatus (confirm delivery)",
            "status: DeliveryConfirmed",
            "end: order completed",
        ],
    );
    assert_in_order(
        &timeline,
        &[
            "start: loyalty branch started",
            "step: addLoyaltyPoints",
            "points: award 12",
            "change: points awarded",
            "end: loyalty branch completed",
        ],
    );
    let charged = entry(&timeline, "step: processPayment");
    assert_eq!(charged["attempts"], 1, "{charged}");
    assert_eq!(charged["outcome"], "ok", "{charged}");
    assert!(charged["durationMs"].is_u64(), "{charged}");
    let pace = entry(&timeline, "wait: pace after Pending");
    assert_eq!(pace["detail"]["forMs"], 100, "{pace}");
    // Booked with the status, in the one or the other millisecond.
    entry(&timeline, "report: delivered");
    let keys = format!("{id}/processPayment");
    assert!(!timeline.to_string().contains(&keys), "{timeline}");

    let cli = world.cli();
    let printed = cli.ok(&["status", &id, "--timeline", "--json"]).await;
    let printed: Value = serde_json::from_str(&printed).expect("JSON");
    let to_customer = world
        .gateway()
        .get(&format!("/orders/{id}/timeline"))
        .await
        .json();
    assert_eq!(printed, to_customer);
    assert_eq!(whats(&printed), whats(&timeline));
    // What the kitchen calls its reports is for operators.
    let is_told = |timeline: &Value| timeline.to_string().contains("reportId");
    assert!(is_told(&timeline) && !is_told(&to_customer), "{timeline}");
    let drawn = cli.ok(&["status", &id, "--timeline"]).await;
    assert!(drawn.starts_with(&format!("order {id}\n")), "{drawn}");
    assert!(drawn.contains("charge 12.00"), "{drawn}");

    let channel = Grpc::connect(world.gateway_url()).await.channel;
    let request = GetTimelineRequest {
        order_id: id.clone(),
    };
    let answer = OrderServiceClient::new(channel).get_timeline(request).await;
    let answer = answer.expect("an answer").into_inner();
    let answered: Vec<_> = answer.entries.iter().map(|it| it.what.as_str()).collect();
    assert_eq!(answered, whats(&timeline));
}

#[tokio::test]
async fn exported_histories_tell_the_steps_with_nobody_to_ask() {
    let world = World::shared().await;
    let id = world.gateway().place(json!({ "errorOnStep": 3 })).await;
    until_settled(&world, &id).await;
    let task = format!("failed-add-loyalty-points-{id}");
    let cli = world.cli();
    let mut arguments = vec!["status".to_owned(), "--json".to_owned()];
    let saga = format!("order-{id}");
    for workflow in [
        saga.clone(),
        format!("{saga}-loyalty"),
        format!("{saga}-fulfilment"),
        task,
    ] {
        let history = world.history(&workflow).await;
        let file = cli.folder.join(format!("{workflow}.json"));
        std::fs::write(&file, history.printed.to_string()).expect("a file");
        arguments.extend(["--file".to_owned(), file.display().to_string()]);
    }
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    // No gateway and no Temporal to be found.
    let alone = world
        .cli()
        .without("PIZZA_GATEWAY")
        .without("TEMPORAL_ADDRESS");
    let drawn: Value = serde_json::from_str(&alone.ok(&arguments).await).expect("JSON");
    assert_eq!(
        drawn["sources"],
        json!({ "store": "notAsked", "temporal": "read" })
    );
    let timeline = told(&world, &id).await;
    assert_eq!(drawn["orderId"], timeline["orderId"]);
    assert_eq!(drawn["placedAt"], timeline["placedAt"]);
    // What happened in the same millisecond may be told in either order.
    let sorted = |mut entries: Vec<Value>| {
        let at = |entry: &Value| entry["at"].as_str().expect("a time").to_owned();
        assert!(entries.is_sorted_by_key(at), "{entries:?}");
        entries.sort_by_key(|entry| (at(entry), entry.to_string()));
        entries
    };
    let mut steps = entries(&timeline).to_vec();
    steps.retain(|entry| entry["source"] == "temporal");
    assert_eq!(sorted(entries(&drawn).to_vec()), sorted(steps));

    let bad = cli.folder.join("bad.json");
    std::fs::write(&bad, "{}").expect("a file");
    let bad = bad.display().to_string();
    let refused = alone.pizza(&["status", "--file", &bad]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains(&bad), "{refused:?}");
    assert!(refused.stderr.contains("events"), "{refused:?}");
    assert_eq!(refused.stdout, "");
}

#[tokio::test]
async fn a_refund_that_was_parked_and_redriven_is_told_with_who_did_it() {
    let world = World::shared().await;
    let id = world.gateway().place(json!({ "errorOnStep": 6 })).await;
    until_settled(&world, &id).await;
    let task = format!("failed-refund-payment-{id}");
    world.operator().redrive(&task).await;
    world.final_history(&task).await;

    let timeline = told(&world, &id).await;
    assert_in_order(
        &timeline,
        &[
            "payment: charge 12.00",
            "step: prepareOrder",
            "end: fulfilment branch failed",
            "step: refundPayment",
            "parkedTask: parked in refund-payment",
            "step: cancelOrder (cancel order)",
            "notification: prepareOrder failed: the kitchen refused the order (kitchen-refused)",
            "end: order failed",
            "request: redrive",
            "step: refundPayment (redrive)",
            "payment: refund 12.00",
            "parkedTask: refund-payment done",
            "step: reclaimLoyaltyPoints",
            "points: reclaim -12",
            "end: parked task done",
        ],
    );
    let refund = entry(&timeline, "step: refundPayment");
    assert_eq!(refund["attempts"], 6, "{refund}");
    assert_eq!(refund["outcome"], "failed", "{refund}");
    assert_eq!(refund["detail"]["code"], "refund-failed", "{refund}");
    let prepared = entry(&timeline, "step: prepareOrder");
    assert_eq!(prepared["outcome"], "refused", "{prepared}");
    for done in ["request: redrive", "parkedTask: refund-payment done"] {
        let done = entry(&timeline, done);
        assert_eq!(done["detail"]["principal"], "journeys", "{done}");
    }
    let status = ["status", &id, "--timeline"];
    let as_operator = [&status[..], &["--key", OPERATOR_KEY]].concat();
    let drawn = world.cli().ok(&as_operator).await;
    assert!(drawn.contains("redrive by journeys"), "{drawn}");

    // The shop is open, and everybody sees its orders.
    let public = world.gateway().get(&format!("/orders/{id}/timeline")).await;
    let drawn = world.cli().ok(&status).await;
    for told in [&public.text, &drawn] {
        assert!(told.contains("redrive"), "{told}");
        assert!(!told.contains("journeys"), "{told}");
    }
}

#[tokio::test]
async fn without_workers_all_is_told_and_without_temporal_what_the_store_knows() {
    let mut world = World::start(Setup::default()).await;
    let id = world.gateway().place(json!({})).await;
    until_settled(&world, &id).await;
    let whole = told(&world, &id).await;
    world.worker.take().expect("a worker").kill();
    assert_eq!(told(&world, &id).await, whole);

    let alone: Vec<_> = entries(&whole)
        .iter()
        .filter(|entry| entry["source"] == "store")
        .cloned()
        .collect();
    assert!(alone.len() > 10, "{whole}");
    // To Temporal, as after its retention, there never was such an order.
    world.forget_workflows().await;
    world.start_gateway().await;
    let forgotten = told(&world, &id).await;
    assert_eq!(forgotten["sources"]["temporal"], "empty", "{forgotten}");
    assert_eq!(forgotten["entries"], json!(alone));

    let nobody = format!("127.0.0.1:{}", ports::free());
    world.start_gateway_on(&nobody).await;
    let timeline = told(&world, &id).await;
    assert_eq!(
        timeline["sources"],
        json!({ "store": "read", "temporal": "unavailable" })
    );
    assert_eq!(timeline["entries"], json!(alone));
    let output = world.cli().pizza(&["status", &id, "--timeline"]).await;
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(
        output.stderr.contains("Temporal does not answer"),
        "{output:?}"
    );
    assert!(output.stdout.contains("DeliveryConfirmed"), "{output:?}");
}

/// Waits until nothing follows in the workflows of an order.
async fn until_settled(world: &World, id: &str) {
    world.finished(id).await;
    world.final_history(&format!("order-{id}-loyalty")).await;
    world.final_history(&format!("order-{id}-fulfilment")).await;
}

/// What an operator is told.
async fn told(world: &World, id: &str) -> Value {
    let answer = world
        .operator()
        .get(&format!("/orders/{id}/timeline"))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn entries(timeline: &Value) -> &[Value] {
    timeline["entries"].as_array().expect("a list")
}

fn whats(timeline: &Value) -> Vec<&str> {
    let entries = entries(timeline).iter();
    entries.map(|entry| text(entry, "what")).collect()
}

fn text<'a>(entry: &'a Value, field: &str) -> &'a str {
    entry[field].as_str().expect("a text")
}

/// An entry as these tests name it.
fn name(entry: &Value) -> String {
    format!("{}: {}", text(entry, "kind"), text(entry, "what"))
}

/// The entry of this name.
fn entry<'a>(timeline: &'a Value, wanted: &str) -> &'a Value {
    let found = entries(timeline).iter().find(|entry| name(entry) == wanted);
    found.unwrap_or_else(|| panic!("no {wanted:?} in {timeline:#}"))
}

/// Fails unless these are told, one after the other, each once.
fn assert_in_order(timeline: &Value, expected: &[&str]) {
    let names: Vec<_> = entries(timeline).iter().map(name).collect();
    let times: Vec<_> = entries(timeline).iter().map(|it| text(it, "at")).collect();
    assert!(times.is_sorted(), "{times:?}");
    let told: Vec<_> = names
        .iter()
        .map(String::as_str)
        .filter(|name| expected.contains(name))
        .collect();
    assert_eq!(told, expected, "in {names:#?}");
}
