//! The same order, however often it is asked for.

use std::collections::HashSet;

use futures::future::join_all;
use pizza_api::proto::order_service_client::OrderServiceClient;
use pizza_api::proto::{PlaceOrderRequest, PlaceOrderResponse, Size};
use serde_json::{Value, json};
use tonic::Status;

use crate::harness::gateway::{Answer, Gateway, id_of};
use crate::harness::grpc::{Grpc, code_of, scenario};
use crate::harness::proxy::Proxy;
use crate::harness::{SOON, Setup, World, eventually};

const AT_ONCE: usize = 100;

async fn post(gateway: &Gateway, key: &str, body: &Value) -> Answer {
    let request = gateway.client.post(gateway.at("/orders"));
    let request = request.header("idempotency-key", key).json(body);
    gateway.send(request).await
}

/// Places an order under a key, which has to be accepted.
async fn placed(gateway: &Gateway, key: &str, body: &Value) -> Value {
    let answer = post(gateway, key, body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

async fn call(
    world: &World,
    key: &str,
    message: PlaceOrderRequest,
) -> Result<PlaceOrderResponse, Status> {
    let channel = Grpc::connect(world.gateway_url()).await.channel;
    let mut request = tonic::Request::new(message);
    let key = key.parse().expect("a value");
    request.metadata_mut().insert("idempotency-key", key);
    let mut orders = OrderServiceClient::new(channel);
    orders.place_order(request).await.map(|it| it.into_inner())
}

/// The order workflows of a customer, once there are `count` that Temporal
/// lists.
async fn order_workflows(world: &World, customer: &str, count: usize) -> HashSet<String> {
    let query = format!("CustomerId='{customer}' AND WorkflowType='PizzaOrder'");
    let list = ["workflow", "list", "--query", &query];
    eventually(SOON, "the order's workflow is listed", async || {
        let listed = world.cli().temporal_json(&list).await;
        let ids: HashSet<String> = listed
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|it| it["execution"]["workflowId"].as_str())
            .map(str::to_owned)
            .collect();
        (ids.len() >= count).then_some(ids)
    })
    .await
}

async fn orders_of(world: &World, customer: &str) -> i64 {
    let query = format!("SELECT count(*) FROM orders WHERE customer_id = '{customer}'");
    world.books().await.number(&query).await
}

#[tokio::test]
async fn a_hundred_posts_at_once_under_one_key_are_one_order() {
    let world = World::shared().await;
    let gateway = world.gateway();
    let body = json!({ "customerId": "c-hundred", "flavour": "hawaiian" });
    let answers = join_all((0..AT_ONCE).map(|_| post(&gateway, "rush", &body))).await;
    let first = &answers[0];
    let id = id_of(&first.json());
    for answer in &answers {
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.text, first.text);
        assert_eq!(answer.header("location"), format!("/orders/{id}"));
    }
    gateway.until(&id, "DeliveryConfirmed").await;
    let again = post(&gateway, "rush", &body).await;
    assert_eq!((again.status, &again.text), (201, &first.text));

    let workflows = order_workflows(&world, "c-hundred", 1).await;
    assert_eq!(workflows, HashSet::from([format!("order-{id}")]));
    assert_eq!(orders_of(&world, "c-hundred").await, 1);
    let account = world.books().await.account(&id).await;
    assert_eq!(account.payments, [("charge".to_owned(), 960)]);
}

#[tokio::test]
async fn a_key_is_for_one_request_of_one_customer() {
    let world = World::shared().await;
    let gateway = world.gateway();
    let body = json!({ "customerId": "c-one" });
    let first = placed(&gateway, "lunch", &body).await;
    let spelled_out = json!({ "customerId": "c-one", "flavour": "plain", "quantity": 1 });
    assert_eq!(placed(&gateway, "lunch", &spelled_out).await, first);

    let other = json!({ "customerId": "c-one", "quantity": 2 });
    let reused = post(&gateway, "lunch", &other).await;
    assert_eq!(reused.status, 422, "{reused:?}");
    assert_eq!(reused.problem(), "idempotency-key-reused");
    assert_eq!(reused.json()["field"], "Idempotency-Key", "{reused:?}");

    let anothers = placed(&gateway, "lunch", &json!({ "customerId": "c-another" })).await;
    assert_ne!(anothers["orderId"], first["orderId"]);
    let evening = placed(&gateway, "dinner", &body).await;
    assert_ne!(evening["orderId"], first["orderId"]);
    let [one, two] = [
        gateway.place(body.clone()).await,
        gateway.place(body.clone()).await,
    ];
    let ids: HashSet<_> = [id_of(&first), id_of(&evening), one, two].into();
    assert_eq!(ids.len(), 4, "without a key each is an order of its own");
    for id in &ids {
        gateway.until(id, "DeliveryConfirmed").await;
    }
    assert_eq!(orders_of(&world, "c-one").await, 4);
}

#[tokio::test]
async fn all_twice_under_one_key_are_the_same_eight_orders() {
    let world = World::shared().await;
    let gateway = world.gateway();
    let body = json!({ "customerId": "c-all", "errorOnStep": "ALL" });
    let first = placed(&gateway, "all", &body).await;
    let by_number = json!({ "customerId": "c-all", "errorOnStep": 100 });
    assert_eq!(placed(&gateway, "all", &by_number).await, first);
    let orders = first["orders"].as_array().expect("orders");
    let ids: HashSet<_> = orders.iter().map(id_of).collect();
    assert_eq!(ids.len(), 8, "{first}");
    for id in &ids {
        gateway.until_ended(id).await;
    }
    assert_eq!(orders_of(&world, "c-all").await, 8);
    assert_eq!(placed(&gateway, "all", &body).await, first);
}

#[tokio::test]
async fn http_grpc_and_the_command_line_share_a_key() {
    let world = World::shared().await;
    let gateway = world.gateway();
    let body = json!({ "customerId": "c-doors", "size": "large", "errorOnStep": 0 });
    let first = placed(&gateway, "both", &body).await;
    let message = PlaceOrderRequest {
        customer_id: Some("c-doors".to_owned()),
        size: Size::Large.into(),
        ..scenario(0)
    };
    let answer = call(&world, "both", message.clone()).await.expect("placed");
    assert_eq!(answer.order_id, first["orderId"]);
    assert_eq!(answer.status_check, first["statusCheck"]);
    let other = PlaceOrderRequest {
        size: Size::Small.into(),
        ..message
    };
    let reused = call(&world, "both", other).await.expect_err("reused");
    assert_eq!(code_of(&reused), "idempotency-key-reused");

    let cli = world.cli();
    let order = [
        "order",
        "--customer",
        "c-doors",
        "--size",
        "large",
        "--json",
    ];
    let arguments = [&order[..], &["--idempotency-key", "both"]].concat();
    let printed: Value = serde_json::from_str(&cli.ok(&arguments).await).expect("JSON");
    assert_eq!(printed["orderId"], first["orderId"]);
    let arguments = [&order[..], &["--idempotency-key", "not one"]].concat();
    let refused = cli.pizza(&arguments).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("1 to 64 characters"), "{refused:?}");
}

/// Between the start and the reply, and before the start.
#[tokio::test]
async fn a_key_finds_its_order_although_the_gateway_died_in_between() {
    let mut world = World::found(Setup::default()).await;
    let after = json!({ "customerId": "c-after" });
    let id = unanswered(&mut world, &after, Proxy::hold_answers, 1).await;
    let before = json!({ "customerId": "c-before" });
    let other = unanswered(&mut world, &before, Proxy::hold_requests, 0).await;

    // No worker has taken up either of them yet.
    world.start_gateway().await;
    let gateway = world.gateway();
    let orders = [(&id, &after), (&other, &before)];
    for (id, body) in orders {
        assert_eq!(id_of(&placed(&gateway, "night", body).await), *id);
    }
    world.start_worker();
    world.start_kitchen();
    for (id, body) in orders {
        gateway.until(id, "DeliveryConfirmed").await;
        assert_eq!(id_of(&placed(&gateway, "night", body).await), *id);
        let customer = body["customerId"].as_str().expect("an id");
        let workflows = order_workflows(&world, customer, 1).await;
        assert_eq!(workflows, HashSet::from([format!("order-{id}")]));
        let account = world.books().await.account(id).await;
        assert_eq!(account.payment_kinds(), ["charge"]);
    }
    assert_eq!(world.books().await.orders().await, 2);
}

/// Asks for an order under the key `night`, of a gateway that is cut off from
/// Temporal and, once that has `started` workflows for it, killed. Gives the
/// id that the books have for it.
async fn unanswered(
    world: &mut World,
    body: &Value,
    cut: impl Fn(&Proxy),
    started: usize,
) -> String {
    let proxy = Proxy::start(world.temporal()).await;
    world.start_gateway_on(&proxy.address()).await;
    let gateway = world.gateway();
    eventually(SOON, "the gateway has its connection", async || {
        (gateway.get("/readyz").await.status == 200).then_some(())
    })
    .await;
    cut(&proxy);
    let request = gateway.client.post(gateway.at("/orders"));
    let request = request.header("idempotency-key", "night").json(body);
    let asking = tokio::spawn(request.send());
    let customer = body["customerId"].as_str().expect("an id");
    let mut books = world.books().await;
    let id = eventually(SOON, "the key is kept", async || {
        books.ids_under(customer, "night").await.pop()
    })
    .await;
    let workflows = order_workflows(world, customer, started).await;
    assert_eq!(workflows.len(), started, "{workflows:?}");
    world.gateway.take().expect("the gateway").kill();
    let answer = asking.await.expect("the request ran");
    assert!(answer.is_err(), "the client was told: {answer:?}");
    id
}

#[tokio::test]
async fn what_was_refused_while_temporal_did_not_answer_is_placed_later_under_its_key() {
    let mut world = World::found(Setup::default()).await;
    let proxy = Proxy::start(world.temporal()).await;
    world.start_worker();
    world.start_gateway_on(&proxy.address()).await;
    let gateway = world.gateway();
    gateway.place(json!({})).await;
    proxy.hold_requests();
    let body = json!({ "customerId": "c-later", "errorOnStep": "ALL" });
    let refused = post(&gateway, "later", &body).await;
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(refused.problem(), "temporal-unavailable");
    assert!(!refused.header("retry-after").is_empty(), "{refused:?}");
    assert_eq!(orders_of(&world, "c-later").await, 0);

    world.gateway.take().expect("the gateway").kill();
    world.start_gateway().await;
    let gateway = world.gateway();
    let placed = placed(&gateway, "later", &body).await;
    let ids = world.books().await.ids_under("c-later", "later").await;
    let told: Vec<_> = placed["orders"]
        .as_array()
        .expect("orders")
        .iter()
        .map(id_of)
        .collect();
    assert_eq!(told, ids);
    // The refusal named the orders that might exist: they are the same.
    assert!(refused.text.contains(&ids[0]), "{refused:?}");
    assert_eq!(order_workflows(&world, "c-later", 8).await.len(), 8);
}

#[tokio::test]
async fn a_key_outlives_what_temporal_remembers() {
    let mut world = World::start(Setup::default()).await;
    let body = json!({});
    let id = id_of(&placed(&world.gateway(), "old", &body).await);
    world.finished(&id).await;
    for process in [&mut world.gateway, &mut world.worker, &mut world.kitchen] {
        process.take().expect("a process").kill();
    }

    world.forget_workflows().await;
    world.start_all().await;
    let gateway = world.gateway();
    assert_eq!(id_of(&placed(&gateway, "old", &body).await), id);
    let workflow = format!("order-{id}");
    let describe = [
        "temporal",
        "workflow",
        "describe",
        "--workflow-id",
        &workflow,
    ];
    let described = world.cli().pizza(&describe).await;
    assert_ne!(
        described.code,
        Some(0),
        "it was started anew: {described:?}"
    );
    assert!(described.stderr.contains("not found"), "{described:?}");
    assert_eq!(world.books().await.orders().await, 1);
    let order = gateway.order(&id).await;
    assert_eq!(order["status"], "DeliveryConfirmed", "{order}");
}
