//! The lines of a parked task's audit trail: who did what, and how it came out.

use serde::{Deserialize, Serialize};

/// What an operator did to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AuditAction {
    /// Ran it again.
    Redrive,
    /// Let it go.
    Discard,
    /// Changed when it is run again by itself.
    SetPolicy,
}

/// How what an operator did came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AuditOutcome {
    /// It is under way.
    Pending,
    /// As wished.
    Done,
    /// The step failed again.
    FailedAgain,
}

/// A line of a task's audit trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// Who.
    pub principal: String,
    /// What.
    pub action: AuditAction,
    /// Why.
    pub reason: Option<String>,
    /// The key under which the request acts once.
    pub request_id: String,
    /// Whether a corrected input was given with it.
    #[serde(default)]
    pub corrected_input: bool,
    /// How it came out.
    pub outcome: AuditOutcome,
}
