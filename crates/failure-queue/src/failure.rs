//! How a step failed.

use serde::{Deserialize, Serialize};
use temporalio_common::error::IncomingError;
use temporalio_common::protos::temporal::api::failure::v1::Failure;
use temporalio_common::protos::temporal::api::failure::v1::failure::FailureInfo;
use temporalio_workflow::{ActivityExecutionError, RetryState, TimeoutType};

/// How a step failed for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepFailure {
    /// A stable code for programs: the type of the application failure,
    /// `timeout`, or `unknown`.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// What caused it, outermost first.
    pub causes: Vec<String>,
    /// How often the step was tried. Exact when all that its policy allows were
    /// used up, and for an activity that puts the number of its attempt in its
    /// failure's details; otherwise 1.
    pub attempts: u32,
    /// Whether the outside party said no. Otherwise it met a fault, and what
    /// it did may be unknown.
    pub refused: bool,
}

/// The code of an attempt that did not end in time.
const TIMEOUT: &str = "timeout";

/// The code of an input or output that could not be serialized, which no
/// server has an account of.
const INVALID_PAYLOAD: &str = "invalid-payload";

impl StepFailure {
    /// Reads the error of an activity: a regular one comes wrapped in the
    /// server's account of it, a local one bare.
    #[must_use]
    pub fn from_error(error: &ActivityExecutionError) -> Self {
        Self::of_attempts(error, None)
    }

    /// Reads the error of an activity that was tried at most this often.
    pub(crate) fn of_attempts(error: &ActivityExecutionError, at_most: Option<u32>) -> Self {
        let chain: Vec<&Failure> =
            std::iter::successors(error.failure(), |failure| failure.cause.as_deref())
                // The wrapper says no more than "activity error".
                .skip_while(|failure| {
                    matches!(
                        failure.failure_info,
                        Some(FailureInfo::ActivityFailureInfo(_))
                    ) && failure.cause.is_some()
                })
                .collect();
        let (code, refused) = chain
            .first()
            .map_or((INVALID_PAYLOAD.to_owned(), true), |first| classify(first));
        Self {
            code,
            message: chain
                .first()
                .map_or_else(|| error.to_string(), |first| first.message.clone()),
            causes: chain
                .iter()
                .skip(1)
                .map(|failure| failure.message.clone())
                .collect(),
            attempts: attempt_of(error)
                .or_else(|| at_most.filter(|_| is_exhausted(error)))
                .unwrap_or(1),
            refused,
        }
    }
}

/// Whether a step was begun and nobody answered in time, so that nobody knows
/// what it did.
pub(crate) fn is_lost(error: &ActivityExecutionError) -> bool {
    matches!(
        error.reason(),
        Some(IncomingError::Timeout(timeout))
            if timeout.timeout_type() != TimeoutType::ScheduleToStart
    )
}

fn is_exhausted(error: &ActivityExecutionError) -> bool {
    matches!(
        error,
        ActivityExecutionError::Failed(failed)
            if failed.retry_state() == RetryState::MaximumAttemptsReached
    )
}

fn classify(failure: &Failure) -> (String, bool) {
    match &failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) if !info.r#type.is_empty() => {
            (info.r#type.clone(), info.non_retryable)
        }
        Some(FailureInfo::TimeoutFailureInfo(_)) => (TIMEOUT.to_owned(), false),
        _ => ("unknown".to_owned(), false),
    }
}

/// An activity puts the number of its attempt in its failure's details.
fn attempt_of(error: &ActivityExecutionError) -> Option<u32> {
    match error.reason()? {
        IncomingError::Application(failure) => failure.details().ok().flatten(),
        _ => None,
    }
}
