//! `GET /menu`.

use axum::Json;
use axum::extract::State;
use pizza_app::OfferedFlavour;
use pizza_contract as contract;
use pizza_domain::Prices;

use crate::gateway::AppState;

/// What all amounts of the menu are in.
const UNIT: &str = "minor";

/// See what is sold.
///
/// Needs no key. An order keeps the price at which it was accepted.
#[utoipa::path(
    get, path = "/menu", operation_id = "getMenu", tag = "orders",
    responses((status = 200, description = "The menu.", body = contract::Menu)),
)]
pub(super) async fn get_menu(State(app): State<AppState>) -> Json<contract::Menu> {
    let offer = app.use_cases().menu();
    Json(contract::Menu {
        unit: UNIT.into(),
        flavours: offer.flavours.into_iter().map(flavour).collect(),
        custom: prices(offer.custom),
    })
}

fn flavour(offered: OfferedFlavour) -> contract::MenuFlavour {
    contract::MenuFlavour {
        flavour: offered.flavour.into(),
        prices: prices(offered.prices),
        discount_percent: offered.discount.percent(),
        discount_reason: offered.discount.reason().map(Into::into),
    }
}

fn prices(prices: Prices) -> contract::Prices {
    contract::Prices {
        small: prices.small.minor(),
        medium: prices.medium.minor(),
        large: prices.large.minor(),
    }
}
