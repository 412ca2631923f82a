//! What is declared of a step: once, beside its input and its activities, in
//! the file of the service that takes it. Everything that draws, counts, parks
//! or explains steps reads it from here.
//!
//! The plan itself is in the workflows. `tests/saga_description.rs` compares the
//! declarations with the recorded histories of every scenario.

use std::time::Duration;

use failure_queue::StepPolicy;
use pizza_domain::{Money, MoneyState, PointsState, Step};

/// A step of the saga.
#[derive(Debug)]
pub struct StepSpec {
    /// The step.
    pub step: Step,
    /// What people read in the picture of an order.
    pub label: &'static str,
    /// The type of the workflow that takes it.
    pub workflow: &'static str,
    /// The activity that takes it; none for a wait.
    pub activity: Option<&'static str>,
    /// How often and how soon it is tried again.
    pub retries: Retries,
    /// The steps whose success it may follow.
    pub follows: &'static [Step],
    /// The steps whose failure it may follow.
    pub follows_failure_of: &'static [Step],
    /// The step whose effect it takes back.
    pub compensates: Option<Step>,
    /// How a demonstration makes it fail; none where it cannot.
    pub simulated: Option<SimulatedFailure>,
    /// Where it is parked when it fails for good; none where the order is
    /// rolled back instead.
    pub parked: Option<&'static Parked>,
}

/// How often and how soon a step is tried again. The figures are the
/// specification's (`docs/saga.md`).
#[derive(Clone, Copy, Debug)]
pub struct Retries {
    /// How often, after the first attempt.
    pub most: u32,
    /// The wait before the first of them, in seconds.
    pub first_wait: u64,
    /// How many times as long each wait is as the one before.
    pub backoff: f64,
}

/// How a demonstration makes a step fail, through every attempt.
#[derive(Debug)]
pub struct SimulatedFailure {
    /// Whether it is refused. A fault is tried again.
    pub is_refusal: bool,
    /// A stable code for programs.
    pub code: &'static str,
    /// A sentence for people.
    pub message: &'static str,
    /// The step that fails with it, so that there is a rollback to fail in.
    pub with: Option<Step>,
}

/// A step that waits in a failure queue, and what is owed meanwhile.
#[derive(Debug, PartialEq, Eq)]
pub struct Parked {
    /// The step that failed.
    pub step: Step,
    /// The failure queue's name.
    pub queue: &'static str,
    /// The type of its tasks.
    pub message_type: &'static str,
    /// Whether its first attempt is made inside the workflow task: for steps
    /// in our own store, not for those of outside services.
    pub local_first: bool,
    /// The queue's heading, for people.
    pub heading: &'static str,
    /// What is owed, for people. `{customer}`, `{money}` and `{points}` stand
    /// for the customer and for what is in the task's input.
    pub owed: &'static str,
    /// What the order's record says of the money meanwhile, if that changes.
    pub money: Option<MoneyState>,
    /// What it says of the points.
    pub points: Option<PointsState>,
}

impl StepSpec {
    /// The step's retry policy.
    #[must_use]
    pub const fn policy(&self) -> StepPolicy {
        StepPolicy {
            attempts: Some(self.retries.most + 1),
            first_wait: Duration::from_secs(self.retries.first_wait),
            backoff: self.retries.backoff,
            longest_wait: Duration::from_secs(100),
        }
    }
}

impl Parked {
    /// What is owed to `customer`. Amounts of money are in minor units; those
    /// that are not known are named without their figure.
    #[must_use]
    pub fn owes(&self, customer: &str, money: Option<i64>, points: Option<i64>) -> String {
        let money = money.map_or_else(
            || "the charge".to_owned(),
            |minor| Money::from_minor(minor).to_string(),
        );
        let points = match points {
            None => "the order's points".to_owned(),
            Some(1) => "1 point".to_owned(),
            Some(points) => format!("{points} points"),
        };
        self.owed
            .replace("{money}", &money)
            .replace("{points}", &points)
            .replace("{customer}", customer)
    }
}
