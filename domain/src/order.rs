//! An order: as asked for, and as accepted.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    CustomerId, Discount, Flavour, InvalidField, Money, OrderId, Simulation, Size, unit_price,
};

/// How many pizzas: 1 to 20.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Quantity(u32);

impl Quantity {
    /// The most that one order may ask for.
    pub const MAX: u32 = 20;

    /// The number of pizzas.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl Default for Quantity {
    fn default() -> Self {
        Self(1)
    }
}

impl From<Quantity> for u64 {
    fn from(quantity: Quantity) -> Self {
        quantity.0.into()
    }
}

impl TryFrom<u64> for Quantity {
    type Error = InvalidField;

    fn try_from(number: u64) -> Result<Self, Self::Error> {
        u32::try_from(number)
            .ok()
            .filter(|number| (1..=Self::MAX).contains(number))
            .map(Self)
            .ok_or_else(|| {
                InvalidField::new("quantity", format!("must be from 1 to {}", Self::MAX))
            })
    }
}

/// What a customer asks for. Every field has a default, as in the original.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OrderRequest {
    /// Who asks.
    pub customer_id: CustomerId,
    /// What is on it.
    pub flavour: Flavour,
    /// How large.
    pub size: Size,
    /// How many.
    pub quantity: Quantity,
    /// What the simulated parties do with it.
    pub simulation: Simulation,
}

/// An accepted order: what was asked for at the price that it was accepted
/// at. This is the order workflow's input, so it only ever grows by optional
/// fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// The order's id.
    pub order_id: OrderId,
    /// Whose it is.
    pub customer_id: CustomerId,
    /// What is on it.
    pub flavour: Flavour,
    /// How large.
    pub size: Size,
    /// How many.
    pub quantity: Quantity,
    /// The discount that was given.
    pub discount: Discount,
    /// What is to be paid, after the discount, in minor units.
    pub total: Money,
    /// The longest silence of the kitchen before the order is given up, in
    /// milliseconds; the pace of a simulated order comes on top.
    pub kitchen_deadline_ms: u64,
    /// When it was accepted, in milliseconds since the Unix epoch.
    pub placed_at_ms: i64,
    /// What the simulated parties do with it.
    pub simulation: Simulation,
}

impl Order {
    /// Prices a request and accepts it.
    #[must_use]
    pub fn accept(
        request: OrderRequest,
        order_id: OrderId,
        kitchen_deadline: Duration,
        placed_at_ms: i64,
    ) -> Self {
        let discount = Discount::for_flavour(&request.flavour);
        let full = unit_price(request.size).times(request.quantity.get());
        Self {
            order_id,
            customer_id: request.customer_id,
            flavour: request.flavour,
            size: request.size,
            quantity: request.quantity,
            discount,
            total: discount.apply(full),
            kitchen_deadline_ms: u64::try_from(kitchen_deadline.as_millis()).unwrap_or(u64::MAX),
            placed_at_ms,
            simulation: request.simulation,
        }
    }

    /// The points that the order earns: one for each whole unit of currency
    /// paid.
    #[must_use]
    pub const fn points(&self) -> i64 {
        self.total.whole_units()
    }

    /// The longest silence of the kitchen before the order is given up. The
    /// pace is the customer's own wish, so it does not count against the
    /// kitchen.
    #[must_use]
    pub fn kitchen_deadline(&self) -> Duration {
        Duration::from_millis(self.kitchen_deadline_ms) + self.simulation.pace.duration()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn accept(request: OrderRequest) -> Order {
        let id = OrderId::from_uuid(Uuid::from_u128(7));
        Order::accept(request, id, Duration::from_secs(10), 0)
    }

    #[test]
    fn a_plain_order_is_one_medium_pizza_for_a_guest() {
        let order = accept(OrderRequest::default());
        assert_eq!(order.flavour.as_str(), "plain");
        assert_eq!(order.customer_id.as_str(), "guest");
        assert_eq!(order.total, Money::from_minor(1200));
        assert_eq!(order.points(), 12);
    }

    #[test]
    fn size_quantity_and_discount_count() {
        let order = accept(OrderRequest {
            flavour: "Hawaiian".parse().expect("a flavour"),
            size: Size::Large,
            quantity: Quantity::try_from(3).expect("in range"),
            ..OrderRequest::default()
        });
        assert_eq!(order.total, Money::from_minor(3600));
        assert_eq!(order.points(), 36);
    }

    proptest! {
        #[test]
        fn a_quantity_out_of_range_is_refused(number in prop_oneof![Just(0_u64), 21_u64..]) {
            prop_assert!(Quantity::try_from(number).is_err());
        }

        #[test]
        fn points_never_exceed_the_money_paid(number in 1_u64..=20, pineapple: bool) {
            let order = accept(OrderRequest {
                flavour: if pineapple { "pineapple" } else { "plain" }.parse().expect("a flavour"),
                quantity: Quantity::try_from(number).expect("in range"),
                ..OrderRequest::default()
            });
            prop_assert!(order.points() * 100 <= order.total.minor());
            prop_assert!(order.points() >= 0);
        }

        #[test]
        fn an_order_survives_its_journey_as_json(number in 1_u64..=20) {
            let order = accept(OrderRequest {
                quantity: Quantity::try_from(number).expect("in range"),
                ..OrderRequest::default()
            });
            let json = serde_json::to_string(&order).expect("JSON");
            prop_assert_eq!(serde_json::from_str::<Order>(&json).expect("an order"), order);
        }
    }
}
