//! What streams take up.

use std::time::Duration;

use futures::StreamExt;
use pizza_api::Limits;
use pizza_api::proto::WatchOrderRequest;
use pizza_api::proto::order_service_client::OrderServiceClient;
use pizza_app::keys::{KeyHash, Role};
use reqwest::Response;
use tokio::time::timeout;
use tonic::Streaming;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;

use crate::grpc::{channel, code};
use crate::operator_pages::Browser;
use crate::shop::{Shop, Written, id};
use crate::support::{KITCHEN_KEY, TestGateway, problem};

/// Longer than anything here takes; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

const ANN: &str = "pizza_cu_of-ann";

/// A gateway that gives each client two places, and knows a customer.
async fn two_for_each() -> TestGateway {
    TestGateway::with(|gateway| {
        gateway.limits = Limits {
            watchers: 4,
            staff_watchers: 2,
            watchers_per_client: 2,
            ..Limits::default()
        };
        let added = gateway
            .keys
            .add_hash(Role::Customer, "ann", KeyHash::of(ANN));
        added.expect("a key");
    })
    .await
}

/// Opens a page's stream, and reads the first of what it tells.
async fn opened(browser: &Browser, path: &str) -> Response {
    let mut response = browser.stream(path).await;
    assert_eq!(response.status(), 200);
    let said = timeout(PATIENCE, response.chunk()).await.expect("in time");
    let said = said.expect("a chunk").expect("a chunk");
    assert!(
        said.starts_with(b"event: parts") || said.starts_with(b"retry:"),
        "{said:?}"
    );
    response
}

#[tokio::test]
async fn a_stream_counts_each_order_once_and_a_client_has_its_number() {
    let gateway = two_for_each().await;
    let mut shop = Shop::of(&gateway).await;
    let order = id(1);
    shop.order(Written {
        id: &order,
        customer: "ann",
        ..Written::default()
    })
    .await;
    let ann = Browser::signed_in(&gateway, ANN).await;
    let eight = [order.as_str(); 8].join(".");
    let same = format!("/shop/scenarios/live?orders={eight}");
    let first = opened(&ann, &same).await;
    let _second = opened(&ann, &same).await;
    // The session and its key are one client.
    let events = format!("/orders/{order}/events");
    let bearer = format!("Bearer {ANN}");
    let refused = gateway.call("get", &events, Some(&bearer), "").await;
    assert_eq!(refused.status(), 429);
    let refused = problem(refused).await;
    assert_eq!(refused["code"], "rate-limited");
    let detail = refused["detail"].as_str().expect("a detail");
    assert!(
        detail.starts_with("2 orders are being watched under this key"),
        "{detail}"
    );
    assert_eq!(ann.stream(&same).await.status(), 429);
    // Others have theirs.
    assert_eq!(gateway.operate("get", &events, "").await.status(), 200);
    drop(first);
    let until = tokio::time::Instant::now() + PATIENCE;
    while ann.stream(&same).await.status() != 200 {
        assert!(
            tokio::time::Instant::now() < until,
            "the place is not free again"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn no_number_of_customers_takes_a_boards_place() {
    let gateway = TestGateway::with_limits(Limits {
        watchers: 1,
        staff_watchers: 1,
        ..Limits::default()
    })
    .await;
    let mut shop = Shop::of(&gateway).await;
    let order = id(1);
    shop.order(Written {
        id: &order,
        ..Written::default()
    })
    .await;
    let anybody = Browser::at(&gateway);
    let _watched = opened(&anybody, &format!("/shop/orders/{order}/live")).await;
    let events = format!("/orders/{order}/events");
    let refused = problem(gateway.get(&events).await).await;
    assert_eq!(refused["code"], "overloaded");
    let kitchen = Browser::signed_in(&gateway, KITCHEN_KEY).await;
    let _board = opened(&kitchen, "/kitchen/live").await;
    assert_eq!(kitchen.stream("/kitchen/live").await.status(), 503);
}

async fn health(gateway: &TestGateway) -> Result<Streaming<HealthCheckResponse>, tonic::Status> {
    let mut health = HealthClient::new(channel(gateway).await);
    let watched = health.watch(HealthCheckRequest::default()).await;
    watched.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn health_and_reflection_hold_places_while_they_are_told() {
    let gateway = two_for_each().await;
    let mut watched = health(&gateway).await.expect("a stream");
    let told = timeout(PATIENCE, watched.next()).await.expect("in time");
    told.expect("a message").expect("a status");
    let mut reflection = ServerReflectionClient::new(channel(&gateway).await);
    let requests = futures::stream::pending::<ServerReflectionRequest>();
    let reflected = reflection.server_reflection_info(requests).await;
    let reflected = reflected.expect("a stream");
    assert_eq!(
        code(&health(&gateway).await.expect_err("a third")),
        "rate-limited"
    );
    // A check holds no place, and no place is needed for it.
    let mut checks = HealthClient::new(channel(&gateway).await);
    for _ in 0..5 {
        checks
            .check(HealthCheckRequest::default())
            .await
            .expect("a check");
    }
    drop((watched, reflected));
    let until = tokio::time::Instant::now() + PATIENCE;
    while let Err(refused) = health(&gateway).await {
        assert_eq!(code(&refused), "rate-limited");
        assert!(
            tokio::time::Instant::now() < until,
            "no place is free again"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut orders = OrderServiceClient::new(channel(&gateway).await);
    let refused = orders.watch_order(WatchOrderRequest::default()).await;
    assert_eq!(code(&refused.expect_err("no key")), "unauthenticated");
}
