//! Reads what happened from the history of one workflow.

mod ends;
mod locals;
mod requests;

use std::collections::HashMap;

use failure_queue::names::workflow_type::FAILED_TASK;
use temporalio_common::protos::temporal::api::failure::v1::Failure;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_common::protos::temporal::api::history::v1::{
    ActivityTaskScheduledEventAttributes, History, HistoryEvent, TimerStartedEventAttributes,
    WorkflowExecutionStartedEventAttributes,
};

use super::payload::{
    self, Fault, Nanos, fault, first, nanos, short, span_ms, summary, time_of, to_ms,
};
use super::{Detail, Entry, Kind, Outcome, Source};
use locals::Locals;

/// What the summary of the wait between a step's first attempt, which runs
/// inside the workflow task, and the others ends with.
pub const BEFORE_RETRY: &str = ": wait before retry";

/// What happened in a workflow, by its history: its start, each step, wait and
/// request, and its end, in the order in which they began. Of a history that
/// was cut off, what is there is told; what had not ended by then is running.
///
/// Only the outcome of a step is told, never its input or result.
#[must_use]
pub fn entries_of(history: &History) -> Vec<Entry> {
    let mut reader = Reader::default();
    for event in &history.events {
        reader.read(event);
    }
    reader.entries
}

/// What was read of a history so far. Events name others by their numbers, and
/// the entries that these became are found by them.
#[derive(Default)]
struct Reader {
    entries: Vec<Entry>,
    workflow_id: String,
    workflow_type: String,
    started_at: Nanos,
    /// When the workflow task began whose commands are read.
    task_started_at: Nanos,
    locals: Locals,
    activities: HashMap<i64, Step>,
    timers: HashMap<i64, Wait>,
    updates: HashMap<i64, (usize, Nanos)>,
    /// The steps that wait for their next attempt, by summary.
    retried: HashMap<String, Step>,
}

/// A step that is under way.
#[derive(Clone, Copy)]
struct Step {
    entry: usize,
    began_at: Nanos,
    /// Attempts that were made before.
    attempts: u32,
}

/// A wait that is under way.
struct Wait {
    entry: usize,
    began_at: Nanos,
}

impl Reader {
    fn read(&mut self, event: &HistoryEvent) {
        use Attributes as A;
        let Some(attributes) = &event.attributes else {
            return;
        };
        let at = time_of(event);
        match attributes {
            A::WorkflowExecutionStartedEventAttributes(it) => self.start(at, it),
            A::WorkflowTaskStartedEventAttributes(_) => {
                self.task_started_at = at;
                self.locals = Locals::default();
            }
            A::MarkerRecordedEventAttributes(it) => self.local_activity(event, at, it),
            A::ActivityTaskScheduledEventAttributes(it) => self.activity(event, at, it),
            A::ActivityTaskStartedEventAttributes(it) => {
                self.attempt(it.scheduled_event_id, it.attempt);
            }
            A::ActivityTaskCompletedEventAttributes(it) => {
                self.step_ends(it.scheduled_event_id, at, None);
            }
            A::ActivityTaskFailedEventAttributes(it) => {
                self.step_fails(it.scheduled_event_id, at, it.failure.as_ref());
            }
            A::ActivityTaskTimedOutEventAttributes(it) => {
                self.step_fails(it.scheduled_event_id, at, it.failure.as_ref());
            }
            A::ActivityTaskCanceledEventAttributes(it) => {
                let cancelled = payload::cancelled();
                self.step_ends(it.scheduled_event_id, at, Some(cancelled));
            }
            A::TimerStartedEventAttributes(it) => self.wait(event, at, it),
            A::TimerFiredEventAttributes(it) => {
                self.wait_ends(it.started_event_id, at, Outcome::Ok);
            }
            A::TimerCanceledEventAttributes(it) => {
                self.wait_ends(it.started_event_id, at, Outcome::Cancelled);
            }
            _ => self.request_or_end(event, at, attributes),
        }
    }

    /// An entry of this history.
    fn entry(&self, kind: Kind, at: Nanos, what: impl Into<String>) -> Entry {
        let mut entry = Entry::new(Source::Temporal, kind, to_ms(at), what);
        entry.detail.workflow_id = Some(self.workflow_id.clone());
        entry
    }

    /// Adds an entry, and gives its place.
    fn push(&mut self, entry: Entry) -> usize {
        self.entries.push(entry);
        self.entries.len() - 1
    }

    fn start(&mut self, at: Nanos, started: &WorkflowExecutionStartedEventAttributes) {
        self.workflow_id = short(&started.workflow_id);
        let workflow_type = started.workflow_type.as_ref();
        self.workflow_type = workflow_type.map_or_else(String::new, |it| short(&it.name));
        self.started_at = at;
        self.task_started_at = at;
        let is_first_run = started.continued_execution_run_id.is_empty();
        let entry = if self.workflow_type == FAILED_TASK && is_first_run {
            self.parked(at, started)
        } else {
            let how = if is_first_run {
                "started"
            } else {
                "goes on in a new run"
            };
            let what = format!("{} {how}", self.name());
            self.entry(Kind::Start, at, what)
        };
        self.push(entry);
    }

    /// The start of a parked task: what it says of the step that failed.
    fn parked(&self, at: Nanos, started: &WorkflowExecutionStartedEventAttributes) -> Entry {
        let task = first(started.input.as_ref()).unwrap_or_default();
        let text = |field: &str| payload::text(&task, field);
        let failure = task.get("failure").cloned().unwrap_or_default();
        let queue = text("queue").unwrap_or_default();
        let mut entry = self.entry(Kind::ParkedTask, at, super::books::parked_in(&queue));
        let attempts = failure.get("attempts").and_then(|it| it.as_u64());
        entry.attempts = attempts.and_then(|it| u32::try_from(it).ok());
        entry.detail = Detail {
            activity: text("activityType"),
            task_id: Some(self.workflow_id.clone()),
            queue: Some(queue),
            message_type: text("messageType"),
            state: Some("parked".to_owned()),
            code: payload::text(&failure, "code"),
            message: payload::text(&failure, "message"),
            ..entry.detail
        };
        entry
    }

    /// What this workflow is, for people.
    fn name(&self) -> &str {
        use pizza_workflows::names::workflow_type as t;
        match self.workflow_type.as_str() {
            t::ORDER => "order",
            t::LOYALTY => "loyalty branch",
            t::FULFILMENT => "fulfilment branch",
            t::FAILED_TASK => "parked task",
            t::FAILURE_QUEUE => "failure queue",
            t::BULK => "bulk operation",
            "" => "workflow",
            other => other,
        }
    }

    /// A regular step is scheduled: a new one, or the further attempts of one
    /// that was first tried inside the workflow task.
    fn activity(
        &mut self,
        event: &HistoryEvent,
        at: Nanos,
        scheduled: &ActivityTaskScheduledEventAttributes,
    ) {
        let activity = scheduled.activity_type.as_ref();
        let activity = activity.map_or_else(String::new, |it| short(&it.name));
        let summary = summary(event);
        let first_tries = summary.as_ref().and_then(|it| self.retried.remove(it));
        let step = match first_tries {
            Some(step) if self.is_of(step.entry, &activity) => step,
            _ => {
                let entry = self.step(at, &activity, summary.as_deref());
                Step {
                    entry: self.push(entry),
                    began_at: at,
                    attempts: 0,
                }
            }
        };
        self.entries[step.entry].detail.local = Some(false);
        self.activities.insert(event.event_id, step);
    }

    fn is_of(&self, entry: usize, activity: &str) -> bool {
        self.entries[entry].detail.activity.as_deref() == Some(activity)
    }

    /// A step that begins.
    fn step(&self, at: Nanos, activity: &str, summary: Option<&str>) -> Entry {
        let what = match summary {
            Some(summary) if summary != activity => format!("{activity} ({summary})"),
            _ => activity.to_owned(),
        };
        let mut entry = self.entry(Kind::Step, at, what);
        entry.outcome = Some(Outcome::Running);
        entry.detail.activity = Some(activity.to_owned());
        entry
    }

    fn attempt(&mut self, scheduled: i64, attempt: i32) {
        if let Some(step) = self.activities.get(&scheduled) {
            let attempt = u32::try_from(attempt).unwrap_or_default();
            self.entries[step.entry].attempts = Some(step.attempts.saturating_add(attempt));
        }
    }

    fn step_fails(&mut self, scheduled: i64, at: Nanos, failure: Option<&Failure>) {
        let fault = failure.map_or_else(payload::unknown, fault);
        self.step_ends(scheduled, at, Some(fault));
    }

    fn step_ends(&mut self, scheduled: i64, at: Nanos, fault: Option<Fault>) {
        if let Some(step) = self.activities.remove(&scheduled) {
            let entry = &mut self.entries[step.entry];
            entry.duration_ms = Some(span_ms(step.began_at, at));
            end(entry, fault.as_ref());
        }
    }

    fn wait(&mut self, event: &HistoryEvent, at: Nanos, started: &TimerStartedEventAttributes) {
        let summary = summary(event).unwrap_or_else(|| "timer".to_owned());
        if let Some(step) = summary.strip_suffix(BEFORE_RETRY) {
            self.retry(step);
        }
        let mut entry = self.entry(Kind::Wait, at, summary);
        entry.outcome = Some(Outcome::Running);
        let longest = started.start_to_fire_timeout.as_ref();
        entry.detail.for_ms = longest.map(|it| span_ms(0, nanos(it.seconds, it.nanos)));
        let wait = Wait {
            entry: self.push(entry),
            began_at: at,
        };
        self.timers.insert(event.event_id, wait);
    }

    /// The step with this summary failed once, and is going to be tried again.
    fn retry(&mut self, summary: &str) {
        if let Some(step) = self.locals.failed.remove(summary) {
            let entry = &mut self.entries[step.entry];
            entry.outcome = Some(Outcome::Running);
            entry.duration_ms = None;
            self.retried.insert(summary.to_owned(), step);
        }
    }

    /// Nothing goes on in a workflow that has ended.
    fn end_what_runs(&mut self, at: Nanos) {
        let timers: Vec<i64> = self.timers.keys().copied().collect();
        for timer in timers {
            self.wait_ends(timer, at, Outcome::Cancelled);
        }
        let steps: Vec<i64> = self.activities.keys().copied().collect();
        for step in steps {
            self.step_ends(step, at, Some(payload::cancelled()));
        }
    }

    fn wait_ends(&mut self, started: i64, at: Nanos, outcome: Outcome) {
        if let Some(wait) = self.timers.remove(&started) {
            let entry = &mut self.entries[wait.entry];
            entry.duration_ms = Some(span_ms(wait.began_at, at));
            entry.outcome = Some(outcome);
        }
    }
}

/// Says that it ended: well, or with a fault. What was said of an earlier
/// attempt is forgotten.
fn end(entry: &mut Entry, fault: Option<&Fault>) {
    entry.outcome = Some(fault.map_or(Outcome::Ok, |fault| fault.outcome));
    entry.detail.code = None;
    entry.detail.message = None;
    if let Some(fault) = fault {
        fault.tell(&mut entry.detail);
    }
}
