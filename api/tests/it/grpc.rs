//! The gRPC door on the same port.

use std::time::Duration;

use axum::body::Body;
use futures::StreamExt;
use pizza_api::Limits;
use pizza_api::proto::order_service_client::OrderServiceClient;
use pizza_api::proto::place_order_request::ErrorOnStep;
use pizza_api::proto::{GetOrderRequest, PlaceOrderRequest, Size};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use tower::ServiceExt;

use crate::support::TestGateway;

pub(crate) async fn channel(gateway: &TestGateway) -> Channel {
    let endpoint = Endpoint::try_from(gateway.url("")).expect("an address");
    endpoint.connect().await.expect("a connection")
}

pub(crate) fn code(status: &Status) -> &str {
    let code = status.metadata().get("pizza-error-code");
    code.unwrap_or_else(|| panic!("no code: {status:?}"))
        .to_str()
        .expect("text")
}

async fn refusal(gateway: &TestGateway, request: PlaceOrderRequest) -> Status {
    let mut orders = OrderServiceClient::new(channel(gateway).await);
    orders.place_order(request).await.expect_err("refused")
}

#[tokio::test]
async fn bad_orders_are_refused_with_the_codes_of_http() {
    let gateway = TestGateway::start().await;
    let bad_step = |choice| PlaceOrderRequest {
        error_on_step: Some(choice),
        ..PlaceOrderRequest::default()
    };
    for (request, code_expected, field) in [
        (
            bad_step(ErrorOnStep::ErrorOnStepNumber(8)),
            "out-of-range",
            "errorOnStep",
        ),
        (
            bad_step(ErrorOnStep::ErrorOnStepName("3".into())),
            "invalid-value",
            "errorOnStep",
        ),
        (
            PlaceOrderRequest {
                size: 9,
                ..Default::default()
            },
            "invalid-value",
            "size",
        ),
        (
            PlaceOrderRequest {
                quantity: Some(21),
                ..Default::default()
            },
            "out-of-range",
            "quantity",
        ),
        (
            PlaceOrderRequest {
                flavour: Some(String::new()),
                ..Default::default()
            },
            "invalid-value",
            "flavour",
        ),
        (
            PlaceOrderRequest {
                per_step_delay_seconds: Some(f64::NAN),
                ..Default::default()
            },
            "out-of-range",
            "perStepDelaySeconds",
        ),
    ] {
        let status = refusal(&gateway, request).await;
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(code(&status), code_expected);
        assert_eq!(
            status.metadata().get("pizza-error-field").expect("a field"),
            field
        );
    }
}

#[tokio::test]
async fn without_temporal_no_order_is_taken() {
    let gateway = TestGateway::start().await;
    let request = PlaceOrderRequest {
        size: Size::Large.into(),
        ..PlaceOrderRequest::default()
    };
    let status = refusal(&gateway, request).await;
    assert_eq!(
        (status.code(), code(&status)),
        (Code::Unavailable, "temporal-unavailable")
    );
    assert!(status.metadata().contains_key("retry-after"));
    assert!(status.metadata().contains_key("x-request-id"));
}

#[tokio::test]
async fn errors_of_the_protocol_have_codes_too() {
    let gateway = TestGateway::start().await;
    let large = PlaceOrderRequest {
        flavour: Some("a".repeat(17 * 1024)),
        ..PlaceOrderRequest::default()
    };
    let status = refusal(&gateway, large).await;
    assert_eq!(
        (status.code(), code(&status)),
        (Code::ResourceExhausted, "body-too-large")
    );

    let mut orders = OrderServiceClient::new(channel(&gateway).await);
    let request = GetOrderRequest {
        order_id: "1".into(),
    };
    let status = orders.get_order(request).await.expect_err("refused");
    assert_eq!(
        (status.code(), code(&status)),
        (Code::InvalidArgument, "invalid-order-id")
    );

    for (path, expected) in [
        (
            "/cloud_pizza.v1.OrderService/Eat",
            (Code::Unimplemented, "not-found"),
        ),
        ("/nobody/Nothing", (Code::Unimplemented, "not-found")),
        (
            "/cloud_pizza.v1.OrderService/GetOrder",
            (Code::InvalidArgument, "invalid-request"),
        ),
    ] {
        // A message whose first field has no legal wire type.
        let status = raw_call(&gateway, path, &[0, 0, 0, 0, 1, 0x0f][..]).await;
        assert_eq!((status.code(), code(&status)), expected, "{path}");
    }
}

pub(crate) async fn raw_call(gateway: &TestGateway, path: &str, body: impl Into<Body>) -> Status {
    let request = http::Request::post(gateway.url(path))
        .header("content-type", "application/grpc")
        .body(tonic::body::Body::new(body.into()))
        .expect("a request");
    let answer = channel(gateway)
        .await
        .oneshot(request)
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 200);
    Status::from_header_map(answer.headers()).expect("a status")
}

#[tokio::test]
async fn a_message_that_drips_is_cut_off() {
    let limits = Limits {
        request: Duration::from_millis(300),
        ..Limits::default()
    };
    let gateway = TestGateway::with_limits(limits).await;
    // The prefix says that 500 bytes follow, and none does.
    let prefix = futures::stream::iter([Ok::<_, std::io::Error>(&[0, 0, 0, 1, 0xf4][..])]);
    let body = Body::from_stream(prefix.chain(futures::stream::pending()));
    let status = raw_call(&gateway, "/cloud_pizza.v1.OrderService/PlaceOrder", body).await;
    assert_eq!(
        (status.code(), code(&status)),
        (Code::DeadlineExceeded, "request-timeout")
    );
}

#[tokio::test]
async fn health_follows_readiness() {
    let gateway = TestGateway::start().await;
    let mut health = HealthClient::new(channel(&gateway).await);
    for service in [
        "",
        "cloud_pizza.v1.OrderService",
        "cloud_pizza.v1.KitchenService",
    ] {
        loop {
            let request = HealthCheckRequest {
                service: service.to_owned(),
            };
            match health.check(request).await {
                Ok(answer) if answer.get_ref().status() == ServingStatus::NotServing => break,
                // Not looked yet.
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

#[tokio::test]
async fn the_services_describe_themselves() {
    let gateway = TestGateway::start().await;
    let mut reflection = ServerReflectionClient::new(channel(&gateway).await);
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = reflection
        .server_reflection_info(futures::stream::iter([request]))
        .await
        .expect("an answer")
        .into_inner();
    let answer = answers.message().await.expect("a message").expect("one");
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("no list: {answer:?}");
    };
    let names: Vec<_> = list
        .service
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    for name in [
        "cloud_pizza.v1.OrderService",
        "cloud_pizza.v1.KitchenService",
        "grpc.health.v1.Health",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
}
