//! `GET /orders/{id}/timeline`.

use axum::Json;
use axum::extract::State;
use pizza_app::access::Viewer;
use pizza_app::timeline::Timeline;

use crate::extract::OrderIdInPath;
use crate::gateway::AppState;
use crate::problem::Problem;

/// See what happened to an order.
///
/// Its statuses, the steps that were taken with their attempts, what was waited
/// for, money and points, kitchen reports, changes, what the customer was told,
/// parked tasks and who ended them: in one list, the first first. The steps are
/// missing while Temporal is away and once it has forgotten the order;
/// `sources` says so.
#[utoipa::path(
    get, path = "/orders/{id}/timeline", operation_id = "getTimeline", tag = "orders",
    params(("id" = String, Path, format = "uuid", description = "The order's id.")),
    responses(
        (status = 200, description = "What happened.", body = Timeline),
        (status = 400, description = "The id is not one."),
        (status = 401, description = "This gateway knows its customers, and no known key was given."),
        (status = 403, description = "The key is not a customer's."),
        (status = 404, description = "There is no such order."),
        (status = 503, description = "Nobody can tell right now."),
    ),
    security((), ("customerKey" = []), ("operatorKey" = [])),
)]
pub(super) async fn get_timeline(
    State(app): State<AppState>,
    viewer: Viewer,
    OrderIdInPath(id): OrderIdInPath,
) -> Result<Json<Timeline>, Problem> {
    Ok(Json(app.use_cases().get_timeline(&viewer, id).await?))
}
