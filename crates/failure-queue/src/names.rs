//! Every name that may never change.
//!
//! They stand in histories, in operators' scripts and in the visibility store
//! of running clusters, so this file only grows.

use temporalio_common::search_attributes::{SearchAttributeKey, Timestamp};

/// Workflow types.
pub mod workflow_type {
    /// A step that failed for good.
    pub const FAILED_TASK: &str = "FailedTask";
    /// The policy of one queue.
    pub const FAILURE_QUEUE: &str = "FailureQueue";
    /// A redrive or discard of many tasks.
    pub const BULK: &str = "FailureBulk";
}

/// Activity types of the queues' own workflows.
pub mod activity {
    /// What a queue's policy is.
    pub const READ_POLICY: &str = "readFailureQueuePolicy";
    /// A page of a queue's tasks is told its policy.
    pub const SPREAD_POLICY: &str = "spreadFailureQueuePolicy";
    /// A page of tasks is redriven or discarded.
    pub const BULK_PAGE: &str = "redriveOrDiscardPage";
    /// How many tasks match.
    pub const COUNT: &str = "countFailedTasks";
}

/// Updates, signals and queries.
pub mod message {
    /// Query of a parked task: how it stands.
    pub const TASK: &str = "task";
    /// Update of a parked task: run its step again.
    pub const REDRIVE: &str = "redrive";
    /// Update of a parked task: close it for good.
    pub const DISCARD: &str = "discard";
    /// Signal to a parked task: its queue's policy changed.
    pub const QUEUE_POLICY: &str = "queuePolicy";
    /// Update of a queue: change its policy.
    pub const SET_POLICY: &str = "setPolicy";
    /// Query of a queue: its policy.
    pub const POLICY: &str = "policy";
    /// Query of a bulk operation: how far it is.
    pub const PROGRESS: &str = "progress";
    /// Signal to a bulk operation: go no further.
    pub const STOP: &str = "stop";
}

/// Types of application failures with which a request is refused.
pub mod failure_type {
    /// The task is done or discarded.
    pub const RESOLVED: &str = "FailedTaskResolved";
    /// A redrive of the task is under way.
    pub const BUSY: &str = "FailedTaskBusy";
    /// The request's id was used for another request.
    pub const REUSED: &str = "RequestIdReused";
    /// The task was redriven by hand too often.
    pub const TOO_MANY_REDRIVES: &str = "FailedTaskTooManyRedrives";
    /// A field of the request is beyond its limit; its details say which.
    pub const INVALID: &str = "InvalidRequest";
}

/// Search attributes of parked tasks, beside those of their subject. None
/// holds personal data: they are never encrypted.
pub mod search_attribute {
    use super::{SearchAttributeKey, Timestamp};

    /// The queue that a task waits in.
    pub const QUEUE: SearchAttributeKey<String> = SearchAttributeKey::keyword("FailureQueue");
    /// Its message type.
    pub const MESSAGE_TYPE: SearchAttributeKey<String> = SearchAttributeKey::keyword("FailureType");
    /// The code of its last error.
    pub const ERROR_CODE: SearchAttributeKey<String> =
        SearchAttributeKey::keyword("FailureErrorCode");
    /// `waiting`, `done` or `discarded`.
    pub const STATE: SearchAttributeKey<String> = SearchAttributeKey::keyword("FailureState");
    /// When it was parked.
    pub const PARKED_AT: SearchAttributeKey<Timestamp> =
        SearchAttributeKey::datetime("FailureParkedAt");

    /// Their names and types, as `temporal operator search-attribute create`
    /// wants them. A namespace must have them, and the keywords of the
    /// subjects, before the first task is parked.
    #[must_use]
    pub fn all() -> [(&'static str, &'static str); 5] {
        let [queue, message_type, error_code, state] = KEYWORDS.map(|key| (key.name(), "Keyword"));
        let parked_at = (PARKED_AT.name(), "Datetime");
        [queue, message_type, error_code, state, parked_at]
    }

    /// Those that are keywords.
    pub const KEYWORDS: [&SearchAttributeKey<String>; 4] =
        [&QUEUE, &MESSAGE_TYPE, &ERROR_CODE, &STATE];
}

/// The memo of a queue's workflow that holds its policy, so that it can be
/// read while no worker is there.
pub const MEMO_POLICY: &str = "policy";

/// The workflow id of a parked task: its queue and what it is for name it, so
/// it is parked once.
#[must_use]
pub fn failed_task_workflow_id(queue: &str, id: &str) -> String {
    format!("failed-{queue}-{id}")
}

/// The workflow id of a queue.
#[must_use]
pub fn failure_queue_workflow_id(queue: &str) -> String {
    format!("failure-queue-{queue}")
}

/// The workflow id of a bulk operation.
#[must_use]
pub fn bulk_workflow_id(id: &str) -> String {
    format!("{BULK_PREFIX}{id}")
}

/// The id of the bulk operation that a workflow is; none of another workflow.
#[must_use]
pub fn bulk_of_workflow_id(workflow_id: &str) -> Option<&str> {
    workflow_id.strip_prefix(BULK_PREFIX)
}

const BULK_PREFIX: &str = "failure-bulk-";
