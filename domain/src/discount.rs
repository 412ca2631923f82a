//! Who gets a discount, and why.

use serde::{Deserialize, Serialize};

use crate::{Flavour, Money};

/// A discount on the whole order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Discount {
    percent: u8,
}

impl Discount {
    const NONE: Self = Self { percent: 0 };
    const PINEAPPLE: Self = Self { percent: 20 };

    /// The discount that a flavour earns, however it is spelled
    /// ([`Flavour::folded`]). Decided once, where the flavour is chosen:
    /// histories are replayed with what was decided then.
    #[must_use]
    pub fn for_flavour(flavour: &Flavour) -> Self {
        Self::for_name(&flavour.folded())
    }

    /// The discount that versions gave which had the workflow decide it, and
    /// compared lower case alone. For what they wrote into histories.
    #[must_use]
    pub(crate) fn for_lower_case(flavour: &Flavour) -> Self {
        Self::for_name(&flavour.as_str().to_lowercase())
    }

    fn for_name(name: &str) -> Self {
        match name {
            "pineapple" | "hawaiian" => Self::PINEAPPLE,
            _ => Self::NONE,
        }
    }

    /// A discount that was given, by its percentage.
    #[must_use]
    pub const fn of_percent(percent: u8) -> Self {
        Self { percent }
    }

    /// The discount in percent of the price.
    #[must_use]
    pub const fn percent(self) -> u8 {
        self.percent
    }

    /// Why it was given, in the words that customers see; none for none.
    #[must_use]
    pub fn reason(self) -> Option<&'static str> {
        (self.percent > 0).then_some("You like pineapple, you're one of us!")
    }

    /// The price after the discount.
    #[must_use]
    pub const fn apply(self, price: Money) -> Money {
        price.less_percent(self.percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn discount(flavour: &str) -> Discount {
        Discount::for_flavour(&flavour.parse().expect("a flavour"))
    }

    #[test]
    fn pineapple_lovers_get_twenty_percent_whatever_the_case() {
        for flavour in [
            "pineapple",
            "PineApple",
            "hawaiian",
            "HAWAIIAN",
            " pineapple ",
            "Ｐｉｎｅａｐｐｌｅ",
            "pine\u{200B}apple",
            "PİNEAPPLE",
        ] {
            assert_eq!(discount(flavour).percent(), 20, "{flavour}");
            assert_eq!(
                discount(flavour).reason(),
                Some("You like pineapple, you're one of us!")
            );
        }
    }

    proptest! {
        #[test]
        fn no_other_flavour_gets_a_discount(flavour in "[a-z ]{0,20}[a-gj-o]x") {
            prop_assert_eq!(discount(&flavour).percent(), 0);
            prop_assert_eq!(discount(&flavour).reason(), None);
        }
    }
}
