//! Tells what an order would cost.

use pizza_domain::{Money, Order, OrderId, Prices};
use pizza_store::now_ms;
use uuid::Uuid;

use super::PlaceOrder;
use super::error::UseCaseError;
use super::place_order::parse;
use super::use_cases::UseCases;
use crate::access::Viewer;

/// What an order would cost, if it were placed now.
#[derive(Clone, Debug)]
pub struct Quote {
    /// The order as it would be accepted.
    pub order: Order,
    /// What it would cost without a discount.
    pub before_discount: Money,
}

impl UseCases {
    /// What an order would cost, by the same rules that it would be charged
    /// by. Nothing is placed.
    ///
    /// # Errors
    /// When a field is not allowed.
    pub fn quote(&self, viewer: &Viewer, request: PlaceOrder) -> Result<Quote, UseCaseError> {
        let (request, _) = parse(viewer, request, self.settings.longest_pace)?;
        self.allow_pace(request.simulation.pace)?;
        let prices = self.settings.menu.prices_of(&request.flavour);
        let id = OrderId::from_uuid(Uuid::nil());
        let order = Order::accept(request, id, prices, self.settings.stages, now_ms());
        let one = order.prices.unwrap_or(Prices::FIRST).of(order.size);
        Ok(Quote {
            before_discount: one.times(order.quantity.get()),
            order,
        })
    }
}
