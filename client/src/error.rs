//! How a call of the gateway fails.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use pizza_contract::{self as contract, ErrorCode};
use reqwest::header::RETRY_AFTER;
use reqwest::{Response, StatusCode};
use serde_json::Value;

use crate::sent::Sent;
use crate::text::plain;

/// The longest wait that a gateway may ask for before another try.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(5);

/// Why a gateway cannot be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The message leaves the URL out: it may hold a password or a key.
    #[error(
        "a gateway's URL begins with http:// or https:// and holds no user, no password, no query \
         (`?`) and no fragment (`#`); a customer's key is given with PIZZA_KEY or --key, an \
         operator's with PIZZA_OPERATOR_KEY or --operator-key"
    )]
    Url,
    /// The HTTP client cannot be made.
    #[error("no HTTP client can be made")]
    Client(#[source] reqwest::Error),
}

/// Why there is no good answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nothing came back.
    #[error(
        "the gateway at {url} does not answer; is it running (`pizza dev`), and is --gateway or \
         PIZZA_GATEWAY right?"
    )]
    Unreachable {
        /// Where it was looked for.
        url: String,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// Somebody answers who is not known to be the gateway.
    #[error(
        "the gateway at {url} cannot be trusted, or speaks no TLS: {fault}; is the URL right, and \
         does --ca-certificate or PIZZA_CA_CERTIFICATE name who issued its certificate?"
    )]
    Untrusted {
        /// Who was asked.
        url: String,
        /// What is wrong.
        fault: Box<rustls::Error>,
    },
    /// The gateway said no.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// The gateway does not take this key, or the lack of one.
    #[error("{problem}; {advice}")]
    NotAllowed {
        /// What it said.
        problem: Box<Problem>,
        /// What to do.
        advice: String,
    },
    /// What came back is not what was asked for.
    #[error("the gateway's answer cannot be read")]
    Unreadable(#[source] reqwest::Error),
    /// The same, once it was known to be JSON.
    #[error("the gateway's answer is not what this version expects")]
    Unexpected(#[from] serde_json::Error),
    /// A URL that has no paths. It is not repeated: it may hold a password.
    #[error("--gateway (PIZZA_GATEWAY) is no URL that begins with http:// or https://")]
    NoBase,
}

impl CallError {
    /// What the gateway said, if it did.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(problem) | Self::NotAllowed { problem, .. } => Some(problem),
            _ => None,
        }
    }

    /// Whether no answer came, or none that is whole. Whether the request was
    /// done is not known then.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        match self {
            Self::Unreachable { source, .. } => !source.is_builder(),
            // What is whole, and is not JSON, was an answer.
            Self::Unreadable(source) => !source
                .source()
                .is_some_and(|cause| cause.is::<serde_json::Error>()),
            _ => false,
        }
    }

    /// Whether the next call will meet the same: there is no gateway, or none
    /// for this key.
    #[must_use]
    pub const fn concerns_all_calls(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Untrusted { .. }
                | Self::NotAllowed { .. }
                | Self::NoBase
        )
    }

    /// Whether the same call may well succeed later: no answer came, or one
    /// that says that something is away.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { source, .. } => !source.is_builder(),
            Self::Refused(problem) => matches!(
                problem.status,
                StatusCode::TOO_MANY_REQUESTS
                    | StatusCode::BAD_GATEWAY
                    | StatusCode::SERVICE_UNAVAILABLE
                    | StatusCode::GATEWAY_TIMEOUT
            ),
            _ => false,
        }
    }

    /// How long to wait before another try; none where one is pointless. What
    /// has an effect is only to be tried again under the same key.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        const A_SECOND: Duration = Duration::from_secs(1);
        match self {
            Self::Refused(problem)
                if matches!(
                    problem.status,
                    StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
                ) =>
            {
                let wait = problem.retry_after.unwrap_or(A_SECOND);
                Some(wait.min(LONGEST_RETRY_AFTER))
            }
            // Asked and not answered. Where nothing listens, a person should
            // learn of it at once.
            Self::Unreachable { source, .. } if !source.is_connect() && !source.is_builder() => {
                Some(A_SECOND)
            }
            _ => None,
        }
    }
}

/// What the gateway answers where it does not do what it is asked. Its texts
/// are the server's.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The answer's status.
    pub status: StatusCode,
    /// The stable code; empty when there was no problem document.
    pub code: String,
    /// What went wrong, for people.
    pub detail: String,
    /// How long to wait before another try.
    pub retry_after: Option<Duration>,
    /// The document as it was sent; null where there was none.
    pub document: Value,
}

impl Problem {
    /// Whether it is an error of this code.
    #[must_use]
    pub fn is(&self, code: ErrorCode) -> bool {
        self.code == code.as_str()
    }

    /// Reads an answer that is not a good one.
    pub(crate) async fn of(response: Response) -> Self {
        let status = response.status();
        let retry_after = retry_after(&response);
        let json = response.json().await.unwrap_or_default();
        let (document, known) = match Sent::<contract::Problem>::read(json) {
            Ok(sent) => (sent.json, sent.view),
            Err(_) => Default::default(),
        };
        Self {
            status,
            code: known.code.into(),
            detail: known.detail,
            retry_after,
            document,
        }
    }
}

/// How many seconds an answer asks to wait.
pub(crate) fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?;
    let seconds = seconds.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// What is wrong with the other end's TLS, where that is why it cannot be
/// asked.
pub(crate) fn tls_fault(error: &reqwest::Error) -> Option<Box<rustls::Error>> {
    let first: &(dyn Error + 'static) = error;
    let mut chain = std::iter::successors(Some(first), |error| (*error).source());
    chain.find_map(fault_within).cloned().map(Box::new)
}

/// An error of input and output does not name what it wraps as its cause.
fn fault_within<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    match error.downcast_ref::<io::Error>() {
        Some(wrapping) => fault_within(wrapping.get_ref()?),
        None => error.downcast_ref(),
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.status.is_redirection() {
            return write!(
                f,
                "the gateway answered {}, which is not followed; give the URL of the gateway itself",
                self.status
            );
        }
        if self.code.is_empty() {
            return write!(f, "the gateway answered {}", self.status);
        }
        let (code, detail) = (plain(&self.code), plain(&self.detail));
        write!(f, "{code} ({}): {detail}", self.status)
    }
}
