//! The failure queues over HTTP, with Temporal away: what operators get wrong,
//! and what gets as far as Temporal.

use serde_json::{Value, json};

use crate::support::{TestGateway, problem};

const TASK: &str = "/failures/failed-refund-payment-6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";
const ORDER: &str = "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";
const POLICY: &str = "/failure-queues/refund-payment/policy";
const BULK: &str = "/failures/bulk";
const OPERATION: &str = "/failures/bulk/6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";

/// A call, and what is wrong with it.
type Refusal<'a> = (&'a str, &'a str, Value, u16, &'a str, Option<&'a str>);

async fn refused(calls: &[Refusal<'_>]) {
    let gateway = TestGateway::start().await;
    for (method, path, body, status, code, field) in calls {
        let body = match body {
            Value::Null => String::new(),
            // What is no JSON.
            Value::String(text) => text.clone(),
            body => body.to_string(),
        };
        let answer = problem(gateway.operate(method, path, &body).await).await;
        let name = format!("{method} {path} {body}: {answer}");
        assert_eq!(answer["status"], *status, "{name}");
        assert_eq!(answer["code"], *code, "{name}");
        assert_eq!(answer["field"].as_str(), *field, "{name}");
    }
}

fn value(path: &str, field: &'static str) -> (String, u16, &'static str, &'static str) {
    (path.to_owned(), 422, "invalid-value", field)
}

#[tokio::test]
async fn bad_queries_are_refused() {
    let range = |path: &str, field| (path.to_owned(), 422, "out-of-range", field);
    let long = "x".repeat(129);
    let mut queries = vec![
        value("queue=refunds", "queue"),
        value("queue=", "queue"),
        value("messageType=refund-payment", "messageType"),
        value("errorCode=", "errorCode"),
        value(&format!("errorCode={long}"), "errorCode"),
        value("errorCode=a%0Ab", "errorCode"),
        value("customerId=a%20b", "customerId"),
        value("state=waiting", "state"),
        value("cursor=", "cursor"),
        value("cursor=*", "cursor"),
        range("olderThanSeconds=-1", "olderThanSeconds"),
        range("newerThanSeconds=315360001", "newerThanSeconds"),
        range("limit=0", "limit"),
        range("limit=101", "limit"),
    ];
    queries.push(("orderId=1".to_owned(), 400, "invalid-order-id", "orderId"));
    let gateway = TestGateway::start().await;
    for (query, status, code, field) in queries {
        let answer = gateway
            .operate("GET", &format!("/failures?{query}"), "")
            .await;
        let answer = problem(answer).await;
        assert_eq!(
            (&answer["status"], &answer["code"], &answer["field"]),
            (&status.into(), &code.into(), &field.into()),
            "{query}"
        );
    }
    for (query, code) in [
        ("limit=a", "invalid-type"),
        ("olderThanSeconds=1.5", "invalid-type"),
        ("Queue=refund-payment", "unknown-field"),
        ("depth=1", "unknown-field"),
        ("state=open&state=done", "duplicate-field"),
    ] {
        let answer = gateway
            .operate("GET", &format!("/failures?{query}"), "")
            .await;
        assert_eq!(problem(answer).await["code"], code, "{query}");
    }
}

#[tokio::test]
async fn bad_redrives_are_refused() {
    let redrive = &format!("{TASK}/redrive");
    let call = |body, status, code, field| ("POST", redrive.as_str(), body, status, code, field);
    refused(&[
        call(json!("{"), 400, "invalid-json", None),
        call(json!([]), 400, "invalid-json", None),
        call(json!({"reason": null}), 400, "invalid-type", Some("reason")),
        call(json!({"reason": 3}), 400, "invalid-type", Some("reason")),
        call(json!({"input": "x"}), 400, "invalid-type", Some("input")),
        call(json!({"input": []}), 400, "invalid-type", Some("input")),
        call(json!({"input": null}), 400, "invalid-type", Some("input")),
        call(
            json!({"originalInput": 1}),
            400,
            "invalid-type",
            Some("originalInput"),
        ),
        call(
            json!(r#"{"input":{"amount":1,"amount":2}}"#),
            400,
            "duplicate-field",
            Some("input.amount"),
        ),
        call(
            json!({"principal": "bob"}),
            422,
            "unknown-field",
            Some("principal"),
        ),
        call(json!({"reason": ""}), 422, "invalid-value", Some("reason")),
        call(
            json!({"reason": "x".repeat(501)}),
            422,
            "invalid-value",
            Some("reason"),
        ),
        call(
            json!({"reason": "a\u{7}b"}),
            422,
            "invalid-value",
            Some("reason"),
        ),
        call(
            json!({"input": {}, "originalInput": true}),
            422,
            "invalid-value",
            Some("originalInput"),
        ),
    ])
    .await;
}

#[tokio::test]
async fn bad_discards_are_refused() {
    let discard = &format!("{TASK}/discard");
    let call = |body, status, code| ("POST", discard.as_str(), body, status, code, Some("reason"));
    refused(&[
        call(Value::Null, 422, "missing-field"),
        call(json!({}), 422, "missing-field"),
        call(json!({"reason": true}), 400, "invalid-type"),
        call(json!({"reason": " "}), 422, "invalid-value"),
    ])
    .await;
}

#[tokio::test]
async fn bad_policies_are_refused() {
    let policy = |name: &str, value: Value| {
        let mut policy = json!({
            "firstWaitSeconds": 1, "backoff": 2, "longestWaitSeconds": 60,
            "maxAttempts": 10, "maxAgeSeconds": 3600,
        });
        policy[name] = value;
        json!({ "autoRedrive": policy })
    };
    let call = |body, status, code, field| ("PUT", POLICY, body, status, code, Some(field));
    let range = |name, value, field| call(policy(name, value), 422, "out-of-range", field);
    refused(&[
        call(json!({}), 422, "missing-field", "autoRedrive"),
        call(
            json!({"autoRedrive": true}),
            400,
            "invalid-type",
            "autoRedrive",
        ),
        call(
            json!({"autoRedrive": {}}),
            422,
            "missing-field",
            "autoRedrive.firstWaitSeconds",
        ),
        call(
            json!({"autoRedrive": null, "reason": ""}),
            422,
            "invalid-value",
            "reason",
        ),
        call(
            policy("jitter", json!(1)),
            422,
            "unknown-field",
            "autoRedrive.jitter",
        ),
        call(
            policy("backoff", json!("2")),
            400,
            "invalid-type",
            "autoRedrive.backoff",
        ),
        call(
            policy("maxAttempts", json!(1.5)),
            400,
            "invalid-type",
            "autoRedrive.maxAttempts",
        ),
        range(
            "firstWaitSeconds",
            json!(0.09),
            "autoRedrive.firstWaitSeconds",
        ),
        range(
            "firstWaitSeconds",
            json!(-1),
            "autoRedrive.firstWaitSeconds",
        ),
        range("backoff", json!(0.9), "autoRedrive.backoff"),
        range(
            "longestWaitSeconds",
            json!(0.5),
            "autoRedrive.longestWaitSeconds",
        ),
        range("maxAttempts", json!(0), "autoRedrive.maxAttempts"),
        range(
            "maxAttempts",
            json!(4_294_967_297_i64),
            "autoRedrive.maxAttempts",
        ),
        range("maxAgeSeconds", json!(0), "autoRedrive.maxAgeSeconds"),
        range(
            "maxAgeSeconds",
            json!(315_360_001),
            "autoRedrive.maxAgeSeconds",
        ),
    ])
    .await;
}

#[tokio::test]
async fn bad_bulk_operations_are_refused() {
    let call = |body, status, code, field| ("POST", BULK, body, status, code, Some(field));
    refused(&[
        call(json!({"all": true}), 422, "missing-field", "action"),
        call(
            json!({"action": "delete", "all": true}),
            422,
            "invalid-value",
            "action",
        ),
        call(json!({"action": "redrive"}), 422, "missing-field", "all"),
        call(
            json!({"action": "redrive", "all": false}),
            422,
            "missing-field",
            "all",
        ),
        call(
            json!({"action": "redrive", "all": true, "queue": "refund-payment"}),
            422,
            "invalid-value",
            "all",
        ),
        call(
            json!({"action": "redrive", "queue": "refunds"}),
            422,
            "invalid-value",
            "queue",
        ),
        call(
            json!({"action": "redrive", "orderId": "1"}),
            400,
            "invalid-order-id",
            "orderId",
        ),
        call(
            json!({"action": "redrive", "olderThanSeconds": 1.5}),
            400,
            "invalid-type",
            "olderThanSeconds",
        ),
        call(
            json!({"action": "discard", "all": true}),
            422,
            "missing-field",
            "reason",
        ),
        call(
            json!({"action": "redrive", "all": true, "ratePerSecond": 0}),
            422,
            "out-of-range",
            "ratePerSecond",
        ),
        call(
            json!({"action": "redrive", "all": true, "ratePerSecond": 101, "dryRun": true}),
            422,
            "out-of-range",
            "ratePerSecond",
        ),
        call(
            json!({"action": "redrive", "all": true, "dryRun": "no"}),
            400,
            "invalid-type",
            "dryRun",
        ),
        call(
            json!({"action": "redrive", "all": true, "limit": 3}),
            422,
            "unknown-field",
            "limit",
        ),
    ])
    .await;
}

/// Temporal is not asked about what cannot be there.
#[tokio::test]
async fn what_cannot_be_there_is_not_found() {
    let id = "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";
    let call = |method: &'static str, path, code| -> Refusal<'_> {
        let body = match method {
            "PUT" => json!({"autoRedrive": null}),
            "POST" => json!({"reason": "x"}),
            _ => Value::Null,
        };
        (method, path, body, 404, code, None)
    };
    let order = format!("/failures/order-{id}");
    let redrive_order = format!("/failures/order-{id}/redrive");
    let discard_order = format!("/failures/order-{id}/discard");
    refused(&[
        call("GET", order.as_str(), "failure-not-found"),
        call("POST", redrive_order.as_str(), "failure-not-found"),
        call("POST", discard_order.as_str(), "failure-not-found"),
        call("GET", "/failures/%ff", "failure-not-found"),
        call("GET", "/failures/bulk/1", "bulk-not-found"),
        call(
            "GET",
            "/failure-queues/refunds/policy",
            "failure-queue-not-found",
        ),
        call(
            "PUT",
            "/failure-queues/refunds/policy",
            "failure-queue-not-found",
        ),
        (
            "POST",
            "/failures/bulk/1/stop",
            Value::Null,
            404,
            "bulk-not-found",
            None,
        ),
        ("GET", "/failures/", Value::Null, 404, "not-found", None),
        ("GET", BULK, Value::Null, 405, "method-not-allowed", None),
        ("DELETE", TASK, Value::Null, 405, "method-not-allowed", None),
    ])
    .await;
}

#[tokio::test]
async fn a_bad_idempotency_key_is_refused() {
    let gateway = TestGateway::start().await;
    let long = "x".repeat(65);
    for path in [
        format!("{TASK}/redrive"),
        format!("{TASK}/discard"),
        BULK.to_owned(),
    ] {
        for (keys, code) in [
            (&[""][..], "invalid-value"),
            (&["a b"], "invalid-value"),
            (&[long.as_str()], "invalid-value"),
            (&["a", "a"], "duplicate-field"),
        ] {
            let mut request = gateway.http.post(gateway.url(&path));
            request = request.bearer_auth(crate::support::OPERATOR_KEY);
            for key in keys {
                request = request.header("idempotency-key", *key);
            }
            let answer = problem(request.send().await.expect("an answer")).await;
            assert_eq!(answer["code"], code, "{path} {keys:?}");
            assert_eq!(answer["field"], "Idempotency-Key", "{path} {keys:?}");
        }
    }
}

#[tokio::test]
async fn good_calls_get_as_far_as_temporal() {
    let gateway = TestGateway::start().await;
    let policy = json!({"autoRedrive": {
        "firstWaitSeconds": 0.1, "backoff": 1, "longestWaitSeconds": 2_592_000,
        "maxAttempts": 1000, "maxAgeSeconds": 315_360_000,
    }, "reason": "é"});
    let filter = "queue=refund-payment&messageType=RefundPaymentFailed&errorCode=a'b\
                  &olderThanSeconds=0&newerThanSeconds=315360000&customerId=guest&state=done\
                  &orderId=6F1B6C1E-3A0A-4C55-8A55-0D9F6F0E9B11&limit=100";
    let list = format!("/failures?{filter}");
    let redrive = format!("{TASK}/redrive");
    let discard = format!("{TASK}/discard");
    let stop = format!("{OPERATION}/stop");
    for (method, path, body) in [
        ("GET", "/failure-queues", Value::Null),
        ("GET", "/failures", Value::Null),
        ("GET", &list, Value::Null),
        ("GET", TASK, Value::Null),
        ("POST", &redrive, Value::Null),
        (
            "POST",
            &redrive,
            json!({"reason": "again", "originalInput": true}),
        ),
        ("POST", &redrive, json!({"input": {"amount": 1}})),
        ("POST", &discard, json!({"reason": "paid by hand"})),
        ("GET", POLICY, Value::Null),
        ("PUT", POLICY, policy),
        ("PUT", POLICY, json!({"autoRedrive": null})),
        (
            "POST",
            BULK,
            json!({"action": "redrive", "all": true, "dryRun": true}),
        ),
        (
            "POST",
            BULK,
            json!({"action": "discard", "all": true, "dryRun": true}),
        ),
        (
            "POST",
            BULK,
            json!({"action": "redrive", "olderThanSeconds": 0}),
        ),
        (
            "POST",
            BULK,
            json!({"action": "discard", "orderId": ORDER, "reason": "x"}),
        ),
        ("GET", OPERATION, Value::Null),
        ("POST", &stop, Value::Null),
    ] {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let answer = problem(gateway.operate(method, path, &body).await).await;
        let name = format!("{method} {path} {body}: {answer}");
        assert_eq!(answer["code"], "temporal-unavailable", "{name}");
    }
}
