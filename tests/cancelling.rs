//! A customer cancels: free before the kitchen starts, rolled back until the
//! courier has it, refused from then on.

use pizza_api::proto::CancelOrderRequest;
use pizza_api::proto::order_service_client::OrderServiceClient;
use serde_json::{Value, json};

use crate::harness::gateway::Answer;
use crate::harness::grpc::{Grpc, code_of};
use crate::harness::recording::record_if_wanted;
use crate::harness::{SOON, World, eventually};

/// A pace at which a stage lasts long enough to be met, in seconds. What is
/// left of it is not waited for when the order is cancelled.
const PACE: f64 = 5.0;

#[tokio::test]
async fn before_the_charge_a_cancellation_is_free_and_at_once() {
    let world = World::shared_without_kitchen().await;
    let gateway = world.gateway();
    for stage in ["Pending", "PaymentProcessing"] {
        let id = gateway.place_paced(PACE, stage).await;
        assert_cancelling(&gateway.cancel(&id).await);
        let order = eventually(SOON / 10, "it is cancelled at once", async || {
            let order = gateway.order(&id).await;
            (order["status"] == "Cancelled").then_some(order)
        })
        .await;
        assert_eq!(order["money"], "notCharged", "{order}");
        assert_eq!(order["points"], "none", "{order}");
        assert_by_customer(&order);
        let order = world.finished(&id).await;
        let account = world.books().await.account(&id).await;
        account.assert_legal();
        record_if_wanted(&world, "cancelled-unpaid.order", &format!("order-{id}")).await;
        // The charge is called off, should it still be under way somewhere.
        assert_eq!(account.payment_kinds(), ["void"], "{order}");
        assert_eq!(account.notifications.len(), 1, "{account:?}");
    }
    world.assert_audit_clean().await;
}

#[tokio::test]
async fn until_the_courier_has_it_a_cancellation_takes_everything_back() {
    let world = World::shared_without_kitchen().await;
    let gateway = world.gateway();
    let charged = gateway.place_paced(PACE, "PaymentComplete").await;
    let handed_over = world.handed_over().await;
    let accepted = gateway.place_accepted(json!({})).await;
    let cooked = gateway.place_accepted(json!({})).await;
    gateway.report_taken(&cooked, "cooked").await;
    for id in [&charged, &handed_over, &accepted, &cooked] {
        assert_cancelling(&gateway.cancel(id).await);
    }
    for id in [&charged, &handed_over, &accepted, &cooked] {
        let order = world.finished(id).await;
        assert_eq!(order["status"], "Cancelled", "{order}");
        assert_eq!(order["money"], "refunded", "{order}");
        assert_by_customer(&order);
        let account = world.books().await.account(id).await;
        account.assert_legal();
        assert_eq!(account.payment_kinds(), ["charge", "refund"], "{account:?}");
        assert_eq!(account.points_left(), 0, "{account:?}");
        assert_eq!(account.notifications.len(), 1, "{account:?}");

        let again = gateway.cancel(id).await;
        assert_eq!(again.status, 200, "{again:?}");
        assert_eq!(again.json()["outcome"], "cancelled", "{again:?}");
    }
    for id in [&accepted, &cooked] {
        let late = gateway.report(id, "pickedUp").await;
        assert_eq!(late.problem(), "kitchen-report-late", "{late:?}");
    }
    world.assert_audit_clean().await;
}

#[tokio::test]
async fn an_order_on_its_way_or_delivered_is_not_cancelled_and_says_so() {
    let world = World::shared_without_kitchen().await;
    let gateway = world.gateway();
    let id = gateway.place_accepted(json!({})).await;
    for report in ["cooked", "pickedUp"] {
        gateway.report_taken(&id, report).await;
    }
    for _ in 0..2 {
        let refused = gateway.cancel(&id).await;
        assert_eq!(refused.status, 409, "{refused:?}");
        assert_eq!(refused.problem(), "order-on-its-way");
        assert_eq!(refused.json()["orderStatus"], "DeliveryStarted");
    }
    gateway.report_taken(&id, "delivered").await;
    gateway.until(&id, "DeliveryConfirmed").await;
    let refused = gateway.cancel(&id).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    assert_eq!(refused.problem(), "order-delivered");
    let order = world.finished(&id).await;
    assert_eq!(order["money"], "charged", "{order}");
    let branch = format!("order-{id}-fulfilment");
    record_if_wanted(&world, "not-cancelled.fulfilment", &branch).await;
    world.assert_audit_clean().await;
}

#[tokio::test]
async fn grpc_and_the_command_line_cancel_as_http_does() {
    let world = World::shared_without_kitchen().await;
    let gateway = world.gateway();
    let grpc = Grpc::connect(world.gateway_url()).await;
    let mut orders = OrderServiceClient::new(grpc.channel.clone());
    let order_id = gateway.place_accepted(json!({})).await;
    let request = CancelOrderRequest {
        order_id: order_id.clone(),
    };
    let answer = orders.cancel_order(request.clone()).await.expect("a yes");
    assert_eq!(answer.get_ref().order_id, order_id);
    world.finished(&order_id).await;
    let again = orders.cancel_order(request).await.expect("a yes");
    assert!(again.get_ref().cancelled, "{again:?}");

    let id = gateway.place_accepted(json!({})).await;
    let output = world.cli().pizza(&["cancel", &id]).await;
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stdout.contains("is being cancelled"), "{output:?}");

    let gone = gateway.place_accepted(json!({})).await;
    for report in ["cooked", "pickedUp"] {
        gateway.report_taken(&gone, report).await;
    }
    let request = CancelOrderRequest {
        order_id: gone.clone(),
    };
    let refused = orders.cancel_order(request).await.expect_err("too late");
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition);
    assert_eq!(code_of(&refused), "order-on-its-way");
    let output = world.cli().pizza(&["cancel", &gone]).await;
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("on its way"), "{output:?}");
    gateway.report_taken(&gone, "delivered").await;
}

#[tokio::test]
async fn an_order_that_is_reset_to_its_beginning_and_cancelled_takes_everything_back() {
    let world = World::shared_without_kitchen().await;
    let gateway = world.gateway();
    for by_operator in [false, true] {
        let id = gateway
            .place_accepted(json!({ "perStepDelaySeconds": 1 }))
            .await;
        let workflow = format!("order-{id}");
        let reset = ["workflow", "reset", "--workflow-id", &workflow];
        let how = ["--type", "FirstWorkflowTask", "--reason", "a journey"];
        world.cli().temporal(&[reset, how].concat()).await;
        if by_operator {
            let cancel = ["workflow", "cancel", "--workflow-id", &workflow];
            world.cli().temporal(&cancel).await;
        } else {
            assert_cancelling(&gateway.cancel(&id).await);
        }
        let order = world.finished(&id).await;
        assert_eq!(order["status"], "Cancelled", "{order}");
        assert_eq!(order["money"], "refunded", "{order}");
        let mut books = world.books().await;
        let account = books.account(&id).await;
        assert_eq!(account.payment_kinds(), ["charge", "refund"], "{account:?}");
        assert_eq!(account.points_left(), 0, "{account:?}");
        let query = "SELECT stage FROM kitchen_tickets WHERE order_id = $1";
        let stage = books.text(query, &id).await;
        assert_eq!(stage.as_deref(), Some("withdrawn"), "{order}");
    }
    world.assert_audit_clean().await;
}

#[tokio::test]
async fn what_does_not_exist_cannot_be_cancelled() {
    let world = World::shared_without_kitchen().await;
    let gateway = world.gateway();
    let unknown = gateway.cancel("6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11").await;
    assert_eq!(unknown.problem(), "order-not-found", "{unknown:?}");
    let bad = gateway.cancel("7").await;
    assert_eq!(bad.problem(), "invalid-order-id", "{bad:?}");
}

fn assert_cancelling(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let outcome = answer.json()["outcome"].clone();
    assert!(
        outcome == "cancelling" || outcome == "cancelled",
        "{answer:?}"
    );
}

fn assert_by_customer(order: &Value) {
    let cancelled = &order["cancelled"];
    assert_eq!(cancelled["code"], "cancelled-by-customer", "{order}");
}
