//! `FailureQueueService/StartBulk`, `GetBulk` and `StopBulk`.

use failure_queue::{BulkAction, BulkProblem, BulkProgress};
use pizza_domain::InvalidField;

use super::convert::timestamp;
use super::failures::{filter, key};
use super::proto::{
    self, GetBulkRequest, GetBulkResponse, StartBulkRequest, StartBulkResponse, StopBulkRequest,
    StopBulkResponse,
};
use crate::gateway::App;
use pizza_app::access::Operator;
use pizza_app::{StartBulk, UseCaseError, Violation};

pub(super) async fn start(
    app: &App,
    operator: Operator,
    request: StartBulkRequest,
) -> Result<StartBulkResponse, UseCaseError> {
    let dry_run = request.dry_run;
    let request = StartBulk {
        action: action(request.action)?,
        all: request.all,
        filter: filter(request.filter),
        principal: operator.name,
        reason: request.reason,
        rate_per_second: request.rate_per_second,
        key: key(request.idempotency_key)?,
    };
    if dry_run {
        let preview = app.use_cases().preview_bulk(request).await?;
        return Ok(StartBulkResponse {
            bulk_id: String::new(),
            matching: preview.matching,
            sample: preview.sample.into_iter().map(Into::into).collect(),
        });
    }
    let started = app.use_cases().start_bulk(request).await?;
    Ok(StartBulkResponse {
        bulk_id: started.id,
        matching: started.matching,
        sample: Vec::new(),
    })
}

pub(super) async fn get(
    app: &App,
    request: GetBulkRequest,
) -> Result<GetBulkResponse, UseCaseError> {
    let progress = app.use_cases().bulk(&request.bulk_id).await?;
    Ok(GetBulkResponse {
        progress: Some(progress.into()),
    })
}

pub(super) async fn stop(
    app: &App,
    operator: Operator,
    request: StopBulkRequest,
) -> Result<StopBulkResponse, UseCaseError> {
    let use_cases = app.use_cases();
    let progress = use_cases
        .stop_bulk(&request.bulk_id, &operator.name)
        .await?;
    Ok(StopBulkResponse {
        progress: Some(progress.into()),
    })
}

fn action(number: i32) -> Result<BulkAction, UseCaseError> {
    let refused = |violation, expected: &str| {
        let field = InvalidField {
            field: "action",
            expected: expected.to_owned(),
        };
        Err(UseCaseError::invalid(violation, field))
    };
    match proto::BulkAction::try_from(number) {
        Ok(proto::BulkAction::Redrive) => Ok(BulkAction::Redrive),
        Ok(proto::BulkAction::Discard) => Ok(BulkAction::Discard),
        Ok(proto::BulkAction::Unspecified) => refused(Violation::Missing, "is missing"),
        Err(_) => refused(Violation::InvalidValue, "must be redrive or discard"),
    }
}

impl From<BulkProgress> for proto::BulkProgress {
    fn from(progress: BulkProgress) -> Self {
        let request = progress.request;
        let counts = progress.counts;
        let action = match request.action {
            BulkAction::Redrive => proto::BulkAction::Redrive,
            BulkAction::Discard => proto::BulkAction::Discard,
        };
        Self {
            bulk_id: request.id,
            action: action.into(),
            principal: request.principal,
            reason: request.reason,
            started_at: Some(timestamp(progress.started_at_ms)),
            ended_at: progress.ended_at_ms.map(timestamp),
            stopped: progress.stopped,
            matching: progress.matching,
            done: counts.done,
            failed_again: counts.failed_again,
            discarded: counts.discarded,
            skipped: counts.skipped,
            unanswered: counts.unanswered,
            problems: counts.problems.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<BulkProblem> for proto::BulkProblem {
    fn from(problem: BulkProblem) -> Self {
        Self {
            id: problem.task_id,
            problem: problem.problem,
        }
    }
}
