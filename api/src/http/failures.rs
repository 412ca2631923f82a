//! What the routes on failure queues have in common.

use std::borrow::Cow;
use std::collections::HashSet;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use failure_queue::client::ListedTask;
use failure_queue::{AutoRedrive, StepFailure};
use http::request::Parts;
use pizza_app::{FailureId, order_and_customer};
use pizza_contract::{self as contract, ErrorCode, rfc_3339};
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};

use super::json::truncated;
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
