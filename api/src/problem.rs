//! An error as a client is told of it.

use std::time::Duration;

use failure_queue::error_chain;
use http::StatusCode;
use pizza_domain::OrderStatus;

use pizza_app::UseCaseError;
use pizza_app::access::AccessError;
use pizza_contract::ErrorCode;
use pizza_contract::IDEMPOTENCY_KEY;
use pizza_contract::reading::Fault;

/// How long a client should wait before it tries again what failed because
/// something was away, in seconds.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// The same when there were only too many requests at once.
const RETRY_AFTER_OVERLOAD: Duration = Duration::from_secs(1);

/// The longest wait that whoever asks too often is told of, in seconds. Rates
/// go down to one in 100 s.
const LONGEST_WAIT: u64 = 100;

/// How much of an unknown field's name is repeated, in characters.
const NAME_LENGTH: usize = 64;

/// An error as a client is told of it, whichever door it came through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What kind of error it is.
    pub code: ErrorCode,
    /// What went wrong this time, for people.
    pub detail: String,
    /// The field that is meant, as the client named it.
    pub field: Option<String>,
    /// How long to wait before another try, where one makes sense.
    pub retry_after: Option<Duration>,
    /// Where the order stands that a refused report was about.
    pub order_status: Option<OrderStatus>,
}

impl Problem {
    /// A problem of this kind.
    pub(crate) fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        let retry_after = match code {
            ErrorCode::Overloaded | ErrorCode::RateLimited => Some(RETRY_AFTER_OVERLOAD),
            _ if code.status() == StatusCode::SERVICE_UNAVAILABLE => Some(RETRY_AFTER),
            _ => None,
        };
        Self {
            code,
            detail: detail.into(),
            field: None,
            retry_after,
            order_status: None,
        }
    }

    /// The answer to one who asks too often. A wait is told in whole seconds,
    /// never too short.
    pub(crate) fn rate_limited(what: &str, whose: &str, wait: Duration) -> Self {
        let seconds = wait.as_millis().div_ceil(1000);
        let seconds = u64::try_from(seconds).map_or(LONGEST_WAIT, |it| it.clamp(1, LONGEST_WAIT));
        let detail = format!("too many {what} {whose}; try again in {seconds} s");
        Self {
            retry_after: Some(Duration::from_secs(seconds)),
            ..Self::new(ErrorCode::RateLimited, detail)
        }
    }

    /// The answer to one who has as many streams open as one client may have.
    pub(crate) fn too_many_streams(most: usize, whose: &str) -> Self {
        let detail = format!(
            "{most} orders are being watched {whose}, as many as one client may watch at once"
        );
        Self::new(ErrorCode::RateLimited, detail)
    }

    pub(crate) fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        let code = match error {
            AccessError::Unauthenticated(_) => ErrorCode::Unauthenticated,
            AccessError::Forbidden(_) => ErrorCode::Forbidden,
        };
        Self::new(code, error.to_string())
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let name: String = fault.field.chars().take(NAME_LENGTH).collect();
        Self::new(fault.code, format!("{name} {}", fault.rule)).field(name)
    }
}

impl From<UseCaseError> for Problem {
    /// Faults behind the gateway are logged here, once; the client is told
    /// what it can act on and nothing of their causes.
    fn from(error: UseCaseError) -> Self {
        let code = error.code();
        if code.status().is_server_error() {
            tracing::warn!(
                code = code.as_str(),
                error = %error_chain(&error),
                "a request failed"
            );
        }
        let mut problem = Self::new(code, error.to_string());
        match error {
            UseCaseError::Invalid { field, .. } => problem.field = Some(field.field.to_owned()),
            UseCaseError::InvalidPart { field, .. } => problem.field = Some(field),
            UseCaseError::Unreadable(fault) => return fault.into(),
            UseCaseError::IdempotencyKeyReused => problem = problem.field(IDEMPOTENCY_KEY),
            UseCaseError::FaultInjectionDisabled { field } => problem = problem.field(field),
            UseCaseError::ForeignCustomer => problem = problem.field("customerId"),
            UseCaseError::ReportOutOfOrder { status }
            | UseCaseError::ReportLate { status }
            | UseCaseError::TooManyReports { status } => {
                problem.order_status = status;
            }
            UseCaseError::OrderCooking { status }
            | UseCaseError::OrderOver { status }
            | UseCaseError::TooManyAmendments { status } => {
                problem.order_status = Some(status);
            }
            UseCaseError::OrderOnItsWay => {
                problem.order_status = Some(OrderStatus::DeliveryStarted)
            }
            UseCaseError::OrderDelivered => {
                problem.order_status = Some(OrderStatus::DeliveryConfirmed);
            }
            UseCaseError::ReportIdReused => problem.field = Some("reportId".to_owned()),
            _ => {}
        }
        problem
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_may_try_again_is_told_when() {
        for code in ErrorCode::ALL {
            let retry_after = Problem::new(*code, "").retry_after;
            let passes = [
                StatusCode::SERVICE_UNAVAILABLE,
                StatusCode::TOO_MANY_REQUESTS,
            ];
            let passes = passes.contains(&code.status());
            assert_eq!(retry_after.is_some(), passes, "{code:?}");
            assert!(retry_after.is_none_or(|wait| (1..=5).contains(&wait.as_secs())));
        }
    }
}
