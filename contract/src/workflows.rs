//! The workflows of an order.

use serde::{Deserialize, Serialize};
#[cfg(feature = "schema")]
use utoipa::ToSchema;

use crate::Name;

/// The workflows of an order.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct OrderWorkflows {
    /// In the order in which they started.
    pub workflows: Vec<OrderWorkflow>,
}

/// One of an order's workflows.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct OrderWorkflow {
    /// Its id in Temporal.
    pub workflow_id: String,
    /// Its type: `PizzaOrder`, `PizzaLoyalty`, `PizzaFulfilment` or
    /// `FailedTask`.
    pub r#type: String,
    /// `Running`, `Completed`, `Failed` and so on.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub status: Name,
    /// What a parked task is about; `null` for the others.
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub message_type: Option<String>,
    /// When it started.
    #[cfg_attr(feature = "schema", schema(format = DateTime))]
    pub started_at: String,
}
