//! `GET /orders/{id}/workflows`.

use axum::Json;
use axum::extract::State;
use pizza_app::OrderWorkflowState;
use pizza_app::access::Viewer;
use pizza_contract::{self as contract, rfc_3339};

use crate::extract::OrderIdInPath;
use crate::gateway::AppState;
use crate::problem::Problem;

/// See the workflows of an order, its parked tasks among them.
///
/// Temporal's list is a moment behind what it does.
#[utoipa::path(
    get, path = "/orders/{id}/workflows", operation_id = "listOrderWorkflows", tag = "operations",
    params(("id" = String, Path, format = "uuid", description = "The order's id.")),
    responses(
        (status = 200, description = "The workflows.", body = contract::OrderWorkflows),
        (status = 400, description = "The id is not one."),
        (status = 401, description = "A customer's key is needed."),
        (status = 403, description = "The key is the kitchen's."),
        (status = 404, description = "There is no such order."),
        (status = 503, description = "Temporal cannot tell right now."),
    ),
    security((), ("customerKey" = []), ("operatorKey" = [])),
)]
pub(super) async fn list_workflows(
    State(app): State<AppState>,
    viewer: Viewer,
    OrderIdInPath(id): OrderIdInPath,
) -> Result<Json<contract::OrderWorkflows>, Problem> {
    let workflows = app.use_cases().list_workflows(&viewer, id).await?;
    Ok(Json(contract::OrderWorkflows {
        workflows: workflows.into_iter().map(workflow).collect(),
    }))
}

fn workflow(state: OrderWorkflowState) -> contract::OrderWorkflow {
    contract::OrderWorkflow {
        workflow_id: state.id,
        r#type: state.workflow_type,
        status: state.status.into(),
        message_type: state.message_type,
        started_at: rfc_3339(state.started_at_ms),
    }
}
