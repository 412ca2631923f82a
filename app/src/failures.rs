//! What the use cases on parked tasks have in common: the way to the queues,
//! and the words for what is wrong with a request.

use std::collections::BTreeMap;
use std::time::Duration;

use failure_queue::client::{Error, FailureQueues};
use failure_queue::names::failed_task_workflow_id;
use failure_queue::{BulkFilter, InvalidRequest};
use payload_codec::Cipher;
use pizza_domain::{CustomerId, InvalidField, OrderId, is_blank};
use pizza_workflows::names::{search_attribute, task_queue};
use pizza_workflows::steps::Parked;
use temporalio_client::Client;

use super::error::{UseCaseError, Violation};
use super::temporal_error::TemporalError;
use super::use_cases::UseCases;

/// The longest age that tasks can be asked for by, in seconds: ten years.
const MAX_AGE_SECONDS: i128 = 10 * 365 * 24 * 3600;
/// The longest error code that can be asked for, in characters.
const MAX_ERROR_CODE: usize = 128;

/// The id of a parked task, which is that of its workflow. Made from text
/// alone that names one, so that no other workflow can be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureId(String);

impl FailureId {
    /// Reads an id.
    ///
    /// # Errors
    /// When no parked task can have it.
    pub fn parse(text: &str) -> Result<Self, UseCaseError> {
        Parked::ALL
            .into_iter()
            .find_map(|parked| {
                let queue = parked.queue;
                let order = text.strip_prefix("failed-")?.strip_prefix(queue)?;
                let order: OrderId = order.strip_prefix('-')?.parse().ok()?;
                Some(Self(failed_task_workflow_id(queue, &order.to_string())))
            })
            .ok_or(UseCaseError::FailureNotFound)
    }

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which parked tasks are meant, as a client says it, not checked yet. What
/// is none does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailureFilter {
    /// The queue that they are in.
    pub queue: Option<String>,
    /// What they are about.
    pub message_type: Option<String>,
    /// The code of their last error.
    pub error_code: Option<String>,
    /// They have been parked for longer than this.
    pub older_than_seconds: Option<i128>,
    /// They have been parked for less than this.
    pub newer_than_seconds: Option<i128>,
    /// The order that they belong to.
    pub order_id: Option<String>,
    /// Whose order it is.
    pub customer_id: Option<String>,
}

impl FailureFilter {
    /// Whether every task is meant.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The filter in the words of the queues, at this time.
    pub(super) fn check(self, now_ms: i64) -> Result<BulkFilter, UseCaseError> {
        let queue = self.queue.map(|name| queue_in_filter(&name));
        let message_type = self.message_type.map(|name| message_type_in_filter(&name));
        let parked_before = |age| parked_at("olderThanSeconds", age, now_ms);
        let parked_after = |age| parked_at("newerThanSeconds", age, now_ms);
        Ok(BulkFilter {
            queue: queue.transpose()?,
            message_type: message_type.transpose()?,
            error_code: self.error_code.map(error_code).transpose()?,
            parked_before_ms: self.older_than_seconds.map(parked_before).transpose()?,
            parked_after_ms: self.newer_than_seconds.map(parked_after).transpose()?,
            subject: subject(self.order_id, self.customer_id)?,
        })
    }
}

fn subject(
    order: Option<String>,
    customer: Option<String>,
) -> Result<BTreeMap<String, String>, UseCaseError> {
    let mut subject = BTreeMap::new();
    if let Some(order) = order {
        let order: OrderId = order
            .parse()
            .map_err(|field| UseCaseError::invalid(Violation::InvalidId, field))?;
        let key = search_attribute::ORDER_ID.name().to_owned();
        subject.insert(key, order.to_string());
    }
    if let Some(customer) = customer {
        let customer = CustomerId::try_from(customer)
            .map_err(|field| UseCaseError::invalid(Violation::InvalidValue, field))?;
        let key = search_attribute::CUSTOMER_ID.name().to_owned();
        subject.insert(key, customer.into());
    }
    Ok(subject)
}

/// The order and the customer that a task belongs to; empty for what it does
/// not say.
pub fn order_and_customer(subject: &BTreeMap<String, String>) -> (String, String) {
    let [order, customer] = [search_attribute::ORDER_ID, search_attribute::CUSTOMER_ID]
        .map(|key| subject.get(key.name()).cloned().unwrap_or_default());
    (order, customer)
}

fn queue_in_filter(name: &str) -> Result<String, UseCaseError> {
    one_of("queue", name, &Parked::ALL.map(|it| it.queue))
}

fn message_type_in_filter(name: &str) -> Result<String, UseCaseError> {
    one_of("messageType", name, &Parked::ALL.map(|it| it.message_type))
}

fn one_of(field: &'static str, name: &str, names: &[&str]) -> Result<String, UseCaseError> {
    if names.contains(&name) {
        return Ok(name.to_owned());
    }
    let expected = format!("must be one of {}", names.join(", "));
    let field = InvalidField { field, expected };
    Err(UseCaseError::invalid(Violation::InvalidValue, field))
}

fn error_code(code: String) -> Result<String, UseCaseError> {
    let fits = (1..=MAX_ERROR_CODE).contains(&code.chars().count());
    if fits && !code.chars().any(char::is_control) {
        check_visible("errorCode", Some(&code))?;
        return Ok(code);
    }
    let field = InvalidField {
        field: "errorCode",
        expected: format!("must be 1 to {MAX_ERROR_CODE} characters without control characters"),
    };
    Err(UseCaseError::invalid(Violation::InvalidValue, field))
}

/// Refuses a text that shows nothing. The queues' own check lets it through:
/// it knows no Unicode, and holds for requests that stand in histories.
pub(super) fn check_visible(field: &'static str, text: Option<&str>) -> Result<(), UseCaseError> {
    if !text.is_some_and(is_blank) {
        return Ok(());
    }
    let field = InvalidField {
        field,
        expected: "must have a character that is visible, not only invisible ones".to_owned(),
    };
    Err(UseCaseError::invalid(Violation::InvalidValue, field))
}

/// When a task was parked that is this old now.
fn parked_at(field: &'static str, seconds: i128, now_ms: i64) -> Result<i64, UseCaseError> {
    if !(0..=MAX_AGE_SECONDS).contains(&seconds) {
        let expected = format!("must be from 0 to {MAX_AGE_SECONDS}");
        let field = InvalidField { field, expected };
        return Err(UseCaseError::invalid(Violation::OutOfRange, field));
    }
    let age_ms = i64::try_from(seconds * 1000).unwrap_or(i64::MAX);
    Ok(now_ms.saturating_sub(age_ms))
}

/// The queue that an address names.
pub(super) fn queue_in_path(name: &str) -> Result<&'static str, UseCaseError> {
    let parked = Parked::of_queue(name).ok_or(UseCaseError::FailureQueueNotFound)?;
    Ok(parked.queue)
}

impl UseCases {
    /// The queues, for what the server or a query can answer.
    pub(super) async fn queues_to_read(&self) -> Result<FailureQueues, UseCaseError> {
        self.queues(self.settings.temporal_timeout).await
    }

    /// The queues, for what a worker has to answer, a step's run included.
    pub(super) async fn queues_to_act(&self) -> Result<FailureQueues, UseCaseError> {
        self.queues(self.settings.report_timeout).await
    }

    async fn queues(&self, limit: Duration) -> Result<FailureQueues, UseCaseError> {
        let client = self
            .temporal
            .connected(self.settings.temporal_timeout)
            .await?;
        let cipher = self.temporal.cipher().cloned();
        Ok(failure_queues(client, limit, cipher))
    }
}

/// The failure queues that `client` finds. Where there is a `cipher`, tasks of
/// a customer are looked for by their aliases, too.
#[must_use]
pub fn failure_queues(client: Client, limit: Duration, cipher: Option<Cipher>) -> FailureQueues {
    let queues = FailureQueues::new(client, task_queue::FAILURES, limit);
    let Some(cipher) = cipher else {
        return queues;
    };
    queues.spelled(move |name, value| {
        let mut spellings = vec![value.to_owned()];
        if name == search_attribute::CUSTOMER_ID.name() {
            spellings.extend(cipher.keys().aliases(value));
        }
        spellings
    })
}

impl From<Error> for UseCaseError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::FailureNotFound,
            Error::Resolved => Self::FailureResolved,
            Error::Busy => Self::FailureBusy,
            Error::Reused => Self::IdempotencyKeyReused,
            Error::TooManyRedrives => Self::TooManyRedrives,
            Error::Paused => Self::WorkflowPaused,
            Error::InvalidToken => invalid_cursor(),
            Error::Invalid(request) => request.into(),
            Error::NoNamespace(name) => Self::NoNamespace(name),
            Error::TimedOut => Self::TemporalUnavailable(TemporalError::TimedOut),
            Error::Unavailable(status) => Self::TemporalUnavailable(TemporalError::Rpc(status)),
            Error::Unexpected(error) => Self::Internal(error),
        }
    }
}

/// The same for what is asked of a bulk operation.
pub(super) fn bulk_error(error: Error) -> UseCaseError {
    match error {
        Error::NotFound => UseCaseError::BulkNotFound,
        error => error.into(),
    }
}

impl From<InvalidRequest> for UseCaseError {
    /// Names the field as clients know it.
    fn from(request: InvalidRequest) -> Self {
        let InvalidRequest { field, expected } = request;
        let (violation, field) = match field.as_str() {
            "requestId" => (
                Violation::InvalidValue,
                pizza_contract::IDEMPOTENCY_KEY.to_owned(),
            ),
            "firstWaitMs" => (Violation::OutOfRange, in_auto_redrive("firstWaitSeconds")),
            "backoff" => (Violation::OutOfRange, in_auto_redrive("backoff")),
            "longestWaitMs" => (Violation::OutOfRange, in_auto_redrive("longestWaitSeconds")),
            "maxAttempts" => (Violation::OutOfRange, in_auto_redrive("maxAttempts")),
            "maxAgeMs" => (Violation::OutOfRange, in_auto_redrive("maxAgeSeconds")),
            _ => (Violation::InvalidValue, field),
        };
        Self::InvalidPart {
            violation,
            field,
            expected,
        }
    }
}

fn in_auto_redrive(name: &str) -> String {
    format!("autoRedrive.{name}")
}

pub(super) fn invalid_cursor() -> UseCaseError {
    let field = InvalidField {
        field: "cursor",
        expected: "must be the nextCursor of a page of the same list".to_owned(),
    };
    UseCaseError::invalid(Violation::InvalidValue, field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::idempotency_key::IdempotencyKey;
    use pizza_contract::ErrorCode;

    const ORDER: &str = "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";

    #[test]
    fn an_id_names_a_parked_task_and_nothing_else() {
        let id = format!("failed-refund-payment-{ORDER}");
        let upper = format!("failed-refund-payment-{}", ORDER.to_uppercase());
        for text in [&id, &upper] {
            let parsed = FailureId::parse(text).expect("an id");
            assert_eq!(parsed.as_str(), id);
        }
        for other in [
            String::new(),
            ORDER.to_owned(),
            format!("order-{ORDER}"),
            format!("failed-{ORDER}"),
            format!("failed-refund-payment{ORDER}"),
            format!("failed-refund-payment-{ORDER}-1"),
            format!("failed-other-{ORDER}"),
            "failed-refund-payment-1".to_owned(),
        ] {
            let refused = FailureId::parse(&other).map_err(|error| error.code());
            assert_eq!(refused, Err(ErrorCode::FailureNotFound), "{other}");
        }
    }

    fn checked(change: impl FnOnce(&mut FailureFilter)) -> Result<BulkFilter, (ErrorCode, String)> {
        let mut filter = FailureFilter::default();
        change(&mut filter);
        filter.check(1_000_000_000_000).map_err(|error| {
            let text = error.to_string();
            let field = text.split(' ').next().unwrap_or_default();
            (error.code(), field.to_owned())
        })
    }

    #[test]
    fn ages_become_times_and_ids_become_attributes() {
        let filter = checked(|filter| {
            filter.queue = Some("refund-payment".to_owned());
            filter.message_type = Some("RefundPaymentFailed".to_owned());
            filter.error_code = Some("provider's fault".to_owned());
            filter.older_than_seconds = Some(60);
            filter.newer_than_seconds = Some(MAX_AGE_SECONDS);
            filter.order_id = Some(ORDER.to_uppercase());
            filter.customer_id = Some("guest".to_owned());
        })
        .expect("a filter");
        assert_eq!(filter.parked_before_ms, Some(999_999_940_000));
        assert_eq!(filter.parked_after_ms, Some(684_640_000_000));
        let subject: Vec<_> = filter
            .subject
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert_eq!(subject, [("CustomerId", "guest"), ("OrderId", ORDER)]);
        assert_eq!(checked(|_| ()), Ok(BulkFilter::default()));
    }

    #[test]
    fn what_is_beyond_a_limit_is_named() {
        let text = |text: &str| Some(text.to_owned());
        let invalid = |field: &str| Err((ErrorCode::InvalidValue, field.to_owned()));
        let range = |field: &str| Err((ErrorCode::OutOfRange, field.to_owned()));
        assert_eq!(checked(|f| f.queue = text("refunds")), invalid("queue"));
        assert_eq!(
            checked(|f| f.message_type = text("Refund")),
            invalid("messageType")
        );
        for bad in ["", "a\nb", "\u{200B}", &"x".repeat(129)] {
            assert_eq!(checked(|f| f.error_code = text(bad)), invalid("errorCode"));
        }
        for bad in [-1, MAX_AGE_SECONDS + 1, i128::MAX, i128::MIN] {
            let older = checked(|f| f.older_than_seconds = Some(bad));
            assert_eq!(older, range("olderThanSeconds"));
            let newer = checked(|f| f.newer_than_seconds = Some(bad));
            assert_eq!(newer, range("newerThanSeconds"));
        }
        let id = Err((ErrorCode::InvalidOrderId, "orderId".to_owned()));
        assert_eq!(checked(|f| f.order_id = text("1")), id);
        assert_eq!(
            checked(|f| f.customer_id = text("a b")),
            invalid("customerId")
        );
    }

    #[test]
    fn an_idempotency_key_is_short_and_plain() {
        assert!(IdempotencyKey::parse(&"aZ9._-".repeat(10)).is_ok());
        for bad in ["", "a b", "a/b", "é", &"x".repeat(65)] {
            let refused = IdempotencyKey::parse(bad).map_err(|error| error.code());
            assert_eq!(refused, Err(ErrorCode::InvalidValue), "{bad}");
        }
    }

    #[test]
    fn fields_of_the_queues_are_named_as_clients_know_them() {
        for (field, known, code) in [
            ("requestId", "Idempotency-Key", ErrorCode::InvalidValue),
            (
                "maxAgeMs",
                "autoRedrive.maxAgeSeconds",
                ErrorCode::OutOfRange,
            ),
            ("reason", "reason", ErrorCode::InvalidValue),
        ] {
            let error = UseCaseError::from(InvalidRequest {
                field: field.to_owned(),
                expected: "must be so".to_owned(),
            });
            assert_eq!(error.code(), code);
            assert_eq!(error.to_string(), format!("{known} must be so"));
        }
    }
}
