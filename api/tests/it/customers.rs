//! Who may order, and for whom, where customers have keys.

use pizza_api::proto::menu_service_client::MenuServiceClient;
use pizza_api::proto::order_service_client::OrderServiceClient;
use pizza_api::proto::{GetMenuRequest, PlaceOrderRequest};
use pizza_app::keys::{KeyHash, Role};
use tonic::{Code, Status};

use crate::grpc::{channel, code};
use crate::support::{KITCHEN_KEY, OPERATOR_KEY, TestGateway, problem};

const ANN: &str = "pizza_cu_of-ann";

async fn gateway() -> TestGateway {
    TestGateway::with(|gateway| {
        let hash = KeyHash::of(ANN);
        let added = gateway.keys.add_hash(Role::Customer, "ann", hash);
        added.expect("a key");
    })
    .await
}

/// What becomes of an order: taken as far as Temporal, which is away, or
/// refused.
#[tokio::test]
async fn whoever_holds_a_key_orders_for_themselves_and_an_operator_for_all() {
    let gateway = gateway().await;
    for (key, customer, status, expected) in [
        (None, None, 401, "unauthenticated"),
        (Some("pizza_cu_wrong"), None, 401, "unauthenticated"),
        (Some(KITCHEN_KEY), None, 403, "forbidden"),
        (Some(ANN), Some("ben"), 403, "forbidden"),
        (Some(ANN), Some("guest"), 403, "forbidden"),
        (Some(ANN), Some("no id"), 403, "forbidden"),
        (Some(ANN), None, 503, "temporal-unavailable"),
        (Some(ANN), Some("ann"), 503, "temporal-unavailable"),
        (Some(OPERATOR_KEY), Some("ben"), 503, "temporal-unavailable"),
        (Some(OPERATOR_KEY), None, 503, "temporal-unavailable"),
    ] {
        let name = format!("{key:?} for {customer:?}");
        let bearer = key.map(|key| format!("Bearer {key}"));
        let body = customer.map_or_else(
            || "{}".to_owned(),
            |customer| format!("{{\"customerId\":\"{customer}\"}}"),
        );
        let answer = gateway
            .call("post", "/orders", bearer.as_deref(), &body)
            .await;
        let answer = problem(answer).await;
        assert_eq!(answer["status"], status, "{name}: {answer}");
        assert_eq!(answer["code"], expected, "{name}: {answer}");
        let is_about_customer = key == Some(ANN) && status == 403;
        let field = is_about_customer.then_some("customerId");
        assert_eq!(answer["field"].as_str(), field, "{name}: {answer}");

        let refused = place(&gateway, key, customer).await;
        assert_eq!(code(&refused), expected, "{name}: {refused:?}");
    }
}

async fn place(gateway: &TestGateway, key: Option<&str>, customer: Option<&str>) -> Status {
    let mut request = tonic::Request::new(PlaceOrderRequest {
        customer_id: customer.map(str::to_owned),
        ..PlaceOrderRequest::default()
    });
    if let Some(key) = key {
        let bearer = format!("Bearer {key}").parse().expect("a value");
        request.metadata_mut().insert("authorization", bearer);
    }
    let mut orders = OrderServiceClient::new(channel(gateway).await);
    orders.place_order(request).await.expect_err("refused")
}

/// Whoever has no key learns nothing of what is wrong with the rest.
#[tokio::test]
async fn without_a_key_nothing_else_is_looked_at() {
    let gateway = gateway().await;
    for body in ["{", "{\"errorOnStep\":8}"] {
        let request = gateway
            .http
            .post(gateway.url("/orders"))
            .header("idempotency-key", "not one")
            .body(body);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.headers()["www-authenticate"], "Bearer");
        assert_eq!(problem(answer).await["status"], 401, "{body}");
    }
    let refused = place(&gateway, None, Some("no id")).await;
    assert_eq!(refused.code(), Code::Unauthenticated);
}

/// A key of a customer's is for that customer's requests alone.
#[tokio::test]
async fn an_idempotency_key_is_its_customers() {
    let gateway = gateway().await;
    let post = async |bearer: &str, body: &'static str| {
        let request = gateway
            .http
            .post(gateway.url("/orders"))
            .bearer_auth(bearer)
            .header("idempotency-key", "monday")
            .header("content-type", "application/json")
            .body(body);
        problem(request.send().await.expect("an answer")).await["code"].clone()
    };
    let away = "temporal-unavailable";
    assert_eq!(post(ANN, "{}").await, away);
    assert_eq!(
        post(ANN, "{\"quantity\":2}").await,
        "idempotency-key-reused"
    );
    assert_eq!(post(OPERATOR_KEY, "{\"quantity\":2}").await, away);
    // An operator who orders for a customer does so as that customer.
    let for_ann = "{\"quantity\":2,\"customerId\":\"ann\"}";
    assert_eq!(post(OPERATOR_KEY, for_ann).await, "idempotency-key-reused");
}

#[tokio::test]
async fn the_menu_is_for_everybody() {
    let gateway = gateway().await;
    assert_eq!(gateway.get("/menu").await.status(), 200);
    let mut menus = MenuServiceClient::new(channel(&gateway).await);
    assert!(menus.get_menu(GetMenuRequest {}).await.is_ok());
}
