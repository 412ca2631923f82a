//! `PATCH /orders/{id}`.

use axum::Json;
use axum::extract::State;
use pizza_app::access::Viewer;
use pizza_contract as contract;

use super::json::Body;
use super::orders::order;
use crate::extract::OrderIdInPath;
use crate::gateway::AppState;
use crate::idempotency_key::Key;
use crate::problem::Problem;

/// Amend an order that the kitchen has not accepted.
///
/// It is priced again: what changes at the menu's prices of now, what stays at
/// those that it was chosen at. When the difference cannot be charged, the
/// order is as it was. Sent again with the same `Idempotency-Key`, the request
/// acts once.
#[utoipa::path(
    patch, path = "/orders/{id}", operation_id = "amendOrder", tag = "orders",
    params(
        ("id" = String, Path, format = "uuid", description = "The order's id."),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-'."),
    ),
    request_body = contract::AmendOrder,
    responses(
        (status = 200, description = "The order was amended.", body = contract::OrderAmended),
        (status = 400, description = "The id or the body cannot be read."),
        (status = 401, description = "A customer's key is needed."),
        (status = 403, description = "The key is not a customer's."),
        (status = 404, description = "There is no such order."),
        (status = 409, description = "It is too late, or the difference was declined."),
        (status = 422, description = "A field is unknown or not allowed, or the key was used for another request."),
        (status = 503, description = "The saga or the payment provider did not answer in time."),
    ),
    security((), ("customerKey" = []), ("operatorKey" = [])),
)]
pub(super) async fn amend_order(
    State(app): State<AppState>,
    viewer: Viewer,
    OrderIdInPath(id): OrderIdInPath,
    Key(key): Key,
    Body(request): Body<contract::AmendOrder>,
) -> Result<Json<contract::OrderAmended>, Problem> {
    let amended = app
        .use_cases()
        .amend_order(&viewer, id, request, key)
        .await?;
    Ok(Json(contract::OrderAmended {
        order: order(amended.order),
        difference: amended.difference.minor(),
    }))
}
