//! How a call fails.

use temporalio_client::WorkflowExecutionStatus;
use temporalio_client::errors::{
    WorkflowInteractionError, WorkflowQueryError, WorkflowStartError, WorkflowUpdateError,
};
use temporalio_common::protos::temporal::api::failure::v1::Failure;
use tonic::{Code, Status};

use super::namespace::missing_namespace;
use super::update::{COMPLETED_WITHOUT_ANSWER, failure_text, is_paused, types};
use crate::invalid_request::InvalidRequest;
use crate::names::failure_type;
use crate::request::MOST_REDRIVES;

/// Why a call did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such task, queue or operation.
    #[error("there is no such task or operation")]
    NotFound,
    /// Temporal has no namespace of this name. The same call may succeed once
    /// it has.
    #[error("Temporal has no namespace {0:?}")]
    NoNamespace(String),
    /// The task was done or discarded before.
    #[error("the task is done or discarded")]
    Resolved,
    /// A redrive of the task is under way.
    #[error("a redrive of the task is under way")]
    Busy,
    /// Another request was made under the request's id.
    #[error("another request was made under this id")]
    Reused,
    /// The task was redriven by hand too often; it can be discarded.
    #[error("the task was redriven {MOST_REDRIVES} times by hand")]
    TooManyRedrives,
    /// Somebody paused the workflow of the task, queue or operation. It answers
    /// once it goes on.
    #[error("the workflow is paused")]
    Paused,
    /// The token is not one that a page of the same list ended with.
    #[error("the page token is not one of this list")]
    InvalidToken,
    /// A field is beyond its limit.
    #[error("the request was not taken")]
    Invalid(#[source] InvalidRequest),
    /// No answer within the time allowed. What was asked for may happen yet.
    #[error("Temporal or its worker did not answer in time")]
    TimedOut,
    /// Temporal is away or overloaded; the same call may succeed later.
    #[error("Temporal answered with an error")]
    Unavailable(#[source] Status),
    /// Anything else: a payload that cannot be read, an unknown failure.
    #[error("the answer of Temporal was not understood")]
    Unexpected(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::TimedOut | Self::Unavailable(_) | Self::Busy | Self::NoNamespace(_)
        )
    }
}

impl From<InvalidRequest> for Error {
    fn from(invalid: InvalidRequest) -> Self {
        Self::Invalid(invalid)
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        if let Some(namespace) = missing_namespace(&status) {
            return Self::NoNamespace(namespace);
        }
        match status.code() {
            _ if is_paused(&status) => Self::Paused,
            Code::NotFound => Self::NotFound,
            Code::DeadlineExceeded | Code::Cancelled => Self::TimedOut,
            Code::InvalidArgument
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::Unimplemented => Self::Unexpected(status.into()),
            _ => Self::Unavailable(status),
        }
    }
}

impl From<WorkflowInteractionError> for Error {
    fn from(error: WorkflowInteractionError) -> Self {
        match error {
            WorkflowInteractionError::NotFound(status) | WorkflowInteractionError::Rpc(status) => {
                status.into()
            }
            other => Self::Unexpected(other.into()),
        }
    }
}

impl From<WorkflowStartError> for Error {
    fn from(error: WorkflowStartError) -> Self {
        match error {
            WorkflowStartError::Rpc(status) => status.into(),
            other => Self::Unexpected(other.into()),
        }
    }
}

impl From<WorkflowQueryError> for Error {
    fn from(error: WorkflowQueryError) -> Self {
        match error {
            WorkflowQueryError::Rejected {
                status: Some(WorkflowExecutionStatus::Paused),
            } => Self::Paused,
            WorkflowQueryError::NotFound(status) | WorkflowQueryError::Rpc(status) => status.into(),
            other => Self::Unexpected(other.into()),
        }
    }
}

impl From<WorkflowUpdateError> for Error {
    fn from(error: WorkflowUpdateError) -> Self {
        match error {
            WorkflowUpdateError::Failed(failure) => known_failure(&failure)
                .unwrap_or_else(|| Self::Unexpected(failure_text(&failure).into())),
            WorkflowUpdateError::NotFound(status) | WorkflowUpdateError::Rpc(status) => {
                status.into()
            }
            other => Self::Unexpected(other.into()),
        }
    }
}

/// The meaning of a failed update, wherever in its causes it says so.
fn known_failure(failure: &Failure) -> Option<Error> {
    types(failure).find_map(|(kind, message)| match kind {
        COMPLETED_WITHOUT_ANSWER | failure_type::RESOLVED => Some(Error::Resolved),
        failure_type::BUSY => Some(Error::Busy),
        failure_type::REUSED => Some(Error::Reused),
        failure_type::TOO_MANY_REDRIVES => Some(Error::TooManyRedrives),
        failure_type::INVALID => Some(Error::Invalid(invalid(message))),
        _ => None,
    })
}

/// A refusal's message is the field, a space, and what it must be.
fn invalid(message: &str) -> InvalidRequest {
    let (field, expected) = message.split_once(' ').unwrap_or(("request", message));
    InvalidRequest {
        field: field.to_owned(),
        expected: expected.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::update::{UNPROCESSED, is_lost};
    use temporalio_common::protos::temporal::api::failure::v1::ApplicationFailureInfo;
    use temporalio_common::protos::temporal::api::failure::v1::failure::FailureInfo;

    fn failure(type_name: &str, message: &str, cause: Option<Failure>) -> Failure {
        Failure {
            message: message.to_owned(),
            cause: cause.map(Box::new),
            failure_info: Some(FailureInfo::ApplicationFailureInfo(
                ApplicationFailureInfo {
                    r#type: type_name.to_owned(),
                    ..Default::default()
                },
            )),
            ..Default::default()
        }
    }

    fn error(type_name: &str, message: &str) -> Error {
        let cause = failure(type_name, message, None);
        WorkflowUpdateError::Failed(Box::new(failure("", "wrapped", Some(cause)))).into()
    }

    #[test]
    fn a_refusal_is_known_by_its_type_wherever_it_stands() {
        assert!(matches!(error(failure_type::RESOLVED, ""), Error::Resolved));
        assert!(matches!(
            error(COMPLETED_WITHOUT_ANSWER, ""),
            Error::Resolved
        ));
        assert!(matches!(error(failure_type::BUSY, ""), Error::Busy));
        let Error::Invalid(invalid) = error(failure_type::INVALID, "reason must be short") else {
            panic!("not invalid");
        };
        assert_eq!(invalid.to_string(), "reason must be short");
        assert!(matches!(error("Other", "no"), Error::Unexpected(_)));
    }

    #[test]
    fn an_update_that_no_worker_processed_was_lost() {
        let lost = failure(UNPROCESSED, "lost", None);
        assert!(is_lost(&WorkflowUpdateError::Failed(Box::new(lost))));
        let refused = failure(failure_type::BUSY, "busy", None);
        assert!(!is_lost(&WorkflowUpdateError::Failed(Box::new(refused))));
    }

    #[test]
    fn a_workflow_that_is_paused_is_not_asked_again() {
        let status = Status::failed_precondition("Workflow is paused. Cannot update the workflow.");
        let refused = WorkflowUpdateError::Rpc(status);
        assert!(!is_lost(&refused));
        assert!(matches!(refused.into(), Error::Paused));
        let query = WorkflowQueryError::Rejected {
            status: Some(WorkflowExecutionStatus::Paused),
        };
        assert!(matches!(query.into(), Error::Paused));
        let lost = WorkflowUpdateError::Rpc(Status::failed_precondition("the task was lost"));
        assert!(is_lost(&lost));
    }
}
