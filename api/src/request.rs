//! What a request carries through the layers to its handler.

use std::fmt;

use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// The header of a request's id.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest request id that is taken from a client, in characters.
const REQUEST_ID_LENGTH: usize = 64;

/// When the header of a request was there. A deadline is counted from then,
/// however late the body comes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ArrivedAt(pub(crate) std::time::Instant);

/// The host by which the client reached the gateway.
#[derive(Clone, Debug)]
pub(crate) struct ReachedAt(pub(crate) Authority);

/// What a request is called in logs and answers: the client's own name for
/// it, where that is fit to be logged, or a new one.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) HeaderValue);

impl RequestId {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(REQUEST_ID).filter(|id| {
            let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
            let id = id.as_bytes();
            (1..=REQUEST_ID_LENGTH).contains(&id.len()) && id.iter().all(allowed)
        });
        Self(given.cloned().unwrap_or_else(Self::fresh))
    }

    fn fresh() -> HeaderValue {
        let id = Uuid::new_v4().to_string();
        HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("unknown"))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_str().unwrap_or_default())
    }
}
