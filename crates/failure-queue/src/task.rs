//! What a parked task is, and what became of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::attempt::Attempt;
use crate::audit_trail::{AuditAction, AuditEntry};
use crate::auto_redrive::AutoRedrive;
use crate::carried::Carried;
use crate::failure::StepFailure;
use crate::parkable_step::{FollowUp, Recorder};
use crate::payload::StoredPayload;
use crate::policy::StepPolicy;
use crate::request::{DiscardRequest, RedriveAnswer, RedriveRequest};
use crate::task_state::TaskState;

/// A step that failed for good, with what is needed to run it again. The
/// step's input is the workflow's second argument: the payload exactly as it
/// was. Times are milliseconds since the Unix epoch.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParkedTask {
    /// The failure queue that it waits in.
    pub queue: String,
    /// What it is about, in the application's words.
    pub message_type: String,
    /// What it belongs to: keyword search attributes by name.
    #[serde(default)]
    pub subject: BTreeMap<String, String>,
    /// The activity to run again, by name.
    pub activity_type: String,
    /// The task queue to run it on.
    pub task_queue: String,
    /// The policy under which it was tried.
    pub policy: StepPolicy,
    /// Under this key the step's effect happens once, redriven or not.
    pub idempotency_key: String,
    /// How it failed.
    pub failure: StepFailure,
    /// When it was first tried.
    pub first_attempt_at_ms: i64,
    /// When it was given up.
    pub parked_at_ms: i64,
    /// The workflow that it comes from.
    pub workflow_id: String,
    /// The run that it comes from.
    pub run_id: String,
    /// The application's activity that is told what becomes of it.
    #[serde(default)]
    pub recorder: Option<Recorder>,
    /// What follows when it succeeds, in this order.
    #[serde(default)]
    pub follow_ups: Vec<FollowUp>,
    /// What an earlier run of the same task knew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) carried: Option<Box<Carried>>,
    /// Whether it asks, as it starts, for its queue's policy. Tasks that were
    /// parked before there were policies do not.
    #[serde(default)]
    pub(crate) asks_for_policy: bool,
}

/// What the application's [`Recorder`] is told: a task was parked, done or
/// discarded. It may be told twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskChange {
    /// The id of the task's workflow.
    pub task_id: String,
    /// Its queue.
    pub queue: String,
    /// What it is about.
    pub message_type: String,
    /// What it belongs to.
    pub subject: BTreeMap<String, String>,
    /// Where it stands now: waiting when it was just parked, done, discarded.
    pub state: TaskState,
    /// Since when, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// Who brought it about; none for its parking.
    pub principal: Option<String>,
    /// Why, in the words of whoever did it.
    pub reason: Option<String>,
}

/// A task as it stands: the answer to the query `task`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskView {
    /// The id of its workflow.
    pub id: String,
    /// What was parked.
    pub task: ParkedTask,
    /// Where it stands.
    pub state: TaskState,
    /// How it failed last.
    pub failure: StepFailure,
    /// How often it was tried in all.
    pub attempts: u32,
    /// When it failed last, in milliseconds since the Unix epoch.
    pub last_failure_at_ms: i64,
    /// The latest redrives, oldest first.
    pub redrives: Vec<Attempt>,
    /// How many redrives there were before those.
    pub earlier_redrives: u32,
    /// Who did what, oldest first.
    pub audit: Vec<AuditEntry>,
    /// How many entries there were before those; the histories of the task's
    /// earlier runs hold them.
    pub earlier_audit: u32,
    /// The step's input exactly as it was.
    pub input: StoredPayload,
    /// The input that a redrive takes in its place.
    pub corrected_input: Option<StoredPayload>,
    /// When it is run again by itself.
    pub auto_redrive: Option<AutoRedrive>,
    /// When that is next, in milliseconds since the Unix epoch.
    pub next_redrive_at_ms: Option<i64>,
}

impl TaskView {
    /// The line of the audit trail for the request with this id, if it was
    /// taken.
    pub(crate) fn audited(&self, action: AuditAction, id: Option<&str>) -> Option<&AuditEntry> {
        let id = id?;
        let mut audit = self.audit.iter();
        audit.find(|entry| entry.action == action && entry.request_id == id)
    }

    /// Whether a line of the audit trail is of this redrive, and not of another
    /// one under its id. A corrected input is known until the next one.
    pub(crate) fn is_redrive(&self, entry: &AuditEntry, request: &RedriveRequest) -> bool {
        let last = self.audit.iter().rfind(|entry| entry.corrected_input);
        let kept = self.corrected_input.as_ref();
        let kept = kept.filter(|_| last.is_some_and(|last| std::ptr::eq(last, entry)));
        let input = request.input.as_ref();
        entry.principal == request.principal
            && entry.reason == request.reason
            && entry.corrected_input == input.is_some()
            && kept.is_none_or(|kept| input.is_some_and(|input| kept.says_the_same(input)))
    }

    /// Whether a line of the audit trail is of this discard, and not of another
    /// one under its id.
    pub(crate) fn is_discard(&self, entry: &AuditEntry, request: &DiscardRequest) -> bool {
        entry.principal == request.principal && entry.reason.as_ref() == Some(&request.reason)
    }

    /// How the redrive that was asked for under this key ended; without a key,
    /// the last one.
    pub(crate) fn answer_to(&self, request_id: Option<&str>) -> RedriveAnswer {
        let mut redrives = self.redrives.iter().rev();
        let asked_for = redrives
            .find(|attempt| request_id.is_none() || attempt.request_id.as_deref() == request_id);
        // One that is not remembered any more failed again, as others came
        // after it.
        asked_for.map_or_else(
            || RedriveAnswer {
                state: TaskState::Waiting,
                attempts: self.attempts,
                failure: Some(self.failure.clone()),
            },
            RedriveAnswer::from,
        )
    }
}
