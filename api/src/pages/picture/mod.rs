//! Where an order stands in the saga, step by step: what is drawn, told from
//! what really happened.

mod svg;
#[cfg(test)]
mod tests;

use pizza_app::PendingStep;
use pizza_app::timeline::{BEFORE_RETRY, Entry, Kind, Outcome, Timeline};
use pizza_domain::{KitchenReport, MoneyState, OrderStatus, PointsState, Step};
use pizza_store::OrderRecord;
use pizza_workflows::names::CANCELLED_BY_CUSTOMER;
use pizza_workflows::steps::{Part, STEPS, StepSpec};

use super::text::took;

pub(super) use svg::draw;

/// What a task's workflow id begins with. The steps in it are redrives.
const PARKED: &str = "failed-";

/// What the summary of a pace's wait begins with.
const PACE: &str = "pace after ";

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It may come yet.
    Ahead,
    /// It is being tried.
    Running,
    /// It waits for somebody.
    Waiting,
    /// It failed, and is tried again.
    Retrying,
    /// It is done.
    Done,
    /// It failed for good.
    Failed,
    /// It failed for good, and waits for an operator.
    Parked,
    /// It was done, and was taken back.
    Undone,
    /// It will not come any more.
    Skipped,
}

impl State {
    #[cfg(test)]
    const ALL: [Self; 9] = [
        Self::Ahead,
        Self::Running,
        Self::Waiting,
        Self::Retrying,
        Self::Done,
        Self::Failed,
        Self::Parked,
        Self::Undone,
        Self::Skipped,
    ];

    /// Its name: a class of the style, and what the tests look for.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ahead => "ahead",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Retrying => "retrying",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Parked => "parked",
            Self::Undone => "undone",
            Self::Skipped => "skipped",
        }
    }

    /// In words.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Ahead => "not begun",
            Self::Running => "under way",
            Self::Waiting => "waiting",
            Self::Retrying => "trying again",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Parked => "parked for an operator",
            Self::Undone => "taken back",
            Self::Skipped => "not needed",
        }
    }

    /// A sign that tells it without its colour.
    pub(super) const fn glyph(self) -> &'static str {
        match self {
            Self::Ahead => "○",
            Self::Running => "▸",
            Self::Waiting => "◔",
            Self::Retrying => "↻",
            Self::Done => "✓",
            Self::Failed => "✕",
            Self::Parked => "‖",
            Self::Undone => "↩",
            Self::Skipped => "–",
        }
    }

    /// Whether something happens to it by itself.
    pub(super) const fn is_under_way(self) -> bool {
        matches!(self, Self::Running | Self::Waiting | Self::Retrying)
    }
}

/// A step as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ShownStep {
    pub(super) step: Step,
    pub(super) state: State,
    /// A few words more; may be empty.
    pub(super) note: String,
    /// When something happens next, if that is known.
    pub(super) until_ms: Option<i64>,
}

/// A stage of the cooking and delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stage {
    pub(super) report: KitchenReport,
    pub(super) state: State,
    pub(super) until_ms: Option<i64>,
}

/// An order in the saga.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Saga {
    pub(super) parts: Vec<ShownStep>,
    pub(super) stages: Vec<Stage>,
    pub(super) status: OrderStatus,
    /// The wait that the order asked for, if it is in one: after what, and
    /// until when.
    pub(super) pause: Option<(String, i64)>,
}

/// What an order's picture is drawn from.
pub(super) struct Known<'a> {
    pub(super) order: &'a OrderRecord,
    pub(super) timeline: &'a Timeline,
    /// The attempts that are under way.
    pub(super) pending: &'a [PendingStep],
    /// Until when the kitchen has to report.
    pub(super) due_at_ms: Option<i64>,
}

impl Saga {
    pub(super) fn of(known: &Known<'_>) -> Self {
        let mut parts: Vec<ShownStep> = STEPS.into_iter().map(|it| known.part(it)).collect();
        take_back(&mut parts);
        known.put_off(&mut parts);
        known.tell_of_nothing(&mut parts);
        Self {
            stages: known.stages(),
            status: known.order.status,
            pause: known.pause(),
            parts,
        }
    }

    pub(super) fn part(&self, step: Step) -> Option<&ShownStep> {
        self.parts.iter().find(|part| part.step == step)
    }

    /// Whether anything happens by itself.
    pub(super) fn is_under_way(&self) -> bool {
        self.parts.iter().any(|part| part.state.is_under_way())
    }

    /// Whether something waits for an operator.
    pub(super) fn is_parked(&self) -> bool {
        let mut states = self.parts.iter().map(|part| part.state);
        states.any(|state| state == State::Parked)
    }
}

/// What was done and is taken back is not done any more.
fn take_back(parts: &mut [ShownStep]) {
    let taken_back: Vec<Step> = parts
        .iter()
        .filter(|part| part.state == State::Done)
        .filter_map(|part| StepSpec::of(part.step).compensates)
        .collect();
    for part in parts {
        if part.state == State::Done && taken_back.contains(&part.step) {
            part.state = State::Undone;
        }
    }
}

impl Known<'_> {
    /// Points that were given are not taken back before the money is given
    /// back, which may be long after the order's end.
    fn put_off(&self, parts: &mut [ShownStep]) {
        let is_owed = |part: &ShownStep| {
            part.step == Step::RefundPayment
                && matches!(part.state, State::Parked | State::Retrying)
        };
        let is_put_off = self.order.points == PointsState::Awarded && parts.iter().any(is_owed);
        for part in parts {
            let is_reclaim = part.step == Step::ReclaimLoyaltyPoints;
            if is_put_off && is_reclaim && part.state == State::Skipped {
                part.note = "after the refund".to_owned();
            }
        }
    }

    fn part(&self, spec: &'static StepSpec) -> ShownStep {
        let (state, note, until_ms) = self
            .parked(spec)
            .or_else(|| self.waited_for(spec))
            .or_else(|| self.taken(spec))
            .or_else(|| self.cancelled_at(spec.step))
            .unwrap_or_else(|| (self.by_the_books(spec.step), String::new(), None));
        // What an ended order has not met, it will not meet.
        let state = match state {
            State::Ahead if self.order.status.is_final() => State::Skipped,
            state => state,
        };
        ShownStep {
            step: spec.step,
            state,
            note,
            until_ms,
        }
    }

    /// A way back that found nothing did no more than make sure of it.
    fn tell_of_nothing(&self, parts: &mut [ShownStep]) {
        let (money, points) = (self.order.money, self.order.points);
        for part in parts.iter_mut().filter(|part| part.state == State::Done) {
            match part.step {
                Step::RefundPayment if money == MoneyState::NotCharged => {
                    part.note = "nothing to give back".to_owned();
                }
                Step::ReclaimLoyaltyPoints if points == PointsState::None => {
                    part.note = "nothing to take back".to_owned();
                }
                _ => {}
            }
        }
    }

    /// A step that is in a failure queue, or was.
    fn parked(&self, spec: &StepSpec) -> Option<(State, String, Option<i64>)> {
        let queue = spec.parked?.queue;
        let of_task = |entry: &&Entry| {
            entry.kind == Kind::ParkedTask && entry.detail.queue.as_deref() == Some(queue)
        };
        let last = self.timeline.entries.iter().rfind(of_task)?;
        let mut of_tasks = self.timeline.entries.iter().rev().filter(of_task);
        let code = of_tasks.find_map(|entry| entry.detail.code.clone());
        Some(match last.detail.state.as_deref() {
            Some("done") => (State::Done, "by an operator".to_owned(), None),
            Some("discarded") => (State::Failed, "let go, still owed".to_owned(), None),
            _ if self.is_redriven(spec) => (State::Retrying, "redriven".to_owned(), None),
            _ => (State::Parked, code.unwrap_or_default(), None),
        })
    }

    fn is_redriven(&self, spec: &StepSpec) -> bool {
        let mut steps = self.steps(spec).filter(|entry| is_redrive(entry));
        steps.any(|entry| entry.outcome == Some(Outcome::Running))
    }

    /// Every time that the step was begun.
    fn steps<'a>(&'a self, spec: &'a StepSpec) -> impl DoubleEndedIterator<Item = &'a Entry> {
        let is_its = move |entry: &&Entry| {
            let activity = entry.detail.activity.as_deref();
            entry.kind == Kind::Step && activity.is_some() && activity == spec.activity
        };
        self.timeline.entries.iter().filter(is_its)
    }

    /// A step that is a wait: the one for the kitchen.
    fn waited_for(&self, spec: &StepSpec) -> Option<(State, String, Option<i64>)> {
        if spec.activity.is_some() {
            return None;
        }
        if let Some(cancelled) = self.cancelled_at(spec.step) {
            return Some(cancelled);
        }
        let stages = self.stages();
        let waits = stages.iter().find(|stage| stage.state == State::Waiting);
        if let Some(stage) = waits {
            let note = format!("until {}", words(stage.report));
            return Some((State::Waiting, note, stage.until_ms));
        }
        let is_done = self.order.status == OrderStatus::DeliveryConfirmed;
        is_done.then(|| (State::Done, String::new(), None))
    }

    /// What the step has to do with the order's cancellation, if it was
    /// cancelled there: it failed, or its customer did not want it.
    fn cancelled_at(&self, step: Step) -> Option<(State, String, Option<i64>)> {
        let reason = self.order.cancelled.as_ref();
        let reason = reason.filter(|reason| reason.step == step)?;
        Some(match reason.code.as_str() {
            CANCELLED_BY_CUSTOMER => (State::Skipped, "called off".to_owned(), None),
            code => (State::Failed, code.to_owned(), None),
        })
    }

    /// A step that was begun, by the histories.
    fn taken(&self, spec: &StepSpec) -> Option<(State, String, Option<i64>)> {
        let last = self.steps(spec).rfind(|entry| !is_redrive(entry))?;
        let took = last.duration_ms.map(took).unwrap_or_default();
        let tries = last.attempts.unwrap_or(1);
        let tried = match tries {
            ..=1 => String::new(),
            _ => format!(", {tries} tries"),
        };
        Some(match last.outcome {
            Some(Outcome::Ok) => (State::Done, format!("{took}{tried}"), None),
            Some(Outcome::Running) => self.under_way(spec, last),
            Some(Outcome::Cancelled) => (State::Skipped, "called off".to_owned(), None),
            _ => {
                let code = last.detail.code.clone().unwrap_or_default();
                (State::Failed, format!("{code}{tried}"), None)
            }
        })
    }

    /// A step that is under way: at first, or once more.
    fn under_way(&self, spec: &StepSpec, step: &Entry) -> (State, String, Option<i64>) {
        let activity = spec.activity.unwrap_or_default();
        let before_retry = format!("{activity}{BEFORE_RETRY}");
        let is_waited_out = |entry: &&Entry| {
            entry.kind == Kind::Wait
                && entry.outcome == Some(Outcome::Running)
                && entry.what == before_retry
        };
        if let Some(wait) = self.timeline.entries.iter().rfind(is_waited_out) {
            return (State::Retrying, "1 try failed".to_owned(), end_of(wait));
        }
        let before = step.attempts.unwrap_or(0);
        let pending = self.pending.iter().find(|it| it.activity == activity);
        match pending {
            Some(pending) if before + pending.attempt > 1 => {
                let failed = before + pending.attempt - 1;
                let note = format!(
                    "{failed} {} failed",
                    if failed == 1 { "try" } else { "tries" }
                );
                (State::Retrying, note, pending.next_at_ms)
            }
            _ => (State::Running, String::new(), None),
        }
    }

    /// A step that no history tells of: the store's word on it.
    fn by_the_books(&self, step: Step) -> State {
        let order = self.order;
        let is_cooked = KitchenReport::that_brings_to(order.status).is_some();
        let is_told = |entry: &Entry| entry.kind == Kind::Notification;
        let done = |is_done: bool| if is_done { State::Done } else { State::Ahead };
        match step {
            Step::CreateOrder => done(order.version > 0),
            Step::ProcessPayment => match order.status {
                OrderStatus::PaymentProcessing => State::Running,
                OrderStatus::PaymentFailed => State::Failed,
                _ => done(order.money != MoneyState::NotCharged),
            },
            Step::AddLoyaltyPoints => match order.points {
                PointsState::None => State::Ahead,
                PointsState::Parked => State::Parked,
                _ => State::Done,
            },
            Step::RefundPayment => match order.money {
                MoneyState::Refunded => State::Done,
                MoneyState::RefundParked => State::Parked,
                _ if order.status == OrderStatus::Refunding => State::Running,
                _ => State::Ahead,
            },
            Step::ReclaimLoyaltyPoints => match order.points {
                PointsState::Reclaimed => State::Done,
                PointsState::ReclaimParked => State::Parked,
                _ => State::Ahead,
            },
            Step::NotifyCustomer => done(self.timeline.entries.iter().any(is_told)),
            step => done(StepSpec::of(step).part == Part::Fulfilment && is_cooked),
        }
    }

    /// The stages of cooking and delivery: what was reported is done, and the
    /// next one is waited for while the kitchen has the order.
    fn stages(&self) -> Vec<Stage> {
        let reported = |report: KitchenReport| {
            let is_it = |entry: &Entry| {
                entry.kind == Kind::Report && entry.detail.event.as_deref() == Some(report.as_str())
            };
            self.timeline.entries.iter().any(is_it)
                || KitchenReport::that_brings_to(self.order.status).is_some_and(|it| it >= report)
        };
        let mut waits = self.kitchen_has_it();
        let stages = KitchenReport::WAY.into_iter().map(|report| {
            let (state, until_ms) = match reported(report) {
                true => (State::Done, None),
                false if std::mem::take(&mut waits) => (State::Waiting, self.due_at_ms),
                false if self.order.status.is_final() => (State::Skipped, None),
                false => (State::Ahead, None),
            };
            Stage {
                report,
                state,
                until_ms,
            }
        });
        stages.collect()
    }

    fn kitchen_has_it(&self) -> bool {
        let is_over = self.order.status.is_final()
            || self.order.status == OrderStatus::Refunding
            || self.order.cancelled.is_some();
        let prepared = self.taken(StepSpec::of(Step::PrepareOrder));
        !is_over
            && (prepared.is_some_and(|(state, ..)| state == State::Done)
                || KitchenReport::that_brings_to(self.order.status).is_some())
    }

    fn pause(&self) -> Option<(String, i64)> {
        let is_pause = |entry: &&Entry| {
            entry.kind == Kind::Wait
                && entry.outcome == Some(Outcome::Running)
                && entry.what.starts_with(PACE)
        };
        let wait = self.timeline.entries.iter().rfind(is_pause)?;
        Some((wait.what.clone(), end_of(wait)?))
    }
}

/// Whether a step was taken because an operator, or a queue's policy, said so.
fn is_redrive(step: &Entry) -> bool {
    let workflow = step.detail.workflow_id.as_deref();
    workflow.is_some_and(|id| id.starts_with(PARKED))
}

/// When a wait is over, unless it is disturbed.
fn end_of(wait: &Entry) -> Option<i64> {
    let lasts = i64::try_from(wait.detail.for_ms?).ok()?;
    Some(wait.at_ms.saturating_add(lasts))
}

/// A stage, for people.
pub(super) const fn words(report: KitchenReport) -> &'static str {
    match report {
        KitchenReport::Accepted => "accepted",
        KitchenReport::Cooked => "cooked",
        KitchenReport::PickedUp => "picked up",
        KitchenReport::Delivered => "delivered",
        KitchenReport::Rejected => "rejected",
    }
}
