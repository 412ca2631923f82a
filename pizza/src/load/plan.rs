//! What is ordered, and when.
//!
//! All of it follows from the seed and from an order's number: the same seed
//! places the same orders in the same order.

use std::time::Duration;

use clap::ValueEnum;
use pizza_contract::{ErrorOnStep, PlaceOrder};
use pizza_domain::Size;
use serde::Serialize;
use uuid::Uuid;

use super::mix::{Mix, Scenario};
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

/// The plan of a run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) mix: Mix,
    /// The wait after each status change, in seconds.
    pub(super) pace_seconds: f64,
    /// How many customers order; 0 leaves it to the gateway who does.
    pub(super) customers: u32,
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
        let scenario = self.mix.choose(choose("scenario"));
        let quantity = 1 + up_to(choose("quantity"), MOST);
        let size = Size::ALL[up_to(choose("size"), Size::ALL.len() as u32) as usize];
        let flavour = FLAVOURS[up_to(choose("flavour"), FLAVOURS.len() as u32) as usize];
        let customer = |customers| format!("load-{}", up_to(choose("customer"), customers));
        let body = PlaceOrder {
            flavour: Some(flavour.to_owned()),
            per_step_delay_seconds: Some(self.pace_seconds).filter(|pace| *pace > 0.0),
            error_on_step: match scenario {
                Scenario::Fails(step) if scenario.is_simulated() => {
                    Some(ErrorOnStep::Name(step.as_str().to_owned()))
                }
                _ => None,
            },
            size: Some(size.as_str().to_owned()),
            quantity: Some(quantity.into()),
            customer_id: Some(self.customers).filter(|it| *it > 0).map(customer),
        };
        Planned {
            number,
            scenario,
            quantity,
            body,
            key: format!("load-{}-{number}", self.run.simple()),
        }
    }

    /// The first order that needs a gateway that simulates errors.
    pub(super) fn first_simulated(&self) -> Option<Planned> {
        // By far enough for any weight that is not one in a million.
        (0..100_000)
            .take_while(|_| self.mix.is_simulated())
            .map(|number| self.order(number))
            .find(|order| order.scenario.is_simulated())
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

/// When orders arrive in an open loop, counted from the start.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    seed: u64,
    arrivals: Arrivals,
    per_second: f64,
    number: u64,
    at_seconds: f64,
}

impl Schedule {
    pub(super) const fn new(seed: u64, arrivals: Arrivals, per_second: f64) -> Self {
        Self {
            seed,
            arrivals,
            per_second,
            number: 0,
            at_seconds: 0.0,
        }
    }
}

impl Iterator for Schedule {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let gap = match self.arrivals {
            Arrivals::Even if self.number == 0 => 0.0,
            Arrivals::Even => 1.0,
            // The inverse of the exponential distribution; 1 - u is above 0.
            Arrivals::Poisson => {
                let u = fraction(&format!("{} {} arrival", self.seed, self.number));
                -(1.0 - u).ln()
            }
        };
        self.number += 1;
        self.at_seconds += gap / self.per_second;
        Duration::try_from_secs_f64(self.at_seconds).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64) -> Plan {
        Plan {
            seed,
            mix: "none=5,4=1,cancel=1,amend=1".parse().expect("a mix"),
            pace_seconds: 0.5,
            customers: 10,
            run: Uuid::new_v4(),
        }
    }

    #[test]
    fn the_same_seed_plans_the_same_orders_under_keys_of_the_runs_own() {
        let bodies = |seed| {
            let plan = plan(seed);
            (0..200)
                .map(|number| {
                    let order = plan.order(number);
                    (order.scenario, order.body)
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(bodies(7), bodies(7));
        assert_ne!(bodies(7), bodies(8));
        let (one, other) = (plan(7).order(3), plan(7).order(3));
        assert_ne!(one.key, other.key);
        assert!(one.key.len() <= 64, "{}", one.key);
    }

    #[test]
    fn what_is_planned_is_what_a_gateway_takes() {
        let plan = plan(1);
        for number in 0..500 {
            let order = plan.order(number);
            let body = &order.body;
            assert!((1..=MOST).contains(&order.quantity), "{body:?}");
            assert_ne!(order.amended_quantity(), order.quantity);
            assert!((1..=MOST).contains(&order.amended_quantity()));
            assert_eq!(body.quantity, Some(order.quantity.into()));
            assert_eq!(body.per_step_delay_seconds, Some(0.5));
            let simulated = body.error_on_step.is_some();
            assert_eq!(simulated, order.scenario.is_simulated(), "{body:?}");
        }
        let first = plan.first_simulated().expect("one in eight");
        let step = ErrorOnStep::Name("prepareOrder".to_owned());
        assert_eq!(first.body.error_on_step, Some(step));
    }

    fn schedule(arrivals: Arrivals, seed: u64) -> Vec<f64> {
        Schedule::new(seed, arrivals, 20.0)
            .take(20_000)
            .map(|at| at.as_secs_f64())
            .collect()
    }

    #[test]
    fn even_arrivals_keep_their_distance() {
        let at = schedule(Arrivals::Even, 1);
        assert_eq!(at[0], 0.0);
        assert!(
            at.windows(2)
                .all(|pair| (pair[1] - pair[0] - 0.05).abs() < 1e-6)
        );
    }

    #[test]
    fn poisson_arrivals_have_the_rate_and_the_spread_of_one() {
        let at = schedule(Arrivals::Poisson, 1);
        assert_eq!(at, schedule(Arrivals::Poisson, 1));
        assert_ne!(at, schedule(Arrivals::Poisson, 2));
        let gaps: Vec<f64> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean * 20.0 - 1.0).abs() < 0.03, "{mean}");
        // Of the exponential distribution, both are the same.
        assert!(
            (variance.sqrt() / mean - 1.0).abs() < 0.05,
            "{variance} {mean}"
        );
    }
}
