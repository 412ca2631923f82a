//! STAND-IN for `failure_queue::{TaskChange, TaskState}`, with the same
//! fields: to be replaced by that crate's types, here and in `use` lines.

use std::collections::BTreeMap;

use pizza_domain::CustomerId;
use pizza_workflows::names::failed_task_workflow_id;
use pizza_workflows::steps::ParkedStep;

use crate::store::{OrderRecord, now_ms};

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "nothing closes a task yet")]
pub(crate) enum TaskState {
    /// Parked, and waiting for somebody.
    Waiting,
    /// Its activity is being run again.
    Redriving,
    /// It succeeded after all.
    Done,
    /// Somebody let it go.
    Discarded,
}

/// What became of a task.
#[derive(Clone, Debug)]
pub(crate) struct TaskChange {
    /// The id of the task's workflow.
    pub(crate) task_id: String,
    /// Its queue.
    pub(crate) queue: String,
    /// What it is about.
    pub(crate) message_type: String,
    /// What it belongs to.
    pub(crate) subject: BTreeMap<String, String>,
    /// Where it stands now.
    pub(crate) state: TaskState,
    /// Since when, in milliseconds since the Unix epoch.
    pub(crate) at_ms: i64,
    /// Who brought it about; none for its parking.
    pub(crate) principal: Option<String>,
    /// Why.
    pub(crate) reason: Option<String>,
}

impl TaskChange {
    /// The parking of a step, from what this version's workflows tell of it.
    pub(crate) fn parking(step: &ParkedStep, order: Option<&OrderRecord>) -> Self {
        let queue = step.message_type.queue();
        let customer = order.map_or_else(CustomerId::default, |order| order.customer_id.clone());
        let subject = BTreeMap::from([
            ("OrderId".to_owned(), step.order_id.to_string()),
            ("CustomerId".to_owned(), customer.to_string()),
        ]);
        Self {
            task_id: failed_task_workflow_id(queue, step.order_id),
            queue: queue.to_owned(),
            message_type: step.message_type.as_str().to_owned(),
            subject,
            state: TaskState::Waiting,
            at_ms: now_ms(),
            principal: None,
            reason: None,
        }
    }
}
