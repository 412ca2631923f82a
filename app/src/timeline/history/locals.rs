//! Steps that ran inside a workflow task. Their histories are markers, written
//! when the task was completed, which say when they ran in two ways: by the
//! worker's clock when each was scheduled, and by the workflow's clock, which
//! stands still between events, when each was done.

use std::collections::HashMap;

use temporalio_common::protos::constants::LOCAL_ACTIVITY_MARKER_NAME;
use temporalio_common::protos::coresdk::common::extract_local_activity_marker_data;
use temporalio_common::protos::coresdk::external_data::LocalActivityMarkerData;
use temporalio_common::protos::temporal::api::history::v1::{
    HistoryEvent, MarkerRecordedEventAttributes,
};

use super::super::Outcome;
use super::super::payload::{Nanos, fault, nanos, short, span_ms, summary};
use super::{Reader, Step, end};

/// The steps of one workflow task.
#[derive(Default)]
pub(super) struct Locals {
    ran: Vec<Ran>,
    /// Those that met a fault, by summary.
    pub(super) failed: HashMap<String, Step>,
}

/// When a step ran.
struct Ran {
    /// Scheduled, by the worker's clock.
    scheduled: Nanos,
    /// Done, by the workflow's clock.
    done: Nanos,
    took: Nanos,
}

impl Locals {
    /// When the workflow's clock had it that a step began which the worker
    /// scheduled at `scheduled`: with the task, or when the last step was done
    /// that had ended by then.
    fn began(&self, task_started_at: Nanos, scheduled: Nanos) -> Nanos {
        self.ran
            .iter()
            .filter(|ran| ran.scheduled + ran.took <= scheduled)
            .map(|ran| ran.done)
            .fold(task_started_at, Nanos::max)
    }
}

impl Reader {
    /// A marker, if it is that of a step.
    pub(super) fn local_activity(
        &mut self,
        event: &HistoryEvent,
        recorded_at: Nanos,
        marker: &MarkerRecordedEventAttributes,
    ) {
        if marker.marker_name != LOCAL_ACTIVITY_MARKER_NAME {
            return;
        }
        let data = extract_local_activity_marker_data(&marker.details).unwrap_or_default();
        let (at, took) = self.ran(&data, recorded_at);
        let activity = short(&data.activity_type);
        let summary = summary(event);
        let mut entry = self.step(at, &activity, summary.as_deref());
        entry.detail.local = Some(true);
        entry.attempts = Some(data.attempt);
        entry.duration_ms = took.map(|took| span_ms(0, took));
        let fault = marker.failure.as_ref().map(fault);
        end(&mut entry, fault.as_ref());
        let step = Step {
            entry: self.push(entry),
            began_at: at,
            attempts: data.attempt,
        };
        if fault.is_some_and(|fault| fault.outcome == Outcome::Failed) {
            self.locals.failed.insert(summary.unwrap_or(activity), step);
        }
    }

    /// When a step began, and how long it took if that is known. Whatever the
    /// worker's clock says, it was within its workflow task.
    fn ran(
        &mut self,
        data: &LocalActivityMarkerData,
        recorded_at: Nanos,
    ) -> (Nanos, Option<Nanos>) {
        let task_started_at = self.task_started_at.min(recorded_at);
        let scheduled = data.original_schedule_time.as_ref();
        let scheduled = scheduled.map(|time| nanos(time.seconds, time.nanos));
        let at = scheduled.map_or(task_started_at, |time| {
            time.clamp(task_started_at, recorded_at)
        });
        let done = data.complete_time.as_ref();
        let done = done.map(|time| nanos(time.seconds, time.nanos));
        let (Some(scheduled), Some(done)) = (scheduled, done) else {
            return (at, None);
        };
        let took = (done - self.locals.began(task_started_at, scheduled)).max(0);
        self.locals.ran.push(Ran {
            scheduled,
            done,
            took,
        });
        (at, Some(took))
    }
}
