//! Whoever asks too often.

use std::num::NonZeroU32;
use std::time::Duration;

use futures::future::join_all;
use pizza_api::proto::menu_service_client::MenuServiceClient;
use pizza_api::proto::order_service_client::OrderServiceClient;
use pizza_api::proto::place_order_request::ErrorOnStep;
use pizza_api::proto::{GetMenuRequest, PlaceOrderRequest, WatchOrderRequest};
use pizza_api::{Rate, RateLimits, TrustedProxies};
use pizza_app::keys::{KeyHash, Role};
use reqwest::Response;
use tokio::time::Instant;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::grpc::{channel, code};
use crate::operator_pages::Browser;
use crate::support::{OPERATOR_KEY, TestGateway, problem};

const ANN: &str = "pizza_cu_of-ann";
const BEN: &str = "pizza_cu_of-ben";

/// Slow enough that no test sees a bucket fill up.
fn slowly(burst: u32) -> Option<Rate> {
    rate(0.01, burst)
}

fn rate(per_second: f64, burst: u32) -> Option<Rate> {
    let burst = NonZeroU32::new(burst).expect("above 0");
    Rate::per_second(per_second, burst).expect("a rate")
}

async fn limited(limits: RateLimits) -> TestGateway {
    TestGateway::with(|gateway| gateway.rate_limits = limits).await
}

async fn with_customers(limits: RateLimits) -> TestGateway {
    TestGateway::with(|gateway| {
        gateway.rate_limits = limits;
        for (name, key) in [("ann", ANN), ("ben", BEN)] {
            let added = gateway
                .keys
                .add_hash(Role::Customer, name, KeyHash::of(key));
            added.expect("a key");
        }
    })
    .await
}

async fn asked(gateway: &TestGateway, key: &str) -> u16 {
    asked_for(gateway, "/orders", key).await
}

/// The same for what weighs as one request.
async fn asked_for_menu(gateway: &TestGateway, key: &str) -> u16 {
    asked_for(gateway, "/menu", key).await
}

async fn asked_for(gateway: &TestGateway, path: &str, key: &str) -> u16 {
    let bearer = format!("Bearer {key}");
    let answer = gateway.call("get", path, Some(&bearer), "").await;
    answer.status().as_u16()
}

/// What a refusal tells: the problem, and how long to wait.
async fn refusal(answer: Response) -> (String, Duration) {
    assert_eq!(answer.status(), 429);
    let wait = answer.headers().get("retry-after").expect("a wait");
    let wait = wait.to_str().expect("text").parse().expect("seconds");
    let problem = problem(answer).await;
    assert_eq!(problem["code"], "rate-limited");
    let detail = problem["detail"].as_str().expect("a detail");
    assert!(
        detail.ends_with(&format!("; try again in {wait} s")),
        "{detail}"
    );
    (detail.to_owned(), Duration::from_secs(wait))
}

#[tokio::test]
async fn an_address_without_a_key_may_look_longer_than_it_may_order() {
    let gateway = limited(RateLimits {
        orders: slowly(2),
        requests: slowly(5),
        ..RateLimits::default()
    })
    .await;
    for _ in 0..2 {
        // Temporal is away: they came as far as that.
        assert_eq!(gateway.post("/orders", "{}").await.status(), 503);
    }
    let (detail, wait) = refusal(gateway.post("/orders", "not looked at").await).await;
    assert!(
        detail.starts_with("too many orders and changes from this address"),
        "{detail}"
    );
    assert!((50..=100).contains(&wait.as_secs()), "{wait:?}");
    for _ in 0..2 {
        assert_eq!(gateway.get("/menu").await.status(), 200);
    }
    let (detail, _) = refusal(gateway.get("/menu").await).await;
    assert!(
        detail.starts_with("too many requests from this address"),
        "{detail}"
    );
    for probe in ["/healthz", "/readyz"] {
        assert_ne!(gateway.get(probe).await.status(), 429, "{probe}");
    }
}

#[tokio::test]
async fn whoever_waits_as_long_as_told_is_served() {
    let gateway = limited(RateLimits {
        requests: rate(2.0, 1),
        ..RateLimits::default()
    })
    .await;
    let (refused, answer) = loop {
        let asked = Instant::now();
        let answer = gateway.get("/menu").await;
        if answer.status() == 429 {
            break (asked, answer);
        }
    };
    let (_, wait) = refusal(answer).await;
    assert_eq!(wait, Duration::from_secs(1));
    loop {
        let asked = Instant::now();
        if gateway.get("/menu").await.status() == 200 {
            break;
        }
        assert!(asked < refused + wait, "still refused after the wait");
    }
}

#[tokio::test]
async fn each_key_is_counted_for_itself_and_staff_by_another_measure() {
    let gateway = with_customers(RateLimits {
        requests: slowly(2),
        staff: slowly(4),
        ..RateLimits::default()
    })
    .await;
    let counted = async |key: &str| {
        let mut served = 0;
        while asked_for_menu(&gateway, key).await == 200 {
            served += 1;
        }
        served
    };
    assert_eq!(counted(ANN).await, 2);
    assert_eq!(counted(BEN).await, 2);
    assert_eq!(counted(OPERATOR_KEY).await, 4);
    let bearer = format!("Bearer {ANN}");
    let refused = gateway.call("get", "/orders", Some(&bearer), "").await;
    let (detail, _) = refusal(refused).await;
    assert!(
        detail.starts_with("too many requests under this key"),
        "{detail}"
    );
}

#[tokio::test]
async fn a_signed_in_operator_is_served_whatever_others_at_the_address_do() {
    let gateway = limited(RateLimits {
        requests: slowly(3),
        staff: slowly(5),
        ..RateLimits::default()
    })
    .await;
    let operator = Browser::operator(&gateway).await;
    while gateway.get("/menu").await.status() != 429 {}
    for _ in 0..3 {
        assert_eq!(operator.get("/kitchen").await.status, 200);
    }
    // The session and its key are one client.
    for status in [200, 200, 429] {
        assert_eq!(asked_for_menu(&gateway, OPERATOR_KEY).await, status);
    }
    assert_eq!(operator.get("/kitchen").await.status, 429);
    // A cookie that no gateway made is counted by its address.
    let cookie = operator.cookie.expect("a session");
    let (claim, _) = cookie.rsplit_once('.').expect("a tag");
    let mut forger = Browser::at(&gateway);
    for forged in ["pizza-session=x".to_owned(), format!("{claim}.x")] {
        forger.cookie = Some(forged);
        let refused = forger.get("/menu").await;
        assert_eq!(refused.status, 429);
        assert!(
            refused.text.contains("from this address"),
            "{}",
            refused.text
        );
    }
}

#[tokio::test]
async fn a_guesser_of_keys_is_slowed_and_shuts_out_nobody() {
    let gateway = with_customers(RateLimits {
        wrong_keys: slowly(3),
        ..RateLimits::default()
    })
    .await;
    let mut told = Vec::new();
    for number in 0..5 {
        told.push(asked(&gateway, &format!("pizza_cu_{number}")).await);
    }
    assert_eq!(told, [401, 401, 401, 429, 429]);
    let mut orders = OrderServiceClient::new(channel(&gateway).await);
    let refused = orders.place_order(PlaceOrderRequest::default()).await;
    let refused = refused.expect_err("no key");
    assert_eq!(
        (refused.code(), code(&refused)),
        (Code::ResourceExhausted, "rate-limited")
    );
    assert_eq!(asked(&gateway, ANN).await, 200);
    // What needs no key is not for keys to lock.
    assert_eq!(gateway.get("/menu").await.status(), 200);
}

#[tokio::test]
async fn grpc_is_counted_with_http_and_a_stream_at_its_opening() {
    let gateway = limited(RateLimits {
        requests: slowly(3),
        orders: slowly(1),
        ..RateLimits::default()
    })
    .await;
    let channel = channel(&gateway).await;
    let mut menu = MenuServiceClient::new(channel.clone());
    let mut orders = OrderServiceClient::new(channel.clone());
    assert_eq!(gateway.post("/orders", "{}").await.status(), 503);
    let refused = orders.place_order(PlaceOrderRequest::default()).await;
    let refused = refused.expect_err("the second order");
    assert_eq!(
        (refused.code(), code(&refused)),
        (Code::ResourceExhausted, "rate-limited")
    );
    let wait = refused.metadata().get("retry-after").expect("a wait");
    let wait: u64 = wait.to_str().expect("text").parse().expect("seconds");
    assert!((50..=100).contains(&wait), "{wait}");
    menu.get_menu(GetMenuRequest {})
        .await
        .expect("the third request");
    let watched = orders.watch_order(WatchOrderRequest::default()).await;
    assert_eq!(code(&watched.expect_err("the fourth")), "rate-limited");
    for _ in 0..5 {
        let mut health = HealthClient::new(channel.clone());
        let probe = health.check(HealthCheckRequest::default());
        probe.await.expect("a probe is not counted");
    }
}

/// How many requests one counts as: what is left of a bucket that holds one
/// more.
async fn weigh(method: &str, path: &str, accept: &str, weight: u32) {
    let gateway = limited(RateLimits {
        staff: slowly(weight + 1),
        ..RateLimits::default()
    })
    .await;
    let method = method.parse().expect("a method");
    // To follow a redirect would be a request more.
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let client = client.build().expect("a client");
    let request = client.request(method, gateway.url(path));
    let request = request.bearer_auth(OPERATOR_KEY).header("accept", accept);
    let answer = request.send().await.expect("an answer");
    assert_ne!(answer.status(), 429, "{path}");
    let menu = async || gateway.operate("get", "/menu", "").await.status().as_u16();
    let left = [menu().await, menu().await];
    assert_eq!(left, [200, 429], "{path} does not weigh {weight}");
}

#[tokio::test]
async fn what_asks_temporal_for_histories_and_lists_weighs_more() {
    const ID: &str = "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";
    const TASK: &str = "failed-refund-payment-6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";
    let (json, page) = ("application/json", "text/html");
    let order = format!("/orders/{ID}");
    let two = format!("/shop/scenarios?all=yes&orders={ID}.{ID}");
    let many = format!("/shop/scenarios?orders={}", [ID; 50].join("."));
    let weights = [
        ("GET", "/menu", json, 1),
        ("GET", &order, json, 1),
        ("GET", &order, page, 20),
        ("HEAD", &order, page, 20),
        ("DELETE", &order, json, 1),
        ("GET", &format!("{order}/events"), json, 1),
        ("GET", &format!("{order}/timeline"), json, 20),
        ("HEAD", &format!("{order}/timeline"), json, 20),
        ("GET", &format!("{order}/workflows"), json, 10),
        ("GET", "/orders", json, 5),
        ("POST", "/orders", json, 1),
        ("GET", &two, page, 40),
        ("GET", &many, page, 160),
        ("POST", &format!("/shop/orders/{ID}/amend"), page, 20),
        ("GET", &format!("/shop/orders/{ID}/live"), page, 1),
        ("GET", "/failure-queues", json, 40),
        ("GET", "/failures", json, 10),
        ("GET", &format!("/failures/{TASK}"), json, 10),
        ("GET", "/operator", page, 40),
        ("GET", "/operator/orders", page, 5),
        ("GET", "/operator/tasks", page, 100),
        ("GET", &format!("/operator/tasks/{TASK}"), page, 10),
        ("GET", "/operator/bulk?action=redrive", page, 100),
        ("GET", "/operator/audit", page, 100),
        ("POST", "/cloud_pizza.v1.OrderService/GetOrder", json, 1),
        ("POST", "/cloud_pizza.v1.OrderService/GetTimeline", json, 20),
    ];
    let weighed = weights.map(|(method, path, accept, weight)| weigh(method, path, accept, weight));
    join_all(weighed).await;
}

#[tokio::test]
async fn health_checks_are_counted_by_themselves_and_probes_never() {
    let gateway = limited(RateLimits {
        requests: slowly(1),
        health_checks: slowly(3),
        ..RateLimits::default()
    })
    .await;
    let mut health = HealthClient::new(channel(&gateway).await);
    let mut check = async || health.check(HealthCheckRequest::default()).await;
    assert_eq!(gateway.get("/menu").await.status(), 200);
    assert_eq!(gateway.get("/menu").await.status(), 429);
    for _ in 0..3 {
        check().await.expect("a check");
    }
    assert_eq!(code(&check().await.expect_err("a fourth")), "rate-limited");
    for _ in 0..5 {
        assert_eq!(gateway.get("/healthz").await.status(), 200);
    }
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_is_its_own() {
    for is_trusted in [true, false] {
        let gateway = TestGateway::with(|gateway| {
            gateway.rate_limits.requests = slowly(1);
            if is_trusted {
                let networks = vec!["127.0.0.0/8".parse().expect("a network")];
                gateway.proxies = TrustedProxies {
                    networks,
                    ..TrustedProxies::default()
                };
            }
        })
        .await;
        let asked = async |forwarded: &str| {
            let request = gateway.http.get(gateway.url("/menu"));
            let answer = request.header("x-forwarded-for", forwarded).send().await;
            answer.expect("an answer").status().as_u16()
        };
        assert_eq!(asked("198.51.100.1").await, 200);
        assert_eq!(asked("6.6.6.6, 198.51.100.1").await, 429);
        let neighbour = if is_trusted { 200 } else { 429 };
        assert_eq!(asked("198.51.100.2").await, neighbour);
    }
}

#[tokio::test]
async fn whoever_asks_too_often_keeps_no_connection() {
    let gateway = limited(RateLimits {
        requests: slowly(1),
        ..RateLimits::default()
    })
    .await;
    let mut client = gateway.connect().await;
    let request = "GET /menu HTTP/1.1\r\nhost: a\r\n\r\n";
    client.send(request.repeat(2)).await;
    let said = client.rest().await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    let refused = said.split("HTTP/1.1 429").nth(1).expect("the second");
    assert!(refused.contains("\r\nconnection: close\r\n"), "{said}");
}

#[tokio::test]
async fn all_scenarios_at_once_count_as_eight_orders() {
    let limits = RateLimits {
        orders: slowly(10),
        ..RateLimits::default()
    };
    let demonstration = || {
        TestGateway::with(|gateway| {
            gateway.rate_limits = limits;
            gateway.use_cases.settings.fault_injection = true;
        })
    };
    let all = r#"{"errorOnStep":"ALL"}"#;
    let gateway = demonstration().await;
    // Temporal is away: it came as far as that.
    assert_eq!(gateway.post("/orders", all).await.status(), 503);
    // Of ten, two are left, and what is refused takes none of them but its own.
    refusal(gateway.post("/orders", r#"{"errorOnStep":100}"#).await).await;
    assert_eq!(gateway.post("/orders", "{}").await.status(), 503);
    refusal(gateway.post("/orders", "{}").await).await;

    let gateway = demonstration().await;
    let mut orders = OrderServiceClient::new(channel(&gateway).await);
    let request = || PlaceOrderRequest {
        error_on_step: Some(ErrorOnStep::ErrorOnStepName("ALL".to_owned())),
        ..PlaceOrderRequest::default()
    };
    let away = orders.place_order(request()).await.expect_err("away");
    assert_eq!(away.code(), Code::Unavailable, "{away:?}");
    let refused = orders.place_order(request()).await.expect_err("too many");
    assert_eq!(code(&refused), "rate-limited", "{refused:?}");
}
