//! `GET /orders`.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use pizza_app::access::Viewer;
use pizza_app::{ListOrders, UseCaseError, Violation};
use pizza_contract as contract;
use pizza_domain::OrderStatus;

use super::orders::summary;
use super::query::Query;
use crate::gateway::AppState;
use crate::problem::Problem;
use crate::times::instant;

/// List orders, newest first.
///
/// Whoever has a customer's key sees their own. An order is listed once a
/// worker has written it. One that is placed meanwhile shifts no page.
#[utoipa::path(
    get, path = "/orders", operation_id = "listOrders", tag = "orders",
    params(contract::ListOrders),
    responses(
        (status = 200, description = "A page of orders.", body = contract::Orders),
        (status = 400, description = "The query cannot be read."),
        (status = 401, description = "This gateway knows its customers, and no known key was given."),
        (status = 403, description = "The key is not a customer's."),
        (status = 422, description = "A value is not allowed."),
        (status = 503, description = "Nobody can tell right now."),
    ),
    security((), ("customerKey" = []), ("operatorKey" = [])),
)]
pub(super) async fn list_orders(
    State(app): State<AppState>,
    viewer: Viewer,
    Query(query): Query<contract::ListOrders>,
) -> Result<Json<contract::Orders>, Problem> {
    let page = app.use_cases().list_orders(&viewer, wanted(query)?);
    let page = page.await?;
    Ok(Json(contract::Orders {
        orders: page.orders.into_iter().map(summary).collect(),
        next_cursor: page.next_cursor,
    }))
}

fn wanted(query: contract::ListOrders) -> Result<ListOrders, UseCaseError> {
    Ok(ListOrders {
        status: query.status.as_deref().map(status).transpose()?,
        customer_id: query.customer_id,
        flavour: query.flavour,
        placed_after: time("placedAfter", query.placed_after)?,
        placed_before: time("placedBefore", query.placed_before)?,
        failed_step: query.failed_step,
        limit: query.limit,
        cursor: query.cursor,
    })
}

fn status(name: &str) -> Result<OrderStatus, UseCaseError> {
    name.parse()
        .map_err(|field| UseCaseError::invalid(Violation::InvalidValue, field))
}

fn time(field: &'static str, text: Option<String>) -> Result<Option<Timestamp>, UseCaseError> {
    text.map(|text| instant(field, &text)).transpose()
}
