//! What payloads, failures and times of a history say.

use payload_codec::failures;
use serde_json::Value;
use temporalio_common::protos::temporal::api::common::v1::{Payload, Payloads};
use temporalio_common::protos::temporal::api::failure::v1::Failure;
use temporalio_common::protos::temporal::api::failure::v1::failure::FailureInfo;
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;

use super::{Detail, Outcome};

/// The longest text that is taken over, in characters.
const LONGEST_TEXT: usize = 500;

/// Nanoseconds since the Unix epoch. Whatever a file says fits.
pub(super) type Nanos = i128;

const NANOS_PER_MS: Nanos = 1_000_000;

/// How a step or a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) outcome: Outcome,
    pub(super) code: String,
    pub(super) message: String,
}

/// The codes of failures that name no type of their own. Their messages are
/// Temporal's or the SDK's.
const UNKNOWN: &str = "unknown";
const TIMEOUT: &str = "timeout";
const CANCELLED: &str = "cancelled";
const TERMINATED: &str = "terminated";

/// Whether a failure with this code has a message that no part of the shop
/// wrote.
pub(super) fn is_engines(code: &str) -> bool {
    [UNKNOWN, TIMEOUT, CANCELLED, TERMINATED].contains(&code)
}

/// Reads a failure: the first of its causes that is not a mere wrapper. Stack
/// traces and details stay where they are.
pub(super) fn fault(failure: &Failure) -> Fault {
    let told = std::iter::successors(Some(failure), |failure| failure.cause.as_deref())
        .find(|failure| !is_wrapper(failure))
        .unwrap_or(failure);
    let (outcome, code) = match &told.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) => {
            let code = match info.r#type.as_str() {
                "" => UNKNOWN,
                name => name,
            };
            let outcome = if info.non_retryable {
                Outcome::Refused
            } else {
                Outcome::Failed
            };
            (outcome, code)
        }
        Some(FailureInfo::TimeoutFailureInfo(_)) => (Outcome::Failed, TIMEOUT),
        Some(FailureInfo::CanceledFailureInfo(_)) => (Outcome::Cancelled, CANCELLED),
        Some(FailureInfo::TerminatedFailureInfo(_)) => (Outcome::Terminated, TERMINATED),
        _ => (Outcome::Failed, UNKNOWN),
    };
    Fault {
        outcome,
        code: short(code),
        message: short(&failures::message(told)),
    }
}

/// A failure that says nothing.
pub(super) fn unknown() -> Fault {
    Fault {
        outcome: Outcome::Failed,
        code: UNKNOWN.to_owned(),
        message: "no reason is given".to_owned(),
    }
}

/// A step that was called off.
pub(super) fn cancelled() -> Fault {
    Fault {
        outcome: Outcome::Cancelled,
        code: CANCELLED.to_owned(),
        message: "it was called off".to_owned(),
    }
}

/// Whether a failure says no more than that there was one.
fn is_wrapper(failure: &Failure) -> bool {
    let wraps = match &failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) => info.r#type.is_empty(),
        Some(
            FailureInfo::ActivityFailureInfo(_) | FailureInfo::ChildWorkflowExecutionFailureInfo(_),
        ) => true,
        _ => false,
    };
    wraps && failure.cause.is_some()
}

/// The reason to cancel that a failed workflow of an order has in its details.
pub(super) fn cancel_reason(failure: &Failure) -> Option<Fault> {
    let Some(FailureInfo::ApplicationFailureInfo(info)) = &failure.failure_info else {
        return None;
    };
    let reason = first(info.details.as_ref())?;
    Some(Fault {
        outcome: Outcome::Failed,
        code: text(&reason, "code")?,
        message: text(&reason, "message")?,
    })
}

impl Fault {
    /// Says how it failed.
    pub(super) fn tell(&self, detail: &mut Detail) {
        detail.code = Some(self.code.clone());
        detail.message = Some(self.message.clone());
    }
}

/// The value of a payload that is JSON.
pub(super) fn value(payload: &Payload) -> Option<Value> {
    let encoding = payload.metadata.get("encoding")?;
    (encoding == b"json/plain").then_some(())?;
    serde_json::from_slice(&payload.data).ok()
}

/// The first value of a list of payloads.
pub(super) fn first(payloads: Option<&Payloads>) -> Option<Value> {
    value(payloads?.payloads.first()?)
}

/// A field of a value that is a text.
pub(super) fn text(value: &Value, field: &str) -> Option<String> {
    value.get(field)?.as_str().map(short)
}

/// The summary that an event was given.
pub(super) fn summary(event: &HistoryEvent) -> Option<String> {
    let summary = event.user_metadata.as_ref()?.summary.as_ref()?;
    value(summary)?.as_str().map(short)
}

/// The beginning of a text.
pub(super) fn short(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}

/// When an event happened; the epoch when it does not say.
pub(super) fn time_of(event: &HistoryEvent) -> Nanos {
    event
        .event_time
        .as_ref()
        .map_or(0, |time| nanos(time.seconds, time.nanos))
}

/// Seconds and nanoseconds as one number.
pub(super) fn nanos(seconds: i64, nanos: i32) -> Nanos {
    Nanos::from(seconds) * 1_000_000_000 + Nanos::from(nanos)
}

/// Whole milliseconds since the Unix epoch.
pub(super) fn to_ms(time: Nanos) -> i64 {
    i64::try_from(time.div_euclid(NANOS_PER_MS)).unwrap_or_default()
}

/// A length of time in whole milliseconds, rounded; none is below zero.
pub(super) fn span_ms(from: Nanos, to: Nanos) -> u64 {
    let span = (to - from).max(0);
    u64::try_from((span + NANOS_PER_MS / 2) / NANOS_PER_MS).unwrap_or(u64::MAX)
}
