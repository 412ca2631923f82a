//! `GET /failures/{id}`.

use axum::Json;
use axum::extract::State;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use failure_queue::{
    Attempt, AttemptOutcome, AuditAction, AuditEntry, AuditOutcome, FollowUp, StepPolicy,
    StoredPayload, TaskView,
};
use pizza_app::access::Operator;
use pizza_app::order_and_customer;
use pizza_contract::rfc_3339;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::failures::{AutoRedriveBody, FailureIdInPath, StepErrorBody};
use super::problem::ProblemBody;
use crate::gateway::AppState;
use crate::problem::Problem;

/// A parked task with all that is known of it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Failure)]
pub(super) struct FailureBody {
    /// The id of its workflow in Temporal.
    id: String,
    /// The queue that it is in.
    queue: String,
    /// What it is about: `RefundPaymentFailed` for example.
    message_type: String,
    /// Where it stands.
    #[schema(value_type = FailureStateBody)]
    state: &'static str,
    /// The order that it belongs to.
    #[schema(format = "uuid")]
    order_id: String,
    /// Whose order it is.
    customer_id: String,
    /// The activity that a redrive runs.
    activity_type: String,
    /// The task queue that it runs on.
    task_queue: String,
    /// The policy under which it was tried.
    retry_policy: RetryPolicyBody,
    /// Under this key the step's effect happens once, redriven or not.
    idempotency_key: String,
    /// How it failed last.
    error: StepErrorBody,
    /// How often the step was tried in all.
    attempts: u32,
    /// When it was first tried.
    #[schema(format = DateTime)]
    first_attempt_at: String,
    /// When it failed last.
    #[schema(format = DateTime)]
    last_failure_at: String,
    /// When it was given up.
    #[schema(format = DateTime)]
    parked_at: String,
    /// The workflow that it comes from.
    workflow_id: String,
    /// The run that it comes from.
    run_id: String,
    /// The step's input exactly as it was.
    input: PayloadBody,
    /// The input that a redrive takes in its place; `null` when it takes the
    /// original.
    #[schema(required = true)]
    corrected_input: Option<PayloadBody>,
    /// What follows when it succeeds, in this order.
    then: Vec<FollowUpBody>,
    /// The latest redrives, oldest first.
    redrives: Vec<RedriveBody>,
    /// How many redrives there were before those.
    earlier_redrives: u32,
    /// Who did what, oldest first.
    audit: Vec<AuditBody>,
    /// How many entries there were before those.
    earlier_audit: u32,
    /// When it is run again by itself; `null` for never.
    #[schema(required = true)]
    auto_redrive: Option<AutoRedriveBody>,
    /// When that is next; `null` for not any more.
    #[schema(required = true, format = DateTime)]
    next_redrive_at: Option<String>,
}

/// Where a parked task stands. `done` and `discarded` are final.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FailureState)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum FailureStateBody {
    Waiting,
    Redriving,
    Done,
    Discarded,
}

/// When a step that met a fault was tried again, before it was parked.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RetryPolicy)]
struct RetryPolicyBody {
    /// Attempts in all; `null` for "until it works".
    #[schema(required = true)]
    attempts: Option<u32>,
    /// The wait before the second attempt.
    first_wait_seconds: f64,
    /// What each wait is multiplied by to make the next.
    backoff: f64,
    /// The longest wait.
    longest_wait_seconds: f64,
}

/// An input as Temporal holds it: `json` when it can be read here, `base64`
/// otherwise, for an encrypted one for example.
#[derive(Serialize, ToSchema)]
#[schema(as = StepInput)]
struct PayloadBody {
    /// How it is encoded: `json/plain`, `binary/encrypted` for example.
    encoding: String,
    /// The input.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, nullable = false)]
    json: Option<Value>,
    /// Its bytes, where it is not plain JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    base64: Option<String>,
}

/// A step that follows.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FollowUp)]
struct FollowUpBody {
    /// The queue that it goes to when it fails for good in turn.
    queue: String,
    /// The activity that it runs.
    activity_type: String,
}

/// One time that the task was run again.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Redrive)]
struct RedriveBody {
    /// When it began.
    #[schema(format = DateTime)]
    started_at: String,
    /// When it ended.
    #[schema(format = DateTime)]
    ended_at: String,
    /// Who redrove it.
    principal: String,
    /// Whether the queue's policy did.
    automatic: bool,
    /// How it ended.
    outcome: RedriveOutcomeBody,
    /// How it failed; `null` when it did not.
    #[schema(required = true)]
    error: Option<StepErrorBody>,
}

/// How a redrive ended.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RedriveOutcome)]
pub(super) enum RedriveOutcomeBody {
    /// The step succeeded.
    Done,
    /// It failed again; the task stays.
    FailedAgain,
}

/// A line of the audit trail.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditEntry)]
struct AuditBody {
    /// When.
    #[schema(format = DateTime)]
    at: String,
    /// Who.
    principal: String,
    /// What.
    action: AuditActionBody,
    /// Why; `null` when nobody said.
    #[schema(required = true)]
    reason: Option<String>,
    /// The key under which the request acts once.
    request_id: String,
    /// Whether a corrected input was given with it.
    corrected_input: bool,
    /// How it came out.
    outcome: AuditOutcomeBody,
}

/// What an operator did.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditAction)]
enum AuditActionBody {
    /// Ran the step again.
    Redrive,
    /// Let the task go.
    Discard,
    /// Changed when the queue's tasks are run again by themselves.
    SetPolicy,
}

/// How what an operator did came out.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditOutcome)]
enum AuditOutcomeBody {
    /// It is under way.
    Pending,
    /// As wished.
    Done,
    /// The step failed again.
    FailedAgain,
}

/// See a parked task, open or closed.
#[utoipa::path(
    get, path = "/failures/{id}", operation_id = "showFailure", tag = "failures",
    params(("id" = String, Path, description = "The task's id.")),
    responses(
        (status = 200, description = "The task.", body = FailureBody),
        (status = 401, description = "An operator's key is needed.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "This gateway has no operators.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "There is no such task.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Nobody can tell right now.", body = ProblemBody, content_type = "application/problem+json",
         headers(("Retry-After" = u32, description = "Seconds to wait before another try."))),
    ),
    security(("operatorKey" = [])),
)]
pub(super) async fn show_failure(
    _: Operator,
    State(app): State<AppState>,
    FailureIdInPath(id): FailureIdInPath,
) -> Result<Json<FailureBody>, Problem> {
    Ok(Json(app.use_cases().show_failure(&id).await?.into()))
}

impl From<TaskView> for FailureBody {
    fn from(view: TaskView) -> Self {
        let task = view.task;
        let (order_id, customer_id) = order_and_customer(&task.subject);
        Self {
            id: view.id,
            state: view.state.as_str(),
            order_id,
            customer_id,
            queue: task.queue,
            message_type: task.message_type,
            activity_type: task.activity_type,
            task_queue: task.task_queue,
            retry_policy: task.policy.into(),
            idempotency_key: task.idempotency_key,
            error: view.failure.into(),
            attempts: view.attempts,
            first_attempt_at: rfc_3339(task.first_attempt_at_ms),
            last_failure_at: rfc_3339(view.last_failure_at_ms),
            parked_at: rfc_3339(task.parked_at_ms),
            workflow_id: task.workflow_id,
            run_id: task.run_id,
            input: view.input.into(),
            corrected_input: view.corrected_input.map(Into::into),
            then: task.follow_ups.into_iter().map(Into::into).collect(),
            redrives: view.redrives.into_iter().map(Into::into).collect(),
            earlier_redrives: view.earlier_redrives,
            audit: view.audit.into_iter().map(Into::into).collect(),
            earlier_audit: view.earlier_audit,
            auto_redrive: view.auto_redrive.map(Into::into),
            next_redrive_at: view.next_redrive_at_ms.map(rfc_3339),
        }
    }
}

impl From<StepPolicy> for RetryPolicyBody {
    fn from(policy: StepPolicy) -> Self {
        Self {
            attempts: policy.attempts,
            first_wait_seconds: policy.first_wait.as_secs_f64(),
            backoff: policy.backoff,
            longest_wait_seconds: policy.longest_wait.as_secs_f64(),
        }
    }
}

impl From<StoredPayload> for PayloadBody {
    fn from(payload: StoredPayload) -> Self {
        let json = payload
            .as_json()
            .and_then(|text| serde_json::from_str(text).ok());
        Self {
            encoding: payload.encoding().unwrap_or_default().to_owned(),
            base64: json
                .is_none()
                .then(|| BASE64_STANDARD.encode(&payload.data.0)),
            json,
        }
    }
}

impl From<FollowUp> for FollowUpBody {
    fn from(follow_up: FollowUp) -> Self {
        Self {
            queue: follow_up.step.queue,
            activity_type: follow_up.activity_type,
        }
    }
}

impl From<Attempt> for RedriveBody {
    fn from(attempt: Attempt) -> Self {
        let (outcome, error) = match attempt.outcome {
            AttemptOutcome::Done => (RedriveOutcomeBody::Done, None),
            AttemptOutcome::FailedAgain(failure) => {
                (RedriveOutcomeBody::FailedAgain, Some(failure.into()))
            }
        };
        Self {
            started_at: rfc_3339(attempt.started_at_ms),
            ended_at: rfc_3339(attempt.ended_at_ms),
            principal: attempt.principal,
            automatic: attempt.automatic,
            outcome,
            error,
        }
    }
}

impl From<AuditEntry> for AuditBody {
    fn from(entry: AuditEntry) -> Self {
        Self {
            at: rfc_3339(entry.at_ms),
            principal: entry.principal,
            action: match entry.action {
                AuditAction::Redrive => AuditActionBody::Redrive,
                AuditAction::Discard => AuditActionBody::Discard,
                AuditAction::SetPolicy => AuditActionBody::SetPolicy,
            },
            reason: entry.reason,
            request_id: entry.request_id,
            corrected_input: entry.corrected_input,
            outcome: match entry.outcome {
                AuditOutcome::Pending => AuditOutcomeBody::Pending,
                AuditOutcome::Done => AuditOutcomeBody::Done,
                AuditOutcome::FailedAgain => AuditOutcomeBody::FailedAgain,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use failure_queue::Bytes;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_input_is_shown_as_json_or_as_its_bytes() {
        let shown = |payload: StoredPayload| {
            serde_json::to_value(PayloadBody::from(payload)).expect("JSON")
        };
        let plain = StoredPayload::json(r#"{"amount":1}"#);
        assert_eq!(
            shown(plain),
            json!({ "encoding": "json/plain", "json": { "amount": 1 } })
        );
        let broken = StoredPayload::json("{");
        assert_eq!(
            shown(broken),
            json!({ "encoding": "json/plain", "base64": "ew==" })
        );
        let encrypted = StoredPayload {
            metadata: BTreeMap::from([(
                "encoding".to_owned(),
                Bytes(b"binary/encrypted".to_vec()),
            )]),
            data: Bytes(vec![0, 255]),
        };
        assert_eq!(
            shown(encrypted),
            json!({ "encoding": "binary/encrypted", "base64": "AP8=" })
        );
    }
}
