//! The menu.

use serde::{Deserialize, Serialize};
#[cfg(feature = "schema")]
use utoipa::ToSchema;

use crate::Name;

/// What is sold, and at which prices.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct Menu {
    /// What prices are in: always `minor`, the minor unit (cent) of the shop's
    /// one currency.
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "minor"))]
    pub unit: Name,
    /// The flavours, in the order in which they are shown.
    pub flavours: Vec<MenuFlavour>,
    /// What a pizza costs whose flavour is not on the menu.
    pub custom: Prices,
}

/// One flavour of the menu.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct MenuFlavour {
    /// Its name. Orders may spell it in any case, width and composition of its
    /// letters.
    pub flavour: String,
    /// What one pizza costs, before the discount.
    pub prices: Prices,
    /// The discount on it, in percent of the price.
    #[cfg_attr(feature = "schema", schema(maximum = 100))]
    pub discount_percent: u8,
    /// Why there is one; `null` when there is none.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, required = true))]
    pub discount_reason: Option<Name>,
}

/// What one pizza costs in each size.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct Prices {
    /// A small one.
    pub small: i64,
    /// A medium one.
    pub medium: i64,
    /// A large one.
    pub large: i64,
}
