//! `DELETE /orders/{id}`.

use axum::Json;
use axum::extract::State;
use pizza_app::access::Viewer;
use pizza_contract as contract;
use pizza_domain::OrderStatus;

use crate::extract::OrderIdInPath;
use crate::gateway::AppState;
use crate::problem::Problem;

/// Cancel an order that is not on its way.
///
/// Free before the kitchen starts; later the charge and the points are taken
/// back. To cancel again is safe.
#[utoipa::path(
    delete, path = "/orders/{id}", operation_id = "cancelOrder", tag = "orders",
    params(("id" = String, Path, format = "uuid", description = "The order's id.")),
    responses(
        (status = 200, description = "The order is cancelled, or will be whatever comes.", body = contract::OrderCancelled),
        (status = 400, description = "The id is not one."),
        (status = 401, description = "A customer's key is needed."),
        (status = 403, description = "The key is not a customer's."),
        (status = 404, description = "There is no such order."),
        (status = 409, description = "The order is on its way, or delivered."),
        (status = 503, description = "The saga did not answer in time; ask again."),
    ),
    security((), ("customerKey" = []), ("operatorKey" = [])),
)]
pub(super) async fn cancel_order(
    State(app): State<AppState>,
    viewer: Viewer,
    OrderIdInPath(id): OrderIdInPath,
) -> Result<Json<contract::OrderCancelled>, Problem> {
    let status = app.use_cases().cancel_order(&viewer, id).await?;
    Ok(Json(contract::OrderCancelled {
        order_id: id,
        outcome: if status == OrderStatus::Cancelled {
            contract::CancellationOutcome::Cancelled
        } else {
            contract::CancellationOutcome::Cancelling
        }
        .into(),
        status: status.as_str().into(),
    }))
}
