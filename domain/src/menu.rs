//! What there is, and what it costs.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Flavour, InvalidField, Money};

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

/// What one pizza of a flavour costs in each size, before discount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Prices {
    /// Of a small one, in minor units.
    pub small: Money,
    /// Of a medium one, in minor units.
    pub medium: Money,
    /// Of a large one, in minor units.
    pub large: Money,
}

impl Prices {
    /// The prices of the first menu, which orders that were accepted before
    /// they kept their own were accepted at.
    pub const FIRST: Self = Self {
        small: Money::from_minor(900),
        medium: Money::from_minor(1200),
        large: Money::from_minor(1500),
    };

    /// The dearest that one pizza may be, in minor units. It keeps the
    /// dearest order far from what an `i64` can hold.
    pub const MAX_MINOR: i64 = 1_000_000;

    /// The price of one pizza of this size.
    #[must_use]
    pub const fn of(&self, size: Size) -> Money {
        match size {
            Size::Small => self.small,
            Size::Medium => self.medium,
            Size::Large => self.large,
        }
    }

    /// Looks whether each price is in range. `whose` they are, the error says.
    fn check(&self, field: &'static str, whose: &str) -> Result<(), InvalidField> {
        let allowed = 1..=Self::MAX_MINOR;
        let is_wrong = |size: &Size| !allowed.contains(&self.of(*size).minor());
        match Size::ALL.into_iter().find(is_wrong) {
            None => Ok(()),
            Some(size) => Err(InvalidField::new(
                field,
                format!(
                    "{whose}, {size}, must be from 1 to {} minor units, not {}",
                    Self::MAX_MINOR,
                    self.of(size).minor()
                ),
            )),
        }
    }
}

/// One flavour of the menu.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MenuItem {
    /// Its name.
    pub flavour: Flavour,
    /// What it costs.
    pub prices: Prices,
}

/// The menu: what each flavour costs, and what one costs that is not on it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "MenuAsWritten")]
pub struct Menu {
    items: Vec<MenuItem>,
    custom: Prices,
}

/// A menu as a file holds it, not checked yet.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MenuAsWritten {
    #[serde(default)]
    items: Vec<MenuItem>,
    custom: Prices,
}

impl TryFrom<MenuAsWritten> for Menu {
    type Error = InvalidField;

    fn try_from(written: MenuAsWritten) -> Result<Self, InvalidField> {
        Self::new(written.items, written.custom)
    }
}

impl Default for Menu {
    /// A menu without flavours: every pizza is a custom one, at the prices of
    /// the first menu.
    fn default() -> Self {
        Self {
            items: Vec::new(),
            custom: Prices::FIRST,
        }
    }
}

impl Menu {
    /// The most flavours that a menu may list.
    pub const MAX_ITEMS: usize = 200;

    /// A menu of these flavours; any other costs `custom`.
    ///
    /// # Errors
    /// When there are too many flavours, one is listed twice (in any spelling
    /// that [`Flavour::folded`] makes the same) or cannot be ordered, or a price
    /// is out of range.
    pub fn new(items: Vec<MenuItem>, custom: Prices) -> Result<Self, InvalidField> {
        if items.len() > Self::MAX_ITEMS {
            return Err(InvalidField::new(
                "items",
                format!("must be at most {}", Self::MAX_ITEMS),
            ));
        }
        custom.check("custom", "prices")?;
        let mut seen = HashSet::new();
        for item in &items {
            let whose = format!("of {:?}", item.flavour.as_str());
            item.prices.check("prices", &whose)?;
            // Read as one that was accepted before, which this one was not.
            Flavour::try_from(item.flavour.as_str().to_owned())?;
            if !seen.insert(item.flavour.folded()) {
                return Err(InvalidField::new(
                    "items",
                    format!(
                        "must list each flavour once, however it is spelled: {:?} is there twice",
                        item.flavour.as_str()
                    ),
                ));
            }
        }
        Ok(Self { items, custom })
    }

    /// The flavours, in the order in which they are shown.
    #[must_use]
    pub fn items(&self) -> &[MenuItem] {
        &self.items
    }

    /// What a flavour costs that is not on the menu.
    #[must_use]
    pub const fn custom(&self) -> Prices {
        self.custom
    }

    /// What a flavour costs, however it is spelled ([`Flavour::folded`]).
    #[must_use]
    pub fn prices_of(&self, flavour: &Flavour) -> Prices {
        let wanted = flavour.folded();
        self.items
            .iter()
            .find(|item| item.flavour.folded() == wanted)
            .map_or(self.custom, |item| item.prices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prices(medium: i64) -> Prices {
        Prices {
            medium: Money::from_minor(medium),
            ..Prices::FIRST
        }
    }

    fn item(flavour: &str, medium: i64) -> MenuItem {
        MenuItem {
            flavour: flavour.parse().expect("a flavour"),
            prices: prices(medium),
        }
    }

    #[test]
    fn a_larger_pizza_costs_more() {
        assert!(Prices::FIRST.of(Size::Small) < Prices::FIRST.of(Size::Medium));
        assert!(Prices::FIRST.of(Size::Medium) < Prices::FIRST.of(Size::Large));
    }

    #[test]
    fn a_flavour_that_is_not_on_the_menu_has_the_custom_price() {
        let menu = Menu::new(vec![item("Hawaiian", 1300)], prices(1400)).expect("a menu");
        let price = |flavour: &str| menu.prices_of(&flavour.parse().expect("a flavour")).medium;
        assert_eq!(price("hAWAIIAN"), Money::from_minor(1300));
        assert_eq!(price("Ｈａｗａｉｉａｎ"), Money::from_minor(1300));
        assert_eq!(price("gravel"), Money::from_minor(1400));
    }

    #[test]
    fn a_menu_names_each_flavour_once_at_a_price_in_range() {
        let twice = vec![item("plain", 1200), item("PLAIN", 1300)];
        assert_eq!(
            Menu::new(twice, Prices::FIRST).expect_err("twice").field,
            "items"
        );
        let twice = vec![item("Süß", 1200), item("SU\u{308}SS", 1300)];
        assert!(Menu::new(twice, Prices::FIRST).is_err());
        let invisible =
            r#"{ "flavour": "\u200b", "prices": { "small": 1, "medium": 2, "large": 3 } }"#;
        let invisible = serde_json::from_str(invisible).expect("an item");
        let refusal = Menu::new(vec![invisible], Prices::FIRST);
        assert_eq!(refusal.expect_err("invisible").field, "flavour");
        for price in [0, -1, Prices::MAX_MINOR + 1] {
            let refusal = Menu::new(vec![item("plain", price)], Prices::FIRST);
            let text = format!(
                "prices of \"plain\", medium, must be from 1 to 1000000 minor units, not {price}"
            );
            assert_eq!(refusal.expect_err("out of range").to_string(), text);
            let refusal = Menu::new(Vec::new(), prices(price)).expect_err("out of range");
            assert_eq!(refusal.field, "custom");
        }
    }

    #[test]
    fn every_size_is_read_back_from_its_name() {
        for size in Size::ALL {
            assert_eq!(size.as_str().parse(), Ok(size));
        }
        assert!("Medium".parse::<Size>().is_err());
    }
}
