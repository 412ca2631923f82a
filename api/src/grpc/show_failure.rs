//! `FailureQueueService/GetFailure`.

use failure_queue::{
    Attempt, AttemptOutcome, AuditAction, AuditEntry, AuditOutcome, FollowUp, StepPolicy,
    StoredPayload, TaskView,
};

use super::convert::timestamp;
use super::failures::{duration, state};
use super::proto::{self, GetFailureRequest, GetFailureResponse};
use crate::gateway::App;
use pizza_app::order_and_customer;
use pizza_app::{FailureId, UseCaseError};

pub(super) async fn serve(
    app: &App,
    request: GetFailureRequest,
) -> Result<GetFailureResponse, UseCaseError> {
    let id = FailureId::parse(&request.id)?;
    let view = app.use_cases().show_failure(&id).await?;
    Ok(GetFailureResponse {
        failure: Some(view.into()),
    })
}

impl From<TaskView> for proto::Failure {
    fn from(view: TaskView) -> Self {
        let task = view.task;
        let (order_id, customer_id) = order_and_customer(&task.subject);
        Self {
            id: view.id,
            state: state(view.state).into(),
            order_id,
            customer_id,
            queue: task.queue,
            message_type: task.message_type,
            activity_type: task.activity_type,
            task_queue: task.task_queue,
            retry_policy: Some(task.policy.into()),
            idempotency_key: task.idempotency_key,
            error: Some(view.failure.into()),
            attempts: view.attempts,
            first_attempt_at: Some(timestamp(task.first_attempt_at_ms)),
            last_failure_at: Some(timestamp(view.last_failure_at_ms)),
            parked_at: Some(timestamp(task.parked_at_ms)),
            workflow_id: task.workflow_id,
            run_id: task.run_id,
            input: Some(view.input.into()),
            corrected_input: view.corrected_input.map(Into::into),
            then: task.follow_ups.into_iter().map(Into::into).collect(),
            redrives: view.redrives.into_iter().map(Into::into).collect(),
            earlier_redrives: view.earlier_redrives,
            audit: view.audit.into_iter().map(Into::into).collect(),
            earlier_audit: view.earlier_audit,
            auto_redrive: view.auto_redrive.map(Into::into),
            next_redrive_at: view.next_redrive_at_ms.map(timestamp),
        }
    }
}

impl From<StepPolicy> for proto::RetryPolicy {
    fn from(policy: StepPolicy) -> Self {
        Self {
            attempts: policy.attempts,
            first_wait: duration(policy.first_wait),
            backoff: policy.backoff,
            longest_wait: duration(policy.longest_wait),
        }
    }
}

impl From<StoredPayload> for proto::StepInput {
    fn from(payload: StoredPayload) -> Self {
        Self {
            encoding: payload.encoding().unwrap_or_default().to_owned(),
            data: payload.data.0,
        }
    }
}

impl From<FollowUp> for proto::FollowUp {
    fn from(follow_up: FollowUp) -> Self {
        Self {
            queue: follow_up.step.queue,
            activity_type: follow_up.activity_type,
        }
    }
}

impl From<Attempt> for proto::Redrive {
    fn from(attempt: Attempt) -> Self {
        Self {
            started_at: Some(timestamp(attempt.started_at_ms)),
            ended_at: Some(timestamp(attempt.ended_at_ms)),
            principal: attempt.principal,
            automatic: attempt.automatic,
            error: match attempt.outcome {
                AttemptOutcome::Done => None,
                AttemptOutcome::FailedAgain(failure) => Some(failure.into()),
            },
        }
    }
}

impl From<AuditEntry> for proto::AuditEntry {
    fn from(entry: AuditEntry) -> Self {
        let action = match entry.action {
            AuditAction::Redrive => proto::AuditAction::Redrive,
            AuditAction::Discard => proto::AuditAction::Discard,
            AuditAction::SetPolicy => proto::AuditAction::SetPolicy,
        };
        let outcome = match entry.outcome {
            AuditOutcome::Pending => proto::AuditOutcome::Pending,
            AuditOutcome::Done => proto::AuditOutcome::Done,
            AuditOutcome::FailedAgain => proto::AuditOutcome::FailedAgain,
        };
        Self {
            at: Some(timestamp(entry.at_ms)),
            principal: entry.principal,
            action: action.into(),
            reason: entry.reason,
            request_id: entry.request_id,
            corrected_input: entry.corrected_input,
            outcome: outcome.into(),
        }
    }
}
