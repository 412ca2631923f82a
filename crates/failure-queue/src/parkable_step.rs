//! A step that is parked when it fails for good, with all that is known of it
//! before it is run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::payload::StoredPayload;
use crate::policy::StepPolicy;

/// A step that must not be lost: what is known of it before it is run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParkableStep {
    /// The failure queue that it goes to when it fails for good.
    pub queue: String,
    /// What it is about then, in the application's words.
    pub message_type: String,
    /// What it is for, an order's id for example: with the queue it names the
    /// parked task, so that it is parked once.
    pub id: String,
    /// What it belongs to: keyword search attributes by name, which the
    /// namespace must have. They are never encrypted.
    pub subject: BTreeMap<String, String>,
    /// What stands in a search attribute in place of what the subject says,
    /// where that must not be read there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<String, String>,
    /// When it is tried again before it has failed for good.
    pub policy: StepPolicy,
    /// Under this key its effect happens once. It is part of the step's input,
    /// where the activity finds it; here it is for people and for checks.
    pub idempotency_key: String,
    /// The task queue on which parked tasks live.
    pub failures_task_queue: String,
    /// Whether the first attempt is made inside the workflow task.
    pub local_first: bool,
    /// The application's activity that is told what becomes of it.
    pub recorder: Option<Recorder>,
    /// What follows when it succeeds after it was parked, in this order.
    pub follow_ups: Vec<FollowUp>,
}

/// The application's activity, by name, that is told with a [`TaskChange`]
/// when a task was parked, done or discarded. It is tried until it works, so
/// it must be idempotent, and it runs on the task queue of the workflow that
/// tells: on that of each workflow that parks, and on that of parked tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Recorder(pub String);

/// A step that follows another one's success. It is parked in turn when it
/// fails for good.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FollowUp {
    /// The step.
    pub step: ParkableStep,
    /// Its activity, by name.
    pub activity_type: String,
    /// The task queue to run it on.
    pub task_queue: String,
    /// Its input.
    pub input: StoredPayload,
}
