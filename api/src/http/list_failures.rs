//! `GET /failures`.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use pizza_domain::InvalidField;
use pizza_workflows::parking::MessageType;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::ProblemBody;
use super::rfc_3339;
use crate::gateway::App;
use crate::problem::{ErrorCode, Problem};
use crate::usecases::{Failures, ListFailures, ParkedFailure, QueueDepth, UseCaseError, Violation};

/// Tasks on a page unless the client says.
const DEFAULT_LIMIT: u32 = 50;

/// Which parked tasks to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListFailuresQuery {
    /// Only this queue: `add-loyalty-points`, `refund-payment`,
    /// `remove-loyalty-points` or `notify-customer`.
    queue: Option<String>,
    /// Tasks on a page.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

/// A page of parked tasks, and how many there are.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Failures)]
pub(super) struct FailuresBody {
    /// Each queue, empty ones included.
    queues: Vec<QueueDepthBody>,
    /// The page, latest first.
    failures: Vec<FailureBody>,
    /// Asks for the next page; `null` after the last.
    #[schema(required = true)]
    next_cursor: Option<String>,
}

/// How many tasks wait in a queue.
#[derive(Serialize, ToSchema)]
#[schema(as = QueueDepth)]
struct QueueDepthBody {
    /// The queue's name.
    queue: &'static str,
    /// How many tasks wait in it.
    depth: i64,
}

/// A step that failed for good and waits.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Failure)]
struct FailureBody {
    /// The id of its workflow in Temporal.
    id: String,
    /// The queue that it waits in.
    queue: &'static str,
    /// What it is about: `RefundPaymentFailed` for example.
    message_type: &'static str,
    /// The order that it belongs to.
    order_id: String,
    /// Whose order it is.
    customer_id: String,
    /// Since when it waits.
    #[schema(format = DateTime)]
    parked_at: String,
}

/// See what waits in the failure queues.
///
/// Temporal's list is a moment behind what it does.
#[utoipa::path(
    get, path = "/failures", operation_id = "listFailures", tag = "operations",
    params(ListFailuresQuery),
    responses(
        (status = 200, description = "A page of parked tasks.", body = FailuresBody),
        (status = 400, description = "The query cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "A value is not allowed.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Temporal cannot tell right now.", body = ProblemBody, content_type = "application/problem+json",
         headers(("Retry-After" = u32, description = "Seconds to wait before another try."))),
    )
)]
pub(super) async fn list_failures(
    State(app): State<Arc<App>>,
    query: Result<Query<ListFailuresQuery>, QueryRejection>,
) -> Result<Json<FailuresBody>, Problem> {
    let Query(query) = query
        .map_err(|rejection| Problem::new(ErrorCode::InvalidRequest, rejection.body_text()))?;
    let page = app.use_cases().list_failures(query.try_into()?).await?;
    Ok(Json(page.into()))
}

impl TryFrom<ListFailuresQuery> for ListFailures {
    type Error = UseCaseError;

    fn try_from(query: ListFailuresQuery) -> Result<Self, Self::Error> {
        let invalid = |violation, field, expected: String| {
            UseCaseError::invalid(violation, InvalidField { field, expected })
        };
        let queue = query.queue.map(|name| {
            MessageType::ALL
                .into_iter()
                .find(|message_type| message_type.queue() == name)
                .ok_or_else(|| {
                    let names = MessageType::ALL.map(MessageType::queue).join(", ");
                    invalid(
                        Violation::InvalidValue,
                        "queue",
                        format!("must be one of {names}"),
                    )
                })
        });
        let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=Self::MAX_LIMIT).contains(&limit) {
            let expected = format!("must be from 1 to {}", Self::MAX_LIMIT);
            return Err(invalid(Violation::OutOfRange, "limit", expected));
        }
        Ok(Self {
            queue: queue.transpose()?,
            limit,
            cursor: query.cursor,
        })
    }
}

impl From<Failures> for FailuresBody {
    fn from(page: Failures) -> Self {
        Self {
            queues: page.queues.into_iter().map(Into::into).collect(),
            failures: page.failures.into_iter().map(Into::into).collect(),
            next_cursor: page.next_cursor,
        }
    }
}

impl From<QueueDepth> for QueueDepthBody {
    fn from(queue: QueueDepth) -> Self {
        Self {
            queue: queue.message_type.queue(),
            depth: queue.depth,
        }
    }
}

impl From<ParkedFailure> for FailureBody {
    fn from(failure: ParkedFailure) -> Self {
        Self {
            id: failure.id,
            queue: failure.message_type.queue(),
            message_type: failure.message_type.as_str(),
            order_id: failure.order_id,
            customer_id: failure.customer_id,
            parked_at: rfc_3339(failure.parked_at_ms),
        }
    }
}
