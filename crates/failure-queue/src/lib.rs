//! Failure queues for Temporal.
//!
//! A workflow runs its steps through [`Steps`]. A step that fails for good is
//! parked: it becomes a workflow of its own ([`FailedTaskWorkflow`]), which
//! outlives the one that it comes from and waits in a named queue, with all
//! that is needed to run the step again and all that a person needs to decide.
//!
//! Nothing outside the features does I/O, so a crate of workflows may depend
//! on this one. The feature `client` adds [`client::FailureQueues`], which
//! lists, counts, shows, redrives and discards; the feature `worker` adds the
//! activities that the queues' own workflows need.

mod attempt;
mod audit_trail;
mod auto_redrive;
mod bulk;
mod carried;
mod error_chain;
mod failed_task;
mod failure;
mod invalid_request;
mod message;
pub mod names;
mod park;
mod parkable_step;
mod payload;
mod policy;
mod queue;
mod queue_policy;
mod refusal;
mod request;
mod steps;
mod task;
mod task_state;
mod workflow_time;

/// The activities of the queues' own workflows, declared. The feature `worker`
/// implements them.
pub mod activities {
    pub use crate::bulk::{BulkActivities, BulkPage, BulkPageResult, CountTasks, RunPage};
    pub use crate::queue::{QueueActivities, ReadPolicy, SpreadPage, SpreadPolicy, SpreadResult};
}

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "worker")]
pub mod worker;

pub use attempt::{Attempt, AttemptOutcome};
pub use audit_trail::{AuditAction, AuditEntry, AuditOutcome};
pub use auto_redrive::AutoRedrive;
pub use bulk::{
    BulkAction, BulkCounts, BulkFilter, BulkProblem, BulkProgress, BulkRequest, BulkStart,
    BulkWorkflow,
};
pub use error_chain::error_chain;
pub use failed_task::FailedTaskWorkflow;
pub use failure::StepFailure;
pub use invalid_request::InvalidRequest;
pub use message::{DroppedMessage, Message, Receiver, count_dropped_messages};
pub use parkable_step::{FollowUp, ParkableStep, Recorder};
pub use payload::{Bytes, StoredPayload};
pub use policy::{ATTEMPT_TIMEOUT, StepPolicy};
pub use queue::FailureQueueWorkflow;
pub use queue_policy::{PolicyChange, QueuePolicy};
pub use refusal::refused;
pub use request::{DiscardRequest, MOST_REDRIVES, PolicyRequest, RedriveAnswer, RedriveRequest};
pub use steps::Steps;
pub use task::{ParkedTask, TaskChange, TaskView};
pub use task_state::TaskState;
pub use workflow_time::now_ms;
