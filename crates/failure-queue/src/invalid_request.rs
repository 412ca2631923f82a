//! A request that is not taken, and the checks that find one.

use serde::{Deserialize, Serialize};

/// The longest name of a principal, and the longest request id.
const MAX_NAME: usize = 128;
/// The longest reason, in characters.
const MAX_REASON: usize = 500;

/// A request that is not taken, with the field and its limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvalidRequest {
    /// The field.
    pub field: String,
    /// What it must be.
    pub expected: String,
}

impl std::fmt::Display for InvalidRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.field, self.expected)
    }
}

impl std::error::Error for InvalidRequest {}

/// Fails unless `holds`.
pub(crate) fn check(holds: bool, field: &str, expected: &str) -> Result<(), InvalidRequest> {
    if holds {
        return Ok(());
    }
    Err(InvalidRequest {
        field: field.to_owned(),
        expected: expected.to_owned(),
    })
}

pub(crate) fn check_principal(principal: &str) -> Result<(), InvalidRequest> {
    let fits = !principal.is_empty()
        && principal.len() <= MAX_NAME
        && principal.chars().all(|c| c.is_ascii_graphic());
    check(
        fits,
        "principal",
        "must be 1 to 128 printable ASCII characters",
    )
}

pub(crate) fn check_reason(reason: &str) -> Result<(), InvalidRequest> {
    let length = reason.chars().count();
    let fits = (1..=MAX_REASON).contains(&length)
        && !reason.trim().is_empty()
        && !reason.chars().any(char::is_control);
    check(
        fits,
        "reason",
        "must be 1 to 500 characters without control characters",
    )
}

/// Fails unless a queue may have this name.
#[cfg(feature = "client")]
pub(crate) fn check_queue(queue: &str) -> Result<(), InvalidRequest> {
    let fits = (1..=MAX_NAME).contains(&queue.len()) && queue.chars().all(|c| c.is_ascii_graphic());
    check(fits, "queue", "must be 1 to 128 printable ASCII characters")
}

pub(crate) fn check_request_id(id: Option<&str>) -> Result<(), InvalidRequest> {
    let fits = id.is_none_or(|id| {
        !id.is_empty() && id.len() <= MAX_NAME && id.chars().all(|c| c.is_ascii_graphic())
    });
    check(
        fits,
        "requestId",
        "must be 1 to 128 printable ASCII characters",
    )
}
