//! How a call to Temporal failed.

use failure_queue::client::missing_namespace;
use payload_codec::OpenError;
use temporalio_client::errors::ClientConnectError;
use temporalio_client::tonic::{Code, Status};
use temporalio_common::data_converters::PayloadConversionError;

/// How a call to Temporal failed.
#[derive(Debug, thiserror::Error)]
pub enum TemporalError {
    /// No connection could be made.
    #[error("Temporal cannot be reached")]
    Connect(#[source] ClientConnectError),
    /// No answer within the time allowed.
    #[error("Temporal did not answer in time")]
    TimedOut,
    /// Somebody paused the order's workflow, or its branch: it takes no updates
    /// until it goes on.
    #[error("the workflow is paused")]
    Paused,
    /// An answer that is an error.
    #[error("Temporal answered with an error")]
    Rpc(#[source] Status),
    /// What came is encrypted, and this process has not the key. It was asked
    /// for all the same, and may have been done.
    #[error(
        "what Temporal keeps is encrypted with a key that this process lacks: give it the file \
         with --codec-keys (PIZZA_CODEC_KEYS)"
    )]
    Sealed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// There is no such namespace, or not yet.
    #[error("Temporal has no namespace {0:?}")]
    NoNamespace(String),
    /// Anything else: a payload that cannot be read, an unknown failure.
    #[error("the answer of Temporal was not understood")]
    Unexpected(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl TemporalError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Connect(_)
            | Self::TimedOut
            | Self::Paused
            | Self::Sealed(_)
            | Self::NoNamespace(_) => true,
            Self::Rpc(status) if is_unheard_of(status) => true,
            Self::Rpc(status) => !matches!(
                status.code(),
                Code::InvalidArgument
                    | Code::NotFound
                    | Code::AlreadyExists
                    | Code::PermissionDenied
                    | Code::Unauthenticated
                    | Code::FailedPrecondition
                    | Code::Unimplemented
            ),
            Self::Unexpected(_) => false,
        }
    }

    /// What the client made of an answer, when that is not the server's error.
    pub(super) fn of_answer(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let error = error.into();
        if is_sealed(error.as_ref()) {
            Self::Sealed(error)
        } else {
            Self::Unexpected(error)
        }
    }

    /// Whether the call may have had its effect all the same: it was sent,
    /// and no answer said that it had none.
    pub(super) fn may_have_happened(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Paused | Self::Unexpected(_) | Self::NoNamespace(_) => false,
            Self::TimedOut | Self::Sealed(_) => true,
            Self::Rpc(status) => self.may_pass() && !is_unheard_of(status),
        }
    }
}

impl From<Status> for TemporalError {
    fn from(status: Status) -> Self {
        missing_namespace(&status).map_or(Self::Rpc(status), Self::NoNamespace)
    }
}

/// What it means that Temporal has none of what a call was about: `meaning`,
/// unless it is the namespace that is not there.
pub(super) fn without<T>(status: &Status, meaning: T) -> Result<T, TemporalError> {
    missing_namespace(status).map_or(Ok(meaning), |name| Err(TemporalError::NoNamespace(name)))
}

/// Whether a payload could not be read for want of its key. Without any key
/// nothing looks for one, and an encrypted payload is of an encoding that the
/// client does not know: no other is ever written.
pub(super) fn is_sealed(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(|error| {
        matches!(
            error.downcast_ref(),
            Some(PayloadConversionError::WrongEncoding)
        ) || matches!(error.downcast_ref(), Some(OpenError::UnknownKey(_)))
    })
}

/// Whether the server refuses search attributes that it has not heard of. It
/// learns of those that were just registered within some seconds, and names
/// the reason in its text alone.
fn is_unheard_of(status: &Status) -> bool {
    status.code() == Code::InvalidArgument && status.message().contains("search attribute")
}
