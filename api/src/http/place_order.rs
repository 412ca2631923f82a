//! `POST /orders`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::{StatusCode, header};
use pizza_app::access::Viewer;
use pizza_app::{PlaceOrder, PlacedOrder};
use pizza_contract as contract;

use super::json::Body;
use crate::client::Client;
use crate::extract::Authority;
use crate::gateway::AppState;
use crate::idempotency_key::Key;
use crate::problem::Problem;

/// Place an order.
///
/// The order is accepted once this answers 201. After a 503 the detail names
/// the orders that exist, or may, all the same.
///
/// With an `Idempotency-Key` the same request of the same customer is the same
/// order with the same answer, however often, and however much at once, it is
/// sent. So a client that heard nothing, or a 503, sends it again. The key is
/// kept for as long as the order. Without one, each request is a new order.
#[utoipa::path(
    post, path = "/orders", operation_id = "placeOrder", tag = "orders",
    params((
        "Idempotency-Key" = Option<String>, Header,
        description = "1 to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-'; may stand in double quotes.",
    )),
    request_body(content = Option<contract::PlaceOrder>, description = "What is asked for; may be empty."),
    responses(
        (status = 201, description = "The order was accepted.", body = contract::OrderPlaced,
         headers(("Location" = String, description = "The path of the order's status."))),
        (status = 400, description = "The body cannot be read."),
        (status = 401, description = "A customer's key is needed."),
        (status = 403, description = "The order would be another customer's, or errors are not simulated here."),
        (status = 422, description = "A field is unknown, its value not allowed, or the key was used for another request."),
        (status = 503, description = "Temporal is away, the store where there is a key, or too much is going on."),
    ),
    security((), ("customerKey" = []), ("operatorKey" = [])),
)]
pub(super) async fn place_order(
    viewer: Viewer,
    State(app): State<AppState>,
    Authority(authority): Authority,
    Extension(client): Extension<Client>,
    Key(key): Key,
    Body(order): Body<contract::PlaceOrder>,
) -> Result<Response, Problem> {
    let request = PlaceOrder {
        flavour: order.flavour,
        per_step_delay_seconds: order.per_step_delay_seconds,
        error_on_step: order.error_on_step,
        size: order.size,
        quantity: order.quantity,
        customer_id: order.customer_id,
        key,
    };
    let placed = app.place_order(&client, &viewer, request).await?;
    let status_check = |order: &PlacedOrder| app.status_check(authority.as_ref(), order.order_id);
    let body = contract::OrderPlaced {
        message: contract::ORDER_PLACED.into(),
        order_id: placed.first.order_id,
        status_check: status_check(&placed.first),
        orders: placed
            .all
            .iter()
            .map(|order| contract::PlacedOrder {
                error_on_step: order.error_on_step.as_str().into(),
                order_id: order.order_id,
                status_check: status_check(order),
            })
            .collect(),
    };
    let location = [(header::LOCATION, format!("/orders/{}", body.order_id))];
    Ok((StatusCode::CREATED, location, Json(body)).into_response())
}
