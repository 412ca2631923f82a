//! No Temporal: the gateway lives, says so, and takes no order.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::Connection;
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::support::{TestGateway, problem, temporal_at};

async fn orders_in_store(gateway: &TestGateway) -> i64 {
    let mut store = sqlx::SqliteConnection::connect(&gateway.store_url)
        .await
        .expect("the store");
    sqlx::query_scalar("SELECT COUNT(*) FROM orders")
        .fetch_one(&mut store)
        .await
        .expect("a count")
}

#[tokio::test]
async fn no_order_is_taken() {
    let gateway = TestGateway::start().await;
    for body in ["", "{\"errorOnStep\":100}"] {
        let asked = Instant::now();
        let answer = problem(gateway.post("/orders", body).await).await;
        assert!(asked.elapsed() < Duration::from_secs(5));
        assert_eq!(
            (&answer["status"], &answer["code"]),
            (&json!(503), &json!("temporal-unavailable"))
        );
        // It was never reached, so there is nothing to be unsure about.
        assert!(!answer.to_string().contains("it did not say"), "{answer}");
    }
    assert_eq!(orders_in_store(&gateway).await, 0);
}

/// A server that takes the connection and says nothing holds nobody up.
#[tokio::test]
async fn a_silent_temporal_is_given_up_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let temporal = temporal_at(silent.local_addr().expect("its number"));
    let gateway = TestGateway::with(|gateway| gateway.use_cases.temporal = temporal).await;
    let asked = Instant::now();
    let answer = problem(gateway.post("/orders", "").await).await;
    assert_eq!(answer["code"], "temporal-unavailable");
    let took = asked.elapsed();
    assert!(
        took >= Duration::from_millis(500) && took < Duration::from_secs(5),
        "{took:?}"
    );
}

#[tokio::test]
async fn a_kitchen_report_is_to_be_sent_again() {
    let gateway = TestGateway::start().await;
    let path = "/kitchen/tickets/6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11/events";
    let answer = problem(gateway.cook("post", path, "{\"event\":\"cooked\"}").await).await;
    assert_eq!(answer["code"], "temporal-unavailable");
}

#[tokio::test]
async fn the_gateway_lives_and_is_not_ready() {
    let gateway = TestGateway::start().await;
    assert_eq!(gateway.get("/healthz").await.status(), 200);
    let answer = problem(gateway.get("/readyz").await).await;
    assert_eq!(answer["code"], "not-ready");
    assert_eq!(answer["detail"], "Temporal is away");
}

#[tokio::test]
async fn the_description_is_served() {
    let gateway = TestGateway::start().await;
    let served: Value = gateway
        .get("/openapi.json")
        .await
        .json()
        .await
        .expect("JSON");
    assert_eq!(served["openapi"], "3.1.0");
    assert!(served["paths"]["/orders/{id}"]["get"].is_object());
    assert_eq!(
        served.to_string(),
        serde_json::from_str::<Value>(&pizza_api::openapi_json())
            .expect("JSON")
            .to_string()
    );
}

/// The key that the form of a page carries.
async fn form_key(page: reqwest::Response) -> String {
    let page = page.text().await.expect("a page");
    let (_, after) = page.split_once("name=\"key\" value=\"").expect("a key");
    after.split('"').next().expect("its end").to_owned()
}

#[tokio::test]
async fn an_order_that_is_sent_from_its_page_once_more_keeps_its_key() {
    let gateway = TestGateway::start().await;
    let send = async |fields: &str| {
        let request = gateway.http.post(gateway.url("/shop/orders"));
        let form = ("content-type", "application/x-www-form-urlencoded");
        let request = request.header("accept", "text/html").header(form.0, form.1);
        let body = format!("key=monday&{fields}");
        request.body(body).send().await.expect("an answer")
    };
    let away = send("flavour=plain").await;
    assert_eq!(away.status(), 503);
    assert_eq!(form_key(away).await, "monday");
    // What was refused is another order when it was changed.
    let refused = send("quantity=21").await;
    assert_eq!(refused.status(), 422);
    assert_ne!(form_key(refused).await, "monday");
}
