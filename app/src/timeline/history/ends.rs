//! The end of a workflow.

use failure_queue::names::workflow_type::FAILED_TASK;
use serde_json::Value;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;

use super::super::payload::{Fault, Nanos, cancel_reason, fault, first, short, span_ms, text};
use super::super::{Detail, Kind, Outcome};
use super::Reader;

impl Reader {
    pub(super) fn end(&mut self, at: Nanos, attributes: &Attributes) {
        use Attributes as A;
        match attributes {
            A::WorkflowExecutionCompletedEventAttributes(it) => {
                let detail = ended_as(&first(it.result.as_ref()).unwrap_or_default());
                let how = match (self.workflow_type.as_str(), &detail.state) {
                    (FAILED_TASK, Some(state)) => state.clone(),
                    _ => "completed".to_owned(),
                };
                self.ends(at, &how, Outcome::Ok, detail);
            }
            A::WorkflowExecutionFailedEventAttributes(it) => {
                let fault = it
                    .failure
                    .as_ref()
                    .map(|failure| cancel_reason(failure).unwrap_or_else(|| fault(failure)));
                self.ends(at, "failed", Outcome::Failed, blamed(fault.as_ref()));
            }
            A::WorkflowExecutionCanceledEventAttributes(_) => {
                self.ends(at, "was cancelled", Outcome::Cancelled, Detail::default());
            }
            A::WorkflowExecutionTerminatedEventAttributes(it) => {
                let reason = Some(short(&it.reason)).filter(|reason| !reason.is_empty());
                let detail = Detail {
                    reason,
                    ..Detail::default()
                };
                self.ends(at, "was terminated", Outcome::Terminated, detail);
            }
            A::WorkflowExecutionTimedOutEventAttributes(_) => {
                self.ends(at, "timed out", Outcome::TimedOut, Detail::default());
            }
            A::WorkflowExecutionContinuedAsNewEventAttributes(_) => {
                let outcome = Outcome::ContinuedAsNew;
                self.ends(at, "continued as new", outcome, Detail::default());
            }
            _ => {}
        }
    }

    fn ends(&mut self, at: Nanos, how: &str, outcome: Outcome, detail: Detail) {
        self.end_what_runs(at);
        let what = format!("{} {how}", self.name());
        let mut entry = self.entry(Kind::End, at, what);
        entry.outcome = Some(outcome);
        entry.duration_ms = Some(span_ms(self.started_at, at));
        entry.detail = Detail {
            workflow_id: entry.detail.workflow_id,
            ..detail
        };
        self.push(entry);
    }
}

fn blamed(fault: Option<&Fault>) -> Detail {
    let mut detail = Detail::default();
    if let Some(fault) = fault {
        fault.tell(&mut detail);
    }
    detail
}

/// What a workflow of ours says of its end: how the order stands, what became
/// of the points, whether a parked task was done or let go.
fn ended_as(result: &Value) -> Detail {
    Detail {
        status: text(result, "status"),
        money: text(result, "money"),
        points: text(result, "points"),
        state: result.as_str().map(short),
        ..Detail::default()
    }
}
