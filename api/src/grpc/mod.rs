//! The gRPC door.

mod get_order;
pub(crate) mod health;
mod place_order;
mod report_kitchen_event;
pub(crate) mod status;

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Request, header};
use pizza_domain::OrderId;
use tonic::server::NamedService;
use tonic_health::server::HealthReporter;
use tower::Service;

use crate::gateway::App;
use crate::layers::ReachedAt;
use crate::problem::{ErrorCode, Problem};
use crate::usecases::{UseCaseError, Violation};

use proto::kitchen_service_server::{KitchenService, KitchenServiceServer};
use proto::order_service_server::{OrderService, OrderServiceServer};

/// The protocol's messages, services and clients (`cloud_pizza.v1`).
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    reason = "generated from proto/"
)]
pub mod proto {
    tonic::include_proto!("cloud_pizza.v1");
}

const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Whether a request came for this door.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|media_type| {
        let rest = media_type.as_bytes().strip_prefix(b"application/grpc");
        rest.is_some_and(|rest| rest.is_empty() || b"+;".contains(&rest[0]))
    })
}

/// The routes of the gRPC door, and what to tell its health service by.
pub(crate) fn router(app: &Arc<App>) -> io::Result<(HealthReporter, Router)> {
    let limit = app.gateway.limits.body_bytes;
    let door = Door(Arc::clone(app));
    let orders = OrderServiceServer::new(door.clone()).max_decoding_message_size(limit);
    let kitchen = KitchenServiceServer::new(door).max_decoding_message_size(limit);
    let (reporter, health) = tonic_health::server::health_reporter();
    let health = health.max_decoding_message_size(limit);
    let described = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let v1 = described().build_v1().map_err(io::Error::other)?;
    let v1alpha = described().build_v1alpha().map_err(io::Error::other)?;
    let router = mount(Router::new(), orders);
    let router = mount(router, kitchen);
    let router = mount(router, health);
    let router = mount(router, v1.max_decoding_message_size(limit));
    let router = mount(router, v1alpha.max_decoding_message_size(limit));
    Ok((reporter, router.layer(from_fn(grpc_only))))
}

fn mount<S>(router: Router, service: S) -> Router
where
    S: Service<Request<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
{
    router.route_service(&format!("/{}/{{method}}", S::NAME), service)
}

/// Keeps what is no gRPC from services that would answer it in gRPC.
async fn grpc_only(request: Request<Body>, next: Next) -> Response {
    if is_grpc(request.headers()) {
        return next.run(request).await;
    }
    let detail = "this address is served to gRPC clients alone";
    Problem::new(ErrorCode::UnsupportedMediaType, detail).into_response()
}

/// The services of this door.
#[derive(Clone)]
struct Door(Arc<App>);

#[tonic::async_trait]
impl OrderService for Door {
    async fn place_order(
        &self,
        request: tonic::Request<proto::PlaceOrderRequest>,
    ) -> Result<tonic::Response<proto::PlaceOrderResponse>, tonic::Status> {
        let reached_at = request.extensions().get::<ReachedAt>().cloned();
        place_order::serve(&self.0, reached_at, request.into_inner())
            .await
            .map(tonic::Response::new)
            .map_err(refused)
    }

    async fn get_order(
        &self,
        request: tonic::Request<proto::GetOrderRequest>,
    ) -> Result<tonic::Response<proto::GetOrderResponse>, tonic::Status> {
        get_order::serve(&self.0, request.into_inner())
            .await
            .map(tonic::Response::new)
            .map_err(refused)
    }
}

#[tonic::async_trait]
impl KitchenService for Door {
    async fn report_kitchen_event(
        &self,
        request: tonic::Request<proto::ReportKitchenEventRequest>,
    ) -> Result<tonic::Response<proto::ReportKitchenEventResponse>, tonic::Status> {
        report_kitchen_event::serve(&self.0, request.into_inner())
            .await
            .map(tonic::Response::new)
            .map_err(refused)
    }
}

fn refused(error: UseCaseError) -> tonic::Status {
    status::of(&Problem::from(error))
}

fn order_id(text: &str) -> Result<OrderId, UseCaseError> {
    text.parse()
        .map_err(|field| UseCaseError::invalid(Violation::InvalidId, field))
}
