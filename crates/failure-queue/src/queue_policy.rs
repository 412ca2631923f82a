//! The policy of a queue, and its changes.

use serde::{Deserialize, Serialize};

use crate::auto_redrive::AutoRedrive;

/// A change of a queue's policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyChange {
    /// Counts the changes of the queue, from 1.
    pub version: u32,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// Who.
    pub principal: String,
    /// Why.
    pub reason: Option<String>,
    /// When tasks are redriven by themselves from then on; none for never.
    pub auto_redrive: Option<AutoRedrive>,
}

/// The policy of a queue, and how it came about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueuePolicy {
    /// The queue.
    pub queue: String,
    /// Counts the changes; 0 for a queue that never had a policy.
    pub version: u32,
    /// When tasks are redriven by themselves; none for never.
    pub auto_redrive: Option<AutoRedrive>,
    /// The latest changes, oldest first.
    pub changes: Vec<PolicyChange>,
    /// How many parked tasks were told of this version so far.
    pub reached: u64,
    /// Whether more are being told.
    pub spreading: bool,
}
