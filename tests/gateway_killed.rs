//! A gateway may die at any moment.

use serde_json::json;

use crate::harness::gateway::Gateway;
use crate::harness::proxy::Proxy;
use crate::harness::{LATER, SOON, Setup, World, eventually};

#[tokio::test]
async fn an_order_that_temporal_has_is_delivered_although_its_gateway_died_before_answering() {
    let mut world = World::found(Setup::default()).await;
    let proxy = Proxy::start(world.temporal()).await;
    world.start_worker();
    world.start_gateway_on(&proxy.address()).await;
    let gateway = world.gateway();
    eventually(SOON, "the gateway has its connection", async || {
        (gateway.get("/readyz").await.status == 200).then_some(())
    })
    .await;
    let first = gateway.place(json!({})).await;

    proxy.hold_answers();
    let request = gateway
        .client
        .post(gateway.at("/orders"))
        .json(&json!({ "customerId": "unlucky" }));
    let asking = tokio::spawn(request.send());
    let id = eventually(SOON, "Temporal has the order", async || {
        let query = "CustomerId='unlucky' AND WorkflowType='PizzaOrder'";
        let list = ["workflow", "list", "--query", query];
        let listed = world.cli().temporal_json(&list).await;
        let workflow = listed[0]["execution"]["workflowId"].as_str()?;
        workflow.strip_prefix("order-").map(str::to_owned)
    })
    .await;
    world.gateway.take().expect("the gateway").kill();
    let answer = asking.await.expect("the request ran");
    assert!(answer.is_err(), "the client was told: {answer:?}");

    world.start_gateway().await;
    world.start_kitchen();
    let gateway: Gateway = world.gateway();
    let order = gateway.until_ended(&id).await;
    assert_eq!(order["status"], "DeliveryConfirmed", "{order}");
    assert_eq!(order["customerId"], "unlucky", "{order}");
    gateway.until(&first, "DeliveryConfirmed").await;
    let account = world.books().await.account(&id).await;
    assert_eq!(account.payment_kinds(), ["charge"]);
    assert_eq!(account.points_kinds(), ["award"]);
}

#[tokio::test]
async fn a_killed_gateway_leaves_its_orders_to_the_next_one() {
    let mut world = World::start(Setup::default()).await;
    let gateway = world.gateway();
    let id = gateway.place(json!({ "perStepDelaySeconds": 0.2 })).await;
    gateway.until(&id, "PaymentComplete").await;
    world.kitchen.take().expect("the kitchen").kill();
    world.gateway.take().expect("the gateway").kill();
    world.start_gateway().await;
    world.start_kitchen();
    let what = "the order arrives through another gateway";
    eventually(LATER, what, async || {
        let order = world.gateway().order(&id).await;
        (order["status"] == "DeliveryConfirmed").then_some(())
    })
    .await;
}
