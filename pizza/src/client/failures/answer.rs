//! The gateway's answers, as far as they are shown.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::client::gateway::CallError;
use crate::client::output;

/// Reads an answer for a person.
pub(super) fn read<T: DeserializeOwned>(answer: &Value) -> Result<T, CallError> {
    T::deserialize(answer).map_err(CallError::Unexpected)
}

/// A text from the server, made harmless as it is read: whatever it holds, it
/// is one line, and steers no terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self(output::plain(&String::deserialize(from)?)))
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

impl Text {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// `GET /failure-queues`.
#[derive(Debug, Deserialize)]
pub(super) struct Queues {
    pub(super) queues: Vec<Queue>,
}

/// A queue.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Queue {
    pub(super) queue: Text,
    pub(super) message_type: Text,
    pub(super) depth: u64,
    pub(super) oldest_age_seconds: Option<f64>,
    pub(super) arrived_last_hour: u64,
    pub(super) resolved_last_hour: u64,
    pub(super) auto_redrive: Option<AutoRedrive>,
}

/// When tasks are run again by themselves.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AutoRedrive {
    pub(super) first_wait_seconds: f64,
    pub(super) backoff: f64,
    pub(super) longest_wait_seconds: f64,
    pub(super) max_attempts: u64,
    pub(super) max_age_seconds: f64,
}

/// `GET /failures`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    pub(super) failures: Vec<Listed>,
    pub(super) next_cursor: Option<Text>,
}

/// A task in a list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listed {
    pub(super) id: Text,
    pub(super) message_type: Text,
    pub(super) error_code: Text,
    pub(super) customer_id: Text,
    pub(super) parked_at: Text,
    pub(super) state: Text,
}

/// `GET /failures/{id}`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Task {
    pub(super) id: Text,
    pub(super) queue: Text,
    pub(super) message_type: Text,
    pub(super) state: Text,
    pub(super) order_id: Text,
    pub(super) customer_id: Text,
    pub(super) activity_type: Text,
    pub(super) task_queue: Text,
    pub(super) retry_policy: RetryPolicy,
    pub(super) idempotency_key: Text,
    pub(super) error: Failure,
    pub(super) attempts: u64,
    pub(super) first_attempt_at: Text,
    pub(super) last_failure_at: Text,
    pub(super) parked_at: Text,
    pub(super) workflow_id: Text,
    pub(super) run_id: Text,
    pub(super) input: Input,
    pub(super) corrected_input: Option<Input>,
    pub(super) then: Vec<Then>,
    pub(super) redrives: Vec<Redrive>,
    pub(super) earlier_redrives: u64,
    pub(super) audit: Vec<Audit>,
    pub(super) earlier_audit: u64,
    pub(super) auto_redrive: Option<AutoRedrive>,
    pub(super) next_redrive_at: Option<Text>,
}

/// The policy under which a step is tried.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RetryPolicy {
    pub(super) attempts: Option<u64>,
    pub(super) first_wait_seconds: f64,
    pub(super) backoff: f64,
    pub(super) longest_wait_seconds: f64,
}

/// How a step failed.
#[derive(Debug, Deserialize)]
pub(super) struct Failure {
    pub(super) code: Text,
    pub(super) message: Text,
    #[serde(default)]
    pub(super) causes: Vec<Text>,
    #[serde(default)]
    pub(super) refused: bool,
}

/// What a step is given.
#[derive(Debug, Deserialize)]
pub(super) struct Input {
    pub(super) encoding: Option<Text>,
    pub(super) json: Option<Value>,
    pub(super) base64: Option<Text>,
}

/// What follows when a task succeeds.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Then {
    pub(super) queue: Text,
    pub(super) activity_type: Text,
}

/// One time that a task was run again.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Redrive {
    pub(super) started_at: Text,
    pub(super) principal: Text,
    pub(super) automatic: bool,
    pub(super) outcome: Text,
    pub(super) error: Option<Failure>,
}

/// A line of a task's audit trail.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Audit {
    pub(super) at: Text,
    pub(super) principal: Text,
    pub(super) action: Text,
    pub(super) reason: Option<Text>,
    pub(super) request_id: Text,
    #[serde(default)]
    pub(super) corrected_input: bool,
    pub(super) outcome: Text,
}

/// The answer to a redrive or a discard.
#[derive(Debug, Deserialize)]
pub(super) struct Acted {
    pub(super) state: Text,
    pub(super) outcome: Option<Text>,
    pub(super) attempts: Option<u64>,
    pub(super) error: Option<Failure>,
}

/// `GET /failure-queues/{queue}/policy`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Policy {
    pub(super) queue: Text,
    pub(super) version: u64,
    pub(super) auto_redrive: Option<AutoRedrive>,
    pub(super) changes: Vec<PolicyChange>,
    pub(super) reached: u64,
    pub(super) spreading: bool,
}

/// One change of a policy.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PolicyChange {
    pub(super) version: u64,
    pub(super) at: Text,
    pub(super) principal: Text,
    pub(super) reason: Option<Text>,
    pub(super) auto_redrive: Option<AutoRedrive>,
}

/// The answer to a dry run.
#[derive(Debug, Deserialize)]
pub(super) struct DryRun {
    pub(super) matching: u64,
    pub(super) sample: Vec<Listed>,
}

/// The answer to the start of a bulk operation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Started {
    pub(super) bulk_id: Text,
    pub(super) matching: u64,
}

/// `GET /failures/bulk/{bulkId}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Progress {
    pub(super) bulk_id: Text,
    pub(super) action: Text,
    pub(super) principal: Text,
    pub(super) reason: Option<Text>,
    /// None until its worker has begun.
    pub(super) started_at: Option<Text>,
    pub(super) ended_at: Option<Text>,
    pub(super) running: bool,
    pub(super) stopped: bool,
    pub(super) matching: u64,
    pub(super) done: u64,
    pub(super) failed_again: u64,
    pub(super) discarded: u64,
    pub(super) skipped: u64,
    pub(super) unanswered: u64,
    #[serde(default)]
    pub(super) problems: Vec<Problem>,
}

/// A task that a bulk operation had trouble with.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Problem {
    pub(super) id: Text,
    pub(super) problem: Text,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_harmless_once_it_is_read() {
        let answer = serde_json::json!({ "id": "a\n\x1b[2J", "problem": "\u{9b}31m" });
        let problem: Problem = read(&answer).expect("a problem");
        assert_eq!(problem.id.as_str(), "a\\u000a\\u001b[2J");
        assert_eq!(problem.problem.as_str(), "\\u009b31m");
    }
}
