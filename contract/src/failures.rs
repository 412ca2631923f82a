//! Parked tasks: what failed for good, and what operators do about it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
#[cfg(feature = "schema")]
use utoipa::{IntoParams, ToSchema};

use crate::names::names;
#[cfg(feature = "schema")]
use crate::schemas;
use crate::{AutoRedrive, Integer, Name};

/// Which parked tasks to list: the query of `GET /failures`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(IntoParams), into_params(parameter_in = Query))]
pub struct ListFailures {
    /// Only this queue: `add-loyalty-points`, `refund-payment`,
    /// `remove-loyalty-points` or `notify-customer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Only tasks about this: `AddLoyaltyPointsFailed`,
    /// `RefundPaymentFailed`, `RemoveLoyaltyPointsFailed` or
    /// `NotifyCustomerFailed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_type: Option<String>,
    /// Only tasks whose last error has this code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", param(min_length = 1, max_length = 128))]
    pub error_code: Option<String>,
    /// Only tasks that have been parked for longer than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", param(value_type = Option<i64>, minimum = 0, maximum = 315_360_000))]
    pub older_than_seconds: Option<Integer>,
    /// Only tasks that have been parked for less than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", param(value_type = Option<i64>, minimum = 0, maximum = 315_360_000))]
    pub newer_than_seconds: Option<Integer>,
    /// Only tasks of this order.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", param(format = "uuid"))]
    pub order_id: Option<String>,
    /// Only tasks of this customer's orders.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", param(pattern = "^[A-Za-z0-9._-]{1,64}$"))]
    pub customer_id: Option<String>,
    /// `open`, or those that are closed: `done` or `discarded`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", param(default = "open"))]
    pub state: Option<String>,
    /// Tasks on a page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 50))]
    pub limit: Option<Integer>,
    /// The `nextCursor` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A page of parked tasks.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct Failures {
    /// The page, latest first.
    pub failures: Vec<ListedFailure>,
    /// Asks for the next page; `null` after the last.
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub next_cursor: Option<String>,
}

/// A parked task as a list shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct ListedFailure {
    /// The id of its workflow in Temporal.
    pub id: String,
    /// The queue that it is in.
    pub queue: String,
    /// What it is about: `RefundPaymentFailed` for example.
    pub message_type: String,
    /// The code of its last error.
    pub error_code: String,
    /// The order that it belongs to.
    #[cfg_attr(feature = "schema", schema(format = "uuid"))]
    pub order_id: String,
    /// Whose order it is.
    pub customer_id: String,
    /// Since when it is parked.
    #[cfg_attr(feature = "schema", schema(format = DateTime))]
    pub parked_at: String,
    /// Where it stands. A list cannot tell which are being redriven.
    #[cfg_attr(feature = "schema", schema(value_type = schemas::ListedFailureState))]
    pub state: Name,
}

/// A parked task with all that is known of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct Failure {
    /// The id of its workflow in Temporal.
    pub id: String,
    /// The queue that it is in.
    pub queue: String,
    /// What it is about: `RefundPaymentFailed` for example.
    pub message_type: String,
    /// Where it stands.
    #[cfg_attr(feature = "schema", schema(value_type = schemas::FailureState))]
    pub state: Name,
    /// Whether what it is about is still owed: until it was done, in this run
    /// of its workflow or in one before a reset.
    #[serde(default = "owed_until_told")]
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub owed: bool,
    /// The order that it belongs to.
    #[cfg_attr(feature = "schema", schema(format = "uuid"))]
    pub order_id: String,
    /// Whose order it is.
    pub customer_id: String,
    /// The activity that a redrive runs.
    pub activity_type: String,
    /// The task queue that it runs on.
    pub task_queue: String,
    /// The policy under which it was tried.
    pub retry_policy: RetryPolicy,
    /// Under this key the step's effect happens once, redriven or not.
    pub idempotency_key: String,
    /// How it failed last.
    pub error: StepError,
    /// How often the step was tried in all.
    pub attempts: u32,
    /// When it was first tried.
    #[cfg_attr(feature = "schema", schema(format = DateTime))]
    pub first_attempt_at: String,
    /// When it failed last.
    #[cfg_attr(feature = "schema", schema(format = DateTime))]
    pub last_failure_at: String,
    /// When it was given up.
    #[cfg_attr(feature = "schema", schema(format = DateTime))]
    pub parked_at: String,
    /// The workflow that it comes from.
    pub workflow_id: String,
    /// The run that it comes from.
    pub run_id: String,
    /// The step's input exactly as it was.
    pub input: StepInput,
    /// The input that a redrive takes in its place; `null` when it takes the
    /// original.
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub corrected_input: Option<StepInput>,
    /// What follows when it succeeds, in this order.
    pub then: Vec<FollowUp>,
    /// The latest redrives, oldest first.
    pub redrives: Vec<Redrive>,
    /// How many redrives there were before those.
    pub earlier_redrives: u32,
    /// Who did what, oldest first.
    pub audit: Vec<AuditEntry>,
    /// How many entries there were before those.
    pub earlier_audit: u32,
    /// When it is run again by itself; `null` for never.
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub auto_redrive: Option<AutoRedrive>,
    /// When that is next; `null` for not any more.
    #[cfg_attr(feature = "schema", schema(required = true, format = DateTime))]
    pub next_redrive_at: Option<String>,
}

/// What earlier gateways do not tell.
const fn owed_until_told() -> bool {
    true
}

/// When a step that met a fault was tried again, before it was parked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct RetryPolicy {
    /// Attempts in all; `null` for "until it works".
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub attempts: Option<u32>,
    /// The wait before the second attempt.
    pub first_wait_seconds: f64,
    /// What each wait is multiplied by to make the next.
    pub backoff: f64,
    /// The longest wait.
    pub longest_wait_seconds: f64,
}

/// An input as Temporal holds it: `json` when it can be read here, `base64`
/// otherwise, for an encrypted one for example.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct StepInput {
    /// How it is encoded: `json/plain`, `binary/encrypted` for example.
    pub encoding: String,
    /// The input.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Object, nullable = false))]
    pub json: Option<Value>,
    /// Its bytes, where it is not plain JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(nullable = false))]
    pub base64: Option<String>,
}

/// A step that follows.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct FollowUp {
    /// The queue that it goes to when it fails for good in turn.
    pub queue: String,
    /// The activity that it runs.
    pub activity_type: String,
}

/// One time that the task was run again.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct Redrive {
    /// When it began.
    #[cfg_attr(feature = "schema", schema(format = DateTime))]
    pub started_at: String,
    /// When it ended.
    #[cfg_attr(feature = "schema", schema(format = DateTime))]
    pub ended_at: String,
    /// Who redrove it.
    pub principal: String,
    /// Whether the queue's policy did.
    pub automatic: bool,
    /// How it ended.
    #[cfg_attr(feature = "schema", schema(value_type = RedriveOutcome))]
    pub outcome: Name,
    /// How it failed; `null` when it did not.
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub error: Option<StepError>,
}

names! {
    /// How a redrive ended.
    RedriveOutcome {
        /// The step succeeded.
        Done = "done",
        /// It failed again; the task stays.
        FailedAgain = "failedAgain",
    }
}

/// A line of the audit trail.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct AuditEntry {
    /// When.
    #[cfg_attr(feature = "schema", schema(format = DateTime))]
    pub at: String,
    /// Who.
    pub principal: String,
    /// What.
    #[cfg_attr(feature = "schema", schema(value_type = AuditAction))]
    pub action: Name,
    /// Why; `null` when nobody said.
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub reason: Option<String>,
    /// The key under which the request acts once.
    pub request_id: String,
    /// Whether a corrected input was given with it.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub corrected_input: bool,
    /// How it came out.
    #[cfg_attr(feature = "schema", schema(value_type = AuditOutcome))]
    pub outcome: Name,
}

names! {
    /// What an operator did.
    AuditAction {
        /// Ran the step again.
        Redrive = "redrive",
        /// Let the task go.
        Discard = "discard",
        /// Changed when the queue's tasks are run again by themselves.
        SetPolicy = "setPolicy",
    }
}

names! {
    /// How what an operator did came out.
    AuditOutcome {
        /// It is under way.
        Pending = "pending",
        /// As wished.
        Done = "done",
        /// The step failed again.
        FailedAgain = "failedAgain",
    }
}

/// How a step failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct StepError {
    /// A stable code for programs.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// What caused it, outermost first.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub causes: Vec<String>,
    /// Whether the outside party said no. Otherwise it met a fault, and what
    /// it did may be unknown.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub refused: bool,
}

/// How to run the step again. Every field may be left out, and so may the
/// whole body.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct RedriveFailure {
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schema(min_length = 1, max_length = 500, nullable = false)
    )]
    pub reason: Option<String>,
    /// The input to take from now on, in the step's own form, with the
    /// `idempotencyKey` and the `orderId` of the original, which is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(nullable = false))]
    pub input: Option<Map<String, Value>>,
    /// Whether the original input is to be taken again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(default = false, nullable = false))]
    pub original_input: Option<bool>,
}

/// A redrive that has ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct FailureRedriven {
    /// The task's id.
    pub id: String,
    /// Where it stands now: `done` or `waiting`.
    #[cfg_attr(feature = "schema", schema(value_type = schemas::FailureState))]
    pub state: Name,
    /// How the redrive ended.
    #[cfg_attr(feature = "schema", schema(value_type = RedriveOutcome))]
    pub outcome: Name,
    /// How often the step was tried in all.
    pub attempts: u32,
    /// How it failed; `null` when it did not.
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub error: Option<StepError>,
}

/// A redrive that was taken and goes on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct FailureRedriving {
    /// The task's id.
    pub id: String,
    /// Where it stands now: `redriving`.
    #[cfg_attr(feature = "schema", schema(value_type = schemas::FailureState))]
    pub state: Name,
}

/// Why a task is let go.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct DiscardFailure {
    /// Why: what became of what is owed, for example.
    #[cfg_attr(feature = "schema", schema(min_length = 1, max_length = 500))]
    pub reason: String,
}

/// A task that was let go.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct FailureDiscarded {
    /// The task's id.
    pub id: String,
    /// Where it stands now: `discarded`.
    #[cfg_attr(feature = "schema", schema(value_type = schemas::FailureState))]
    pub state: Name,
}
