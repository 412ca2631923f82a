//! `GET /orders/{id}/workflows`.

use axum::Json;
use axum::extract::State;
use pizza_app::OrderWorkflowState;
use pizza_app::access::Viewer;
use pizza_contract::rfc_3339;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::ProblemBody;
use crate::extract::OrderIdInPath;
use crate::gateway::AppState;
use crate::problem::Problem;

/// The workflows of an order.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderWorkflows)]
pub(super) struct OrderWorkflowsBody {
    /// In the order in which they started.
    workflows: Vec<OrderWorkflowBody>,
}

/// One of an order's workflows.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OrderWorkflow)]
struct OrderWorkflowBody {
    /// Its id in Temporal.
    workflow_id: String,
    /// Its type: `PizzaOrder`, `PizzaLoyalty`, `PizzaFulfilment` or
    /// `FailedTask`.
    r#type: String,
    /// `Running`, `Completed`, `Failed` and so on.
    status: &'static str,
    /// What a parked task is about; `null` for the others.
    #[schema(required = true)]
    message_type: Option<String>,
    /// When it started.
    #[schema(format = DateTime)]
    started_at: String,
}

/// See the workflows of an order, its parked tasks among them.
///
/// Temporal's list is a moment behind what it does.
#[utoipa::path(
    get, path = "/orders/{id}/workflows", operation_id = "listOrderWorkflows", tag = "operations",
    params(("id" = String, Path, format = "uuid", description = "The order's id.")),
    responses(
        (status = 200, description = "The workflows.", body = OrderWorkflowsBody),
        (status = 400, description = "The id is not one.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "A customer's key is needed.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "The key is the kitchen's.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "There is no such order.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Temporal cannot tell right now.", body = ProblemBody, content_type = "application/problem+json",
         headers(("Retry-After" = u32, description = "Seconds to wait before another try."))),
    ),
    security((), ("customerKey" = []), ("operatorKey" = [])),
)]
pub(super) async fn list_workflows(
    State(app): State<AppState>,
    viewer: Viewer,
    OrderIdInPath(id): OrderIdInPath,
) -> Result<Json<OrderWorkflowsBody>, Problem> {
    let workflows = app.use_cases().list_workflows(&viewer, id).await?;
    Ok(Json(OrderWorkflowsBody {
        workflows: workflows.into_iter().map(Into::into).collect(),
    }))
}

impl From<OrderWorkflowState> for OrderWorkflowBody {
    fn from(workflow: OrderWorkflowState) -> Self {
        Self {
            workflow_id: workflow.id,
            r#type: workflow.workflow_type,
            status: workflow.status,
            message_type: workflow.message_type,
            started_at: rfc_3339(workflow.started_at_ms),
        }
    }
}
