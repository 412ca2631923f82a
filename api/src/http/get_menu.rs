//! `GET /menu`.

use axum::Json;
use axum::extract::State;
use pizza_app::{Offer, OfferedFlavour};
use pizza_domain::Prices;
use serde::Serialize;
use utoipa::ToSchema;

use crate::gateway::AppState;

/// What all amounts of the menu are in.
const UNIT: &str = "minor";

/// What is sold, and at which prices.
#[derive(Serialize, ToSchema)]
#[schema(as = Menu)]
pub(super) struct MenuBody {
    /// What prices are in: always `minor`, the minor unit (cent) of the shop's
    /// one currency.
    #[schema(example = "minor")]
    unit: &'static str,
    /// The flavours, in the order in which they are shown.
    flavours: Vec<FlavourBody>,
    /// What a pizza costs whose flavour is not on the menu.
    custom: PricesBody,
}

/// One flavour of the menu.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = MenuFlavour)]
struct FlavourBody {
    /// Its name. Orders may spell it in any case, width and composition of its
    /// letters.
    flavour: String,
    /// What one pizza costs, before the discount.
    prices: PricesBody,
    /// The discount on it, in percent of the price.
    #[schema(maximum = 100)]
    discount_percent: u8,
    /// Why there is one; `null` when there is none.
    #[schema(required = true)]
    discount_reason: Option<&'static str>,
}

/// What one pizza costs in each size.
#[derive(Serialize, ToSchema)]
#[schema(as = Prices)]
struct PricesBody {
    /// A small one.
    small: i64,
    /// A medium one.
    medium: i64,
    /// A large one.
    large: i64,
}

/// See what is sold.
///
/// Needs no key. An order keeps the price at which it was accepted.
#[utoipa::path(
    get, path = "/menu", operation_id = "getMenu", tag = "orders",
    responses((status = 200, description = "The menu.", body = MenuBody)),
)]
pub(super) async fn get_menu(State(app): State<AppState>) -> Json<MenuBody> {
    Json(app.use_cases().menu().into())
}

impl From<Offer> for MenuBody {
    fn from(offer: Offer) -> Self {
        Self {
            unit: UNIT,
            flavours: offer.flavours.into_iter().map(Into::into).collect(),
            custom: offer.custom.into(),
        }
    }
}

impl From<OfferedFlavour> for FlavourBody {
    fn from(offered: OfferedFlavour) -> Self {
        Self {
            flavour: offered.flavour.into(),
            prices: offered.prices.into(),
            discount_percent: offered.discount.percent(),
            discount_reason: offered.discount.reason(),
        }
    }
}

impl From<Prices> for PricesBody {
    fn from(prices: Prices) -> Self {
        Self {
            small: prices.small.minor(),
            medium: prices.medium.minor(),
            large: prices.large.minor(),
        }
    }
}
