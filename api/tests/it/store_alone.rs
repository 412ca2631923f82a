//! What is answered from the store, with Temporal away.

use serde_json::{Value, json};
use sqlx::{Connection, Executor};

use crate::support::{TestGateway, problem};

const ORDER: &str = "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";

/// Writes an order as a worker would. Its functions for that are its own.
async fn write_order(gateway: &TestGateway, status: &str, cancel: [&str; 3]) {
    let [step, code, message] = cancel;
    let mut store = sqlx::SqliteConnection::connect(&gateway.store_url)
        .await
        .expect("the store");
    let insert = format!(
        "INSERT INTO orders (order_id, customer_id, flavour, size, quantity, total, \
         discount_percent, status, money, points, cancel_step, cancel_code, cancel_message, \
         version, placed_at_ms, updated_at_ms) VALUES ('{ORDER}', 'guest', 'Hawaiian', 'large', \
         2, 2400, 20, '{status}', 'refunded', 'reclaimed', {step}, {code}, {message}, 5, \
         1763810000123, 1763810001000)"
    );
    store
        .execute(sqlx::AssertSqlSafe(insert))
        .await
        .expect("a row");
}

#[tokio::test]
async fn an_order_is_told_from_the_store_alone() {
    let gateway = TestGateway::start().await;
    write_order(
        &gateway,
        "Cancelled",
        ["'prepareOrder'", "'kitchen-refused'", "'no oven'"],
    )
    .await;
    let answer = gateway.get(&format!("/orders/{ORDER}")).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let mut order: Value = answer.json().await.expect("JSON");
    let age = order["ageSeconds"].take().as_f64();
    assert!(age.is_some_and(|age| age > 0.0), "{age:?}");
    assert_eq!(
        order,
        json!({
            "ageSeconds": null,
            "orderId": ORDER,
            "status": "Cancelled",
            "flavour": "Hawaiian",
            "size": "large",
            "quantity": 2,
            "discountApplied": "20%",
            "discountReason": "You like pineapple, you're one of us!",
            "total": 2400,
            "money": "refunded",
            "points": "reclaimed",
            "cancelled": { "step": "prepareOrder", "code": "kitchen-refused", "message": "no oven" },
            "owed": [],
            "customerId": "guest",
            "version": 5,
            "placedAt": "2025-11-22T11:13:20.123Z",
            "updatedAt": "2025-11-22T11:13:21Z",
        })
    );
}

#[tokio::test]
async fn what_is_owed_is_told_and_what_is_done_is_not() {
    let gateway = TestGateway::start().await;
    write_order(&gateway, "Cancelled", ["NULL", "NULL", "NULL"]).await;
    for (queue, message_type, state) in [
        ("refund-payment", "RefundPaymentFailed", "parked"),
        ("notify-customer", "NotifyCustomerFailed", "discarded"),
        ("add-loyalty-points", "AddLoyaltyPointsFailed", "done"),
    ] {
        write_task(&gateway, queue, message_type, state).await;
    }
    let answer = gateway.get(&format!("/orders/{ORDER}")).await;
    let order: Value = answer.json().await.expect("JSON");
    let owed = |queue: &str, message_type: &str, state: &str| {
        let task_id = format!("failed-{queue}-{ORDER}");
        json!({ "queue": queue, "messageType": message_type, "taskId": task_id, "state": state })
    };
    assert_eq!(
        order["owed"],
        json!([
            owed("notify-customer", "NotifyCustomerFailed", "discarded"),
            owed("refund-payment", "RefundPaymentFailed", "parked"),
        ])
    );
}

/// Writes what became of a parked task, as a worker would.
async fn write_task(gateway: &TestGateway, queue: &str, message_type: &str, state: &str) {
    let mut store = sqlx::SqliteConnection::connect(&gateway.store_url)
        .await
        .expect("the store");
    let insert = format!(
        "INSERT INTO failed_tasks (task_id, order_id, customer_id, queue, message_type, state, \
         parked_at_ms) VALUES ('failed-{queue}-{ORDER}', '{ORDER}', 'guest', '{queue}', \
         '{message_type}', '{state}', 1763810000123)"
    );
    store
        .execute(sqlx::AssertSqlSafe(insert))
        .await
        .expect("a row");
}

#[tokio::test]
async fn an_id_in_capitals_is_the_same_order() {
    let gateway = TestGateway::start().await;
    write_order(&gateway, "Pending", ["NULL", "NULL", "NULL"]).await;
    let answer = gateway
        .get(&format!("/orders/{}", ORDER.to_uppercase()))
        .await;
    let order: Value = answer.json().await.expect("JSON");
    assert_eq!(
        (&order["orderId"], &order["cancelled"]),
        (&json!(ORDER), &Value::Null)
    );
}

/// Only Temporal knows whether an order without a row exists.
#[tokio::test]
async fn without_a_row_nobody_can_tell() {
    let gateway = TestGateway::start().await;
    let answer = problem(gateway.get(&format!("/orders/{ORDER}")).await).await;
    assert_eq!(answer["code"], "temporal-unavailable");
    assert_eq!(answer["instance"], format!("/orders/{ORDER}"));
}

#[tokio::test]
async fn a_row_that_nobody_wrote_is_a_fault_that_is_not_told_about() {
    let gateway = TestGateway::start().await;
    write_order(&gateway, "Eaten", ["NULL", "NULL", "NULL"]).await;
    let answer = problem(gateway.get(&format!("/orders/{ORDER}")).await).await;
    assert_eq!(
        (&answer["status"], &answer["code"]),
        (&json!(500), &json!("internal"))
    );
    assert!(!answer.to_string().contains("Eaten"));
}
