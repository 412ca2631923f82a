//! `GET /orders/{id}`.

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::response::{IntoResponse, Response};
use http::header;
use http::request::Parts;
use pizza_app::access::Viewer;
use pizza_contract as contract;

use super::orders::order;
use crate::extract::OrderIdInPath;
use crate::gateway::AppState;
use crate::pages::{self, Visitor};
use crate::problem::Problem;

/// See how an order is going.
///
/// A browser, which would rather have `text/html`, gets a page.
#[utoipa::path(
    get, path = "/orders/{id}", operation_id = "getOrder", tag = "orders",
    params(("id" = String, Path, format = "uuid", description = "The order's id.")),
    responses(
        (status = 200, description = "The order, as the store has it, whether or not anything else is there.", body = contract::Order,
         headers(("Age" = u64, description = "How many whole seconds ago the order last changed."))),
        (status = 400, description = "The id is not one."),
        (status = 401, description = "A customer's key is needed."),
        (status = 403, description = "The key is the kitchen's."),
        (status = 404, description = "There is no such order."),
        (status = 503, description = "Nobody can tell right now."),
    ),
    security((), ("customerKey" = []), ("operatorKey" = [])),
)]
pub(super) async fn get_order(
    State(app): State<AppState>,
    asking: Asking,
    OrderIdInPath(id): OrderIdInPath,
) -> Result<Response, Problem> {
    let viewer = match asking {
        Asking::Program(viewer) => viewer,
        Asking::Browser(visitor) => return pages::order_page(&app, &visitor, id).await,
    };
    let state = app.use_cases().get_order(&viewer, id).await?;
    let age = [(header::AGE, state.age.as_secs().to_string())];
    Ok((age, Json(order(state))).into_response())
}

/// Whoever asks, and in which form the answer is wanted.
pub(super) enum Asking {
    /// As JSON.
    Program(Viewer),
    /// As a page.
    Browser(Visitor),
}

impl FromRequestParts<AppState> for Asking {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Problem> {
        if pages::wants_page(&parts.headers) {
            let visitor = Visitor::from_request_parts(parts, app).await?;
            return Ok(Self::Browser(visitor));
        }
        let viewer = Viewer::from_request_parts(parts, app).await?;
        Ok(Self::Program(viewer))
    }
}
