//! What the calls on failure queues have in common.

use std::time::Duration;

use failure_queue::client::ListedTask;
use failure_queue::{AutoRedrive, StepFailure, TaskState};

use super::convert::timestamp;
use super::proto;
use pizza_app::order_and_customer;
use pizza_app::{FailureFilter, IdempotencyKey, UseCaseError};

/// The client's own key for a request, if it gave one.
pub(super) fn key(text: Option<String>) -> Result<Option<IdempotencyKey>, UseCaseError> {
    text.as_deref().map(IdempotencyKey::parse).transpose()
}

/// Which tasks are meant; without a filter, any.
pub(super) fn filter(filter: Option<proto::FailureFilter>) -> FailureFilter {
    let filter = filter.unwrap_or_default();
    FailureFilter {
        queue: filter.queue,
        message_type: filter.message_type,
        error_code: filter.error_code,
        older_than_seconds: filter.older_than_seconds.map(Into::into),
        newer_than_seconds: filter.newer_than_seconds.map(Into::into),
        order_id: filter.order_id,
        customer_id: filter.customer_id,
    }
}

impl From<ListedTask> for proto::ListedFailure {
    fn from(task: ListedTask) -> Self {
        let (order_id, customer_id) = order_and_customer(&task.subject);
        Self {
            order_id,
            customer_id,
            id: task.id,
            queue: task.queue,
            message_type: task.message_type,
            error_code: task.error_code,
            parked_at: Some(timestamp(task.parked_at_ms)),
            state: state(task.state).into(),
        }
    }
}

pub(super) const fn state(state: TaskState) -> proto::FailureState {
    match state {
        TaskState::Waiting => proto::FailureState::Waiting,
        TaskState::Redriving => proto::FailureState::Redriving,
        TaskState::Done => proto::FailureState::Done,
        TaskState::Discarded => proto::FailureState::Discarded,
    }
}

impl From<StepFailure> for proto::StepError {
    fn from(failure: StepFailure) -> Self {
        Self {
            code: failure.code,
            message: failure.message,
            causes: failure.causes,
            refused: failure.refused,
        }
    }
}

impl From<AutoRedrive> for proto::AutoRedrive {
    fn from(policy: AutoRedrive) -> Self {
        Self {
            first_wait: duration(Duration::from_millis(policy.first_wait_ms)),
            backoff: policy.backoff,
            longest_wait: duration(Duration::from_millis(policy.longest_wait_ms)),
            max_attempts: policy.max_attempts,
            max_age: duration(Duration::from_millis(policy.max_age_ms)),
        }
    }
}

/// A duration of the protocol. What does not fit, no policy has.
pub(super) fn duration(duration: Duration) -> Option<prost_types::Duration> {
    prost_types::Duration::try_from(duration).ok()
}
