//! Why a use case did not do what was asked.

use failure_queue::MOST_REDRIVES;
use pizza_contract::reading::Fault;
use pizza_contract::{ErrorCode, IDEMPOTENCY_KEY};
use pizza_domain::{InvalidField, OrderId, OrderStatus, ReportRefusal};
use pizza_store::StoreError;
use pizza_workflows::ChangeRefusal;

use super::temporal_error::TemporalError;

/// Why a use case did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum UseCaseError {
    /// A field's value is not allowed.
    #[error("{field}")]
    Invalid {
        /// Whether it is a number or a text.
        violation: Violation,
        /// The field and its rule.
        field: InvalidField,
    },
    /// A field of a request, or a part of one, is not allowed.
    #[error("{field} {expected}")]
    InvalidPart {
        /// In which way.
        violation: Violation,
        /// The field, with those around it: `input.orderId` for example.
        field: String,
        /// The rule that was broken, with its limit.
        expected: String,
    },
    /// A part of a request cannot be read.
    #[error("{0}")]
    Unreadable(Fault),
    /// There is no such parked task.
    #[error("there is no such parked task")]
    FailureNotFound,
    /// The parked task is done or was discarded.
    #[error("the parked task is already closed")]
    FailureResolved,
    /// The parked task is being redriven.
    #[error("the parked task is being redriven; look again in a moment")]
    FailureBusy,
    /// The parked task was redriven by hand too often.
    #[error("the parked task was redriven {MOST_REDRIVES} times by hand; it can be discarded")]
    TooManyRedrives,
    /// Somebody paused the workflow of a task, a queue or a bulk operation.
    #[error("its workflow is paused in Temporal; `temporal workflow unpause` lets it go on")]
    WorkflowPaused,
    /// There is no such failure queue.
    #[error("there is no such failure queue; GET /failure-queues lists them")]
    FailureQueueNotFound,
    /// There is no such bulk operation.
    #[error("there is no such bulk operation")]
    BulkNotFound,
    /// The idempotency key was used for another request.
    #[error("{IDEMPOTENCY_KEY} was used for another request; each needs a key of its own")]
    IdempotencyKeyReused,
    /// Errors are not simulated here.
    #[error(
        "{field} asks for errors, and this gateway simulates none: it was started without \
         --fault-injection"
    )]
    FaultInjectionDisabled {
        /// The field that asks for one.
        field: &'static str,
    },
    /// The order would be another customer's.
    #[error("customerId must be that of the key's holder, or be left out")]
    ForeignCustomer,
    /// There is no such order.
    #[error("there is no order {0}")]
    OrderNotFound(OrderId),
    /// The kitchen has no such ticket.
    #[error("the kitchen has no ticket {0}")]
    TicketNotFound(OrderId),
    /// Another report has to come first.
    #[error("another report has to come first, or this stage was reported under another id")]
    ReportOutOfOrder {
        /// Where the order stands, if the store could say.
        status: Option<OrderStatus>,
    },
    /// Another report was made under this id.
    #[error("another report was made under this id")]
    ReportIdReused,
    /// Too many reports were made on this order.
    #[error("{}", ReportRefusal::TooMany)]
    TooManyReports {
        /// Where the order stands, if the store could say.
        status: Option<OrderStatus>,
    },
    /// The courier has the order.
    #[error("the order is on its way and cannot be changed any more")]
    OrderOnItsWay,
    /// The order was delivered.
    #[error("the order was delivered and cannot be changed any more")]
    OrderDelivered,
    /// The kitchen has accepted the order.
    #[error("the kitchen cooks already; the order can be cancelled, not amended")]
    OrderCooking {
        /// Where the order stands.
        status: OrderStatus,
    },
    /// The order is cancelled, or about to be.
    #[error("the order is cancelled, or about to be")]
    OrderOver {
        /// Where the order stands.
        status: OrderStatus,
    },
    /// The order was amended too often.
    #[error("{}; it can be cancelled", ChangeRefusal::TooMany)]
    TooManyAmendments {
        /// Where the order stands.
        status: OrderStatus,
    },
    /// The payment of the difference was declined.
    #[error("the order is as it was: {0}")]
    PaymentDeclined(String),
    /// The order could not be amended now.
    #[error("the order is as it was; try again later")]
    AmendmentFailed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Nobody works on the order, although it has not ended: its workflow was
    /// ended from outside, and the reconciler takes it up again, or somebody
    /// paused it and Temporal does not tell which.
    #[error("nobody attends to this order right now; try again later")]
    OrderUnattended,
    /// Somebody paused a workflow of the order.
    #[error(
        "the order's workflow {workflow} is paused in Temporal, so that {}; an operator lets it \
         go on with `pizza temporal workflow unpause --workflow-id {workflow}`; try again then",
        match was_refused {
            true => "it takes nothing and nothing was changed",
            false => "there was no answer in time",
        }
    )]
    OrderPaused {
        /// Its id.
        workflow: String,
        /// Whether it was this one that was asked, and Temporal refused it at
        /// once; otherwise the one that was asked waits for it.
        was_refused: bool,
    },
    /// The order is over.
    #[error("the order is already over")]
    ReportLate {
        /// Where the order stands, if the store could say.
        status: Option<OrderStatus>,
    },
    /// Temporal did not take every order.
    #[error("Temporal did not take the order{}; try again later", leftovers(.started, .unknown))]
    NotPlaced {
        /// The orders that were started all the same (of several).
        started: Vec<OrderId>,
        /// The orders of which Temporal did not say whether it has them.
        unknown: Vec<OrderId>,
        /// What went wrong first.
        source: TemporalError,
    },
    /// Temporal is away, overloaded or did not answer in time.
    #[error("Temporal did not answer; try again later")]
    TemporalUnavailable(#[source] TemporalError),
    /// Temporal has no such namespace: it has yet to be made, or this gateway
    /// was given the name of another one.
    #[error(
        "Temporal has no namespace {0:?}: an operator has to make it, or to start the gateway \
         with the name of the right one"
    )]
    NoNamespace(String),
    /// The store is away or did not answer in time.
    #[error("the store did not answer; try again later")]
    StoreUnavailable(#[source] StoreError),
    /// A fault that no client can do anything about.
    #[error("the request met a fault of the gateway or what is behind it")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What about a value is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A number is too small or too large.
    OutOfRange,
    /// A text is not one that is allowed.
    InvalidValue,
    /// An id is not an id.
    InvalidId,
    /// The value is missing.
    Missing,
}

impl UseCaseError {
    /// The stable code that clients are told.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid { violation, .. } | Self::InvalidPart { violation, .. } => {
                match violation {
                    Violation::OutOfRange => ErrorCode::OutOfRange,
                    Violation::InvalidValue => ErrorCode::InvalidValue,
                    Violation::InvalidId => ErrorCode::InvalidOrderId,
                    Violation::Missing => ErrorCode::MissingField,
                }
            }
            Self::Unreadable(fault) => fault.code,
            Self::FailureNotFound => ErrorCode::FailureNotFound,
            Self::FailureResolved => ErrorCode::FailureResolved,
            Self::FailureBusy => ErrorCode::FailureBusy,
            Self::TooManyRedrives => ErrorCode::TooManyRedrives,
            Self::WorkflowPaused => ErrorCode::WorkflowPaused,
            Self::FailureQueueNotFound => ErrorCode::FailureQueueNotFound,
            Self::BulkNotFound => ErrorCode::BulkNotFound,
            Self::IdempotencyKeyReused => ErrorCode::IdempotencyKeyReused,
            Self::FaultInjectionDisabled { .. } => ErrorCode::FaultInjectionDisabled,
            Self::ForeignCustomer => ErrorCode::Forbidden,
            Self::OrderNotFound(_) => ErrorCode::OrderNotFound,
            Self::TicketNotFound(_) => ErrorCode::TicketNotFound,
            Self::ReportOutOfOrder { .. } => ErrorCode::KitchenReportOutOfOrder,
            Self::ReportLate { .. } => ErrorCode::KitchenReportLate,
            Self::ReportIdReused => ErrorCode::ReportIdReused,
            Self::TooManyReports { .. } => ErrorCode::TooManyReports,
            Self::OrderOnItsWay => ErrorCode::OrderOnItsWay,
            Self::OrderDelivered => ErrorCode::OrderDelivered,
            Self::OrderCooking { .. } => ErrorCode::OrderCooking,
            Self::OrderOver { .. } => ErrorCode::OrderOver,
            Self::TooManyAmendments { .. } => ErrorCode::TooManyAmendments,
            Self::PaymentDeclined(_) => ErrorCode::PaymentDeclined,
            Self::AmendmentFailed(_) => ErrorCode::AmendmentFailed,
            Self::OrderUnattended
            | Self::OrderPaused {
                was_refused: true, ..
            } => ErrorCode::OrderUnattended,
            Self::NotPlaced { .. }
            | Self::TemporalUnavailable(_)
            | Self::NoNamespace(_)
            | Self::OrderPaused { .. } => ErrorCode::TemporalUnavailable,
            Self::StoreUnavailable(_) => ErrorCode::StoreUnavailable,
            Self::Internal(_) => ErrorCode::Internal,
        }
    }

    /// The error of a field that breaks its rule.
    #[must_use]
    pub const fn invalid(violation: Violation, field: InvalidField) -> Self {
        Self::Invalid { violation, field }
    }
}

impl UseCaseError {
    /// Whether the same may succeed later.
    pub const fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::StoreUnavailable(_) | Self::TemporalUnavailable(_) | Self::NoNamespace(_)
        )
    }

    /// The saga's refusal of a change, of an order that stands at `status`.
    pub fn of_refusal(refusal: ChangeRefusal, status: OrderStatus) -> Self {
        match refusal {
            ChangeRefusal::OnItsWay => Self::OrderOnItsWay,
            ChangeRefusal::Delivered => Self::OrderDelivered,
            ChangeRefusal::Cooking => Self::OrderCooking { status },
            ChangeRefusal::Over => Self::OrderOver { status },
            // Whoever asks for no change is answered before this.
            ChangeRefusal::Unchanged => Self::AmendmentFailed(refusal.into()),
            ChangeRefusal::TooMany => Self::TooManyAmendments { status },
            ChangeRefusal::Declined(message) => Self::PaymentDeclined(message),
            ChangeRefusal::Failed(message) => Self::AmendmentFailed(message.into()),
        }
    }
}

impl From<StoreError> for UseCaseError {
    fn from(error: StoreError) -> Self {
        if error.may_pass() {
            Self::StoreUnavailable(error)
        } else {
            Self::Internal(error.into())
        }
    }
}

impl From<TemporalError> for UseCaseError {
    fn from(error: TemporalError) -> Self {
        match error {
            TemporalError::NoNamespace(name) => Self::NoNamespace(name),
            TemporalError::Paused => Self::OrderUnattended,
            error if error.may_pass() => Self::TemporalUnavailable(error),
            error => Self::Internal(error.into()),
        }
    }
}

/// Names the orders that exist, or may, although the answer is an error, so
/// that none is lost silently.
fn leftovers(started: &[OrderId], unknown: &[OrderId]) -> String {
    let list = |ids: &[OrderId]| {
        let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
        ids.join(", ")
    };
    let mut text = String::new();
    if !started.is_empty() {
        text.push_str("; these were started: ");
        text.push_str(&list(started));
    }
    if !unknown.is_empty() {
        text.push_str("; it did not say whether it has: ");
        text.push_str(&list(unknown));
    }
    text
}
