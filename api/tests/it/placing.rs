//! Placing under a key of the client's own, the menu, and simulated errors,
//! without a Temporal.

use std::sync::Arc;

use pizza_api::proto::menu_service_client::MenuServiceClient;
use pizza_api::proto::order_service_client::OrderServiceClient;
use pizza_api::proto::place_order_request::ErrorOnStep;
use pizza_api::proto::{GetMenuRequest, PlaceOrderRequest, PlaceOrderResponse};
use pizza_domain::{Menu, MenuItem, Money, Pace, Prices};
use pizza_store::StoreOptions;
use reqwest::Response;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, SqliteConnection};
use tonic::{Code, Status};

use crate::grpc::{channel, code};
use crate::support::{TestGateway, problem};

async fn post(gateway: &TestGateway, keys: &[&str], body: &Value) -> Response {
    let mut request = gateway.http.post(gateway.url("/orders")).json(body);
    for key in keys {
        request = request.header("idempotency-key", *key);
    }
    request.send().await.expect("an answer")
}

async fn call(
    gateway: &TestGateway,
    keys: &[&'static str],
    message: PlaceOrderRequest,
) -> Result<PlaceOrderResponse, Status> {
    let mut request = tonic::Request::new(message);
    for key in keys {
        let key = key.parse().expect("a value");
        request.metadata_mut().append("idempotency-key", key);
    }
    let mut orders = OrderServiceClient::new(channel(gateway).await);
    orders.place_order(request).await.map(|it| it.into_inner())
}

async fn store(gateway: &TestGateway) -> SqliteConnection {
    SqliteConnection::connect(&gateway.store_url)
        .await
        .expect("the store")
}

async fn count(gateway: &TestGateway, table: &str) -> i64 {
    let query = AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
    sqlx::query_scalar(query)
        .fetch_one(&mut store(gateway).await)
        .await
        .expect("a count")
}

/// Writes an order's record, as a worker does.
async fn write_order(store: &mut SqliteConnection, id: &str) {
    let insert = format!(
        "INSERT INTO orders (order_id, customer_id, flavour, size, quantity, total, \
         discount_percent, status, money, points, version, placed_at_ms, updated_at_ms) \
         VALUES ('{id}', 'guest', 'plain', 'medium', 1, 1200, 0, 'Pending', 'notCharged', \
         'none', 1, 1, 1)"
    );
    store.execute(AssertSqlSafe(insert)).await.expect("a row");
}

/// The ids that are kept under a key.
async fn kept_ids(gateway: &TestGateway, key: &str) -> Vec<String> {
    let ids: String =
        sqlx::query_scalar("SELECT order_ids FROM idempotency_keys WHERE idempotency_key = $1")
            .bind(key)
            .fetch_one(&mut store(gateway).await)
            .await
            .expect("a row");
    ids.split(' ').map(str::to_owned).collect()
}

#[tokio::test]
async fn a_key_that_is_none_is_refused_by_its_name() {
    let gateway = TestGateway::start().await;
    let long = "x".repeat(65);
    for (keys, status, expected) in [
        (&["a", "b"][..], 400, "duplicate-field"),
        (&["a", "a"], 400, "duplicate-field"),
        (&[""], 422, "invalid-value"),
        (&["a b"], 422, "invalid-value"),
        (&["a,b"], 422, "invalid-value"),
        (&["\u{e9}"], 422, "invalid-value"),
        (&[&long], 422, "invalid-value"),
    ] {
        let answer = problem(post(&gateway, keys, &json!({})).await).await;
        assert_eq!(answer["status"], status, "{keys:?}: {answer}");
        assert_eq!(answer["code"], expected, "{keys:?}: {answer}");
        assert_eq!(answer["field"], "Idempotency-Key", "{keys:?}: {answer}");
    }
    for (keys, expected) in [
        (&["a", "b"][..], "duplicate-field"),
        (&[""], "invalid-value"),
        (&["a b"], "invalid-value"),
    ] {
        let refused = call(&gateway, keys, PlaceOrderRequest::default()).await;
        let refused = refused.expect_err("refused");
        assert_eq!(refused.code(), Code::InvalidArgument, "{keys:?}");
        assert_eq!(code(&refused), expected, "{keys:?}");
        let field = refused.metadata().get("pizza-error-field");
        assert_eq!(field.expect("a field"), "Idempotency-Key", "{keys:?}");
    }
    assert_eq!(count(&gateway, "idempotency_keys").await, 0);
}

/// Spelled out or not, over HTTP or gRPC: it is the same request.
#[tokio::test]
async fn a_key_is_for_one_request_of_one_customer() {
    let gateway = TestGateway::start().await;
    let spelled_out = json!({
        "flavour": " plain ", "size": "medium", "quantity": 1, "customerId": "guest",
        "perStepDelaySeconds": 0.0, "errorOnStep": "none",
    });
    for body in [json!({}), spelled_out] {
        for key in ["monday", "\"monday\""] {
            let answer = problem(post(&gateway, &[key], &body).await).await;
            assert_eq!(answer["code"], "temporal-unavailable", "{body}");
        }
    }
    let same = PlaceOrderRequest {
        error_on_step: Some(ErrorOnStep::ErrorOnStepNumber(0)),
        ..PlaceOrderRequest::default()
    };
    let away = call(&gateway, &["monday"], same).await.expect_err("away");
    assert_eq!(code(&away), "temporal-unavailable");
    assert_eq!(count(&gateway, "idempotency_keys").await, 1);

    for body in [
        json!({ "flavour": "Plain" }),
        json!({ "size": "small" }),
        json!({ "quantity": 2 }),
        json!({ "perStepDelaySeconds": 0.001 }),
        json!({ "errorOnStep": 1 }),
        json!({ "errorOnStep": 100 }),
    ] {
        let answer = problem(post(&gateway, &["monday"], &body).await).await;
        assert_eq!(answer["status"], 422, "{body}");
        assert_eq!(answer["code"], "idempotency-key-reused", "{body}");
        assert_eq!(answer["field"], "Idempotency-Key", "{body}");
    }
    let other = PlaceOrderRequest {
        quantity: Some(2),
        ..PlaceOrderRequest::default()
    };
    let reused = call(&gateway, &["monday"], other)
        .await
        .expect_err("reused");
    assert_eq!(reused.code(), Code::InvalidArgument);
    assert_eq!(code(&reused), "idempotency-key-reused");

    let anothers = json!({ "customerId": "ben", "quantity": 2 });
    let answer = problem(post(&gateway, &["monday"], &anothers).await).await;
    assert_eq!(answer["code"], "temporal-unavailable");
    assert_eq!(count(&gateway, "idempotency_keys").await, 2);
    assert_eq!(count(&gateway, "orders").await, 0);
}

/// However it is written.
#[tokio::test]
async fn what_is_compared_under_a_key_is_what_was_asked_for_and_not_how() {
    let gateway = TestGateway::start().await;
    for body in [
        r#"{"flavour":"Jalape\u00f1o","quantity":2,"perStepDelaySeconds":1}"#,
        r#" { "perStepDelaySeconds" : 1.0, "quantity":2,"flavour":"\u004aalapeño" }"#,
        r#"{"size":"medium","flavour":" Jalapeño ","perStepDelaySeconds":10e-1,"quantity":2}"#,
        r#"{"errorOnStep":0,"flavour":"Jalapeño","perStepDelaySeconds":1,"quantity":2}"#,
        r#"{"errorOnStep":0.0,"flavour":"Jalapeño","perStepDelaySeconds":1,"quantity":2.0}"#,
        r#"{"flavour":"Jalapen\u0303o","perStepDelaySeconds":1,"quantity":20e-1}"#,
    ] {
        let request = gateway.http.post(gateway.url("/orders"));
        let request = request.header("content-type", "application/json");
        let request = request.header("idempotency-key", "monday").body(body);
        let answer = problem(request.send().await.expect("an answer")).await;
        assert_eq!(answer["code"], "temporal-unavailable", "{body}");
    }
    assert_eq!(count(&gateway, "idempotency_keys").await, 1);
    assert_eq!(kept_ids(&gateway, "monday").await.len(), 1);
    for other in ["jalapeño", "Jalapeno", "Jalape\u{F1}\u{303}o"] {
        let body = json!({ "flavour": other, "perStepDelaySeconds": 1, "quantity": 2 });
        let answer = problem(post(&gateway, &["monday"], &body).await).await;
        assert_eq!(answer["code"], "idempotency-key-reused", "{other}");
    }
}

/// It kept a flavour as it was sent.
#[tokio::test]
async fn what_a_version_of_before_kept_under_a_key_is_the_same_request_when_it_comes_again() {
    let gateway = TestGateway::start().await;
    let id = "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";
    // Of ["Jalapen\u{303}o","medium",1,0,["none"]].
    let kept = format!(
        "INSERT INTO idempotency_keys VALUES ('guest', 'monday', \
         '875f0c53cab1d3c78038a85769bff656f60cd873e935fabe3516b76b4f46a973', '{id}', 1763810000123)"
    );
    let written = store(&gateway).await.execute(AssertSqlSafe(kept)).await;
    written.expect("a row");
    let again = json!({ "flavour": "Jalapen\u{303}o" });
    let answer = problem(post(&gateway, &["monday"], &again).await).await;
    assert_eq!(answer["code"], "temporal-unavailable", "{answer}");
    assert_eq!(kept_ids(&gateway, "monday").await, [id]);
}

/// What the gateway's settings allow now is asked of new orders alone.
#[tokio::test]
async fn a_key_finds_its_orders_whatever_the_gateway_allows_by_now() {
    let gateway = TestGateway::start().await;
    let all = json!({ "errorOnStep": "ALL", "perStepDelaySeconds": 1.6 });
    let away = problem(post(&gateway, &["monday"], &all).await).await;
    assert_eq!(away["code"], "temporal-unavailable");
    let ids = kept_ids(&gateway, "monday").await;
    let mut store = store(&gateway).await;
    for id in &ids {
        write_order(&mut store, id).await;
    }

    let options = StoreOptions::new(gateway.store_url.clone());
    let strict = TestGateway::on(options, |gateway| {
        let settings = &mut gateway.use_cases.settings;
        settings.fault_injection = false;
        settings.longest_pace = Pace::from_seconds(1.5).expect("in range");
    })
    .await;
    let answer = post(&strict, &["monday"], &all).await;
    assert_eq!(answer.status(), 201);
    let answer: Value = answer.json().await.expect("JSON");
    assert_eq!(answer["orderId"], ids[0]);
    assert_eq!(answer["orders"].as_array().map(Vec::len), Some(8));
    let refused =
        problem(post(&strict, &["tuesday"], &json!({ "errorOnStep": "ALL" })).await).await;
    assert_eq!(refused["code"], "fault-injection-disabled");
    for (key, seconds) in [(&["tuesday"][..], 1.6), (&[], 1.6), (&[], 3601.0)] {
        let slow = json!({ "perStepDelaySeconds": seconds });
        let refused = problem(post(&strict, key, &slow).await).await;
        assert_eq!(refused["code"], "out-of-range", "{refused}");
        let told = "perStepDelaySeconds must be a number from 0 to 1.5";
        assert_eq!(refused["detail"], told);
    }
    let reused = json!({ "errorOnStep": 1 });
    let reused = problem(post(&strict, &["monday"], &reused).await).await;
    assert_eq!(reused["code"], "idempotency-key-reused");
    assert_eq!(count(&gateway, "idempotency_keys").await, 1);
}

/// However long ago, and although Temporal cannot be asked.
#[tokio::test]
async fn an_order_that_has_its_record_was_placed() {
    let gateway = TestGateway::start().await;
    let all = json!({ "errorOnStep": "ALL" });
    let away = problem(post(&gateway, &["monday"], &all).await).await;
    assert_eq!(away["code"], "temporal-unavailable");
    let ids = kept_ids(&gateway, "monday").await;
    assert_eq!(ids.len(), 8);
    let mut store = store(&gateway).await;
    for id in &ids {
        let again = problem(post(&gateway, &["monday"], &all).await).await;
        assert_eq!(again["code"], "temporal-unavailable");
        write_order(&mut store, id).await;
    }
    let answer = post(&gateway, &["monday"], &all).await;
    assert_eq!(answer.status(), 201);
    let placed: Value = answer.json().await.expect("JSON");
    assert_eq!(placed["orderId"], ids[0]);
    let orders = placed["orders"].as_array().expect("orders");
    let placed: Vec<_> = orders.iter().map(|it| it["orderId"].clone()).collect();
    assert_eq!(placed, ids);
}

#[tokio::test]
async fn errors_are_simulated_only_where_that_was_said() {
    let gateway =
        TestGateway::with(|gateway| gateway.use_cases.settings.fault_injection = false).await;
    for step in [json!(1), json!(100), json!("refundPayment"), json!("ALL")] {
        let body = json!({ "errorOnStep": step });
        let answer = problem(post(&gateway, &["monday"], &body).await).await;
        assert_eq!(answer["status"], 403, "{step}");
        assert_eq!(answer["code"], "fault-injection-disabled", "{step}");
        assert_eq!(answer["field"], "errorOnStep", "{step}");
    }
    let message = PlaceOrderRequest {
        error_on_step: Some(ErrorOnStep::ErrorOnStepNumber(7)),
        ..PlaceOrderRequest::default()
    };
    let refused = call(&gateway, &[], message).await.expect_err("refused");
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(code(&refused), "fault-injection-disabled");
    assert_eq!(count(&gateway, "idempotency_keys").await, 0);
    // What no gateway takes is named as such.
    let wrong = problem(post(&gateway, &[], &json!({ "errorOnStep": 8 })).await).await;
    assert_eq!(wrong["code"], "out-of-range");
    for body in [
        json!({ "errorOnStep": 0 }),
        json!({ "errorOnStep": "none", "perStepDelaySeconds": 0.5 }),
    ] {
        let answer = problem(post(&gateway, &[], &body).await).await;
        assert_eq!(answer["code"], "temporal-unavailable", "{body}");
    }
}

#[tokio::test]
async fn the_menu_is_told_with_its_discounts() {
    let prices = |medium| Prices {
        medium: Money::from_minor(medium),
        ..Prices::FIRST
    };
    let item = |flavour: &str, medium| MenuItem {
        flavour: flavour.parse().expect("a flavour"),
        prices: prices(medium),
    };
    let items = vec![item("plain", 1100), item("Hawaiian", 1250)];
    let menu = Menu::new(items, prices(1400)).expect("a menu");
    let gateway =
        TestGateway::with(|gateway| gateway.use_cases.settings.menu = Arc::new(menu)).await;
    let told: Value = gateway.get("/menu").await.json().await.expect("JSON");
    let prices = |medium: i64| json!({ "small": 900, "medium": medium, "large": 1500 });
    let reason = "You like pineapple, you're one of us!";
    assert_eq!(
        told,
        json!({
            "unit": "minor",
            "flavours": [
                { "flavour": "plain", "prices": prices(1100),
                  "discountPercent": 0, "discountReason": null },
                { "flavour": "Hawaiian", "prices": prices(1250),
                  "discountPercent": 20, "discountReason": reason },
            ],
            "custom": prices(1400),
        })
    );

    let mut menus = MenuServiceClient::new(channel(&gateway).await);
    let told = menus.get_menu(GetMenuRequest {}).await.expect("a menu");
    let told = told.into_inner();
    let [plain, hawaiian] = &told.flavours[..] else {
        panic!("{told:?}");
    };
    assert_eq!((&*plain.flavour, &*hawaiian.flavour), ("plain", "Hawaiian"));
    assert_eq!(plain.prices.expect("prices").medium_minor, 1100);
    assert_eq!((plain.discount_percent, hawaiian.discount_percent), (0, 20));
    assert_eq!(plain.discount_reason, None);
    assert_eq!(hawaiian.discount_reason.as_deref(), Some(reason));
    assert_eq!(told.custom.expect("prices").medium_minor, 1400);
}
