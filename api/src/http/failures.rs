//! What the routes on failure queues have in common.

use std::borrow::Cow;
use std::collections::HashSet;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use failure_queue::client::ListedTask;
use failure_queue::{AutoRedrive, StepFailure};
use http::request::Parts;
use pizza_app::{FailureFilter, FailureId, order_and_customer};
use pizza_contract::{ErrorCode, rfc_3339};
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::json::{Fields, truncated};
use crate::numbers::integer_in;
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

/// Reads a query, and says what about it cannot be read.
pub(super) struct StrictQuery<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for StrictQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let fields = url::form_urlencoded::parse(query.as_bytes());
        let fields = serde_urlencoded::Deserializer::new(fields);
        serde_path_to_error::deserialize(fields)
            .map(Self)
            .map_err(|error| {
                let field = error.path().to_string();
                let detail = format!("the query cannot be read: {error}");
                let problem = Problem::new(ErrorCode::InvalidRequest, detail);
                // Of a field that is given twice the reader names no place.
                let field = repeated(query).unwrap_or(field);
                problem.field(truncated(&field))
            })
    }
}

/// Reads an integer of a query by its value, for a field that may be left out.
pub(super) fn integer_in_query<'de, T: TryFrom<i128>, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    let number = integer_in(&String::deserialize(from)?);
    let number = number.and_then(|number| T::try_from(number).ok());
    number
        .map(Some)
        .ok_or_else(|| D::Error::custom("must be an integer, and one that is not too large"))
}

/// The first field of a query that is given twice.
fn repeated(query: &str) -> Option<String> {
    let mut seen = HashSet::new();
    let mut names = url::form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
    let repeated = names.find(|name| !seen.insert(name.clone()));
    repeated.map(Cow::into_owned)
}

/// The names of the fields that say which tasks are meant.
pub(super) const FILTER: [&str; 7] = [
    "queue",
    "messageType",
    "errorCode",
    "olderThanSeconds",
    "newerThanSeconds",
    "orderId",
    "customerId",
];

/// Takes them from a body.
pub(super) fn filter(fields: &mut Fields) -> Result<FailureFilter, Problem> {
    let [
        queue,
        message_type,
        error_code,
        older,
        newer,
        order,
        customer,
    ] = FILTER;
    Ok(FailureFilter {
        queue: fields.text(queue)?,
        message_type: fields.text(message_type)?,
        error_code: fields.text(error_code)?,
        older_than_seconds: fields.integer(older)?,
        newer_than_seconds: fields.integer(newer)?,
        order_id: fields.text(order)?,
        customer_id: fields.text(customer)?,
    })
}

/// A parked task as a list shows it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ListedFailure)]
pub(super) struct ListedFailureBody {
    /// The id of its workflow in Temporal.
    id: String,
    /// The queue that it is in.
    queue: String,
    /// What it is about: `RefundPaymentFailed` for example.
    message_type: String,
    /// The code of its last error.
    error_code: String,
    /// The order that it belongs to.
    #[schema(format = "uuid")]
    order_id: String,
    /// Whose order it is.
    customer_id: String,
    /// Since when it is parked.
    #[schema(format = DateTime)]
    parked_at: String,
    /// Where it stands. A list cannot tell which are being redriven.
    #[schema(value_type = ListedStateBody)]
    state: &'static str,
}

/// Where a listed task stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ListedFailureState)]
#[expect(dead_code, reason = "only its schema is used")]
enum ListedStateBody {
    Waiting,
    Done,
    Discarded,
}

impl From<ListedTask> for ListedFailureBody {
    fn from(task: ListedTask) -> Self {
        let (order_id, customer_id) = order_and_customer(&task.subject);
        Self {
            order_id,
            customer_id,
            id: task.id,
            queue: task.queue,
            message_type: task.message_type,
            error_code: task.error_code,
            parked_at: rfc_3339(task.parked_at_ms),
            state: task.state.as_str(),
        }
    }
}

/// How a step failed.
#[derive(Serialize, ToSchema)]
#[schema(as = StepError)]
pub(super) struct StepErrorBody {
    /// A stable code for programs.
    code: String,
    /// A sentence for people.
    message: String,
    /// What caused it, outermost first.
    causes: Vec<String>,
    /// Whether the outside party said no. Otherwise it met a fault, and what
    /// it did may be unknown.
    refused: bool,
}

impl From<StepFailure> for StepErrorBody {
    fn from(failure: StepFailure) -> Self {
        Self {
            code: failure.code,
            message: failure.message,
            causes: failure.causes,
            refused: failure.refused,
        }
    }
}

/// When tasks are run again by themselves.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = AutoRedrive)]
pub(super) struct AutoRedriveBody {
    /// The wait from a task's last failure, or from the policy's arrival if
    /// that is later, to its first automatic redrive: 0.1 to 2592000, to the
    /// millisecond.
    #[schema(minimum = 0.1, maximum = 2_592_000)]
    first_wait_seconds: f64,
    /// What each wait is multiplied by to make the next.
    #[schema(minimum = 1, maximum = 10)]
    backoff: f64,
    /// The longest wait, at least the first.
    #[schema(minimum = 0.1, maximum = 2_592_000)]
    longest_wait_seconds: f64,
    /// How often a task is redriven by itself at most.
    #[schema(minimum = 1, maximum = 1000)]
    max_attempts: u32,
    /// From this age on, counted from its parking, a task is left alone.
    #[schema(minimum = 0.001, maximum = 315_360_000)]
    max_age_seconds: f64,
}

impl From<AutoRedrive> for AutoRedriveBody {
    fn from(policy: AutoRedrive) -> Self {
        Self {
            first_wait_seconds: seconds(policy.first_wait_ms),
            backoff: policy.backoff,
            longest_wait_seconds: seconds(policy.longest_wait_ms),
            max_attempts: policy.max_attempts,
            max_age_seconds: seconds(policy.max_age_ms),
        }
    }
}

fn seconds(milliseconds: u64) -> f64 {
    Duration::from_millis(milliseconds).as_secs_f64()
}
