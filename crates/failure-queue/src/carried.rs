//! What one run of a parked task hands to the next.

use serde::{Deserialize, Serialize};

use crate::attempt::Attempt;
use crate::audit_trail::AuditEntry;
use crate::failure::StepFailure;
use crate::payload::StoredPayload;
use crate::queue_policy::PolicyChange;

/// What a task knows beyond how it was parked. It is handed to the next run
/// when the task continues as new.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Carried {
    /// How it failed last; none until a redrive failed.
    pub(crate) failure: Option<StepFailure>,
    pub(crate) last_failure_at_ms: i64,
    /// Attempts of redrives.
    pub(crate) attempts: u32,
    pub(crate) redrives: Vec<Attempt>,
    pub(crate) earlier_redrives: u32,
    pub(crate) audit: Vec<AuditEntry>,
    pub(crate) earlier_audit: u32,
    /// Redrives that were asked for by hand.
    #[serde(default)]
    pub(crate) asked_redrives: u32,
    pub(crate) corrected_input: Option<StoredPayload>,
    pub(crate) policy: Option<PolicyChange>,
    /// When this task heard of the policy.
    pub(crate) policy_since_ms: i64,
    /// Automatic redrives under this policy.
    pub(crate) automatic: u32,
}

impl Carried {
    /// What is known of a task that was just parked.
    pub(crate) fn parked_at(at_ms: i64) -> Self {
        Self {
            last_failure_at_ms: at_ms,
            ..Self::default()
        }
    }
}
