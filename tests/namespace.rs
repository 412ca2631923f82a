//! A namespace that is not there is named to whoever asks, whatever they ask.

use pizza_api::proto::order_service_client::OrderServiceClient;
use pizza_api::proto::{GetOrderRequest, PlaceOrderRequest};
use serde_json::{Value, json};
use tonic::Code;

use crate::harness::grpc::Grpc;
use crate::harness::openapi::Document;
use crate::harness::{SOON, Setup, World, eventually};

const NOWHERE: &str = "no-such-namespace";

/// What the store answers alone.
const BY_THE_STORE: [&str; 10] = [
    "GET /menu",
    "GET /orders",
    "GET /orders/{id}",
    "GET /orders/{id}/events",
    // It says itself that a part of it is missing.
    "GET /orders/{id}/timeline",
    "GET /kitchen/tickets",
    "GET /kitchen/simulation",
    "PUT /kitchen/simulation",
    "GET /healthz",
    "GET /readyz",
];

fn body(operation: &str) -> Option<Value> {
    Some(match operation {
        "POST /orders" | "POST /failures/{id}/redrive" => json!({}),
        "PATCH /orders/{id}" => json!({ "quantity": 2 }),
        "POST /kitchen/tickets/{id}/events" => json!({ "event": "accepted" }),
        "POST /failures/{id}/discard" => json!({ "reason": "paid by hand" }),
        "POST /failures/bulk" => json!({ "action": "redrive", "all": true }),
        "PUT /failure-queues/{queue}/policy" => json!({ "autoRedrive": null }),
        _ => return None,
    })
}

#[tokio::test]
async fn a_missing_namespace_is_a_503_that_names_it_for_every_request() {
    let mut world = World::start(Setup::default()).await;
    // The store has an order that is under way, and knows of a parked task.
    let id = world.gateway().place_paced(60.0, "Pending").await;
    world.worker.take().expect("the worker").kill();
    world.gateway.take().expect("the gateway").kill();
    world.use_namespace(NOWHERE);
    world.start_gateway_again().await;

    let operator = world.operator();
    let document = Document(operator.get("/openapi.json").await.json());
    for operation in document.operations() {
        let name = operation.name.as_str();
        if BY_THE_STORE.contains(&name) {
            continue;
        }
        let url = operator.at(&operation.path(&id));
        let mut request = operator.client.request(operation.method.clone(), url);
        if let Some(body) = body(name) {
            request = request.json(&body);
        }
        let answer = operator.send(request).await;
        assert_eq!(answer.status, 503, "{name}: {answer:?}");
        assert_eq!(answer.problem(), "temporal-unavailable", "{name}");
        let detail = answer.json()["detail"].to_string();
        assert!(detail.contains(NOWHERE), "{name}: {answer:?}");
    }
    let ready = operator.get("/readyz").await;
    assert_eq!(ready.problem(), "not-ready", "{ready:?}");
    let detail = ready.json()["detail"].to_string();
    assert!(detail.contains(NOWHERE), "{ready:?}");
    let unknown = "/orders/6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";
    let answer = operator.get(unknown).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.text.contains(NOWHERE), "{answer:?}");

    let mut orders = OrderServiceClient::new(Grpc::connect(world.gateway_url()).await.channel);
    let placed = orders.place_order(PlaceOrderRequest::default()).await;
    let looked = orders
        .get_order(GetOrderRequest {
            order_id: "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11".to_owned(),
        })
        .await;
    let refused = [placed.map(drop), looked.map(drop)];
    for status in refused.map(|answer| answer.expect_err("refused")) {
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert!(status.message().contains(NOWHERE), "{status:?}");
    }

    let gateway = world.gateway_url().to_owned();
    let output = world.cli().pizza(&["order", "--gateway", &gateway]).await;
    assert_ne!(output.code, Some(0), "{output:?}");
    assert!(output.stderr.contains(NOWHERE), "{output:?}");

    let worker = world.worker_with(&[]);
    eventually(SOON, "the worker names the namespace", async || {
        worker.stderr().contains(NOWHERE).then_some(())
    })
    .await;
}
