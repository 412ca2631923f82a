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

mod auto_redrive;
mod bulk;
mod failed_task;
mod failure;
mod message;
pub mod names;
mod park;
mod payload;
mod policy;
mod queue;
mod refusal;
mod request;
mod steps;
mod task;

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

pub use auto_redrive::AutoRedrive;
pub use bulk::{
    BulkAction, BulkCounts, BulkFilter, BulkProblem, BulkProgress, BulkRequest, BulkStart,
    BulkWorkflow,
};
pub use failed_task::FailedTaskWorkflow;
pub use failure::StepFailure;
pub use message::{DroppedMessage, Message, Receiver, count_dropped_messages};
pub use park::{FollowUp, ParkableStep, Recorder, now_ms};
pub use payload::{Bytes, StoredPayload};
pub use policy::{ATTEMPT_TIMEOUT, StepPolicy};
pub use queue::{FailureQueueWorkflow, PolicyChange, QueuePolicy};
pub use refusal::refused;
pub use request::{
    DiscardRequest, InvalidRequest, MOST_REDRIVES, PolicyRequest, RedriveAnswer, RedriveRequest,
};
pub use steps::Steps;
pub use task::{
    Attempt, AttemptOutcome, AuditAction, AuditEntry, AuditOutcome, ParkedTask, TaskChange,
    TaskState, TaskView,
};
