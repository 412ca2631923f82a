//! The failure queues, and when their tasks are run again by themselves.

use serde::{Deserialize, Deserializer, Serialize};
#[cfg(feature = "schema")]
use utoipa::ToSchema;

use crate::{Integer, Name};

/// The failure queues.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct FailureQueues {
    /// Each queue, empty ones included.
    pub queues: Vec<FailureQueue>,
}

/// How a failure queue stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct FailureQueue {
    /// The queue's name.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub queue: Name,
    /// What its tasks are about.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub message_type: Name,
    /// How many tasks wait in it.
    pub depth: u64,
    /// Since when the oldest of them is parked; `null` when none is.
    #[cfg_attr(feature = "schema", schema(required = true, format = DateTime))]
    pub oldest_parked_at: Option<String>,
    /// How long that is.
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub oldest_age_seconds: Option<u64>,
    /// How many were parked within the last hour.
    pub arrived_last_hour: u64,
    /// How many were done or discarded within the last hour.
    pub resolved_last_hour: u64,
    /// When its tasks are run again by themselves; `null` for never.
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub auto_redrive: Option<AutoRedrive>,
}

/// When tasks are run again by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct AutoRedrive {
    /// The wait from a task's last failure, or from the policy's arrival if
    /// that is later, to its first automatic redrive: 0.1 to 2592000, to the
    /// millisecond.
    #[cfg_attr(feature = "schema", schema(minimum = 0.1, maximum = 2_592_000))]
    pub first_wait_seconds: f64,
    /// What each wait is multiplied by to make the next.
    #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 10))]
    pub backoff: f64,
    /// The longest wait, at least the first.
    #[cfg_attr(feature = "schema", schema(minimum = 0.1, maximum = 2_592_000))]
    pub longest_wait_seconds: f64,
    /// How often a task is redriven by itself at most.
    #[cfg_attr(feature = "schema", schema(value_type = u32, minimum = 1, maximum = 1000))]
    pub max_attempts: Integer,
    /// From this age on, counted from its parking, a task is left alone.
    #[cfg_attr(feature = "schema", schema(minimum = 0.001, maximum = 315_360_000))]
    pub max_age_seconds: f64,
}

/// A queue's new policy.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct SetQueuePolicy {
    /// When tasks are run again by themselves; `null` switches it off. It
    /// must be given, so that nothing is switched off by a slip.
    #[serde(deserialize_with = "nullable")]
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub auto_redrive: Option<AutoRedrive>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schema(min_length = 1, max_length = 500, nullable = false)
    )]
    pub reason: Option<String>,
}

/// Reads a field that may be `null`, and must be there. The gateway's reader,
/// for which `null` is no value elsewhere, knows such a field by [`Nullable`].
fn nullable<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    Nullable::deserialize(from).map(|Nullable(value)| value)
}

/// What may be `null`.
#[derive(Deserialize)]
struct Nullable<T>(Option<T>);

/// A queue's policy, and how it came about.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct QueuePolicy {
    /// The queue.
    pub queue: String,
    /// Counts the changes; 0 for a queue that never had a policy.
    pub version: u32,
    /// When tasks are run again by themselves; `null` for never.
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub auto_redrive: Option<AutoRedrive>,
    /// The latest changes, oldest first.
    pub changes: Vec<PolicyChange>,
    /// How many parked tasks were told of this version so far.
    pub reached: u64,
    /// Whether more are being told.
    pub spreading: bool,
}

/// A change of a queue's policy.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct PolicyChange {
    /// The version that it made.
    pub version: u32,
    /// When.
    #[cfg_attr(feature = "schema", schema(format = DateTime))]
    pub at: String,
    /// Who.
    pub principal: String,
    /// Why; `null` when nobody said.
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub reason: Option<String>,
    /// When tasks were run again by themselves from then on.
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub auto_redrive: Option<AutoRedrive>,
}
