//! Amounts of money.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An amount in minor units (cents) of the shop's one currency.
///
/// Prices come from the server and are small, so `i64` cannot overflow:
/// the dearest order is [`crate::Quantity::MAX`] times the dearest pizza.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Money(i64);

impl Money {
    /// An amount of `minor` minor units.
    #[must_use]
    pub const fn from_minor(minor: i64) -> Self {
        Self(minor)
    }

    /// The amount in minor units.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.0
    }

    /// This amount `quantity` times.
    #[must_use]
    pub const fn times(self, quantity: u32) -> Self {
        Self(self.0 * quantity as i64)
    }

    /// This amount less another.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }

    /// This amount less `percent` of it. A half minor unit is rounded in the
    /// customer's favour, that is, down.
    #[must_use]
    pub const fn less_percent(self, percent: u8) -> Self {
        Self(self.0 * (100 - percent as i64) / 100)
    }

    /// Whole units of currency in this amount, which is what points are
    /// counted in.
    #[must_use]
    pub const fn whole_units(self) -> i64 {
        self.0 / 100
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let minor = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", minor / 100, minor % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_amount_is_written_in_units_and_cents() {
        assert_eq!(Money::from_minor(1205).to_string(), "12.05");
        assert_eq!(Money::from_minor(5).to_string(), "0.05");
        assert_eq!(Money::from_minor(-1).to_string(), "-0.01");
    }

    proptest! {
        #[test]
        fn a_discount_never_raises_a_price_nor_takes_more_than_it_says(
            minor in 0_i64..1_000_000, percent in 0_u8..=100,
        ) {
            let full = Money::from_minor(minor);
            let paid = full.less_percent(percent);
            prop_assert!(paid <= full);
            let taken_hundredths = (full.minor() - paid.minor()) * 100;
            let promised_hundredths = minor * i64::from(percent);
            prop_assert!(taken_hundredths >= promised_hundredths);
            prop_assert!(taken_hundredths - promised_hundredths < 100);
        }
    }
}
