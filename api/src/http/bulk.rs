//! `POST /failures/bulk`, `GET /failures/bulk/{bulkId}` and
//! `POST /failures/bulk/{bulkId}/stop`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use failure_queue::{BulkAction, BulkProblem, BulkProgress};
use http::{StatusCode, header};
use pizza_app::access::Operator;
use pizza_app::{BulkPreview, IdempotencyKey, StartBulk, UseCaseError, Violation};
use pizza_contract::rfc_3339;
use pizza_domain::InvalidField;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::failures::{FILTER, ListedFailureBody, NameInPath, filter};
use super::json::Fields;
use super::problem::ProblemBody;
use crate::gateway::AppState;
use crate::idempotency_key::Key;
use crate::problem::Problem;

/// What to do with which tasks: `all`, or at least one of the fields that say
/// which.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = StartBulk)]
#[expect(
    dead_code,
    reason = "only its schema is used: `Fields` says more about what is wrong"
)]
struct StartBulkBody {
    /// What to do.
    action: BulkActionBody,
    /// Every parked task.
    #[schema(default = false, nullable = false)]
    all: Option<bool>,
    /// Only this queue.
    #[schema(nullable = false)]
    queue: Option<String>,
    /// Only tasks about this.
    #[schema(nullable = false)]
    message_type: Option<String>,
    /// Only tasks whose last error has this code.
    #[schema(min_length = 1, max_length = 128, nullable = false)]
    error_code: Option<String>,
    /// Only tasks that have been parked for longer than this.
    #[schema(minimum = 0, maximum = 315_360_000, nullable = false)]
    older_than_seconds: Option<u32>,
    /// Only tasks that have been parked for less than this.
    #[schema(minimum = 0, maximum = 315_360_000, nullable = false)]
    newer_than_seconds: Option<u32>,
    /// Only tasks of this order.
    #[schema(format = "uuid", nullable = false)]
    order_id: Option<String>,
    /// Only tasks of this customer's orders.
    #[schema(pattern = "^[A-Za-z0-9._-]{1,64}$", nullable = false)]
    customer_id: Option<String>,
    /// Why; must be given for a discard.
    #[schema(min_length = 1, max_length = 500, nullable = false)]
    reason: Option<String>,
    /// Tasks each second.
    #[schema(default = 20, minimum = 0.1, maximum = 100, nullable = false)]
    rate_per_second: Option<f64>,
    /// Only tell what would be acted on.
    #[schema(default = false, nullable = false)]
    dry_run: Option<bool>,
}

/// What to do with each task.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BulkAction)]
enum BulkActionBody {
    /// Run its step again.
    Redrive,
    /// Close it for good.
    Discard,
}

/// What an operation would act on.
#[derive(Serialize, ToSchema)]
#[schema(as = BulkPreview)]
struct BulkPreviewBody {
    /// How many tasks match.
    matching: u64,
    /// The latest of them, at most 10.
    sample: Vec<ListedFailureBody>,
}

/// An operation that was started.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BulkStarted)]
struct BulkStartedBody {
    /// Its id.
    #[schema(format = "uuid")]
    bulk_id: String,
    /// How many tasks matched when it was asked for.
    matching: u64,
}

/// How far an operation is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BulkProgress)]
pub(super) struct BulkProgressBody {
    /// Its id.
    #[schema(format = "uuid")]
    bulk_id: String,
    /// What it does.
    action: BulkActionBody,
    /// Who started it.
    principal: String,
    /// Why; `null` when nobody said.
    #[schema(required = true)]
    reason: Option<String>,
    /// When it began.
    #[schema(format = DateTime)]
    started_at: String,
    /// When it ended; `null` while it has not.
    #[schema(required = true, format = DateTime)]
    ended_at: Option<String>,
    /// Whether it is under way.
    running: bool,
    /// Whether somebody stopped it.
    stopped: bool,
    /// How many tasks matched when it began.
    matching: u64,
    /// How many were redriven with success.
    done: u64,
    /// How many were redriven and failed again.
    failed_again: u64,
    /// How many were discarded.
    discarded: u64,
    /// How many were closed, or being redriven by somebody else.
    skipped: u64,
    /// How many gave no answer in time: look at them.
    unanswered: u64,
    /// The first 20 that failed again, were skipped or gave no answer.
    problems: Vec<BulkProblemBody>,
}

/// A task that an operation did not bring to an end.
#[derive(Serialize, ToSchema)]
#[schema(as = BulkProblem)]
struct BulkProblemBody {
    /// The task's id.
    id: String,
    /// What was wrong.
    problem: String,
}

/// Redrive or discard many parked tasks, at a bounded rate.
///
/// Sent again with the same `Idempotency-Key`, the request is the same
/// operation.
#[utoipa::path(
    post, path = "/failures/bulk", operation_id = "startBulk", tag = "failures",
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-'.")),
    request_body = StartBulkBody,
    responses(
        (status = 200, description = "What would be acted on (`dryRun`).", body = BulkPreviewBody),
        (status = 202, description = "The operation was started.", body = BulkStartedBody,
         headers(("Location" = String, description = "The path of its progress."))),
        (status = 400, description = "The body cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "An operator's key is needed.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "This gateway has no operators.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 408, description = "The body did not arrive in time.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "A field is missing, unknown or not allowed.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Temporal cannot take it right now.", body = ProblemBody, content_type = "application/problem+json",
         headers(("Retry-After" = u32, description = "Seconds to wait before another try."))),
    ),
    security(("operatorKey" = [])),
)]
pub(super) async fn start_bulk(
    operator: Operator,
    State(app): State<AppState>,
    Key(key): Key,
    fields: Fields,
) -> Result<Response, Problem> {
    let (request, dry_run) = request(operator, key, fields)?;
    if dry_run {
        let preview = app.use_cases().preview_bulk(request).await?;
        return Ok(Json(BulkPreviewBody::from(preview)).into_response());
    }
    let started = app.use_cases().start_bulk(request).await?;
    let location = [(header::LOCATION, format!("/failures/bulk/{}", started.id))];
    let body = Json(BulkStartedBody {
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
        (status = 200, description = "How far it is.", body = BulkProgressBody),
        (status = 401, description = "An operator's key is needed.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "This gateway has no operators.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "There is no such operation.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Nobody can tell right now.", body = ProblemBody, content_type = "application/problem+json",
         headers(("Retry-After" = u32, description = "Seconds to wait before another try."))),
    ),
    security(("operatorKey" = [])),
)]
pub(super) async fn bulk(
    _: Operator,
    State(app): State<AppState>,
    NameInPath(id): NameInPath,
) -> Result<Json<BulkProgressBody>, Problem> {
    Ok(Json(app.use_cases().bulk(&id).await?.into()))
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
        (status = 200, description = "How far it came.", body = BulkProgressBody),
        (status = 401, description = "An operator's key is needed.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "This gateway has no operators.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "There is no such operation.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The request has a field.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Nobody can tell right now.", body = ProblemBody, content_type = "application/problem+json",
         headers(("Retry-After" = u32, description = "Seconds to wait before another try."))),
    ),
    security(("operatorKey" = [])),
)]
pub(super) async fn stop_bulk(
    operator: Operator,
    State(app): State<AppState>,
    NameInPath(id): NameInPath,
    fields: Fields,
) -> Result<Json<BulkProgressBody>, Problem> {
    fields.only(&[])?;
    let progress = app.use_cases().stop_bulk(&id, &operator.name).await?;
    Ok(Json(progress.into()))
}

/// The request, and whether it is only to be told what it would act on.
fn request(
    operator: Operator,
    key: Option<IdempotencyKey>,
    fields: Fields,
) -> Result<(StartBulk, bool), Problem> {
    let own = ["action", "all", "reason", "ratePerSecond", "dryRun"];
    let mut fields = fields.only(&[&own[..], &FILTER[..]].concat())?;
    let request = StartBulk {
        action: action(&fields.required("action", Fields::text)?)?,
        all: fields.truth("all")?.unwrap_or_default(),
        filter: filter(&mut fields)?,
        principal: operator.name,
        reason: fields.text("reason")?,
        rate_per_second: fields.number("ratePerSecond")?,
        key,
    };
    Ok((request, fields.truth("dryRun")?.unwrap_or_default()))
}

fn action(name: &str) -> Result<BulkAction, UseCaseError> {
    match name {
        "redrive" => Ok(BulkAction::Redrive),
        "discard" => Ok(BulkAction::Discard),
        _ => {
            let field = InvalidField {
                field: "action",
                expected: "must be redrive or discard".to_owned(),
            };
            Err(UseCaseError::invalid(Violation::InvalidValue, field))
        }
    }
}

impl From<BulkPreview> for BulkPreviewBody {
    fn from(preview: BulkPreview) -> Self {
        Self {
            matching: preview.matching,
            sample: preview.sample.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<BulkProgress> for BulkProgressBody {
    fn from(progress: BulkProgress) -> Self {
        Self {
            bulk_id: progress.request.id,
            action: match progress.request.action {
                BulkAction::Redrive => BulkActionBody::Redrive,
                BulkAction::Discard => BulkActionBody::Discard,
            },
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
                .map(Into::into)
                .collect(),
        }
    }
}

impl From<BulkProblem> for BulkProblemBody {
    fn from(problem: BulkProblem) -> Self {
        Self {
            id: problem.task_id,
            problem: problem.problem,
        }
    }
}
