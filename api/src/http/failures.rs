//! What the routes on failure queues have in common.

use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use failure_queue::client::ListedTask;
use failure_queue::{AutoRedrive, StepFailure};
use http::request::Parts;
use pizza_app::{FailureId, order_and_customer};
use pizza_contract::{self as contract, rfc_3339};

use crate::problem::Problem;

/// The id of a parked task in the address.
pub(super) struct FailureIdInPath(pub(super) FailureId);

impl<S: Send + Sync> FromRequestParts<S> for FailureIdInPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // What is no text is no id either.
        let id = text_in_path(parts, state).await.unwrap_or_default();
        Ok(Self(FailureId::parse(&id)?))
    }
}

/// Any other name in the address.
pub(super) struct NameInPath(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for NameInPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Self(text_in_path(parts, state).await.unwrap_or_default()))
    }
}

async fn text_in_path<S: Send + Sync>(parts: &mut Parts, state: &S) -> Option<String> {
    let text: Result<Path<String>, PathRejection> = Path::from_request_parts(parts, state).await;
    text.ok().map(|Path(text)| text)
}

/// A parked task as a list shows it.
pub(super) fn listed(task: ListedTask) -> contract::ListedFailure {
    let (order_id, customer_id) = order_and_customer(&task.subject);
    contract::ListedFailure {
        order_id,
        customer_id,
        id: task.id,
        queue: task.queue,
        message_type: task.message_type,
        error_code: task.error_code,
        parked_at: rfc_3339(task.parked_at_ms),
        state: task.state.as_str().into(),
    }
}

/// How a step failed.
pub(super) fn step_error(failure: StepFailure) -> contract::StepError {
    contract::StepError {
        code: failure.code,
        message: failure.message,
        causes: failure.causes,
        refused: failure.refused,
    }
}

/// When tasks are run again by themselves.
pub(super) fn auto_redrive(policy: AutoRedrive) -> contract::AutoRedrive {
    contract::AutoRedrive {
        first_wait_seconds: seconds(policy.first_wait_ms),
        backoff: policy.backoff,
        longest_wait_seconds: seconds(policy.longest_wait_ms),
        max_attempts: policy.max_attempts.into(),
        max_age_seconds: seconds(policy.max_age_ms),
    }
}

fn seconds(milliseconds: u64) -> f64 {
    Duration::from_millis(milliseconds).as_secs_f64()
}
