//! Tells what is sold, and at which prices.

use pizza_domain::{Discount, Flavour, Prices};

use super::UseCases;

/// The menu as a customer reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The flavours, in the menu's order.
    pub flavours: Vec<OfferedFlavour>,
    /// What any other pizza costs.
    pub custom: Prices,
}

/// One flavour of the menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedFlavour {
    /// Its name.
    pub flavour: Flavour,
    /// What it costs, before the discount.
    pub prices: Prices,
    /// The discount that it earns.
    pub discount: Discount,
}

impl UseCases {
    /// The menu. An order keeps the prices at which it was accepted, whatever
    /// the menu says later.
    #[must_use]
    pub fn menu(&self) -> Offer {
        let menu = &self.settings.menu;
        let offered = menu.items().iter().map(|item| OfferedFlavour {
            discount: Discount::for_flavour(&item.flavour),
            flavour: item.flavour.clone(),
            prices: item.prices,
        });
        Offer {
            flavours: offered.collect(),
            custom: menu.custom(),
        }
    }
}
