//! What was asked of a workflow: updates, signals, its cancellation.

use failure_queue::names::message as task_message;
use pizza_workflows::names::message;
use serde_json::Value;
use temporalio_common::protos::temporal::api::common::v1::Payloads;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_common::protos::temporal::api::history::v1::{
    HistoryEvent, WorkflowExecutionUpdateAcceptedEventAttributes,
    WorkflowExecutionUpdateCompletedEventAttributes,
};
use temporalio_common::protos::temporal::api::update::v1::outcome::Value as Answer;

use super::super::payload::{Fault, Nanos, fault, first, short, span_ms, text};
use super::super::{Detail, Entry, Kind, Outcome};
use super::{Reader, end};

/// What an operator's cancellation of a workflow is called here.
const CANCEL_WORKFLOW: &str = "cancelWorkflow";

impl Reader {
    pub(super) fn request_or_end(
        &mut self,
        event: &HistoryEvent,
        at: Nanos,
        attributes: &Attributes,
    ) {
        use Attributes as A;
        match attributes {
            A::WorkflowExecutionUpdateAcceptedEventAttributes(it) => {
                self.accepted(event.event_id, it);
            }
            A::WorkflowExecutionUpdateCompletedEventAttributes(it) => self.answered(at, it),
            A::WorkflowExecutionSignaledEventAttributes(it)
                if it.signal_name == task_message::QUEUE_POLICY =>
            {
                let entry = self.request(at, &it.signal_name, it.input.as_ref());
                self.push(entry);
            }
            A::WorkflowExecutionCancelRequestedEventAttributes(it) => {
                let mut entry = self.request(at, CANCEL_WORKFLOW, None);
                let reason = Some(short(&it.cause)).filter(|reason| !reason.is_empty());
                entry.detail.reason = reason;
                self.push(entry);
            }
            _ => self.end(at, attributes),
        }
    }

    /// An update that was taken. It came with the workflow task that took it,
    /// before whatever that did.
    fn accepted(
        &mut self,
        event_id: i64,
        accepted: &WorkflowExecutionUpdateAcceptedEventAttributes,
    ) {
        let request = accepted.accepted_request.as_ref();
        let Some(input) = request.and_then(|request| request.input.as_ref()) else {
            return;
        };
        let at = self.task_started_at;
        let mut entry = self.request(at, &input.name, input.args.as_ref());
        entry.outcome = Some(Outcome::Running);
        let place = self.push(entry);
        self.updates.insert(event_id, (place, at));
    }

    fn request(&self, at: Nanos, name: &str, args: Option<&Payloads>) -> Entry {
        let asked = first(args).unwrap_or_default();
        let mut entry = self.entry(Kind::Request, at, "");
        entry.detail = Detail {
            request: Some(short(name)),
            ..asked_for(name, &asked, entry.detail)
        };
        entry.what = in_words(name, &entry.detail);
        entry
    }

    fn answered(&mut self, at: Nanos, answered: &WorkflowExecutionUpdateCompletedEventAttributes) {
        let Some((place, asked_at)) = self.updates.remove(&answered.accepted_event_id) else {
            return;
        };
        let answer = answered.outcome.as_ref();
        let fault = match answer.and_then(|outcome| outcome.value.as_ref()) {
            Some(Answer::Failure(failure)) => Some(fault(failure)),
            Some(Answer::Success(answer)) => first(Some(answer)).and_then(|it| failed_again(&it)),
            None => None,
        };
        let entry = &mut self.entries[place];
        entry.duration_ms = Some(span_ms(asked_at, at));
        end(entry, fault.as_ref());
    }
}

/// How a redrive that was carried out failed.
fn failed_again(answer: &Value) -> Option<Fault> {
    let failure = answer.get("failure")?;
    Some(Fault {
        outcome: Outcome::Failed,
        code: text(failure, "code")?,
        message: text(failure, "message")?,
    })
}

/// What of a request may be told: never the input that a redrive corrects,
/// nor the key that it is sent under.
fn asked_for(name: &str, asked: &Value, detail: Detail) -> Detail {
    match name {
        message::REPORT_KITCHEN_EVENT => Detail {
            // The first version sent the report's name and nothing else.
            event: asked.as_str().map(short).or_else(|| text(asked, "report")),
            report_id: text(asked, "reportId"),
            reason: text(asked, "reason"),
            ..detail
        },
        message::AMEND_ORDER => {
            let wish = asked.get("amendment").unwrap_or(asked);
            let flavour = wish.get("flavour").and_then(|it| text(it, "flavour"));
            Detail {
                flavour: flavour.or_else(|| text(wish, "flavour")),
                size: text(wish, "size"),
                quantity: wish.get("quantity").and_then(Value::as_i64),
                principal: text(asked, "principal"),
                ..detail
            }
        }
        message::CANCEL_ORDER
        | task_message::REDRIVE
        | task_message::DISCARD
        | task_message::QUEUE_POLICY => Detail {
            principal: text(asked, "principal"),
            reason: text(asked, "reason"),
            ..detail
        },
        _ => detail,
    }
}

/// A request for people.
fn in_words(name: &str, detail: &Detail) -> String {
    let what = match name {
        message::REPORT_KITCHEN_EVENT => {
            let event = detail.event.as_deref().unwrap_or_default();
            return format!("kitchen report {event}").trim_end().to_owned();
        }
        message::CANCEL_ORDER => "cancellation of the order",
        message::AMEND_ORDER => "amendment of the order",
        CANCEL_WORKFLOW => "cancellation of the workflow",
        task_message::QUEUE_POLICY => "policy of the queue",
        other => other,
    };
    short(what)
}
