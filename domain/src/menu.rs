//! What a pizza costs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{InvalidField, Money};

/// The size of a pizza.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Size {
    /// For one light eater.
    Small,
    /// The size of an order that names none.
    #[default]
    Medium,
    /// For two.
    Large,
}

impl Size {
    /// All sizes, small to large.
    pub const ALL: [Self; 3] = [Self::Small, Self::Medium, Self::Large];

    /// The size's name on the wire and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Size {
    type Err = InvalidField;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|size| size.as_str() == text)
            .ok_or_else(|| InvalidField::new("size", "must be one of small, medium, large"))
    }
}

/// The price of one pizza of a size, whatever its flavour, before discount.
///
/// The shop's own figures; a client never sends a price.
#[must_use]
pub const fn unit_price(size: Size) -> Money {
    match size {
        Size::Small => Money::from_minor(900),
        Size::Medium => Money::from_minor(1200),
        Size::Large => Money::from_minor(1500),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_pizza_costs_more() {
        assert!(unit_price(Size::Small) < unit_price(Size::Medium));
        assert!(unit_price(Size::Medium) < unit_price(Size::Large));
    }

    #[test]
    fn every_size_is_read_back_from_its_name() {
        for size in Size::ALL {
            assert_eq!(size.as_str().parse(), Ok(size));
        }
        assert!("Medium".parse::<Size>().is_err());
    }
}
