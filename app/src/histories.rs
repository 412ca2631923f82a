//! Reads the histories of an order's workflows: those of the saga and its
//! branches, of its parked tasks, and of what these parked in turn.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use failure_queue::names::workflow_type::FAILED_TASK;
use pizza_domain::OrderId;
use pizza_workflows::names::{fulfilment_workflow_id, loyalty_workflow_id, order_workflow_id};
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
use temporalio_common::protos::temporal::api::history::v1::History;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_common::protos::temporal::api::workflowservice::v1::GetWorkflowExecutionHistoryResponse;
use tokio::time::Instant;

use super::TemporalGateway;
use super::temporal_error::TemporalError;
use crate::timeline::SourceState;

/// The most events that are read of one order, all its workflows together. An
/// order without a fault has about 60.
pub(super) const MOST_EVENTS: u32 = 5_000;

/// The most runs of an order's workflows that are looked for.
const MOST_RUNS: u32 = 50;

/// Events on a page: of a larger one Temporal complains in its log.
const PAGE: u32 = 256;

/// A page of a history; none of a run that is not there.
type Page = Result<Option<GetWorkflowExecutionHistoryResponse>, TemporalError>;

/// Which runs of an order's workflows are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runs {
    /// All that Temporal lists. There is a limit on how often it does.
    All,
    /// The latest ones, and those that they continue.
    Latest,
}

/// What was read.
#[derive(Debug)]
pub(super) struct Histories {
    pub(super) histories: Vec<History>,
    pub(super) state: SourceState,
    /// Whether there are more events than were to be read.
    pub(super) truncated: bool,
}

impl TemporalGateway {
    /// The histories of an order's workflows and of these tasks of it, as far
    /// as Temporal hands them out within `limit`. No worker is needed.
    pub(super) async fn histories(
        &self,
        order: OrderId,
        tasks: Vec<String>,
        runs: Runs,
        limit: Duration,
    ) -> Histories {
        let deadline = Instant::now() + limit;
        let of_order = [
            order_workflow_id(order),
            loyalty_workflow_id(order),
            fulfilment_workflow_id(order),
        ];
        // An order that was ended from outside has a run for each time that it
        // was taken up.
        let query = of_order.each_ref().map(|id| format!("WorkflowId = '{id}'"));
        let listed = match runs {
            Runs::All => self.list(query.join(" OR "), MOST_RUNS, limit).await,
            Runs::Latest => Ok(Vec::new()),
        };
        let mut runs: Vec<_> = listed.iter().flatten().collect();
        runs.sort_by_key(|run| std::cmp::Reverse(run.started_at_ms));
        let is_listed = |id: &String| runs.iter().any(|run| run.id == *id);
        let unlisted = of_order.into_iter().filter(|id| !is_listed(id));
        let latest = unlisted.chain(tasks).map(latest_run);
        let known = runs.iter().map(|run| WorkflowExecution {
            workflow_id: run.id.clone(),
            run_id: run.run_id.clone(),
        });
        let runs = latest.chain(known).collect();
        let mut found = read(runs, MOST_EVENTS, |run, most, token| {
            let left = deadline.saturating_duration_since(Instant::now());
            self.history_page(run, most, token, left)
        })
        .await;
        if listed.is_err() && found.state == SourceState::Read {
            found.state = SourceState::Partial;
        }
        found
    }
}

fn latest_run(workflow_id: String) -> WorkflowExecution {
    WorkflowExecution {
        workflow_id,
        run_id: String::new(),
    }
}

/// Reads these runs, the earlier ones that they continue, and the tasks that
/// were parked in them, until `left` events are read or a page fails.
async fn read<F>(
    mut runs: VecDeque<WorkflowExecution>,
    mut left: u32,
    page: impl Fn(WorkflowExecution, u32, Vec<u8>) -> F,
) -> Histories
where
    F: Future<Output = Page>,
{
    let mut found = Histories {
        histories: Vec::new(),
        state: SourceState::Read,
        truncated: false,
    };
    let mut seen: HashSet<(String, String)> = HashSet::new();
    while let Some(run) = runs.pop_front() {
        if !seen.insert((run.workflow_id.clone(), run.run_id.clone())) {
            continue;
        }
        if left == 0 {
            found.truncated = true;
            break;
        }
        let mut history = History::default();
        let whole = pages(&run, &mut left, &mut history, &page).await;
        seen.extend(run_before_reset(&run, &history));
        runs.extend(earlier_run(&run, &history));
        runs.extend(parked_in(&history).map(latest_run));
        if !history.events.is_empty() {
            found.histories.push(history);
        }
        match whole {
            Ok(whole) => found.truncated |= !whole,
            Err(error) => {
                tracing::warn!(
                    workflow_id = run.workflow_id,
                    error = &error as &dyn std::error::Error,
                    "a history cannot be read"
                );
                found.state = SourceState::Partial;
                break;
            }
        }
    }
    if found.histories.is_empty() {
        found.state = match found.state {
            SourceState::Partial => SourceState::Unavailable,
            _ => SourceState::Empty,
        };
    }
    found
}

/// Reads the pages of one run. Whether that was all of it.
async fn pages<F>(
    run: &WorkflowExecution,
    left: &mut u32,
    history: &mut History,
    page: &impl Fn(WorkflowExecution, u32, Vec<u8>) -> F,
) -> Result<bool, TemporalError>
where
    F: Future<Output = Page>,
{
    let mut token = Vec::new();
    loop {
        let Some(answer) = page(run.clone(), PAGE.min(*left), token).await? else {
            return Ok(true);
        };
        let mut events = answer.history.unwrap_or_default().events;
        let most = usize::try_from(*left).unwrap_or(usize::MAX);
        // A server may send more than it was asked for.
        let cut = events.len() > most;
        events.truncate(most);
        *left -= u32::try_from(events.len()).unwrap_or(*left);
        history.events.append(&mut events);
        token = answer.next_page_token;
        if cut || token.is_empty() {
            return Ok(!cut);
        }
        if *left == 0 {
            return Ok(false);
        }
    }
}

/// The run that this one was made of by a reset: what it did, this one's
/// history begins with. It is the run itself where there was no reset.
fn run_before_reset(run: &WorkflowExecution, history: &History) -> Option<(String, String)> {
    let Attributes::WorkflowExecutionStartedEventAttributes(started) =
        history.events.first()?.attributes.as_ref()?
    else {
        return None;
    };
    let run_id = started.original_execution_run_id.clone();
    (!run_id.is_empty()).then(|| (run.workflow_id.clone(), run_id))
}

/// The run that this one continues.
fn earlier_run(run: &WorkflowExecution, history: &History) -> Option<WorkflowExecution> {
    let Attributes::WorkflowExecutionStartedEventAttributes(started) =
        history.events.first()?.attributes.as_ref()?
    else {
        return None;
    };
    let run_id = started.continued_execution_run_id.clone();
    (!run_id.is_empty()).then(|| WorkflowExecution {
        workflow_id: run.workflow_id.clone(),
        run_id,
    })
}

/// The tasks that a workflow parked.
fn parked_in(history: &History) -> impl Iterator<Item = String> {
    history.events.iter().filter_map(|event| {
        let Attributes::ChildWorkflowExecutionStartedEventAttributes(child) =
            event.attributes.as_ref()?
        else {
            return None;
        };
        let is_task = child.workflow_type.as_ref()?.name == FAILED_TASK;
        let child = child.workflow_execution.as_ref()?;
        is_task.then(|| child.workflow_id.clone())
    })
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use temporalio_common::protos::temporal::api::common::v1::WorkflowType;
    use temporalio_common::protos::temporal::api::history::v1::{
        ChildWorkflowExecutionStartedEventAttributes, HistoryEvent,
        WorkflowExecutionStartedEventAttributes,
    };

    use super::*;

    fn started(continued: &str) -> HistoryEvent {
        let started = WorkflowExecutionStartedEventAttributes {
            continued_execution_run_id: continued.to_owned(),
            ..Default::default()
        };
        event(Attributes::WorkflowExecutionStartedEventAttributes(started))
    }

    fn parked(task: &str) -> HistoryEvent {
        let child = ChildWorkflowExecutionStartedEventAttributes {
            workflow_type: Some(WorkflowType {
                name: FAILED_TASK.to_owned(),
            }),
            workflow_execution: Some(latest_run(task.to_owned())),
            ..Default::default()
        };
        event(Attributes::ChildWorkflowExecutionStartedEventAttributes(
            child,
        ))
    }

    fn event(attributes: Attributes) -> HistoryEvent {
        HistoryEvent {
            attributes: Some(attributes),
            ..Default::default()
        }
    }

    /// What is asked of a Temporal with these runs, and what comes of it. A
    /// page has at most three events; the runs that are not there are
    /// forgotten, one called `broken` cannot be read.
    async fn read_of(
        runs: &[(&str, &str, Vec<HistoryEvent>)],
        first: &[&str],
        most: u32,
    ) -> (Histories, Vec<String>) {
        let asked = RefCell::new(Vec::new());
        let wanted = first.iter().map(|id| latest_run((*id).to_owned()));
        let found = read(
            wanted.collect(),
            most,
            async |run: WorkflowExecution, most: u32, token: Vec<u8>| {
                let name = format!("{}/{}", run.workflow_id, run.run_id);
                asked.borrow_mut().push(name);
                if run.workflow_id == "broken" {
                    return Err(TemporalError::TimedOut);
                }
                let known = runs
                    .iter()
                    .find(|(id, run_id, _)| *id == run.workflow_id && *run_id == run.run_id);
                let Some((_, _, events)) = known else {
                    return Ok(None);
                };
                let from = token.first().copied().map_or(0, usize::from);
                let to = (from + 3.min(most as usize)).min(events.len());
                let next = (to < events.len()).then(|| u8::try_from(to).expect("small"));
                Ok(Some(GetWorkflowExecutionHistoryResponse {
                    history: Some(History {
                        events: events[from..to].to_vec(),
                    }),
                    next_page_token: next.into_iter().collect(),
                    ..Default::default()
                }))
            },
        )
        .await;
        (found, asked.into_inner())
    }

    #[tokio::test]
    async fn pages_earlier_runs_and_parked_tasks_are_followed() {
        let runs = [
            (
                "order",
                "",
                vec![started(""), parked("task"), started(""), parked("task")],
            ),
            ("task", "", vec![started("r1"), parked("next")]),
            ("task", "r1", vec![started("")]),
            ("next", "", vec![started("")]),
        ];
        let (found, asked) = read_of(&runs, &["order", "gone"], MOST_EVENTS).await;
        let expected = ["order/", "order/", "gone/", "task/", "task/r1", "next/"];
        assert_eq!(asked, expected);
        let lengths: Vec<_> = found.histories.iter().map(|it| it.events.len()).collect();
        assert_eq!(lengths, [4, 2, 1, 1]);
        assert_eq!((found.state, found.truncated), (SourceState::Read, false));
    }

    #[tokio::test]
    async fn no_more_events_are_read_than_the_limit() {
        let runs = [
            ("order", "", vec![started(""); 5]),
            ("loyalty", "", vec![started("")]),
        ];
        for (most, lengths, truncated) in [
            (4, vec![4], true),
            (5, vec![5], true),
            (6, vec![5, 1], false),
        ] {
            let (found, _) = read_of(&runs, &["order", "loyalty"], most).await;
            let read: Vec<_> = found.histories.iter().map(|it| it.events.len()).collect();
            assert_eq!((read, found.truncated), (lengths, truncated), "{most}");
        }
    }

    #[tokio::test]
    async fn what_was_had_is_told() {
        let runs = [("order", "", vec![started("")])];
        for (first, state) in [
            (&["order"][..], SourceState::Read),
            (&["order", "broken"], SourceState::Partial),
            (&["broken", "order"], SourceState::Unavailable),
            (&["gone"], SourceState::Empty),
        ] {
            let (found, _) = read_of(&runs, first, MOST_EVENTS).await;
            assert_eq!(found.state, state, "{first:?}");
        }
    }
}
