//! What an entry of a timeline says to programs.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// More on an entry. What does not concern its kind is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
#[schema(as = TimelineDetail)]
pub struct Detail {
    /// The workflow that it happened in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_id: Option<String>,
    /// A step's activity: `processPayment` for example.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity: Option<String>,
    /// Whether a step ended inside its workflow task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local: Option<bool>,
    /// How long a wait was to be, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
    /// What was asked for: `cancelOrder`, `amendOrder`, `reportKitchenEvent`,
    /// `redrive`, `discard`, `queuePolicy`, or `cancelWorkflow`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The code of a failure or a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What a failure or a refusal says, or what a customer was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The number of a change, as in the order's `version`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// The status, if it changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// What became of the money, if that changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub money: Option<String>,
    /// What became of the points, if that changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points: Option<String>,
    /// What is on the pizza.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flavour: Option<String>,
    /// How large it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// How many there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<i64>,
    /// What is to be paid, in minor units (cents).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
    /// The amendment's number, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amendment: Option<i64>,
    /// What was booked: `charge`, `refund`, `void`, `award`, `reclaim`,
    /// `adjust`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// How much: minor units (cents) of money, or points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<i64>,
    /// What the kitchen reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The report's own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report_id: Option<String>,
    /// The id of a parked task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// Its queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// What it is about: `RefundPaymentFailed` for example.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_type: Option<String>,
    /// Where it stands then: `parked`, `done` or `discarded`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Who did it or asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// Why, in the words of whoever did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
