//! An order: as asked for, and as accepted.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    CancelReason, CustomerId, Discount, Flavour, InvalidField, KitchenReport, Money, OrderId,
    Prices, Simulation, Size, StageDeadlines,
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
    /// What the flavour cost when it was chosen; an order of before, which
    /// kept none, was accepted at [`Prices::FIRST`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices: Option<Prices>,
    /// The longest silence of the kitchen before the order is given up, in
    /// milliseconds, for an order without `stages`; the pace of a simulated
    /// order comes on top.
    pub kitchen_deadline_ms: u64,
    /// How long the kitchen may take for each stage; the pace comes on top.
    /// An order of before has none: its kitchen does not report `accepted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stages: Option<StageDeadlines>,
    /// When it was accepted, in milliseconds since the Unix epoch.
    pub placed_at_ms: i64,
    /// What the simulated parties do with it.
    pub simulation: Simulation,
    /// How the order's workflow is to take the order up when an earlier run of
    /// it was ended from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Recovery>,
    /// What stands for the customer in search attributes, which are never
    /// encrypted; where it is missing, their id does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_alias: Option<String>,
}

/// What is left to do for an order whose workflow was ended from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind", content = "reason")]
pub enum Recovery {
    /// The food is at the door: that is written.
    Delivered,
    /// It is not: what was given is taken back.
    RollBack(CancelReason),
}

/// What a customer changes about an order; what is none stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Amendment {
    /// Another flavour, with its prices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flavour: Option<PricedFlavour>,
    /// Another size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// Another number of pizzas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Quantity>,
}

impl Amendment {
    /// Whether another one asks for the same, however it is spelled. At which
    /// prices a flavour was on the menu then is not asked for.
    #[must_use]
    pub fn asks_for_the_same(&self, other: &Self) -> bool {
        let asked = |it: &Self| {
            let flavour = it.flavour.as_ref().map(|it| it.flavour.composed());
            (flavour, it.size, it.quantity)
        };
        asked(self) == asked(other)
    }
}

/// A flavour, at the prices of the menu that it was chosen from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PricedFlavour {
    /// What is on it.
    pub flavour: Flavour,
    /// What it costs.
    pub prices: Prices,
    /// The discount on it. None in amendments by versions that left it to the
    /// workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discount: Option<Discount>,
}

impl PricedFlavour {
    /// A flavour at these prices, with the discount that it earns now.
    #[must_use]
    pub fn at(flavour: Flavour, prices: Prices) -> Self {
        Self {
            discount: Some(Discount::for_flavour(&flavour)),
            flavour,
            prices,
        }
    }
}

impl Amendment {
    /// How often one order may be amended. Each costs some twenty events of a
    /// history that the server ends at 51,200, and one of the 2,000 updates
    /// that it takes: cancelling always has room.
    pub const MOST_OF_AN_ORDER: u32 = 50;

    /// How many amendments of one order may wait for their turn. The server
    /// keeps ten updates of a workflow under way: cancelling always has room.
    pub const MOST_AT_ONCE: u32 = 4;
}

impl Order {
    /// Prices a request and accepts it.
    #[must_use]
    pub fn accept(
        request: OrderRequest,
        order_id: OrderId,
        prices: Prices,
        stages: StageDeadlines,
        placed_at_ms: i64,
    ) -> Self {
        let discount = Discount::for_flavour(&request.flavour);
        let mut order = Self {
            order_id,
            customer_id: request.customer_id,
            flavour: request.flavour,
            size: request.size,
            quantity: request.quantity,
            discount,
            total: Money::default(),
            prices: Some(prices),
            kitchen_deadline_ms: stages.cooked_ms,
            stages: Some(stages),
            placed_at_ms,
            simulation: request.simulation,
            recovery: None,
            customer_alias: None,
        };
        order.price();
        order
    }

    /// This order after an amendment. What was not amended keeps the price
    /// and the discount that it was chosen at.
    #[must_use]
    pub fn amended(&self, amendment: &Amendment) -> Self {
        let mut order = self.clone();
        if let Some(chosen) = &amendment.flavour {
            let by_lower_case = || Discount::for_lower_case(&chosen.flavour);
            order.discount = chosen.discount.unwrap_or_else(by_lower_case);
            order.flavour = chosen.flavour.clone();
            order.prices = Some(chosen.prices);
        }
        order.size = amendment.size.unwrap_or(order.size);
        order.quantity = amendment.quantity.unwrap_or(order.quantity);
        order.price();
        order
    }

    fn price(&mut self) {
        let one = self.prices.unwrap_or(Prices::FIRST).of(self.size);
        self.total = self.discount.apply(one.times(self.quantity.get()));
    }

    /// The points that the order earns: one for each whole unit of currency
    /// paid.
    #[must_use]
    pub const fn points(&self) -> i64 {
        self.total.whole_units()
    }

    /// How long the kitchen may take until it makes this report, after the
    /// one before. The pace is the customer's own wish, so it does not count
    /// against the kitchen.
    #[must_use]
    pub fn stage_deadline(&self, report: KitchenReport) -> Duration {
        let deadline = match &self.stages {
            Some(stages) => stages.until(report),
            None => Duration::from_millis(self.kitchen_deadline_ms),
        };
        deadline + self.simulation.pace.duration()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn accept(request: OrderRequest) -> Order {
        let id = OrderId::from_uuid(Uuid::from_u128(7));
        let stages = StageDeadlines::all(Duration::from_secs(10));
        Order::accept(request, id, Prices::FIRST, stages, 0)
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

    #[test]
    fn what_is_not_amended_keeps_the_price_that_it_was_chosen_at() {
        let order = accept(OrderRequest::default());
        let more = Amendment {
            quantity: Some(Quantity::try_from(2).expect("in range")),
            ..Amendment::default()
        };
        assert_eq!(order.amended(&more).total, Money::from_minor(2400));
        let dear = Prices {
            medium: Money::from_minor(2000),
            ..Prices::FIRST
        };
        let other = Amendment {
            flavour: Some(PricedFlavour::at(
                "Ｐineapple".parse().expect("a flavour"),
                dear,
            )),
            ..Amendment::default()
        };
        let amended = order.amended(&other);
        assert_eq!(amended.total, Money::from_minor(1600));
        assert_eq!(amended.amended(&more).total, Money::from_minor(3200));
        assert_eq!(order.amended(&Amendment::default()), order);
    }

    #[test]
    fn an_amendment_of_an_earlier_version_is_replayed_at_its_price() {
        let amended = |flavour: &str| {
            let prices = serde_json::to_value(Prices::FIRST).expect("JSON");
            let json = serde_json::json!({ "flavour": { "flavour": flavour, "prices": prices } });
            let amendment: Amendment = serde_json::from_value(json.clone()).expect("an amendment");
            assert_eq!(serde_json::to_value(&amendment).expect("JSON"), json);
            accept(OrderRequest::default()).amended(&amendment).total
        };
        // They compared lower case alone.
        assert_eq!(amended("PINEAPPLE"), Money::from_minor(960));
        assert_eq!(amended("Ｐineapple"), Money::from_minor(1200));
        assert_eq!(amended("\u{200B}"), Money::from_minor(1200));
    }

    #[test]
    fn an_order_keeps_its_discount_whatever_this_version_would_give() {
        let mut order = accept(OrderRequest {
            flavour: "Ｐineapple".parse().expect("a flavour"),
            ..OrderRequest::default()
        });
        assert_eq!(order.total, Money::from_minor(960));
        order.discount = Discount::of_percent(0);
        let more = Amendment {
            quantity: Some(Quantity::try_from(2).expect("in range")),
            ..Amendment::default()
        };
        assert_eq!(order.amended(&more).total, Money::from_minor(2400));
    }

    #[test]
    fn an_order_of_the_first_version_is_read() {
        let json = serde_json::json!({
            "orderId": "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11", "customerId": "guest",
            "flavour": "plain", "size": "small", "quantity": 2, "discount": { "percent": 0 },
            "total": 1800, "kitchenDeadlineMs": 7000, "placedAtMs": 1,
            "simulation": { "errorOnStep": "none", "pace": 0 },
        });
        let order: Order = serde_json::from_value(json.clone()).expect("an order");
        let deadline = order.stage_deadline(KitchenReport::Accepted);
        assert_eq!(deadline, Duration::from_secs(7));
        assert_eq!(serde_json::to_value(&order).expect("JSON"), json);
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
