//! Lists the workflows of an order.

use failure_queue::names::search_attribute as failure_attribute;
use pizza_domain::OrderId;
use pizza_workflows::names::search_attribute;

use super::error::UseCaseError;
use super::use_cases::UseCases;
use crate::access::Viewer;

/// More than an order can have: itself, two branches, one task in each queue.
const MOST: u32 = 20;

/// One of an order's workflows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderWorkflowState {
    /// Its id.
    pub id: String,
    /// Its type.
    pub workflow_type: String,
    /// `Running`, `Completed`, `Failed` and so on.
    pub status: &'static str,
    /// What a parked task is about.
    pub message_type: Option<String>,
    /// When it started, in milliseconds since the Unix epoch.
    pub started_at_ms: i64,
}

impl UseCases {
    /// The workflows of an order, its parked tasks among them, as Temporal
    /// lists them: a moment behind what it does.
    ///
    /// # Errors
    /// When there is no such order, or who could tell is away.
    pub async fn list_workflows(
        &self,
        viewer: &Viewer,
        order: OrderId,
    ) -> Result<Vec<OrderWorkflowState>, UseCaseError> {
        if matches!(viewer, Viewer::Customer(_)) {
            self.get_order(viewer, order).await?;
        }
        let query = format!("{} = '{order}'", search_attribute::ORDER_ID.name());
        let limit = self.settings.temporal_timeout;
        let workflows = self.temporal.list(query, MOST, limit).await?;
        if workflows.is_empty() {
            // Not listed yet, or no order at all.
            self.get_order(viewer, order).await?;
        }
        let mut workflows: Vec<_> = workflows
            .into_iter()
            .map(|workflow| OrderWorkflowState {
                message_type: workflow.attributes.get(&failure_attribute::MESSAGE_TYPE),
                id: workflow.id,
                workflow_type: workflow.workflow_type,
                status: workflow.status,
                started_at_ms: workflow.started_at_ms,
            })
            .collect();
        workflows.sort_by_key(|workflow| workflow.started_at_ms);
        Ok(workflows)
    }
}
