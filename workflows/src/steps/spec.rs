//! What is declared of a step: once, beside its input and its activities, in
//! the file of the service that takes it. Everything that draws, counts, parks
//! or explains steps reads it from here.
//!
//! The plan itself is in the workflows. `tests/saga_description.rs` compares the
//! declarations with the recorded histories of every scenario.

use std::time::Duration;

use failure_queue::StepPolicy;
use pizza_domain::{Money, MoneyState, PointsState, Step};

use crate::names::workflow_type;

/// A step of the saga.
#[derive(Debug)]
pub struct StepSpec {
    /// The step.
    pub step: Step,
    /// What people read in the picture of an order.
    pub label: &'static str,
    /// The part of the plan that it belongs to.
    pub part: Part,
    /// The activity that takes it; none for a wait.
    pub activity: Option<&'static str>,
    /// How often and how soon it is tried again.
    pub retries: Retries,
    /// The step whose effect it takes back.
    pub compensates: Option<Step>,
    /// How a demonstration makes it fail; none where it cannot.
    pub simulated: Option<SimulatedFailure>,
    /// Where it is parked when it fails for good; none where the order is
    /// rolled back instead.
    pub parked: Option<&'static Parked>,
}

impl StepSpec {
    /// A step that is taken by the activity of its name, with six retries, and
    /// whose failure ends the order.
    #[must_use]
    pub const fn new(step: Step, label: &'static str, part: Part) -> Self {
        Self {
            step,
            label,
            part,
            activity: Some(step.as_str()),
            retries: Retries(6, 2, 2.0),
            compensates: None,
            simulated: None,
            parked: None,
        }
    }

    /// The step's retry policy.
    #[must_use]
    pub const fn policy(&self) -> StepPolicy {
        let Retries(most, first_wait, backoff) = self.retries;
        StepPolicy {
            attempts: Some(most + 1),
            first_wait: Duration::from_secs(first_wait),
            backoff,
            longest_wait: Duration::from_secs(100),
        }
    }
}

/// A part of the plan. Its steps follow each other in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What every order begins with, in the order's workflow.
    Order,
    /// The loyalty branch, after the charge.
    Loyalty,
    /// The fulfilment branch, after the charge. What fails here begins the
    /// rollback.
    Fulfilment,
    /// The rollback and the end of a failed order, in the order's workflow. What
    /// fails here is parked, and the next step follows.
    Rollback,
}

impl Part {
    /// The type of the workflow that takes its steps.
    #[must_use]
    pub const fn workflow(self) -> &'static str {
        match self {
            Self::Order | Self::Rollback => workflow_type::ORDER,
            Self::Loyalty => workflow_type::LOYALTY,
            Self::Fulfilment => workflow_type::FULFILMENT,
        }
    }
}

/// How often a step is tried again after its first attempt, the first wait in
/// seconds, and how many times as long each wait is as the one before. The
/// figures are the specification's (`docs/saga.md`).
#[derive(Clone, Copy, Debug)]
pub struct Retries(pub u32, pub u64, pub f64);

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

impl SimulatedFailure {
    /// A refusal, which is final.
    #[must_use]
    pub const fn refusal(code: &'static str, message: &'static str) -> Self {
        Self {
            is_refusal: true,
            code,
            message,
            with: None,
        }
    }

    /// A fault, which is met again by each attempt.
    #[must_use]
    pub const fn fault(code: &'static str, message: &'static str) -> Self {
        Self {
            is_refusal: false,
            ..Self::refusal(code, message)
        }
    }

    /// The same, in an order in which `step` fails, too.
    #[must_use]
    pub const fn with(self, step: Step) -> Self {
        Self {
            with: Some(step),
            ..self
        }
    }
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
    /// in our own store. A call to an outside service may take longer than a
    /// workflow task may.
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
