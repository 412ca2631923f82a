//! How an update says no.

use std::error::Error;
use std::fmt;

use temporalio_common::error::ApplicationFailure;

use crate::invalid_request::InvalidRequest;
use crate::names::failure_type;
use crate::request::MOST_REDRIVES;

/// What an update handler or validator fails with.
pub(crate) type Refused = Box<dyn Error + Send + Sync>;

/// Why a request is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The task is done or discarded.
    Resolved,
    /// A redrive is under way.
    Busy,
    /// Another request was made under its id.
    Reused,
    /// The task was redriven by hand too often.
    TooManyRedrives,
    /// A field is beyond its limit.
    Invalid(InvalidRequest),
}

impl From<InvalidRequest> for Refusal {
    fn from(invalid: InvalidRequest) -> Self {
        Self::Invalid(invalid)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolved => f.write_str("the task is done or discarded"),
            Self::Busy => f.write_str("a redrive of the task is under way"),
            Self::Reused => f.write_str("another request was made under this id"),
            Self::TooManyRedrives => {
                write!(f, "the task was redriven {MOST_REDRIVES} times by hand")
            }
            Self::Invalid(invalid) => invalid.fmt(f),
        }
    }
}

/// The SDK wraps whatever error an update fails with in an untyped failure
/// that has the error's *source* as its cause, so the typed failure has to be
/// the source of something.
#[derive(Debug)]
struct Wrapped {
    summary: &'static str,
    failure: ApplicationFailure,
}

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.summary)
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.failure)
    }
}

/// What an update handler or validator fails with to refuse a request for the
/// typed reason that `failure` is. `summary` says what was refused.
#[must_use]
pub fn refused(summary: &'static str, failure: ApplicationFailure) -> Box<dyn Error + Send + Sync> {
    Box::new(Wrapped { summary, failure })
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let type_name = match &refusal {
            Refusal::Resolved => failure_type::RESOLVED,
            Refusal::Busy => failure_type::BUSY,
            Refusal::Reused => failure_type::REUSED,
            Refusal::TooManyRedrives => failure_type::TOO_MANY_REDRIVES,
            Refusal::Invalid(_) => failure_type::INVALID,
        };
        let failure = ApplicationFailure::builder(refusal.to_string())
            .type_name(type_name.to_owned())
            .non_retryable(true);
        let failure = match refusal {
            Refusal::Invalid(invalid) => failure.details(invalid).build(),
            _ => failure.build(),
        };
        refused("the request was not taken", failure)
    }
}
