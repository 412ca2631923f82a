//! What is ordered, and when.
//!
//! All of it follows from the seed and from an order's number: the same seed
//! places the same orders in the same order.

use std::time::Duration;

use clap::ValueEnum;
use pizza_contract::PlaceOrder;
use pizza_domain::{ErrorOnStep, Size};
use serde::Serialize;
use uuid::Uuid;

use crate::chance::fraction;

/// What customers like. Two of them get the discount.
const FLAVOURS: [&str; 6] = [
    "plain",
    "margherita",
    "hawaiian",
    "funghi",
    "pineapple",
    "salami",
];

/// The most pizzas of an order.
const MOST: u32 = 5;

/// By how many customers orders are placed.
const CUSTOMERS: u32 = 100;

/// The greatest weight.
const MAX_WEIGHT: u32 = 1_000_000;

/// What an order is to go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scenario {
    /// A step fails for good, or none does.
    Fails(ErrorOnStep),
    /// The customer cancels it as soon as it is placed.
    Cancel,
    /// The customer wants another quantity as soon as it is placed.
    Amend,
}

impl Scenario {
    /// Its name on the command line and in the report.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Fails(step) => step.as_str(),
            Self::Cancel => "cancel",
            Self::Amend => "amend",
        }
    }

    /// Whether it needs a gateway that simulates errors.
    const fn is_simulated(self) -> bool {
        matches!(self, Self::Fails(ErrorOnStep::Step(_)))
    }
}

/// Reads a scenario and its weight.
pub(super) fn share(text: &str) -> Result<(Scenario, u32), String> {
    let (name, weight) = text
        .split_once('=')
        .ok_or_else(|| format!("{text:?} is not SCENARIO=WEIGHT"))?;
    let name = name.trim();
    let by_number = || ErrorOnStep::from_number(name.parse().ok()?).ok();
    let scenario = match name {
        "cancel" => Some(Scenario::Cancel),
        "amend" => Some(Scenario::Amend),
        _ => by_number()
            .or_else(|| name.parse().ok())
            .map(Scenario::Fails),
    };
    let scenario = scenario.ok_or_else(|| {
        format!(
            "{name:?} is no scenario: none, createOrder, processPayment, addLoyaltyPoints, \
             prepareOrder, processOrder, refundPayment, reclaimLoyaltyPoints or their numbers 0 to \
             7, cancel, amend"
        )
    })?;
    let weight = weight.trim().parse().ok();
    let weight = weight.filter(|weight| (1..=MAX_WEIGHT).contains(weight));
    let weight = weight.ok_or_else(|| {
        format!("the weight of {name} must be a whole number from 1 to {MAX_WEIGHT}")
    })?;
    Ok((scenario, weight))
}

/// The plan of a run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    /// Scenarios, each with its weight.
    pub(super) mix: Vec<(Scenario, u32)>,
    /// The wait after each status change, in seconds.
    pub(super) pace_seconds: f64,
    /// Whether orders name their customers: without a customer's key, which
    /// does.
    pub(super) names_customers: bool,
    /// Keeps this run's idempotency keys apart from those of another run of
    /// the same seed, whose orders would be answered again.
    pub(super) run: Uuid,
}

/// An order of the plan.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Planned {
    pub(super) number: u64,
    pub(super) scenario: Scenario,
    pub(super) quantity: u32,
    /// What is sent.
    pub(super) body: PlaceOrder,
    /// Under this key it is placed once, however often it is sent.
    pub(super) key: String,
}

impl Plan {
    /// The order with this number, from 0 on.
    pub(super) fn order(&self, number: u64) -> Planned {
        let choose = |what: &str| fraction(&format!("{} {number} {what}", self.seed));
        let scenario = self.scenario(choose("scenario"));
        let quantity = 1 + up_to(choose("quantity"), MOST);
        let size = Size::ALL[up_to(choose("size"), Size::ALL.len() as u32) as usize];
        let flavour = FLAVOURS[up_to(choose("flavour"), FLAVOURS.len() as u32) as usize];
        let customer = || format!("load-{}", up_to(choose("customer"), CUSTOMERS));
        let error = || pizza_contract::ErrorOnStep::Name(scenario.name().to_string());
        let body = PlaceOrder {
            flavour: Some(flavour.to_owned()),
            size: Some(size.as_str().to_owned()),
            quantity: Some(quantity.into()),
            customer_id: self.names_customers.then(customer),
            per_step_delay_seconds: Some(self.pace_seconds).filter(|pace| *pace > 0.0),
            error_on_step: scenario.is_simulated().then(error),
        };
        Planned {
            number,
            scenario,
            quantity,
            body,
            key: format!("load-{}-{number}", self.run.simple()),
        }
    }

    /// The scenario that a number from 0 to 1, without 1, chooses.
    fn scenario(&self, fraction: f64) -> Scenario {
        let weights = self.mix.iter().map(|(_, weight)| f64::from(*weight));
        let mut left = fraction * weights.sum::<f64>();
        let chosen = self.mix.iter().find(|(_, weight)| {
            left -= f64::from(*weight);
            left < 0.0
        });
        chosen.unwrap_or(&self.mix[self.mix.len() - 1]).0
    }

    /// The first order that needs a gateway that simulates errors.
    pub(super) fn first_simulated(&self) -> Option<Planned> {
        let is_simulated = self.mix.iter().any(|(it, _)| it.is_simulated());
        // By far enough for any weight that is not one in a million.
        (0..100_000)
            .take_while(|_| is_simulated)
            .map(|number| self.order(number))
            .find(|order| order.scenario.is_simulated())
    }

    /// The mix as it is read.
    pub(super) fn mix_in_words(&self) -> String {
        let part = |(scenario, weight): &(Scenario, u32)| format!("{}={weight}", scenario.name());
        let parts: Vec<String> = self.mix.iter().map(part).collect();
        parts.join(",")
    }
}

impl Planned {
    /// What an amendment of it asks for.
    pub(super) fn amended_quantity(&self) -> u32 {
        self.quantity % MOST + 1
    }
}

/// One of 0 to `end`, without it.
fn up_to(fraction: f64, end: u32) -> u32 {
    // Below `end`, so the cast neither truncates nor wraps.
    ((fraction * f64::from(end)) as u32).min(end.saturating_sub(1))
}

/// How arrivals are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Arrivals {
    /// As people come, who know nothing of each other: a Poisson process
    Poisson,
    /// At equal distances
    Even,
}

/// When the orders of an open loop arrive, counted from the start.
pub(super) fn schedule(
    seed: u64,
    arrivals: Arrivals,
    per_second: f64,
) -> impl Iterator<Item = Duration> {
    let mut at_seconds = 0.0;
    (0_u64..).map(move |number| {
        let gap = match arrivals {
            Arrivals::Even if number == 0 => 0.0,
            Arrivals::Even => 1.0,
            // The inverse of the exponential distribution; 1 - u is above 0.
            Arrivals::Poisson => -(1.0 - fraction(&format!("{seed} {number} arrival"))).ln(),
        };
        at_seconds += gap / per_second;
        Duration::from_secs_f64(at_seconds)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn plan(seed: u64) -> Plan {
        let mix = "none=90, 2=4,prepareOrder=3,cancel=2,amend=1";
        Plan {
            seed,
            mix: mix.split(',').map(|it| share(it).expect(it)).collect(),
            pace_seconds: 0.5,
            names_customers: true,
            run: Uuid::new_v4(),
        }
    }

    #[test]
    fn the_same_seed_plans_the_same_orders_under_keys_of_the_runs_own() {
        let bodies = |seed| {
            let plan = plan(seed);
            let orders = (0..200).map(|number| plan.order(number));
            orders.map(|it| (it.scenario, it.body)).collect::<Vec<_>>()
        };
        assert_eq!(bodies(7), bodies(7));
        assert_ne!(bodies(7), bodies(8));
        assert_ne!(plan(7).order(3).key, plan(7).order(3).key);
    }

    #[test]
    fn scenarios_come_as_often_as_their_weights_say() {
        let plan = plan(3);
        let text = "none=90,processPayment=4,prepareOrder=3,cancel=2,amend=1";
        assert_eq!(plan.mix_in_words(), text);
        let mut counts = HashMap::new();
        for order in (0..10_000).map(|number| plan.order(number)) {
            *counts.entry(order.scenario.name()).or_insert(0_u32) += 1;
            assert!((1..=MOST).contains(&order.quantity), "{order:?}");
            assert_ne!(order.amended_quantity(), order.quantity);
            assert!((1..=MOST).contains(&order.amended_quantity()));
            let simulated = order.body.error_on_step.is_some();
            assert_eq!(simulated, order.scenario.is_simulated(), "{order:?}");
        }
        for (scenario, weight) in &plan.mix {
            let (count, wanted) = (counts[scenario.name()], weight * 100);
            assert!(count.abs_diff(wanted) < 60, "{scenario:?}: {count}");
        }
    }

    #[test]
    fn a_bad_mix_names_what_is_bad() {
        for (text, part) in [
            ("", "is not SCENARIO=WEIGHT"),
            ("99=1", "\"99\" is no scenario"),
            ("notifyCustomer=1", "is no scenario"),
            ("\u{1b}[2J=1", "\"\\u{1b}[2J\" is no scenario"),
            ("none=0", "the weight of none must be"),
            ("none=1000001", "from 1 to 1000000"),
            ("4=1=2", "the weight of 4"),
        ] {
            let error = share(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn arrivals_have_the_rate_and_the_spread_that_was_asked_for() {
        let gaps = |arrivals| {
            let at: Vec<f64> = schedule(1, arrivals, 20.0)
                .take(20_000)
                .map(|at| at.as_secs_f64())
                .collect();
            at.windows(2)
                .map(|pair| pair[1] - pair[0])
                .collect::<Vec<_>>()
        };
        let even = gaps(Arrivals::Even);
        assert!(even.iter().all(|gap| (gap - 0.05).abs() < 1e-6));
        let gaps = gaps(Arrivals::Poisson);
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean * 20.0 - 1.0).abs() < 0.03, "{mean}");
        // Of the exponential distribution, both are the same.
        let spread = variance.sqrt() / mean;
        assert!((spread - 1.0).abs() < 0.05, "{spread}");
    }
}
