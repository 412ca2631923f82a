//! The key under which a request acts once.

use pizza_contract::IDEMPOTENCY_KEY;
use pizza_domain::InvalidField;

use super::error::{UseCaseError, Violation};

/// The longest idempotency key, in characters.
const MAX_KEY: usize = 64;

/// A key of the client's own under which a request acts once, however often
/// it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Reads a key.
    ///
    /// # Errors
    /// When it is empty, too long, or has other characters.
    pub fn parse(text: &str) -> Result<Self, UseCaseError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if (1..=MAX_KEY).contains(&text.len()) && text.bytes().all(allowed) {
            return Ok(Self(text.to_owned()));
        }
        Err(UseCaseError::invalid(
            Violation::InvalidValue,
            InvalidField {
                field: IDEMPOTENCY_KEY,
                expected: format!(
                    "must be 1 to {MAX_KEY} characters of A-Z, a-z, 0-9, '.', '_' and '-'"
                ),
            },
        ))
    }

    /// The key's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<IdempotencyKey> for String {
    fn from(key: IdempotencyKey) -> Self {
        key.0
    }
}
