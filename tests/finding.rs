//! Orders are found, and none is missed or met twice while others come in.

use std::collections::HashSet;

use pizza_api::proto::order_service_client::OrderServiceClient;
use pizza_api::proto::{self, ListOrdersRequest};
use serde_json::{Value, json};

use crate::harness::gateway::Gateway;
use crate::harness::grpc::Grpc;
use crate::harness::{SOON, World, eventually};

#[tokio::test]
async fn a_list_is_stable_while_orders_come_in() {
    let world = World::shared().await;
    let gateway = world.gateway();
    let mut placed = HashSet::new();
    for _ in 0..12 {
        placed.insert(gateway.place(json!({ "customerId": "c-stable" })).await);
    }
    let mut query = "customerId=c-stable&limit=3".to_owned();
    eventually(SOON, "all are listed", async || {
        let page = list(&gateway, "customerId=c-stable").await;
        (ids(&page).len() == placed.len()).then_some(())
    })
    .await;
    let mut seen = Vec::new();
    loop {
        let page = list(&gateway, &query).await;
        seen.extend(ids(&page));
        let Some(cursor) = page["nextCursor"].as_str() else {
            break;
        };
        query = format!("customerId=c-stable&limit=3&cursor={cursor}");
        let newcomer = gateway.place(json!({ "customerId": "c-stable" })).await;
        eventually(SOON, "the newcomer is listed", async || {
            let first = list(&gateway, "customerId=c-stable&limit=1").await;
            (ids(&first) == [newcomer.clone()]).then_some(())
        })
        .await;
    }
    let once: HashSet<String> = seen.iter().cloned().collect();
    assert_eq!(once.len(), seen.len(), "one came twice: {seen:?}");
    assert_eq!(once, placed);
}

#[tokio::test]
async fn orders_are_found_over_http_over_grpc_and_on_the_command_line() {
    let world = World::shared().await;
    let gateway = world.gateway();
    let mut orders = Vec::new();
    for (step, flavour) in [(0, "Hawaiian"), (2, "plain"), (3, "hawaiian")] {
        let order = json!({ "customerId": "c-found", "errorOnStep": step, "flavour": flavour });
        let id = gateway.place(order).await;
        gateway.until_ended(&id).await;
        orders.push(id);
    }
    let owed = format!("/orders/{}", orders[2]);
    eventually(SOON, "the points are owed", async || {
        (gateway.get(&owed).await.json()["points"] == "parked").then_some(())
    })
    .await;
    let client = Grpc::connect(world.gateway_url()).await;
    for (field, value, expected) in [
        ("status", "DeliveryConfirmed", vec![2, 0]),
        ("flavour", "HAWAIIAN", vec![2, 0]),
        ("failedStep", "processPayment", vec![1]),
        ("failedStep", "addLoyaltyPoints", vec![2]),
    ] {
        let expected: Vec<String> = expected
            .iter()
            .map(|it: &usize| orders[*it].clone())
            .collect();
        let page = list(&gateway, &format!("customerId=c-found&{field}={value}")).await;
        assert_eq!(ids(&page), expected, "{field}={value}");

        let named = |name: &str| (name == field).then(|| value.to_owned());
        let request = ListOrdersRequest {
            customer_id: Some("c-found".to_owned()),
            flavour: named("flavour"),
            failed_step: named("failedStep"),
            status: named("status").map_or(0, |_| proto::OrderStatus::DeliveryConfirmed.into()),
            ..ListOrdersRequest::default()
        };
        let mut grpc = OrderServiceClient::new(client.channel.clone());
        let listed = grpc
            .list_orders(request)
            .await
            .expect("a page")
            .into_inner();
        let listed: Vec<_> = listed
            .orders
            .into_iter()
            .map(|order| order.order_id)
            .collect();
        assert_eq!(listed, expected, "{field}={value}");

        let flag = match field {
            "failedStep" => "--failed-step",
            "status" => "--status",
            _ => "--flavour",
        };
        let arguments = ["orders", "--customer", "c-found", flag, value];
        let text = world.cli().ok(&arguments).await;
        assert!(expected.iter().all(|id| text.contains(id)), "{text}");
        let json = world
            .cli()
            .ok(&[&arguments[..], &["--json"]].concat())
            .await;
        let json: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(ids(&json), expected, "{field}={value}");
    }
    let two = ["orders", "--customer", "c-found", "--limit", "2", "--json"];
    let two: Value = serde_json::from_str(&world.cli().ok(&two).await).expect("JSON");
    assert_eq!(ids(&two), [orders[2].clone(), orders[1].clone()]);
    assert!(two["nextCursor"].is_string(), "{two}");
}

async fn list(gateway: &Gateway, query: &str) -> Value {
    let answer = gateway.get(&format!("/orders?{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// The ids of the orders on a page.
fn ids(page: &Value) -> Vec<String> {
    let orders = page["orders"].as_array().expect("orders").iter();
    orders
        .map(|order| order["orderId"].as_str().expect("an id").to_owned())
        .collect()
}
