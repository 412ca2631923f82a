//! One time that a parked task was run again, and how it ended.

use serde::{Deserialize, Serialize};

use crate::failure::StepFailure;

/// One time that a parked task was run again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// When it began, in milliseconds since the Unix epoch.
    pub started_at_ms: i64,
    /// When it ended, in milliseconds since the Unix epoch.
    pub ended_at_ms: i64,
    /// Who redrove it.
    pub principal: String,
    /// Whether the queue's policy did.
    pub automatic: bool,
    /// The key under which it was asked for.
    #[serde(default)]
    pub request_id: Option<String>,
    /// How often the step had been tried in all when it ended.
    #[serde(default)]
    pub attempts: u32,
    /// How it ended.
    pub outcome: AttemptOutcome,
}

/// How a redrive ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "result", content = "failure")]
pub enum AttemptOutcome {
    /// The step succeeded.
    Done,
    /// It failed again; the task stays.
    FailedAgain(StepFailure),
}
