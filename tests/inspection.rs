//! What the Temporal CLI shows makes sense to an operator.

use serde_json::json;

use crate::harness::{SOON, World, eventually};

#[tokio::test]
async fn an_orders_workflows_are_found_by_its_id_and_by_its_customer() {
    let world = World::shared().await;
    let gateway = world.gateway();
    let id = gateway
        .place(json!({ "customerId": "an-old-friend" }))
        .await;
    gateway.until_ended(&id).await;
    for query in [
        format!("OrderId='{id}'"),
        "CustomerId='an-old-friend'".to_owned(),
    ] {
        let list = eventually(SOON, "all three are listed as ended", async || {
            let list = world
                .cli()
                .temporal(&["workflow", "list", "--query", &query])
                .await;
            (list.matches("Completed").count() == 3).then_some(list)
        })
        .await;
        assert_contains(&list, &[&format!("order-{id}"), "PizzaOrder"]);
        assert_contains(&list, &[&format!("order-{id}-loyalty"), "PizzaLoyalty"]);
        assert_contains(
            &list,
            &[&format!("order-{id}-fulfilment"), "PizzaFulfilment"],
        );
    }
}

#[tokio::test]
async fn an_order_is_described_and_shown_in_words() {
    let world = World::shared().await;
    let gateway = world.gateway();
    let id = gateway
        .place(json!({ "perStepDelaySeconds": 0.1, "size": "large", "quantity": 2 }))
        .await;
    gateway.until_ended(&id).await;
    let order = format!("order-{id}");
    world.final_history(&order).await;
    let cli = world.cli();

    let described = cli
        .temporal(&["workflow", "describe", "--workflow-id", &order])
        .await;
    assert_contains(&described, &[&order, "PizzaOrder", "orders", "COMPLETED"]);
    assert_contains(
        &described,
        &["OrderId", &id, "CustomerId", "guest", "large x 2"],
    );

    let progress = [
        "workflow",
        "query",
        "--workflow-id",
        &order,
        "--type",
        "progress",
    ];
    let progress = cli.temporal(&progress).await;
    assert_contains(&progress, &["DeliveryConfirmed", "charged", "awarded"]);

    let fulfilment = format!("{order}-fulfilment");
    let progress = [
        "workflow",
        "query",
        "--workflow-id",
        &fulfilment,
        "--type",
        "progress",
    ];
    assert_contains(&cli.temporal(&progress).await, &["delivered"]);

    let shown = cli
        .temporal(&["workflow", "show", "--workflow-id", &order])
        .await;
    assert_contains(
        &shown,
        &[
            "ActivityTaskScheduled",
            "TimerStarted",
            "WorkflowExecutionCompleted",
        ],
    );
    let json = world.history(&order).await.decoded.to_string();
    assert_contains(&json, &["processPayment", "pace after PaymentComplete"]);
    let json = world.history(&fulfilment).await.decoded.to_string();
    assert_contains(
        &json,
        &["kitchen deadline", "reportKitchenEvent", "pickedUp"],
    );
}

#[tokio::test]
async fn a_failed_order_says_why_where_one_looks_first() {
    let world = World::shared().await;
    let gateway = world.gateway();
    let id = gateway.place(json!({ "errorOnStep": 2 })).await;
    gateway.until_ended(&id).await;
    let order = format!("order-{id}");
    world.final_history(&order).await;
    let described = world
        .cli()
        .temporal(&["workflow", "describe", "--workflow-id", &order])
        .await;
    assert_contains(
        &described,
        &["FAILED", "processPayment", "payment-declined"],
    );
    let shown = world
        .cli()
        .temporal(&["workflow", "show", "--workflow-id", &order])
        .await;
    assert_contains(&shown, &["processPayment failed: the payment was declined"]);
}

#[tokio::test]
async fn the_failure_queues_are_listed_counted_and_asked() {
    let world = World::shared().await;
    let gateway = world.gateway();
    let id = gateway.place(json!({ "errorOnStep": 6 })).await;
    gateway.until_ended(&id).await;
    let task = format!("failed-refund-payment-{id}");
    let cli = world.cli();

    let waiting = "FailureQueue='refund-payment' AND ExecutionStatus='Running'";
    let list = eventually(SOON, "the parked refund is listed", async || {
        let list = cli
            .temporal(&["workflow", "list", "--query", waiting])
            .await;
        list.contains(&task).then_some(list)
    })
    .await;
    assert_contains(&list, &["Running", "FailedTask"]);
    let counted = cli
        .temporal(&["workflow", "count", "--query", waiting])
        .await;
    let digits: String = counted.chars().filter(char::is_ascii_digit).collect();
    assert!(digits.parse::<u64>().expect("a number") >= 1, "{counted}");
    let by_type = "FailureType='RefundPaymentFailed'";
    assert_contains(
        &cli.temporal(&["workflow", "list", "--query", by_type])
            .await,
        &[&task],
    );

    let described = cli
        .temporal(&["workflow", "describe", "--workflow-id", &task])
        .await;
    assert_contains(
        &described,
        &["FailedTask", "failures", "refund-payment", &id],
    );
    assert_contains(
        &described,
        &["RefundPaymentFailed: refund-failed after 6 attempts"],
    );

    let ask = [
        "workflow",
        "query",
        "--workflow-id",
        &task,
        "--type",
        "task",
    ];
    let asked = cli.temporal(&ask).await;
    for part in [
        "RefundPaymentFailed",
        "refund-payment",
        "refundPayment",
        "the payment provider did not refund",
        "reclaimLoyaltyPoints",
        &id,
    ] {
        assert_contains(&asked, &[part]);
    }
}

/// Each part stands in the text.
fn assert_contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}
