//! Puts what is known of an order into one list.

use std::collections::HashSet;

use failure_queue::names::workflow_type::FAILED_TASK;
use pizza_domain::{Order, OrderId};
use pizza_store::{BusinessHistory, FailedTaskState, PizzaThen};
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_common::protos::temporal::api::history::v1::{
    History, WorkflowExecutionStartedEventAttributes,
};

use super::payload::value;
use super::{Entry, Kind, Outcome, SourceState, Sources, Timeline, books, entries_of, of_store};

/// An order as it was accepted.
pub struct Placed {
    /// The order.
    pub order_id: OrderId,
    /// When it was accepted, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// What was ordered at first.
    pub pizza: PizzaThen,
}

/// The timeline of an order, from what the store and the histories of its
/// workflows say.
pub fn merged(
    placed: &Placed,
    books: &BusinessHistory,
    histories: &[History],
    sources: Sources,
    truncated: bool,
) -> Timeline {
    let steps: Vec<Entry> = histories.iter().flat_map(entries_of).collect();
    let mut entries = vec![placed_entry(placed)];
    entries.extend(books::entries(books));
    // A parked task's own history says more of its parking.
    let told: HashSet<_> = steps.iter().filter_map(parking).collect();
    entries.retain(|entry| parking(entry).is_none_or(|task| !told.contains(task)));
    entries.extend(steps);
    Timeline {
        order_id: Some(placed.order_id.to_string()),
        placed_at: Some(placed.at_ms),
        sources,
        truncated: truncated || books.truncated,
        entries: sorted(entries),
    }
}

/// A history is that of another order than the ones before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is of order {found}, the others are of order {expected}")]
pub struct ForeignHistory {
    /// Its place in the list, from 0.
    pub place: usize,
    /// The order of the histories before it.
    pub expected: OrderId,
    /// Its own order.
    pub found: OrderId,
}

/// The timeline that histories alone give. A run that is given twice is told
/// once.
///
/// # Errors
/// When they are of several orders.
pub fn from_histories(histories: &[History]) -> Result<Timeline, ForeignHistory> {
    let mut order_id = None;
    let mut placed_at = None;
    let mut runs = HashSet::new();
    let mut entries = Vec::new();
    for (place, history) in histories.iter().enumerate() {
        let Some(started) = started(history) else {
            continue;
        };
        let order = order_in(started);
        let found = order_id_of(&started.workflow_id).or_else(|| Some(order.as_ref()?.order_id));
        match (order_id, found) {
            (Some(expected), Some(found)) if expected != found => {
                return Err(ForeignHistory {
                    place,
                    expected,
                    found,
                });
            }
            _ => order_id = order_id.or(found),
        }
        placed_at = placed_at.or_else(|| Some(order?.placed_at_ms));
        let run = &started.original_execution_run_id;
        if run.is_empty() || runs.insert(run.as_str()) {
            entries.extend(entries_of(history));
        }
    }
    Ok(Timeline {
        order_id: order_id.map(|id| id.to_string()),
        placed_at,
        sources: Sources {
            store: SourceState::NotAsked,
            temporal: SourceState::Read,
        },
        truncated: false,
        entries: sorted(entries),
    })
}

/// How a history begins.
fn started(history: &History) -> Option<&WorkflowExecutionStartedEventAttributes> {
    match history.events.first()?.attributes.as_ref()? {
        Attributes::WorkflowExecutionStartedEventAttributes(started) => Some(started),
        _ => None,
    }
}

/// The order that a workflow was started with: the saga and its branches are.
fn order_in(started: &WorkflowExecutionStartedEventAttributes) -> Option<Order> {
    let workflow_type = started.workflow_type.as_ref()?;
    if workflow_type.name == FAILED_TASK {
        return None;
    }
    let input = started.input.as_ref()?.payloads.first()?;
    serde_json::from_value(value(input)?).ok()
}

/// The order that a workflow's id names: `order-<id>`, `order-<id>-loyalty`,
/// `failed-<queue>-<id>`.
fn order_id_of(workflow_id: &str) -> Option<OrderId> {
    const LENGTH: usize = 36;
    let of_order = workflow_id
        .strip_prefix("order-")
        .and_then(|rest| rest.get(..LENGTH));
    let of_task = workflow_id
        .starts_with("failed-")
        .then(|| workflow_id.get(workflow_id.len().checked_sub(LENGTH)?..))
        .flatten();
    of_order.or(of_task)?.parse().ok()
}

fn placed_entry(placed: &Placed) -> Entry {
    let what = books::pizza(&placed.pizza);
    let mut entry = of_store(Kind::Placed, placed.at_ms, what);
    entry.detail = books::of_pizza(&placed.pizza);
    entry
}

/// The task whose parking an entry tells of.
fn parking(entry: &Entry) -> Option<&str> {
    let detail = &entry.detail;
    let parked = Some(FailedTaskState::Parked.as_str());
    (entry.kind == Kind::ParkedTask && detail.state.as_deref() == parked)
        .then_some(detail.task_id.as_deref())?
}

/// In the order in which it happened. What happened in the same millisecond
/// is told in the order in which one thing leads to another: a request, the
/// step that it brings about, what that books, what an observer then sees.
fn sorted(mut entries: Vec<Entry>) -> Vec<Entry> {
    // Stable: of one history, and of one table, the order is kept.
    entries.sort_by_key(|entry| (entry.at_ms, rank(entry)));
    entries
}

const fn rank(entry: &Entry) -> u8 {
    match entry.kind {
        Kind::Placed => 0,
        // The next run follows.
        Kind::End if matches!(entry.outcome, Some(Outcome::ContinuedAsNew)) => 1,
        Kind::Start => 2,
        Kind::Request => 3,
        Kind::Step => 4,
        Kind::Payment | Kind::Points | Kind::Report | Kind::Amendment => 5,
        Kind::Status | Kind::Change => 6,
        Kind::Notification | Kind::ParkedTask => 7,
        Kind::Wait => 8,
        Kind::End => 9,
    }
}

#[cfg(test)]
mod tests {
    use pizza_store::{ChangeEvent, LedgerEvent, ParkedTaskEvent, ReportEvent};

    use super::*;
    use crate::timeline::{Detail, Source, hide_operations};

    const ID: &str = "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";

    fn pizza(flavour: &str, total: i64) -> PizzaThen {
        PizzaThen {
            flavour: flavour.to_owned(),
            size: "medium".to_owned(),
            quantity: 1,
            total,
        }
    }

    fn change(version: i64, status: &str, money: &str, pizza: PizzaThen) -> ChangeEvent {
        ChangeEvent {
            version,
            at_ms: 10 * version,
            status: status.to_owned(),
            money: money.to_owned(),
            points: "none".to_owned(),
            pizza: Some(pizza),
        }
    }

    fn task() -> ParkedTaskEvent {
        ParkedTaskEvent {
            task_id: format!("failed-refund-payment-{ID}"),
            queue: "refund-payment".to_owned(),
            message_type: "RefundPaymentFailed".to_owned(),
            state: "discarded".to_owned(),
            parked_at_ms: 50,
            resolved_at_ms: Some(60),
            resolved_by: Some("ann".to_owned()),
            reason: Some("paid by hand".to_owned()),
        }
    }

    fn books() -> BusinessHistory {
        BusinessHistory {
            changes: vec![
                change(1, "Pending", "notCharged", pizza("plain", 1200)),
                change(2, "PaymentComplete", "charged", pizza("plain", 1200)),
                change(3, "PaymentComplete", "charged", pizza("hawaiian", 960)),
            ],
            payments: vec![LedgerEvent {
                entry: "charge".to_owned(),
                amount: 1200,
                at_ms: 20,
                ..LedgerEvent::default()
            }],
            reports: vec![ReportEvent {
                event: "rejected".to_owned(),
                report_id: Some("shift-of-olga/17".to_owned()),
                reason: Some("no oven".to_owned()),
                at_ms: 40,
            }],
            tasks: vec![task()],
            ..BusinessHistory::default()
        }
    }

    fn told(books: &BusinessHistory) -> Timeline {
        let placed = Placed {
            order_id: ID.parse().expect("an id"),
            at_ms: 10,
            pizza: pizza("plain", 1200),
        };
        let sources = Sources {
            store: SourceState::Read,
            temporal: SourceState::Empty,
        };
        merged(&placed, books, &[], sources, false)
    }

    #[test]
    fn what_happened_at_once_is_told_as_one_thing_leads_to_another() {
        let timeline = told(&books());
        let lines: Vec<_> = timeline
            .entries
            .iter()
            .map(|entry| (entry.kind, entry.what.as_str()))
            .collect();
        let expected = [
            (Kind::Placed, "1 x plain, medium: 12.00"),
            (Kind::Status, "Pending"),
            (Kind::Payment, "charge 12.00"),
            (Kind::Status, "PaymentComplete, money charged"),
            (Kind::Change, "1 x hawaiian, medium: 9.60"),
            (Kind::Report, "rejected: no oven"),
            (Kind::ParkedTask, "parked in refund-payment"),
            (Kind::ParkedTask, "refund-payment discarded"),
        ];
        assert_eq!(lines, expected);

        let mut entries = vec![
            Entry::new(Source::Temporal, Kind::End, 5, "end"),
            Entry::new(Source::Temporal, Kind::Wait, 5, "wait"),
            Entry::new(Source::Store, Kind::Status, 5, "status"),
            Entry::new(Source::Store, Kind::Payment, 5, "payment"),
            Entry::new(Source::Temporal, Kind::Step, 5, "step"),
            Entry::new(Source::Temporal, Kind::Step, 5, "next step"),
            Entry::new(Source::Temporal, Kind::Request, 5, "request"),
            Entry::new(Source::Temporal, Kind::Request, 4, "before"),
        ];
        entries = sorted(entries);
        let whats: Vec<_> = entries.iter().map(|entry| entry.what.as_str()).collect();
        let expected = [
            "before",
            "request",
            "step",
            "next step",
            "payment",
            "status",
            "wait",
            "end",
        ];
        assert_eq!(whats, expected);
    }

    #[test]
    fn a_customer_is_not_told_what_is_between_operators() {
        let mut timeline = told(&books());
        let json = serde_json::to_string(&timeline).expect("JSON");
        assert!(json.contains("shift-of-olga/17"), "{json}");
        let detail = |request: &str, principal: Option<&str>, reason: &str| Detail {
            request: Some(request.to_owned()),
            principal: principal.map(str::to_owned),
            reason: Some(reason.to_owned()),
            ..Detail::default()
        };
        let failed = |code: &str, message: &str| Detail {
            code: Some(code.to_owned()),
            message: Some(message.to_owned()),
            ..Detail::default()
        };
        let redrive = Detail {
            code: Some("store-unavailable".to_owned()),
            message: Some("error 17 of machine 4".to_owned()),
            ..detail("redrive", Some("ann"), "a favour")
        };
        for (kind, outcome, detail) in [
            (Kind::Request, Outcome::Failed, redrive),
            (
                Kind::Request,
                Outcome::Ok,
                detail("cancelOrder", Some("ann"), "a nuisance"),
            ),
            (
                Kind::Request,
                Outcome::Ok,
                detail("cancelOrder", None, "too late for me"),
            ),
            (
                Kind::Request,
                Outcome::Ok,
                detail("cancelWorkflow", None, "by ann"),
            ),
            (
                Kind::End,
                Outcome::Terminated,
                detail("", None, "ann ended it"),
            ),
            (
                Kind::Step,
                Outcome::Refused,
                failed("declined", "the bank said no"),
            ),
            (
                Kind::Step,
                Outcome::Refused,
                failed("unknown", "cannot read field 3"),
            ),
            (
                Kind::Step,
                Outcome::TimedOut,
                failed("timeout", "activity ScheduleToClose"),
            ),
            (
                Kind::End,
                Outcome::Failed,
                failed("kitchen-late", "the kitchen was late"),
            ),
            (
                Kind::End,
                Outcome::Failed,
                failed("unknown", "cannot read the input"),
            ),
        ] {
            let mut entry = Entry::new(Source::Temporal, kind, 55, "it");
            entry.outcome = Some(outcome);
            entry.detail = detail;
            timeline.entries.push(entry);
        }
        hide_operations(&mut timeline);
        let json = serde_json::to_string(&timeline).expect("JSON");
        for hidden in [
            "ann",
            "olga",
            "paid by hand",
            "machine 4",
            "a favour",
            "a nuisance",
            "cannot read",
            "ScheduleToClose",
        ] {
            assert!(!json.contains(hidden), "{hidden} in {json}");
        }
        for shown in [
            "no oven",
            "store-unavailable",
            "discarded",
            "too late for me",
            "the bank said no",
            "the kitchen was late",
        ] {
            assert!(json.contains(shown), "{shown} not in {json}");
        }
    }

    #[test]
    fn the_order_of_a_workflow_is_found_in_its_id() {
        for id in [
            format!("order-{ID}"),
            format!("order-{ID}-loyalty"),
            format!("failed-remove-loyalty-points-{ID}"),
        ] {
            let found = order_id_of(&id).map(|id| id.to_string());
            assert_eq!(found.as_deref(), Some(ID), "{id}");
        }
        for id in [
            "",
            "order-",
            "failed-",
            "failed-\u{1f355}\u{1f355}",
            ID,
            "order-7",
        ] {
            assert_eq!(order_id_of(id), None, "{id}");
        }
    }
}
