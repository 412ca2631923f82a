//! What `pizza replay` prints: one line for each history on stdout, the rest on stderr.

use std::process::ExitCode;

use serde::Serialize;
use serde_json::json;
use temporal_replay::{Fault, Identity, Kind, Replayed};

use crate::client::output::{self, Live};

/// Exit code when all was read and something broke.
const BROKEN: u8 = 1;
/// Exit code when nothing broke, and something could not be read. Also clap's for wrong usage.
const UNREADABLE: u8 = 2;

/// What was asked for: where its history came from, and what that is.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// A file, `-` for stdin, or the option that named it.
    pub(crate) source: String,
    /// Whether `source` is a file or stdin, and so worth printing next to the workflow's id.
    pub(crate) is_file: bool,
    /// What the history is of.
    pub(crate) identity: Identity,
}

impl Subject {
    /// What a server is asked for by this option.
    pub(crate) fn of_server(source: String, identity: Identity) -> Self {
        Self {
            source,
            is_file: false,
            identity,
        }
    }
}

/// One history and its verdict, as `--json` prints it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    source: &'a str,
    workflow_id: Option<&'a str>,
    run_id: Option<&'a str>,
    workflow_type: Option<&'a str>,
    events: Option<usize>,
    ok: bool,
    kind: Option<Kind>,
    event_id: Option<i64>,
    error: Option<&'a str>,
}

/// Prints verdicts as they come, and counts them.
pub(crate) struct Report {
    json: bool,
    progress: Live,
    ok: usize,
    broken: usize,
    unreadable: usize,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            progress: Live::new(),
            ok: 0,
            broken: 0,
            unreadable: 0,
        }
    }

    /// Prints one verdict.
    pub(crate) fn verdict(&mut self, subject: &Subject, outcome: &Result<Replayed, Fault>) {
        self.count(outcome);
        self.progress.erase();
        if self.json {
            output::json(&json!(record(subject, outcome)));
        } else {
            output::data(&line(subject, outcome));
        }
    }

    fn count(&mut self, outcome: &Result<Replayed, Fault>) {
        match outcome {
            Ok(_) => self.ok += 1,
            Err(fault) if fault.kind.is_bad_input() => self.unreadable += 1,
            Err(_) => self.broken += 1,
        }
    }

    /// Says on a terminal how far it is, on a line that the next verdict overwrites.
    pub(crate) fn show_progress(&mut self) {
        self.progress.draw(&format!("{} …", self.counts()));
    }

    /// Prints the summary on stderr and gives the exit code: what broke weighs more than what could
    /// not be read.
    pub(crate) fn finish(mut self) -> ExitCode {
        self.progress.erase();
        output::note(&self.counts());
        ExitCode::from(self.code())
    }

    fn code(&self) -> u8 {
        match (self.broken, self.unreadable) {
            (0, 0) => 0,
            (0, _) => UNREADABLE,
            _ => BROKEN,
        }
    }

    fn counts(&self) -> String {
        let all = self.ok + self.broken + self.unreadable;
        let histories = if all == 1 { "history" } else { "histories" };
        format!(
            "{all} {histories}: {} ok, {} broken, {} unreadable",
            self.ok, self.broken, self.unreadable
        )
    }
}

fn record<'a>(subject: &'a Subject, outcome: &'a Result<Replayed, Fault>) -> Record<'a> {
    let identity = &subject.identity;
    let fault = outcome.as_ref().err();
    Record {
        source: &subject.source,
        workflow_id: identity.workflow_id.as_deref(),
        run_id: identity.run_id.as_deref(),
        workflow_type: identity.workflow_type.as_deref(),
        events: identity.events,
        ok: fault.is_none(),
        kind: fault.map(|fault| fault.kind),
        event_id: fault.and_then(|fault| fault.event_id),
        error: fault.map(|fault| fault.message.as_str()),
    }
}

/// The line for people.
fn line(subject: &Subject, outcome: &Result<Replayed, Fault>) -> String {
    match outcome {
        Ok(Replayed::Same) => format!("ok  {}", which(subject)),
        Ok(Replayed::NotBegun) => format!(
            "ok  {}  (no workflow task completed yet: nothing to compare)",
            which(subject)
        ),
        Err(fault) if fault.kind.is_bad_input() => {
            format!("unreadable  {}: {}", subject.source, fault.message)
        }
        Err(fault) => format!("BROKEN  {}: {fault}", which(subject)),
    }
}

/// The workflow's id and type, its number of events, and the file that they come from.
fn which(subject: &Subject) -> String {
    let identity = &subject.identity;
    let workflow_id = identity.workflow_id.as_deref().unwrap_or("(no id)");
    let workflow_type = identity.workflow_type.as_deref().unwrap_or("(no type)");
    let events = identity.events.unwrap_or_default();
    let unit = if events == 1 { "event" } else { "events" };
    let mut text = format!("{workflow_id}  {workflow_type}  {events} {unit}");
    if subject.is_file {
        text.push_str("  ");
        text.push_str(&subject.source);
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn subject() -> Subject {
        Subject {
            source: "a.json".into(),
            is_file: true,
            identity: Identity {
                workflow_id: Some("order-1".into()),
                run_id: Some("run".into()),
                workflow_type: Some("PizzaOrder".into()),
                events: Some(56),
            },
        }
    }

    fn broken() -> Result<Replayed, Fault> {
        Err(Fault {
            kind: Kind::Nondeterminism,
            event_id: Some(6),
            event_type: Some("TimerStarted".into()),
            message: "two\nlines \x1b[31m".into(),
        })
    }

    #[test]
    fn each_history_has_one_line_that_cannot_steer_the_terminal() {
        let unreadable = Err(Fault::new(Kind::Unreadable, "it is empty"));
        let printed = |outcome| output::plain(&line(&subject(), &outcome));
        assert_eq!(
            [Ok(Replayed::Same), broken(), unreadable].map(printed),
            [
                "ok  order-1  PizzaOrder  56 events  a.json",
                "BROKEN  order-1  PizzaOrder  56 events  a.json: nondeterministic at event 6 \
                 (TimerStarted): two\\u000alines \\u001b[31m",
                "unreadable  a.json: it is empty",
            ]
        );
    }

    #[test]
    fn json_says_of_each_history_what_it_is_and_how_it_went() {
        let of = |outcome| json!(record(&subject(), &outcome));
        let (same, broken) = (of(Ok(Replayed::NotBegun)), of(broken()));
        assert_eq!(same["ok"], true);
        assert_eq!(same["kind"], serde_json::Value::Null);
        let expected = json!({
            "ok": false, "kind": "nondeterminism", "eventId": 6, "workflowId": "order-1",
            "runId": "run", "workflowType": "PizzaOrder", "source": "a.json", "events": 56,
            "error": "two\nlines \u{1b}[31m",
        });
        assert_eq!(broken, expected);
    }

    #[test]
    fn the_exit_code_tells_broken_from_unreadable() {
        let unreadable = || Err(Fault::new(Kind::Unreadable, ""));
        let invalid = || Err(Fault::new(Kind::InvalidHistory, ""));
        let unknown = || Err(Fault::new(Kind::UnknownWorkflowType, ""));
        let code = |outcomes: &[Result<Replayed, Fault>]| {
            let mut report = Report::new(true);
            outcomes.iter().for_each(|outcome| report.count(outcome));
            report.code()
        };
        assert_eq!(code(&[]), 0);
        assert_eq!(code(&[Ok(Replayed::Same)]), 0);
        assert_eq!(code(&[Ok(Replayed::Same), unreadable()]), UNREADABLE);
        assert_eq!(code(&[invalid()]), UNREADABLE);
        assert_eq!(code(&[unreadable(), unknown()]), BROKEN);
    }
}
