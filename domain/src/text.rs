//! Free text from outside.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::InvalidField;

/// What the customer wants on the pizza: any text of 1 to 64 characters
/// without control characters, trimmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Flavour(String);

impl Flavour {
    /// The longest flavour, in characters (Unicode scalar values).
    pub const MAX_LENGTH: usize = 64;

    /// The flavour's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Flavour {
    /// The flavour of an order that names none.
    fn default() -> Self {
        Self("plain".to_owned())
    }
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Flavour> for String {
    fn from(flavour: Flavour) -> Self {
        flavour.0
    }
}

impl TryFrom<String> for Flavour {
    type Error = InvalidField;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        trimmed("flavour", &text, Self::MAX_LENGTH).map(Self)
    }
}

impl FromStr for Flavour {
    type Err = InvalidField;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

/// Why the kitchen rejects an order, in its own words for the customer: 1 to
/// 200 characters without control characters, trimmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rejection(String);

impl Rejection {
    /// The longest reason, in characters (Unicode scalar values).
    pub const MAX_LENGTH: usize = 200;

    /// The reason's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Rejection> for String {
    fn from(reason: Rejection) -> Self {
        reason.0
    }
}

impl TryFrom<String> for Rejection {
    type Error = InvalidField;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        trimmed("reason", &text, Self::MAX_LENGTH).map(Self)
    }
}

/// A text without what surrounds it, if what is left is allowed.
fn trimmed(field: &'static str, text: &str, longest: usize) -> Result<String, InvalidField> {
    let trimmed = text.trim();
    let length = trimmed.chars().count();
    if length == 0 || length > longest || trimmed.chars().any(char::is_control) {
        return Err(InvalidField::new(
            field,
            format!("must be 1 to {longest} characters without control characters"),
        ));
    }
    Ok(trimmed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_flavour_may_be_any_writing_but_not_controls() {
        for good in ["plain", "🍍🍕", "طعام", "<b>bold</b>", "  trimmed  "] {
            assert!(good.parse::<Flavour>().is_ok(), "{good}");
        }
        let long = "é".repeat(65);
        for bad in ["", "   ", "a\0b", "a\nb", long.as_str()] {
            assert_eq!(bad.parse::<Flavour>().expect_err(bad).field, "flavour");
        }
    }

    proptest! {
        #[test]
        fn an_accepted_flavour_is_accepted_again_unchanged(text in ".{0,80}") {
            if let Ok(flavour) = text.parse::<Flavour>() {
                prop_assert_eq!(flavour.as_str().parse::<Flavour>().expect("the same"), flavour);
            }
        }
    }
}
