//! `MenuService/GetMenu`.

use pizza_domain::Prices;

use super::proto::{self, GetMenuResponse};
use crate::gateway::App;

pub(super) fn serve(app: &App) -> GetMenuResponse {
    let offer = app.use_cases().menu();
    let flavours = offer
        .flavours
        .into_iter()
        .map(|offered| proto::MenuFlavour {
            flavour: offered.flavour.into(),
            prices: Some(offered.prices.into()),
            discount_percent: offered.discount.percent().into(),
            discount_reason: offered.discount.reason().map(str::to_owned),
        });
    GetMenuResponse {
        flavours: flavours.collect(),
        custom: Some(offer.custom.into()),
    }
}

impl From<Prices> for proto::Prices {
    fn from(prices: Prices) -> Self {
        Self {
            small_minor: prices.small.minor(),
            medium_minor: prices.medium.minor(),
            large_minor: prices.large.minor(),
        }
    }
}
