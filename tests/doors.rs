//! What stands beside the orders at the door: probes, the API's description,
//! gRPC health and reflection.

use serde_json::Value;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::harness::grpc::Grpc;
use crate::harness::{SOON, World, eventually};

#[tokio::test]
async fn the_gateway_says_that_it_is_alive_and_ready_and_what_it_serves() {
    let world = World::shared().await;
    let gateway = world.gateway();
    assert_eq!(gateway.get("/healthz").await.status, 200);
    assert_eq!(gateway.get("/readyz").await.status, 200);
    let description: Value = gateway.get("/openapi.json").await.json();
    assert!(
        description["openapi"]
            .as_str()
            .expect("a version")
            .starts_with("3.1")
    );
    for path in ["/orders", "/orders/{id}", "/kitchen/tickets/{id}/events"] {
        assert!(description["paths"][path].is_object(), "{path}");
    }
}

#[tokio::test]
async fn grpc_on_the_same_port_has_health_and_reflection() {
    let world = World::shared().await;
    let channel = Grpc::connect(world.gateway_url()).await.channel;
    for service in [
        "",
        "cloud_pizza.v1.OrderService",
        "cloud_pizza.v1.KitchenService",
    ] {
        eventually(SOON, "the service is serving", async || {
            let request = HealthCheckRequest {
                service: service.to_owned(),
            };
            let answer = HealthClient::new(channel.clone()).check(request).await;
            let status = answer.expect("an answer").into_inner().status();
            (status == ServingStatus::Serving).then_some(())
        })
        .await;
    }
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = ServerReflectionClient::new(channel)
        .server_reflection_info(futures::stream::iter([request]))
        .await
        .expect("an answer")
        .into_inner();
    let answer = answers
        .message()
        .await
        .expect("a message")
        .expect("a message");
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("{answer:?}");
    };
    let names: Vec<String> = list
        .service
        .into_iter()
        .map(|service| service.name)
        .collect();
    for name in [
        "cloud_pizza.v1.OrderService",
        "cloud_pizza.v1.KitchenService",
    ] {
        assert!(names.contains(&name.to_owned()), "{names:?}");
    }
}
