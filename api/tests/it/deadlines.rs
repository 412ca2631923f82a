//! The deadlines that gRPC callers set.

use std::time::Duration;

use pizza_api::proto::WatchOrderRequest;
use pizza_api::proto::order_service_client::OrderServiceClient;
use reqwest::Response;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};
use tonic::{Code, Request};

use crate::grpc::{channel, code};
use crate::shop::{Shop, Written, id};
use crate::support::{TestGateway, temporal_at};

/// How long the gateway would wait for Temporal by itself.
const PATIENCE: Duration = Duration::from_secs(12);

/// A gateway whose Temporal takes connections and says nothing.
async fn with_silent_temporal() -> TestGateway {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its number");
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            open.push(stream);
        }
    });
    TestGateway::with(|gateway| {
        gateway.use_cases.temporal = temporal_at(address);
        gateway.use_cases.settings.temporal_timeout = PATIENCE;
    })
    .await
}

/// Places an order without any wish. Over HTTP/1.1, since a gRPC client keeps
/// the deadline by itself, too.
async fn place(gateway: &TestGateway, timeouts: &[&str]) -> Response {
    let url = gateway.url("/cloud_pizza.v1.OrderService/PlaceOrder");
    let mut request = gateway.http.post(url).body(vec![0; 5]);
    request = request.header("content-type", "application/grpc");
    for timeout in timeouts {
        request = request.header("grpc-timeout", *timeout);
    }
    request.send().await.expect("an answer")
}

fn told(answer: &Response) -> (&str, &str) {
    let header = |name: &str| {
        answer
            .headers()
            .get(name)
            .map_or("", |it| it.to_str().expect("text"))
    };
    (header("grpc-status"), header("pizza-error-code"))
}

#[tokio::test]
async fn a_call_is_given_up_at_its_callers_deadline() {
    let gateway = with_silent_temporal().await;
    let began = Instant::now();
    let answer = place(&gateway, &["300m"]).await;
    assert_eq!(told(&answer), ("4", "request-timeout"));
    let took = began.elapsed();
    assert!(
        took >= Duration::from_millis(300) && took < PATIENCE,
        "{took:?}"
    );
}

#[tokio::test]
async fn a_timeout_that_cannot_be_read_is_refused_and_named() {
    let gateway = TestGateway::start().await;
    for bad in [
        &["5"][..],
        &["-1S"],
        &["5s"],
        &["123456789S"],
        &[""],
        &["1S", "2S"],
    ] {
        let answer = place(&gateway, bad).await;
        assert_eq!(told(&answer), ("3", "invalid-request"), "{bad:?}");
        let field = &answer.headers()["pizza-error-field"];
        assert_eq!(field, "grpc-timeout", "{bad:?}");
    }
    // Temporal is away: the order got as far.
    for good in [&[][..], &["1M"], &["99999999H"]] {
        let answer = place(&gateway, good).await;
        assert_eq!(told(&answer), ("14", "temporal-unavailable"), "{good:?}");
    }
}

#[tokio::test]
async fn a_stream_ends_at_its_callers_deadline() {
    let gateway = TestGateway::start().await;
    let mut shop = Shop::of(&gateway).await;
    shop.order(Written {
        id: &id(1),
        ..Written::default()
    })
    .await;
    let mut orders = OrderServiceClient::new(channel(&gateway).await);
    let mut request = Request::new(WatchOrderRequest {
        order_id: id(1),
        ..WatchOrderRequest::default()
    });
    request.set_timeout(Duration::from_secs(2));
    let watch = orders.watch_order(request).await.expect("a stream");
    let mut changes = watch.into_inner();
    let first = changes.message().await.expect("a change");
    assert!(first.is_some());
    let end = timeout(PATIENCE, changes.message()).await;
    let end = end.expect("it ends").expect_err("before the order has");
    assert_eq!(
        (end.code(), code(&end)),
        (Code::DeadlineExceeded, "request-timeout")
    );
}
