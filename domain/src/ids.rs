//! Typed identifiers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::InvalidField;

/// An order's id: a version 4 UUID, whose 122 random bits cannot be guessed.
///
/// The kitchen's ticket for an order carries the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderId(Uuid);

impl OrderId {
    /// Wraps an id that was just drawn. Drawing it needs randomness, which
    /// this crate does not have.
    #[must_use]
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The id itself.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for OrderId {
    type Err = InvalidField;

    /// Accepts the hyphenated form alone, so that one order has one spelling
    /// in links, logs and workflow ids. Upper case is read as lower case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidField::new("orderId", "must be a UUID in its 36 character form");
        if text.len() != 36 {
            return Err(invalid());
        }
        Uuid::try_parse(text).map(Self).map_err(|_| invalid())
    }
}

/// A customer's id: an opaque key, 1 to 64 of `A-Z a-z 0-9 . _ -`.
///
/// It is stored as a search attribute, in the clear, so it must not be a name
/// or an address; the alphabet keeps e-mail addresses out.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CustomerId(String);

impl CustomerId {
    /// The longest id, in characters.
    pub const MAX_LENGTH: usize = 64;

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for CustomerId {
    /// Who orders without saying who they are.
    fn default() -> Self {
        Self("guest".to_owned())
    }
}

impl fmt::Display for CustomerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<CustomerId> for String {
    fn from(id: CustomerId) -> Self {
        id.0
    }
}

impl TryFrom<String> for CustomerId {
    type Error = InvalidField;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if text.is_empty() || text.len() > Self::MAX_LENGTH || !text.chars().all(allowed) {
            return Err(InvalidField::new(
                "customerId",
                format!(
                    "must be 1 to {} characters of A-Z, a-z, 0-9, '.', '_' and '-'",
                    Self::MAX_LENGTH
                ),
            ));
        }
        Ok(Self(text))
    }
}

impl FromStr for CustomerId {
    type Err = InvalidField;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

/// A kitchen report's own id, by which a repetition is known: 1 to 64 of
/// `A-Z a-z 0-9 . _ : / -`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReportId(String);

impl ReportId {
    /// The longest id, in characters.
    pub const MAX_LENGTH: usize = 64;

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<ReportId> for String {
    fn from(id: ReportId) -> Self {
        id.0
    }
}

impl TryFrom<String> for ReportId {
    type Error = InvalidField;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._:/-".contains(c);
        if text.is_empty() || text.len() > Self::MAX_LENGTH || !text.chars().all(allowed) {
            return Err(InvalidField::new(
                "reportId",
                format!(
                    "must be 1 to {} characters of A-Z, a-z, 0-9, '.', '_', ':', '/' and '-'",
                    Self::MAX_LENGTH
                ),
            ));
        }
        Ok(Self(text))
    }
}

impl FromStr for ReportId {
    type Err = InvalidField;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_id_has_one_spelling() {
        let text = "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";
        let id: OrderId = text.parse().expect("a UUID");
        assert_eq!(id.to_string(), text);
        assert_eq!(text.to_uppercase().parse::<OrderId>(), Ok(id));
        for bad in [
            "",
            "6f1b6c1e3a0a4c558a550d9f6f0e9b11",
            "{6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11}",
            "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b1g",
            "../../../../../../../../../etc/passwd",
        ] {
            assert!(bad.parse::<OrderId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_customer_id_keeps_addresses_and_spaces_out() {
        assert!("a-customer_1.2".parse::<CustomerId>().is_ok());
        assert!("a".repeat(64).parse::<CustomerId>().is_ok());
        let long = "a".repeat(65);
        for bad in ["", "a b", "ann@example.org", "é", "a\n", long.as_str()] {
            let refusal = bad.parse::<CustomerId>().expect_err(bad);
            assert_eq!(refusal.field, "customerId");
        }
    }
}
