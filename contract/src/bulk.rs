//! Redriving and discarding many parked tasks at once.

use serde::{Deserialize, Serialize};
#[cfg(feature = "schema")]
use utoipa::ToSchema;

use crate::names::names;
use crate::{Integer, ListedFailure, Name};

/// What to do with which tasks: `all`, or at least one of the fields that say
/// which.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct StartBulk {
    /// What to do.
    pub action: BulkAction,
    /// Every parked task.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(default = false, nullable = false))]
    pub all: Option<bool>,
    /// Only this queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(nullable = false))]
    pub queue: Option<String>,
    /// Only tasks about this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(nullable = false))]
    pub message_type: Option<String>,
    /// Only tasks whose last error has this code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schema(min_length = 1, max_length = 128, nullable = false)
    )]
    pub error_code: Option<String>,
    /// Only tasks that have been parked for longer than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(
        value_type = Option<u32>, minimum = 0, maximum = 315_360_000, nullable = false
    ))]
    pub older_than_seconds: Option<Integer>,
    /// Only tasks that have been parked for less than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(
        value_type = Option<u32>, minimum = 0, maximum = 315_360_000, nullable = false
    ))]
    pub newer_than_seconds: Option<Integer>,
    /// Only tasks of this order.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(format = "uuid", nullable = false))]
    pub order_id: Option<String>,
    /// Only tasks of this customer's orders.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schema(pattern = "^[A-Za-z0-9._-]{1,64}$", nullable = false)
    )]
    pub customer_id: Option<String>,
    /// Why; must be given for a discard.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schema(min_length = 1, max_length = 500, nullable = false)
    )]
    pub reason: Option<String>,
    /// Tasks each second.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schema(default = 20, minimum = 0.1, maximum = 100, nullable = false)
    )]
    pub rate_per_second: Option<f64>,
    /// Only tell what would be acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(default = false, nullable = false))]
    pub dry_run: Option<bool>,
}

names! {
    /// What to do with each task.
    BulkAction {
        /// Run its step again.
        Redrive = "redrive",
        /// Close it for good.
        Discard = "discard",
    }
}

/// What an operation would act on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct BulkPreview {
    /// How many tasks match.
    pub matching: u64,
    /// The latest of them, at most 10.
    pub sample: Vec<ListedFailure>,
}

/// An operation that was started.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct BulkStarted {
    /// Its id.
    #[cfg_attr(feature = "schema", schema(format = "uuid"))]
    pub bulk_id: String,
    /// How many tasks matched when it was asked for.
    pub matching: u64,
}

/// How far an operation is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct BulkProgress {
    /// Its id.
    #[cfg_attr(feature = "schema", schema(format = "uuid"))]
    pub bulk_id: String,
    /// What it does.
    #[cfg_attr(feature = "schema", schema(value_type = BulkAction))]
    pub action: Name,
    /// Who started it.
    pub principal: String,
    /// Why; `null` when nobody said.
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub reason: Option<String>,
    /// When it began.
    #[cfg_attr(feature = "schema", schema(format = DateTime))]
    pub started_at: String,
    /// When it ended; `null` while it has not.
    #[cfg_attr(feature = "schema", schema(required = true, format = DateTime))]
    pub ended_at: Option<String>,
    /// Whether it is under way.
    pub running: bool,
    /// Whether somebody stopped it.
    pub stopped: bool,
    /// How many tasks matched when it began.
    pub matching: u64,
    /// How many were redriven with success.
    pub done: u64,
    /// How many were redriven and failed again.
    pub failed_again: u64,
    /// How many were discarded.
    pub discarded: u64,
    /// How many were closed, or being redriven by somebody else.
    pub skipped: u64,
    /// How many gave no answer in time: look at them.
    pub unanswered: u64,
    /// The first 20 that failed again, were skipped or gave no answer.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub problems: Vec<BulkProblem>,
}

/// A task that an operation did not bring to an end.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct BulkProblem {
    /// The task's id.
    pub id: String,
    /// What was wrong.
    pub problem: String,
}
