//! A kitchen may say no at any stage.

use serde_json::json;

use pizza_api::proto::ReportKitchenEventRequest;
use pizza_api::proto::kitchen_service_client::KitchenServiceClient;

use super::{WAY, come_so_far, report_at_last, with_id};
use crate::harness::grpc::{Grpc, as_kitchen};
use crate::harness::recording::record_if_wanted;
use crate::harness::{LATER, World, eventually};

#[tokio::test]
async fn a_rejection_at_any_stage_is_rolled_back_and_the_customer_hears_the_reason() {
    let world = World::shared_without_kitchen().await;
    let gateway = world.gateway();
    for reports in 0..WAY.len() {
        let id = eventually(LATER, "an order comes so far in time", async || {
            come_so_far(&gateway, reports).await
        })
        .await;
        let reason = format!("no dough is left after {reports} reports: désolé");
        let rejection = json!({ "event": "rejected", "reportId": "no", "reason": reason });
        let answer = report_at_last(&gateway, &id, &rejection).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["outcome"], "taken", "{answer:?}");
        assert_eq!(answer.json()["status"], "Refunding", "{answer:?}");

        let order = world.finished(&id).await;
        let branch = format!("order-{id}-fulfilment");
        record_if_wanted(&world, "rejected.fulfilment", &branch).await;
        assert_eq!(order["status"], "Cancelled", "{order}");
        assert_eq!(order["money"], "refunded", "{order}");
        assert_eq!(order["points"], "reclaimed", "{order}");
        let why = json!({
            "step": "processOrder", "code": "kitchen-rejected", "message": reason,
        });
        assert_eq!(order["cancelled"], why, "{order}");
        let account = world.books().await.account(&id).await;
        account.assert_legal();
        assert_eq!(account.payment_kinds(), ["charge", "refund"]);
        assert_eq!(account.points_left(), 0);
        let [told] = &account.notifications[..] else {
            panic!("the customer hears once: {account:?}");
        };
        assert!(told.contains(&reason), "{told}");

        let again = gateway.report_all(&id, &rejection).await;
        assert_eq!(again.status, 200, "{again:?}");
        assert_eq!(again.json()["outcome"], "repeated", "{again:?}");
        let late = gateway.report_all(&id, &with_id("delivered")).await;
        assert_eq!(late.status, 409, "{late:?}");
        assert_eq!(late.problem(), "kitchen-report-late");
        assert_eq!(late.json()["orderStatus"], "Cancelled", "{late:?}");
    }
}

#[tokio::test]
async fn the_command_line_reports_as_a_kitchen_does() {
    let world = World::shared_without_kitchen().await;
    let gateway = world.gateway();
    let id = gateway.place_accepted(json!({})).await;
    let cooked = world.cli().ok(&["report", &id, "cooked"]).await;
    assert_eq!(cooked, "cooked taken: CookingCompleted\n");
    let late = world.cli().pizza(&["report", &id, "delivered"]).await;
    assert_eq!(late.code, Some(1), "{late:?}");
    let reject = ["report", &id, "rejected", "--reason", "it fell", "--json"];
    let output = world.cli().pizza(&reject).await;
    assert_eq!(output.json_lines()[0]["outcome"], "taken", "{output:?}");
    let order = world.finished(&id).await;
    assert_eq!(order["cancelled"]["message"], "it fell", "{order}");
}

#[tokio::test]
async fn a_rejection_without_a_reason_and_over_grpc_is_one_too() {
    let world = World::shared_without_kitchen().await;
    let gateway = world.gateway();
    let id = gateway.place_accepted(json!({})).await;
    let channel = Grpc::connect(world.gateway_url()).await.channel;
    let mut kitchen = KitchenServiceClient::new(channel);
    let mut report = ReportKitchenEventRequest {
        ticket_id: id.clone(),
        // Rejected.
        event: 5,
        report_id: Some("no".to_owned()),
        reason: Some("a fire".to_owned()),
    };
    // Only what does not come has a reason.
    report.event = 1;
    let refused = kitchen.report_kitchen_event(as_kitchen(report.clone()));
    let refused = refused.await.expect_err("there is a reason");
    let field = refused.metadata().get("pizza-error-field");
    assert_eq!(field.expect("a field"), "reason");
    report.event = 5;
    report.reason = None;
    let taken = kitchen.report_kitchen_event(as_kitchen(report.clone()));
    assert!(!taken.await.expect("taken").into_inner().repeated);
    let order = world.finished(&id).await;
    assert_eq!(order["cancelled"]["code"], "kitchen-rejected", "{order}");
    let message = &order["cancelled"]["message"];
    assert_eq!(message, "the kitchen gave no reason", "{order}");
    let again = kitchen.report_kitchen_event(as_kitchen(report));
    assert!(again.await.expect("answered").into_inner().repeated);
}
