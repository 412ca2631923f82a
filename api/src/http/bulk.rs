//! `POST /failures/bulk`, `GET /failures/bulk/{bulkId}` and
//! `POST /failures/bulk/{bulkId}/stop`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use failure_queue::{BulkAction, BulkProblem, BulkProgress};
use http::{StatusCode, header};
use pizza_app::access::Operator;
use pizza_app::{FailureFilter, IdempotencyKey, StartBulk};
use pizza_contract::{self as contract, rfc_3339};

use super::failures::{NameInPath, listed};
use super::json::{Body, NoFields};
use crate::gateway::AppState;
use crate::idempotency_key::Key;
use crate::problem::Problem;

/// Redrive or discard many parked tasks, at a bounded rate.
///
/// Sent again with the same `Idempotency-Key`, the request is the same
/// operation.
#[utoipa::path(
    post, path = "/failures/bulk", operation_id = "startBulk", tag = "failures",
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-'.")),
    request_body = contract::StartBulk,
    responses(
        (status = 200, description = "What would be acted on (`dryRun`).", body = contract::BulkPreview),
        (status = 202, description = "The operation was started.", body = contract::BulkStarted,
         headers(("Location" = String, description = "The path of its progress."))),
        (status = 400, description = "The body cannot be read."),
        (status = 422, description = "A field is missing, unknown or not allowed."),
        (status = 503, description = "Temporal cannot take it right now."),
    ),
    security(("operatorKey" = [])),
)]
pub(super) async fn start_bulk(
    operator: Operator,
    State(app): State<AppState>,
    Key(key): Key,
    Body(bulk): Body<contract::StartBulk>,
) -> Result<Response, Problem> {
    let dry_run = bulk.dry_run.unwrap_or_default();
    let request = request(operator, key, bulk);
    if dry_run {
        let preview = app.use_cases().preview_bulk(request).await?;
        let preview = contract::BulkPreview {
            matching: preview.matching,
            sample: preview.sample.into_iter().map(listed).collect(),
        };
        return Ok(Json(preview).into_response());
    }
    let started = app.use_cases().start_bulk(request).await?;
    let location = [(header::LOCATION, format!("/failures/bulk/{}", started.id))];
    let body = Json(contract::BulkStarted {
        bulk_id: started.id,
        matching: started.matching,
    });
    Ok((StatusCode::ACCEPTED, location, body).into_response())
}

/// See how far a bulk operation is.
#[utoipa::path(
    get, path = "/failures/bulk/{bulkId}", operation_id = "getBulk", tag = "failures",
    params(("bulkId" = String, Path, format = "uuid", description = "The operation's id.")),
    responses(
        (status = 200, description = "How far it is.", body = contract::BulkProgress),
        (status = 404, description = "There is no such operation."),
        (status = 503, description = "Nobody can tell right now."),
    ),
    security(("operatorKey" = [])),
)]
pub(super) async fn bulk(
    _: Operator,
    State(app): State<AppState>,
    NameInPath(id): NameInPath,
) -> Result<Json<contract::BulkProgress>, Problem> {
    Ok(progress(app.use_cases().bulk(&id).await?))
}

/// Stop a bulk operation once the tasks under way are through.
///
/// It goes through the tasks a few seconds' worth at a time, at most 50.
///
/// What it has done stays done.
#[utoipa::path(
    post, path = "/failures/bulk/{bulkId}/stop", operation_id = "stopBulk", tag = "failures",
    params(("bulkId" = String, Path, format = "uuid", description = "The operation's id.")),
    responses(
        (status = 200, description = "How far it came.", body = contract::BulkProgress),
        (status = 404, description = "There is no such operation."),
        (status = 422, description = "The request has a field."),
        (status = 503, description = "Nobody can tell right now."),
    ),
    security(("operatorKey" = [])),
)]
pub(super) async fn stop_bulk(
    operator: Operator,
    State(app): State<AppState>,
    NameInPath(id): NameInPath,
    Body(NoFields {}): Body<NoFields>,
) -> Result<Json<contract::BulkProgress>, Problem> {
    let stopped = app.use_cases().stop_bulk(&id, &operator.name).await?;
    Ok(progress(stopped))
}

fn request(
    operator: Operator,
    key: Option<IdempotencyKey>,
    bulk: contract::StartBulk,
) -> StartBulk {
    StartBulk {
        action: match bulk.action {
            contract::BulkAction::Redrive => BulkAction::Redrive,
            contract::BulkAction::Discard => BulkAction::Discard,
        },
        all: bulk.all.unwrap_or_default(),
        filter: FailureFilter {
            queue: bulk.queue,
            message_type: bulk.message_type,
            error_code: bulk.error_code,
            older_than_seconds: bulk.older_than_seconds,
            newer_than_seconds: bulk.newer_than_seconds,
            order_id: bulk.order_id,
            customer_id: bulk.customer_id,
        },
        principal: operator.name,
        reason: bulk.reason,
        rate_per_second: bulk.rate_per_second,
        key,
    }
}

fn progress(progress: BulkProgress) -> Json<contract::BulkProgress> {
    Json(contract::BulkProgress {
        bulk_id: progress.request.id,
        action: match progress.request.action {
            BulkAction::Redrive => contract::BulkAction::Redrive,
            BulkAction::Discard => contract::BulkAction::Discard,
        }
        .into(),
        principal: progress.request.principal,
        reason: progress.request.reason,
        started_at: rfc_3339(progress.started_at_ms),
        running: progress.ended_at_ms.is_none(),
        ended_at: progress.ended_at_ms.map(rfc_3339),
        stopped: progress.stopped,
        matching: progress.matching,
        done: progress.counts.done,
        failed_again: progress.counts.failed_again,
        discarded: progress.counts.discarded,
        skipped: progress.counts.skipped,
        unanswered: progress.counts.unanswered,
        problems: progress
            .counts
            .problems
            .into_iter()
            .map(|BulkProblem { task_id, problem }| contract::BulkProblem {
                id: task_id,
                problem,
            })
            .collect(),
    })
}
