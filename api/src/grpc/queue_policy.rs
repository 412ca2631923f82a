//! `FailureQueueService/GetQueuePolicy` and `SetQueuePolicy`.

use failure_queue::{PolicyChange, QueuePolicy};
use pizza_domain::InvalidField;

use super::convert::timestamp;
use super::proto::set_queue_policy_request::Change;
use super::proto::{
    self, GetQueuePolicyRequest, GetQueuePolicyResponse, SetQueuePolicyRequest,
    SetQueuePolicyResponse,
};
use crate::gateway::App;
use pizza_app::access::Operator;
use pizza_app::{AutoRedriveInSeconds, UseCaseError, Violation};

pub(super) async fn get(
    app: &App,
    request: GetQueuePolicyRequest,
) -> Result<GetQueuePolicyResponse, UseCaseError> {
    let policy = app.use_cases().queue_policy(&request.queue).await?;
    Ok(GetQueuePolicyResponse {
        policy: Some(policy.into()),
    })
}

pub(super) async fn set(
    app: &App,
    operator: Operator,
    request: SetQueuePolicyRequest,
) -> Result<SetQueuePolicyResponse, UseCaseError> {
    let auto_redrive = match request.change {
        Some(Change::AutoRedrive(policy)) => Some(in_seconds(&policy)),
        Some(Change::Off(true)) => None,
        Some(Change::Off(false)) | None => return Err(missing_change()),
    };
    let policy = app
        .use_cases()
        .set_queue_policy(&request.queue, operator.name, request.reason, auto_redrive)
        .await?;
    Ok(SetQueuePolicyResponse {
        policy: Some(policy.into()),
    })
}

fn missing_change() -> UseCaseError {
    let field = InvalidField {
        field: "autoRedrive",
        expected: "is missing: give it, or say that it is to be off".to_owned(),
    };
    UseCaseError::invalid(Violation::Missing, field)
}

/// What is missing is 0, which no policy may have.
fn in_seconds(policy: &proto::AutoRedrive) -> AutoRedriveInSeconds {
    AutoRedriveInSeconds {
        first_wait_seconds: seconds(policy.first_wait.as_ref()),
        backoff: policy.backoff,
        longest_wait_seconds: seconds(policy.longest_wait.as_ref()),
        max_attempts: policy.max_attempts.into(),
        max_age_seconds: seconds(policy.max_age.as_ref()),
    }
}

/// Inexact from millions of years on, which is beyond every limit.
fn seconds(duration: Option<&prost_types::Duration>) -> f64 {
    duration.map_or(0.0, |duration| {
        duration.seconds as f64 + f64::from(duration.nanos) / 1e9
    })
}

impl From<QueuePolicy> for proto::QueuePolicy {
    fn from(policy: QueuePolicy) -> Self {
        Self {
            queue: policy.queue,
            version: policy.version,
            auto_redrive: policy.auto_redrive.map(Into::into),
            changes: policy.changes.into_iter().map(Into::into).collect(),
            reached: policy.reached,
            spreading: policy.spreading,
        }
    }
}

impl From<PolicyChange> for proto::PolicyChange {
    fn from(change: PolicyChange) -> Self {
        Self {
            version: change.version,
            at: Some(timestamp(change.at_ms)),
            principal: change.principal,
            reason: change.reason,
            auto_redrive: change.auto_redrive.map(Into::into),
        }
    }
}
