//! The gRPC door.

mod amend_order;
mod cancel_order;
mod convert;
mod deadline;
mod get_menu;
mod get_order;
mod get_timeline;
pub(crate) mod health;
mod kitchen_simulation;
mod list_orders;
mod list_tickets;
mod place_order;
pub mod proto;
mod report_kitchen_event;
pub(crate) mod status;
mod watch_order;

use std::convert::Infallible;
use std::io;

use axum::body::Body;
use axum::extract::State;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use http::Request;
use pizza_app::UseCaseError;
use pizza_app::access::{KitchenAccess, Viewer};
use pizza_contract::ErrorCode;
use tonic::server::NamedService;
use tonic_health::server::HealthReporter;
use tower::Service;

use crate::client::Client;
use crate::connection::Closing;
use crate::extract::only;
use crate::gateway::AppState;
use crate::idempotency_key::idempotency_key;
use crate::problem::Problem;
use crate::request::ReachedAt;
use crate::streams::holding;

use proto::kitchen_service_server::{KitchenService, KitchenServiceServer};
use proto::menu_service_server::{MenuService, MenuServiceServer};
use proto::order_service_server::{OrderService, OrderServiceServer};

const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The routes of the gRPC door, and what to tell its health service by.
pub(crate) fn router(app: &AppState) -> io::Result<(HealthReporter, Router)> {
    let limit = app.gateway.limits.body_bytes;
    let door = Door(app.clone());
    let orders = OrderServiceServer::new(door.clone()).max_decoding_message_size(limit);
    let menu = MenuServiceServer::new(door.clone()).max_decoding_message_size(limit);
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
    let router = router.layer(from_fn_with_state(app.clone(), only::<Viewer>));
    let router = router.merge(
        mount(Router::new(), kitchen).layer(from_fn_with_state(app.clone(), only::<KitchenAccess>)),
    );
    let router = mount(router, menu);
    let foreign = mount(Router::new(), health);
    let foreign = mount(foreign, v1.max_decoding_message_size(limit));
    let foreign = mount(foreign, v1alpha.max_decoding_message_size(limit));
    let in_places = from_fn_with_state(app.clone(), in_places);
    let router = router.merge(foreign.layer(in_places));
    let router = router.layer(from_fn(deadline::obeyed));
    Ok((reporter, router.layer(from_fn(grpc_only))))
}

/// Gives streams of services that are not ours a place, as ours have.
async fn in_places(
    State(app): State<AppState>,
    Extension(client): Extension<Client>,
    request: Request<Body>,
    next: Next,
) -> Response {
    if crate::routes::is_grpc_probe(request.uri().path()) {
        return next.run(request).await;
    }
    match app.streams.place(&client) {
        Ok(place) => holding(next.run(request).await, place),
        Err(problem) => problem.into_response(),
    }
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
    if crate::routes::is_grpc(request.headers()) {
        return next.run(request).await;
    }
    let detail = "this address is served to gRPC clients alone";
    Problem::new(ErrorCode::UnsupportedMediaType, detail).into_response()
}

/// The services of this door.
#[derive(Clone)]
struct Door(AppState);

#[tonic::async_trait]
impl OrderService for Door {
    async fn place_order(
        &self,
        request: tonic::Request<proto::PlaceOrderRequest>,
    ) -> Result<tonic::Response<proto::PlaceOrderResponse>, tonic::Status> {
        let viewer = viewer(&request)?;
        let key = idempotency_key(request.metadata().as_ref()).map_err(|it| status::of(&it))?;
        let reached_at = request.extensions().get::<ReachedAt>().cloned();
        let client = client(&request)?.clone();
        let request = request.into_inner();
        place_order::serve(&self.0, &client, &viewer, key, reached_at, request)
            .await
            .map(tonic::Response::new)
            .map_err(|problem| status::of(&problem))
    }

    async fn get_order(
        &self,
        request: tonic::Request<proto::GetOrderRequest>,
    ) -> Result<tonic::Response<proto::GetOrderResponse>, tonic::Status> {
        let viewer = viewer(&request)?;
        answer(get_order::serve(&self.0, &viewer, request.into_inner()).await)
    }

    async fn cancel_order(
        &self,
        request: tonic::Request<proto::CancelOrderRequest>,
    ) -> Result<tonic::Response<proto::CancelOrderResponse>, tonic::Status> {
        let viewer = viewer(&request)?;
        answer(cancel_order::serve(&self.0, &viewer, request.into_inner()).await)
    }

    async fn amend_order(
        &self,
        request: tonic::Request<proto::AmendOrderRequest>,
    ) -> Result<tonic::Response<proto::AmendOrderResponse>, tonic::Status> {
        let viewer = viewer(&request)?;
        answer(amend_order::serve(&self.0, &viewer, request.into_inner()).await)
    }

    async fn get_timeline(
        &self,
        request: tonic::Request<proto::GetTimelineRequest>,
    ) -> Result<tonic::Response<proto::GetTimelineResponse>, tonic::Status> {
        let viewer = viewer(&request)?;
        answer(get_timeline::serve(&self.0, &viewer, request.into_inner()).await)
    }

    type WatchOrderStream = watch_order::Stream;

    async fn watch_order(
        &self,
        request: tonic::Request<proto::WatchOrderRequest>,
    ) -> Result<tonic::Response<watch_order::Stream>, tonic::Status> {
        let viewer = viewer(&request)?;
        let closing = request.extensions().get::<Closing>().cloned();
        let closing = closing.unwrap_or_default();
        let place = self.0.streams.place(client(&request)?);
        let place = place.map_err(|problem| status::of(&problem))?;
        let changes = watch_order::serve(&self.0, place, &viewer, closing, request.into_inner());
        let changes = changes.await.map_err(|problem| status::of(&problem))?;
        Ok(tonic::Response::new(changes))
    }

    async fn list_orders(
        &self,
        request: tonic::Request<proto::ListOrdersRequest>,
    ) -> Result<tonic::Response<proto::ListOrdersResponse>, tonic::Status> {
        let viewer = viewer(&request)?;
        answer(list_orders::serve(&self.0, &viewer, request.into_inner()).await)
    }
}

#[tonic::async_trait]
impl MenuService for Door {
    async fn get_menu(
        &self,
        _: tonic::Request<proto::GetMenuRequest>,
    ) -> Result<tonic::Response<proto::GetMenuResponse>, tonic::Status> {
        Ok(tonic::Response::new(get_menu::serve(&self.0)))
    }
}

/// Every call of this service has passed [`only`].
#[tonic::async_trait]
impl KitchenService for Door {
    async fn list_tickets(
        &self,
        request: tonic::Request<proto::ListTicketsRequest>,
    ) -> Result<tonic::Response<proto::ListTicketsResponse>, tonic::Status> {
        answer(list_tickets::serve(&self.0, request.into_inner()).await)
    }

    async fn get_kitchen_simulation(
        &self,
        _: tonic::Request<proto::GetKitchenSimulationRequest>,
    ) -> Result<tonic::Response<proto::GetKitchenSimulationResponse>, tonic::Status> {
        answer(kitchen_simulation::get(&self.0).await)
    }

    async fn set_kitchen_simulation(
        &self,
        request: tonic::Request<proto::SetKitchenSimulationRequest>,
    ) -> Result<tonic::Response<proto::SetKitchenSimulationResponse>, tonic::Status> {
        answer(kitchen_simulation::set(&self.0, request.into_inner()).await)
    }

    async fn report_kitchen_event(
        &self,
        request: tonic::Request<proto::ReportKitchenEventRequest>,
    ) -> Result<tonic::Response<proto::ReportKitchenEventResponse>, tonic::Status> {
        answer(report_kitchen_event::serve(&self.0, request.into_inner()).await)
    }
}

/// Who asks, as [`only`] found out.
fn viewer<T>(request: &tonic::Request<T>) -> Result<Viewer, tonic::Status> {
    let found = request.extensions().get::<Viewer>().cloned();
    found.ok_or_else(|| {
        let detail = "a customer's key is needed";
        status::of(&Problem::new(ErrorCode::Unauthenticated, detail))
    })
}

/// Who is counted for a call, as [`crate::layers`] found out.
fn client<T>(request: &tonic::Request<T>) -> Result<&Client, tonic::Status> {
    let found = request.extensions().get::<Client>();
    found.ok_or_else(|| tonic::Status::internal("nobody is counted for this call"))
}

fn answer<T>(result: Result<T, UseCaseError>) -> Result<tonic::Response<T>, tonic::Status> {
    result.map(tonic::Response::new).map_err(refused)
}

fn refused(error: UseCaseError) -> tonic::Status {
    status::of(&Problem::from(error))
}
