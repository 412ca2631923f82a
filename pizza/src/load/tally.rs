//! What was seen so far.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use pizza_domain::OrderId;
use serde::Serialize;

use super::mix::Scenario;

/// How many orders, or errors, of a kind are kept by name; all are counted.
const KEPT: usize = 100;

/// The longest time that is told from longer ones: a day, in microseconds.
const LONGEST_US: u64 = 24 * 3600 * 1_000_000;

/// A part of an order's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Stage {
    /// From when it was to be sent to the answer that it is accepted.
    Accepted,
    /// From when it was accepted until it was charged.
    Charged,
    /// From then until the kitchen had accepted it.
    Cooking,
    /// From then until it was at the door.
    Delivered,
    /// All of a delivered order: from when it was to be sent to the door.
    Whole,
    /// All of a cancelled order: from when it was to be sent to its end.
    Cancelled,
}

impl Stage {
    pub(super) const ALL: [Self; 6] = [
        Self::Accepted,
        Self::Charged,
        Self::Cooking,
        Self::Delivered,
        Self::Whole,
        Self::Cancelled,
    ];

    /// Its name in the report.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Charged => "charged",
            Self::Cooking => "cooking",
            Self::Delivered => "delivered",
            Self::Whole => "whole",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
pub(super) enum Told {
    /// An order was due.
    Offered,
    /// It was not sent: as many as may be were under way.
    OverCap,
    /// It was sent so much later than it was due.
    Sent(Duration),
    /// The gateway turned a request away, with this code.
    Refusal(String),
    /// A request is sent again.
    Retry,
    /// The gateway accepted an order.
    Accepted(u64, Scenario, OrderId),
    /// A stage of an order took so long.
    Took(Stage, Duration),
    /// A cancellation or an amendment was taken, or came too late.
    Change { scenario: Scenario, taken: bool },
    /// The watch over an order was cut off.
    Cut,
    /// Two clocks differ.
    ClocksDiffer,
    /// What became of an order in the end.
    Over(u64, Scenario, Outcome),
}

/// What became of an order.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// It was never placed: turned away.
    Refused,
    /// It ended this way: its status, with its code where there is one.
    Ended {
        end: String,
        /// How it should have ended, and did not.
        wrong: Option<WrongEnd>,
    },
    /// It was not placed, or could not be followed.
    Failed(String),
}

/// An order that ended otherwise than it should have.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WrongEnd {
    pub(super) order_id: OrderId,
    pub(super) scenario: &'static str,
    pub(super) expected: String,
    pub(super) seen: String,
}

/// An order that has not ended.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Unfinished {
    /// None when the gateway never said that it was accepted.
    pub(super) order_id: Option<OrderId>,
    pub(super) scenario: &'static str,
    pub(super) idempotency_key: String,
}

/// How the orders of a scenario went.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OfScenario {
    pub(super) accepted: u64,
    pub(super) as_expected: u64,
    pub(super) otherwise: u64,
}

/// How often a change was taken, or came too late.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OfChange {
    pub(super) taken: u64,
    pub(super) too_late: u64,
}

/// What was counted.
pub(super) struct Counts {
    pub(super) offered: u64,
    pub(super) over_cap: u64,
    pub(super) accepted: u64,
    pub(super) refused: u64,
    pub(super) ended: u64,
    pub(super) retries: u64,
    pub(super) cut: u64,
    pub(super) clocks_differ: u64,
    pub(super) refusals: BTreeMap<String, u64>,
    pub(super) ends: BTreeMap<String, u64>,
    pub(super) scenarios: BTreeMap<&'static str, OfScenario>,
    pub(super) changes: BTreeMap<&'static str, OfChange>,
    pub(super) wrong: u64,
    pub(super) wrong_ends: Vec<WrongEnd>,
    pub(super) failed: u64,
    pub(super) failures: Vec<String>,
    pub(super) took: BTreeMap<Stage, Times>,
    pub(super) late: Times,
    /// Orders under way, with their ids once they have them.
    pub(super) under_way: HashMap<u64, (Scenario, Option<OrderId>)>,
}

/// How long something took, each time.
pub(super) struct Times(Histogram<u64>);

/// Of times, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Percentiles {
    pub(super) count: u64,
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    #[serde(rename = "p99.9")]
    pub(super) p99_9: f64,
    pub(super) max: f64,
}

impl Default for Times {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST_US, 3);
        Self(histogram.expect("three digits up to a day is a histogram"))
    }
}

impl Times {
    /// Takes note of a time, to the microsecond.
    pub(super) fn note(&mut self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(us.clamp(1, LONGEST_US));
    }

    pub(super) fn percentiles(&self) -> Percentiles {
        let at = |share| self.0.value_at_quantile(share) as f64 / 1000.0;
        Percentiles {
            count: self.0.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: self.0.max() as f64 / 1000.0,
        }
    }
}

/// Counts, told by many at once.
pub(super) struct Tally(Mutex<Counts>);

impl Tally {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Counts::default()))
    }

    /// What was counted so far. A panic cannot leave it half counted.
    pub(super) fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tell(&self, told: Told) {
        self.counts().note(told);
    }

    /// An order begins.
    pub(super) fn begin(&self, number: u64, scenario: Scenario) {
        self.counts().under_way.insert(number, (scenario, None));
    }

    pub(super) fn under_way(&self) -> usize {
        self.counts().under_way.len()
    }
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            offered: 0,
            over_cap: 0,
            accepted: 0,
            refused: 0,
            ended: 0,
            retries: 0,
            cut: 0,
            clocks_differ: 0,
            refusals: BTreeMap::new(),
            ends: BTreeMap::new(),
            scenarios: BTreeMap::new(),
            changes: BTreeMap::new(),
            wrong: 0,
            wrong_ends: Vec::new(),
            failed: 0,
            failures: Vec::new(),
            took: Stage::ALL.map(|stage| (stage, Times::default())).into(),
            late: Times::default(),
            under_way: HashMap::new(),
        }
    }
}

impl Counts {
    fn note(&mut self, told: Told) {
        match told {
            Told::Offered => self.offered += 1,
            Told::OverCap => self.over_cap += 1,
            Told::Sent(late) => self.late.note(late),
            Told::Refusal(code) => *self.refusals.entry(code).or_default() += 1,
            Told::Retry => self.retries += 1,
            Told::Accepted(number, scenario, id) => {
                self.accepted += 1;
                self.of(scenario).accepted += 1;
                self.under_way.insert(number, (scenario, Some(id)));
            }
            Told::Took(stage, took) => self.took.entry(stage).or_default().note(took),
            Told::Change { scenario, taken } => {
                let changes = self.changes.entry(scenario.name()).or_default();
                changes.taken += u64::from(taken);
                changes.too_late += u64::from(!taken);
            }
            Told::Cut => self.cut += 1,
            Told::ClocksDiffer => self.clocks_differ += 1,
            Told::Over(number, scenario, outcome) => {
                self.under_way.remove(&number);
                self.over(scenario, outcome);
            }
        }
    }

    fn over(&mut self, scenario: Scenario, outcome: Outcome) {
        match outcome {
            Outcome::Refused => self.refused += 1,
            Outcome::Failed(error) => {
                self.failed += 1;
                if self.failures.len() < KEPT {
                    self.failures.push(error);
                }
            }
            Outcome::Ended { end, wrong } => {
                self.ended += 1;
                *self.ends.entry(end).or_default() += 1;
                let of = self.of(scenario);
                of.as_expected += u64::from(wrong.is_none());
                of.otherwise += u64::from(wrong.is_some());
                if let Some(wrong) = wrong {
                    self.wrong += 1;
                    if self.wrong_ends.len() < KEPT {
                        self.wrong_ends.push(wrong);
                    }
                }
            }
        }
    }

    fn of(&mut self, scenario: Scenario) -> &mut OfScenario {
        self.scenarios.entry(scenario.name()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_noted() {
        let mut times = Times::default();
        for ms in 1..=1000 {
            times.note(Duration::from_millis(ms));
        }
        times.note(Duration::from_secs(100_000));
        let seen = times.percentiles();
        assert_eq!(seen.count, 1001);
        // Three digits: a thousandth of what is noted.
        for (seen, wanted) in [
            (seen.p50, 501.0),
            (seen.p90, 901.0),
            (seen.p99, 991.0),
            (seen.p99_9, 1000.0),
            (seen.max, 86_400_000.0),
        ] {
            assert!((seen - wanted).abs() <= wanted / 500.0, "{seen} {wanted}");
        }
        assert_eq!(Times::default().percentiles().max, 0.0);
    }

    #[test]
    fn an_order_is_under_way_until_it_is_over_and_only_names_are_left_out() {
        let tally = Tally::new();
        let scenario = Scenario::Cancel;
        for number in 0..(KEPT as u64 + 5) {
            tally.begin(number, scenario);
            assert_eq!(tally.under_way(), 1);
            let wrong = WrongEnd {
                order_id: OrderId::from_uuid(uuid::Uuid::from_u128(number.into())),
                scenario: scenario.name(),
                expected: String::new(),
                seen: String::new(),
            };
            let outcome = Outcome::Ended {
                end: "Cancelled".to_owned(),
                wrong: Some(wrong),
            };
            tally.tell(Told::Over(number, scenario, outcome));
            assert_eq!(tally.under_way(), 0);
        }
        let counts = tally.counts();
        assert_eq!(counts.wrong, KEPT as u64 + 5);
        assert_eq!(counts.wrong_ends.len(), KEPT);
        assert_eq!(counts.scenarios["cancel"].otherwise, KEPT as u64 + 5);
    }
}
