//! `GET /orders`.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use pizza_app::access::Viewer;
use pizza_app::{ListOrders, UseCaseError, Violation};
use pizza_contract as contract;
use pizza_domain::OrderStatus;
use serde::Deserialize;
use utoipa::IntoParams;

use super::failures::{StrictQuery, integer_in_query};
use super::orders::summary;
use crate::gateway::AppState;
use crate::problem::Problem;
use crate::times::instant;

/// Which orders to list.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListOrdersQuery {
    /// Only orders that stand there, by the status' name.
    status: Option<String>,
    /// Only this customer's orders.
    #[param(pattern = "^[A-Za-z0-9._-]{1,64}$")]
    customer_id: Option<String>,
    /// Only orders of this flavour, all of it, however it is spelled: in any
    /// case, width and composition of its letters.
    #[param(min_length = 1, max_length = 64)]
    flavour: Option<String>,
    /// Only orders that were accepted after this time (RFC 3339).
    #[param(format = DateTime)]
    placed_after: Option<String>,
    /// Only orders that were accepted before this time (RFC 3339).
    #[param(format = DateTime)]
    placed_before: Option<String>,
    /// Only orders that were cancelled because this step failed for good, or
    /// that are still owed it: `processPayment` for example.
    failed_step: Option<String>,
    /// Orders on a page.
    #[param(minimum = 1, maximum = 100, default = 50)]
    #[serde(default, deserialize_with = "integer_in_query")]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

/// List orders, newest first.
///
/// Whoever has a customer's key sees their own. An order is listed once a
/// worker has written it. One that is placed meanwhile shifts no page.
#[utoipa::path(
    get, path = "/orders", operation_id = "listOrders", tag = "orders",
    params(ListOrdersQuery),
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
    StrictQuery(query): StrictQuery<ListOrdersQuery>,
) -> Result<Json<contract::Orders>, Problem> {
    let page = app.use_cases().list_orders(&viewer, query.try_into()?);
    let page = page.await?;
    Ok(Json(contract::Orders {
        orders: page.orders.into_iter().map(summary).collect(),
        next_cursor: page.next_cursor,
    }))
}

impl TryFrom<ListOrdersQuery> for ListOrders {
    type Error = UseCaseError;

    fn try_from(query: ListOrdersQuery) -> Result<Self, Self::Error> {
        Ok(Self {
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
}

fn status(name: &str) -> Result<OrderStatus, UseCaseError> {
    name.parse()
        .map_err(|field| UseCaseError::invalid(Violation::InvalidValue, field))
}

fn time(field: &'static str, text: Option<String>) -> Result<Option<Timestamp>, UseCaseError> {
    text.map(|text| instant(field, &text)).transpose()
}
