//! `GET /failures/{id}`.

use axum::Json;
use axum::extract::State;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use failure_queue::{
    Attempt, AttemptOutcome, AuditAction, AuditEntry, AuditOutcome, FollowUp, StoredPayload,
    TaskView,
};
use pizza_app::access::Operator;
use pizza_app::order_and_customer;
use pizza_contract::{self as contract, rfc_3339};

use super::failures::{FailureIdInPath, auto_redrive, step_error};
use crate::gateway::AppState;
use crate::problem::Problem;

/// See a parked task, open or closed.
#[utoipa::path(
    get, path = "/failures/{id}", operation_id = "showFailure", tag = "failures",
    params(("id" = String, Path, description = "The task's id.")),
    responses(
        (status = 200, description = "The task.", body = contract::Failure),
        (status = 404, description = "There is no such task."),
        (status = 503, description = "Nobody can tell right now."),
    ),
    security(("operatorKey" = [])),
)]
pub(super) async fn show_failure(
    _: Operator,
    State(app): State<AppState>,
    FailureIdInPath(id): FailureIdInPath,
) -> Result<Json<contract::Failure>, Problem> {
    let view = app.use_cases().show_failure(&id).await?;
    let owed = !app.use_cases().was_done(&view).await;
    Ok(Json(failure(view, owed)))
}

fn failure(view: TaskView, owed: bool) -> contract::Failure {
    let task = view.task;
    let (order_id, customer_id) = order_and_customer(&task.subject);
    contract::Failure {
        id: view.id,
        state: view.state.as_str().into(),
        owed,
        order_id,
        customer_id,
        queue: task.queue,
        message_type: task.message_type,
        activity_type: task.activity_type,
        task_queue: task.task_queue,
        retry_policy: contract::RetryPolicy {
            attempts: task.policy.attempts,
            first_wait_seconds: task.policy.first_wait.as_secs_f64(),
            backoff: task.policy.backoff,
            longest_wait_seconds: task.policy.longest_wait.as_secs_f64(),
        },
        idempotency_key: task.idempotency_key,
        error: step_error(view.failure),
        attempts: view.attempts,
        first_attempt_at: rfc_3339(task.first_attempt_at_ms),
        last_failure_at: rfc_3339(view.last_failure_at_ms),
        parked_at: rfc_3339(task.parked_at_ms),
        workflow_id: task.workflow_id,
        run_id: task.run_id,
        input: input(view.input),
        corrected_input: view.corrected_input.map(input),
        then: task.follow_ups.into_iter().map(follow_up).collect(),
        redrives: view.redrives.into_iter().map(redrive).collect(),
        earlier_redrives: view.earlier_redrives,
        audit: view.audit.into_iter().map(audit_entry).collect(),
        earlier_audit: view.earlier_audit,
        auto_redrive: view.auto_redrive.map(auto_redrive),
        next_redrive_at: view.next_redrive_at_ms.map(rfc_3339),
    }
}

fn input(payload: StoredPayload) -> contract::StepInput {
    let json = payload
        .as_json()
        .and_then(|text| serde_json::from_str(text).ok());
    contract::StepInput {
        encoding: payload.encoding().unwrap_or_default().to_owned(),
        base64: json
            .is_none()
            .then(|| BASE64_STANDARD.encode(&payload.data.0)),
        json,
    }
}

fn follow_up(follow_up: FollowUp) -> contract::FollowUp {
    contract::FollowUp {
        queue: follow_up.step.queue,
        activity_type: follow_up.activity_type,
    }
}

fn redrive(attempt: Attempt) -> contract::Redrive {
    let (outcome, error) = match attempt.outcome {
        AttemptOutcome::Done => (contract::RedriveOutcome::Done, None),
        AttemptOutcome::FailedAgain(failure) => {
            let error = step_error(failure);
            (contract::RedriveOutcome::FailedAgain, Some(error))
        }
    };
    contract::Redrive {
        started_at: rfc_3339(attempt.started_at_ms),
        ended_at: rfc_3339(attempt.ended_at_ms),
        principal: attempt.principal,
        automatic: attempt.automatic,
        outcome: outcome.into(),
        error,
    }
}

fn audit_entry(entry: AuditEntry) -> contract::AuditEntry {
    contract::AuditEntry {
        at: rfc_3339(entry.at_ms),
        principal: entry.principal,
        action: match entry.action {
            AuditAction::Redrive => contract::AuditAction::Redrive,
            AuditAction::Discard => contract::AuditAction::Discard,
            AuditAction::SetPolicy => contract::AuditAction::SetPolicy,
        }
        .into(),
        reason: entry.reason,
        request_id: entry.request_id,
        corrected_input: entry.corrected_input,
        outcome: match entry.outcome {
            AuditOutcome::Pending => contract::AuditOutcome::Pending,
            AuditOutcome::Done => contract::AuditOutcome::Done,
            AuditOutcome::FailedAgain => contract::AuditOutcome::FailedAgain,
        }
        .into(),
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
        let shown = |payload: StoredPayload| serde_json::to_value(input(payload)).expect("JSON");
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
