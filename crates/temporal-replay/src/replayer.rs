//! Replays one history with this build's workflows and says what came of it.
//!
//! The SDK's replayer was made for tests, and trusts what it is given: on some malformed histories
//! it panics in a task of its own or waits for ever. Hence the checks before, a thread for each
//! replay, and a deadline.

use std::{sync::Once, thread, time::Duration};

use temporalio_client::WorkflowHistory;
use temporalio_common::protos::temporal::api::{
    enums::v1::EventType,
    history::v1::{History, HistoryEvent},
};
use temporalio_sdk::workflow_replayer::{
    WorkflowReplayError, WorkflowReplayFailure, WorkflowReplayer, WorkflowReplayerOptions,
};
use tokio::sync::oneshot;

use crate::{
    fault::{Fault, Kind},
    history_json::start_of,
};

/// How long one replay may take. A history of 50 events takes some 10 ms.
const DEADLINE: Duration = Duration::from_secs(60);
/// How long the search for the event at which a replay broke may take: some 10 replays.
const SEARCH_DEADLINE: Duration = Duration::from_secs(10);
/// What a replay whose workflow code blocks its thread gets on top, before it is given up.
const GRACE: Duration = Duration::from_secs(2);
/// The search for the broken event replays again and again: its panics need not be printed.
const QUIET_THREAD: &str = "replay-search";

/// Says which workflows there are. Called for each replay, because the options cannot be shared
/// between threads.
pub type Registration = fn() -> anyhow::Result<WorkflowReplayerOptions>;

/// How a replay that went well went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replayed {
    /// The workflow did again what the history says.
    Same,
    /// No worker has taken the workflow up yet: there is nothing to compare.
    NotBegun,
}

/// Replays histories with the workflows that a function registers.
#[derive(Debug, Clone, Copy)]
pub struct Replayer {
    register: Registration,
    deadline: Duration,
}

impl Replayer {
    /// A replayer of the workflows that `register` names.
    pub fn new(register: Registration) -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(silence_search);
        Self {
            register,
            deadline: DEADLINE,
        }
    }

    /// Replays `history`. Takes at most 60 s, and 10 s more to find out where it broke.
    ///
    /// Only workflow tasks that were completed are compared: what the workflow would do next is
    /// free to change.
    ///
    /// # Errors
    /// What was wrong, and where.
    pub async fn replay(self, history: History) -> Result<Replayed, Fault> {
        self.check(&history.events)?;
        if !has_begun(&history.events) {
            return Ok(Replayed::NotBegun);
        }
        let outcome = self.on_own_thread("replay", history.clone()).await;
        let Err(mut fault) = outcome else {
            return Ok(Replayed::Same);
        };
        fault.event_id = match named_event(&fault.message) {
            Some(id) => Some(id),
            None => self.search(&fault, &history).await,
        };
        fault.event_type = fault
            .event_id
            .and_then(|id| history.events.iter().find(|event| event.event_id == id))
            .map(|event| format!("{:?}", event.event_type()));
        Err(fault)
    }

    /// Refuses what the SDK would panic on, or not end with.
    fn check(self, events: &[HistoryEvent]) -> Result<(), Fault> {
        let invalid = |why: String| Fault::new(Kind::InvalidHistory, why);
        let started = start_of(events).map_err(|error| invalid(error.to_string()))?;
        let workflow_type = started.workflow_type.as_ref().map_or("", |t| &t.name);
        if workflow_type.is_empty() {
            return Err(invalid("its first event names no workflow type".into()));
        }
        if started.original_execution_run_id.is_empty() {
            return Err(invalid("its first event names no run id".into()));
        }
        in_order(events).map_err(invalid)?;
        self.knows(workflow_type)
    }

    /// Whether this build has the workflow type.
    fn knows(self, workflow_type: &str) -> Result<(), Fault> {
        let options = (self.register)().map_err(internal)?;
        let definitions = options.workflows();
        let mut known: Vec<&str> = definitions
            .workflow_definitions()
            .map(|definition| definition.workflow_type.as_str())
            .collect();
        if known.contains(&workflow_type) {
            return Ok(());
        }
        known.sort_unstable();
        Err(Fault::new(
            Kind::UnknownWorkflowType,
            format!(
                "this build has no workflow type {workflow_type:?}, only {}",
                known.join(", ")
            ),
        ))
    }

    /// The first event with which the history breaks in the same way: histories cut after more and
    /// more events are replayed. `None` when there is no such event, or no time to find it.
    async fn search(self, fault: &Fault, history: &History) -> Option<i64> {
        if !matches!(fault.kind, Kind::Nondeterminism | Kind::WorkflowTaskFailure) {
            return None;
        }
        let cuts: Vec<usize> = (2..=history.events.len()).collect();
        let found = tokio::time::timeout(SEARCH_DEADLINE, async {
            let (mut low, mut high) = (0, cuts.len().checked_sub(1)?);
            while low < high {
                let middle = low + (high - low) / 2;
                if self.breaks(history, cuts[middle], fault.kind).await {
                    high = middle;
                } else {
                    low = middle + 1;
                }
            }
            Some(cuts[high])
        });
        let length = found.await.ok()??;
        history.events.get(length - 1).map(|event| event.event_id)
    }

    /// Whether the first `length` events break in the given way.
    async fn breaks(self, history: &History, length: usize, kind: Kind) -> bool {
        let events = history.events[..length].to_vec();
        if !has_begun(&events) {
            return false;
        }
        let outcome = self.on_own_thread(QUIET_THREAD, History { events }).await;
        outcome.is_err_and(|fault| fault.kind == kind)
    }

    /// Replays on a thread with a runtime of its own: the SDK's future cannot change threads, and
    /// neither its panics nor workflow code that blocks may stop the rest. A thread that blocks for
    /// ever is left behind.
    async fn on_own_thread(self, name: &str, history: History) -> Result<(), Fault> {
        let (sender, receiver) = oneshot::channel();
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                // Whoever waited may have given up: then nobody wants to know.
                let _ = sender.send(self.replay_here(history));
            })
            .map_err(|error| internal(error.into()))?;
        match tokio::time::timeout(self.deadline + GRACE, receiver).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(Fault::new(Kind::Internal, "the replay panicked")),
            Err(_) => Err(self.timeout()),
        }
    }

    /// Replays on this thread, which must not belong to a runtime.
    fn replay_here(self, history: History) -> Result<(), Fault> {
        // The SDK logs each break; the verdict says the same in one line.
        let _quiet = tracing::subscriber::set_default(tracing::subscriber::NoSubscriber::new());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| internal(error.into()))?;
        let outcome = runtime.block_on(async {
            let options = (self.register)().map_err(internal)?;
            let replayer = WorkflowReplayer::new(options).map_err(fault)?;
            let replay = replayer.replay_workflow(WorkflowHistory::from(history));
            tokio::time::timeout(self.deadline, replay)
                .await
                .map_err(|_| self.timeout())?
                .map_err(fault)
        });
        runtime.shutdown_background();
        outcome
    }

    /// The fault of a replay that did not end.
    fn timeout(self) -> Fault {
        let seconds = self.deadline.as_secs();
        Fault::new(
            Kind::Timeout,
            format!("the replay did not end within {seconds} s"),
        )
    }
}

/// Keeps the panics of workflow code from being printed again for each step of a search.
fn silence_search() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if thread::current().name() != Some(QUIET_THREAD) {
            print(info);
        }
    }));
}

/// Checks that no event is missing in the middle or there twice, and that each workflow task ends.
fn in_order(events: &[HistoryEvent]) -> Result<(), String> {
    for (expected, event) in (1i64..).zip(events) {
        if event.event_id != expected {
            return Err(format!(
                "event {expected} is missing: event {} is in its place",
                event.event_id
            ));
        }
    }
    for pair in events.windows(2) {
        let ends_task = matches!(
            pair[1].event_type(),
            EventType::WorkflowTaskCompleted
                | EventType::WorkflowTaskFailed
                | EventType::WorkflowTaskTimedOut
                | EventType::WorkflowExecutionTerminated
                | EventType::WorkflowExecutionTimedOut
        );
        if pair[0].event_type() == EventType::WorkflowTaskStarted && !ends_task {
            return Err(format!(
                "event {} is {:?} where the end of a workflow task should be",
                pair[1].event_id,
                pair[1].event_type()
            ));
        }
    }
    Ok(())
}

/// Whether a workflow task was completed. Before that there is nothing to compare with, and the
/// SDK's replayer may wait for ever.
fn has_begun(events: &[HistoryEvent]) -> bool {
    events
        .iter()
        .any(|event| event.event_type() == EventType::WorkflowTaskCompleted)
}

/// The event that core names in messages such as `HistoryEvent(id: 6, TimerStarted)`.
fn named_event(message: &str) -> Option<i64> {
    let (_, after) = message.split_once("HistoryEvent(id: ")?;
    after.split([',', ')']).next()?.trim().parse().ok()
}

/// A fault of the SDK, or of this program.
fn internal(error: anyhow::Error) -> Fault {
    Fault::new(Kind::Internal, format!("{error:#}"))
}

/// Sorts the SDK's errors.
fn fault(error: WorkflowReplayError) -> Fault {
    match error {
        WorkflowReplayError::Replay(WorkflowReplayFailure::Nondeterminism { message }) => {
            Fault::new(Kind::Nondeterminism, core_message(&message))
        }
        WorkflowReplayError::Replay(WorkflowReplayFailure::InvalidHistory { message }) => {
            Fault::new(Kind::InvalidHistory, message)
        }
        WorkflowReplayError::Replay(WorkflowReplayFailure::WorkflowTaskFailure { message }) => {
            Fault::new(Kind::WorkflowTaskFailure, core_message(&message))
        }
        other => internal(anyhow::Error::new(other)),
    }
}

/// Core gives its failure as a debug print of the protobuf message; the text in it is taken out.
/// What does not look like that is left as it is.
fn core_message(debug: &str) -> String {
    quoted_message(debug).unwrap_or_else(|| debug.to_owned())
}

/// The text of the first `message: "…"` in a debug print, without its escapes.
fn quoted_message(debug: &str) -> Option<String> {
    let (_, quoted) = debug.split_once("Failure { message: \"")?;
    let mut text = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next()? {
            '"' => return Some(text),
            '\\' => match chars.next()? {
                'n' => text.push('\n'),
                'r' => text.push('\r'),
                't' => text.push('\t'),
                'u' => text.push(unicode_escape(&mut chars)?),
                other => text.push(other),
            },
            other => text.push(other),
        }
    }
}

/// The character of `\u{…}`, of which `\u` is read already.
fn unicode_escape(chars: &mut std::str::Chars<'_>) -> Option<char> {
    let digits: String = chars
        .by_ref()
        .skip_while(|c| *c == '{')
        .take_while(|c| *c != '}')
        .collect();
    char::from_u32(u32::from_str_radix(&digits, 16).ok()?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::history_json::parse_history;

    fn no_workflows() -> anyhow::Result<WorkflowReplayerOptions> {
        Ok(WorkflowReplayerOptions::new().build())
    }

    fn recorded() -> History {
        parse_history(include_bytes!("testdata/cli_history.json")).unwrap()
    }

    async fn fault_of(history: History) -> Fault {
        Replayer::new(no_workflows)
            .replay(history)
            .await
            .unwrap_err()
    }

    #[tokio::test]
    async fn a_workflow_type_that_this_build_lacks_is_named() {
        let fault = fault_of(recorded()).await;
        assert_eq!(fault.kind, Kind::UnknownWorkflowType);
        assert!(fault.message.contains("\"Order\""), "{}", fault.message);
    }

    #[tokio::test]
    async fn a_missing_event_is_the_fault_of_the_history() {
        let mut history = recorded();
        history.events.remove(5);
        let fault = fault_of(history).await;
        assert_eq!(fault.kind, Kind::InvalidHistory);
        assert_eq!(fault.message, "event 6 is missing: event 7 is in its place");
    }

    #[tokio::test]
    async fn a_history_without_its_beginning_is_refused() {
        let mut history = recorded();
        history.events.remove(0);
        assert_eq!(fault_of(history).await.kind, Kind::InvalidHistory);
        let empty = History { events: Vec::new() };
        assert_eq!(fault_of(empty).await.kind, Kind::InvalidHistory);
    }

    #[test]
    fn a_workflow_task_must_end() {
        let mut events = recorded().events;
        assert_eq!(in_order(&events), Ok(()));
        events[3].event_type = EventType::TimerFired.into();
        assert!(in_order(&events).unwrap_err().starts_with("event 4 is"));
    }

    #[test]
    fn a_history_has_begun_with_its_first_completed_workflow_task() {
        let events = recorded().events;
        assert!(!has_begun(&events[..3]));
        assert!(has_begun(&events[..4]));
    }

    #[test]
    fn the_text_is_taken_out_of_cores_debug_print() {
        let debug = "Workflow activation completion failed: Failure { failure: Some(Failure { \
            message: \"[TMPRL1100] Nondeterminism error: Timer machine does not handle this event: \
            HistoryEvent(id: 6, TimerStarted) \\\"x\\\"\\n\\u{1b}\", source: \"\" }) }";
        let text = core_message(debug);
        assert_eq!(
            text,
            "[TMPRL1100] Nondeterminism error: Timer machine does not handle this event: \
             HistoryEvent(id: 6, TimerStarted) \"x\"\n\u{1b}"
        );
        assert_eq!(named_event(&text), Some(6));
        assert_eq!(core_message("something else"), "something else");
        assert_eq!(
            core_message("Failure { message: \"cut"),
            "Failure { message: \"cut"
        );
        assert_eq!(named_event("Activity type mismatch"), None);
    }
}
