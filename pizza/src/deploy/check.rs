//! `pizza deploy check`: would this build go on with what is there?

use std::collections::BTreeMap;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};
use temporal_replay::{Fault, Kind, Replayed};
use temporalio_client::Client;
use temporalio_common::worker::WorkerDeploymentVersion;
use tokio::time::{Instant, timeout};

use super::deployment::version_attribute;
use super::sample::{Run, Visibility};
use crate::client::failures::span;
use crate::client::output::{self, Live};
use crate::replay::{ReplayedRun, replay_run, workflow_types};

/// Histories that are fetched and replayed at once.
const AT_ONCE: usize = 4;

/// Breaks that are printed one by one; of more, the number tells enough.
const SHOWN: usize = 20;

/// Exit code of a check that says nothing about the build: it was cut short,
/// or histories could not be had.
const UNSURE: u8 = 2;

/// What is replayed.
#[derive(Args, Clone, Debug)]
pub(super) struct CheckArgs {
    /// Replay what ended within this time, too; 0s for none of it
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = recent)]
    recent: Duration,
    /// Replay at most so many histories
    #[arg(
        long,
        value_name = "N",
        default_value_t = 500,
        value_parser = clap::value_parser!(u32).range(1..=100_000)
    )]
    max_histories: u32,
    /// Give up after this time
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = span::age)]
    deadline: Duration,
    /// Let this build break histories that stay with another build
    #[arg(long)]
    pinned_may_break: bool,
}

fn recent(text: &str) -> Result<Duration, String> {
    match text {
        "0" | "0s" => Ok(Duration::ZERO),
        _ => span::age(text),
    }
}

/// What a check came to.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    types: BTreeMap<String, Tally>,
    /// What would not go on.
    broken: Vec<Break>,
    /// What would not, and need not, since it stays with another build.
    stays: Vec<Break>,
    /// Histories that could not be had.
    unreadable: Vec<Break>,
    of_other_deployments: u64,
    foreign: u64,
    /// Why it ended before all was replayed that was to be.
    cut_short: Option<String>,
}

/// The histories of one workflow type.
#[derive(Debug, Default)]
struct Tally {
    /// How many are open in the namespace.
    open: u64,
    open_replayed: u64,
    ended_replayed: u64,
    /// Open ones that no worker has taken up yet: any build may.
    not_begun: u64,
    broken: u64,
}

/// A history that is not what this build would have done.
#[derive(Debug)]
struct Break {
    run: Run,
    kind: Kind,
    event_id: Option<i64>,
    event: Option<String>,
    message: String,
}

impl Verdict {
    /// Whether this build may take over.
    pub(super) fn is_clean(&self) -> bool {
        self.code() == 0
    }

    fn code(&self) -> u8 {
        let is_unsure =
            self.cut_short.is_some() || !self.unreadable.is_empty() || self.saw_nothing();
        match (self.broken.is_empty(), is_unsure) {
            (false, _) => 1,
            (true, true) => UNSURE,
            (true, false) => 0,
        }
    }

    /// A check of nothing must not pass for a check.
    fn saw_nothing(&self) -> bool {
        let sum = |of: fn(&Tally) -> u64| self.types.values().map(of).sum::<u64>();
        sum(|tally| tally.open) > 0
            && sum(|tally| tally.open_replayed + tally.ended_replayed + tally.not_begun) == 0
    }

    /// The verdict in one line.
    pub(super) fn summary(&self) -> String {
        let replayed: u64 = self
            .types
            .values()
            .map(|tally| tally.open_replayed + tally.ended_replayed)
            .sum();
        let mut text = format!("{replayed} histories replayed, {} broke", self.broken.len());
        if !self.stays.is_empty() {
            text += &format!(
                ", {} more would and stay with their builds",
                self.stays.len()
            );
        }
        if !self.unreadable.is_empty() {
            text += &format!(", {} could not be had", self.unreadable.len());
        }
        if self.saw_nothing() {
            text += "; there are open workflows, and none of them could be replayed";
        }
        if let Some(why) = &self.cut_short {
            text += &format!("; {why}");
        }
        text
    }

    fn take(&mut self, run: Run, replayed: ReplayedRun, stays: bool) {
        let tally = self.types.entry(run.workflow_type.clone()).or_default();
        let fault = match replayed.outcome {
            Ok(Replayed::NotBegun) => {
                tally.not_begun += u64::from(run.is_open);
                return;
            }
            outcome => outcome.err(),
        };
        if let Some(fault) = fault {
            let is_unreadable = fault.kind.is_bad_input();
            let found = Break::new(run, fault, replayed.broken_event);
            if is_unreadable {
                self.unreadable.push(found);
                return;
            }
            tally.count(found.run.is_open);
            if stays {
                self.stays.push(found);
            } else {
                tally.broken += 1;
                self.broken.push(found);
            }
        } else {
            tally.count(run.is_open);
        }
    }

    /// Prints it: data on stdout, the summary on stderr.
    pub(super) fn print(&self, as_json: bool) {
        if as_json {
            output::json(&self.to_json());
        } else {
            self.print_lines();
        }
        output::note(&self.summary());
    }

    fn print_lines(&self) {
        for (name, tally) in &self.types {
            if tally.open + tally.ended_replayed > 0 {
                output::data(&format!(
                    "{name}: {} open ({} replayed, {} not begun), {} ended replayed, {} broke",
                    tally.open,
                    tally.open_replayed,
                    tally.not_begun,
                    tally.ended_replayed,
                    tally.broken
                ));
            }
        }
        if self.of_other_deployments > 0 {
            output::data(&format!(
                "left to other deployments: {} open",
                self.of_other_deployments
            ));
        }
        if self.foreign > 0 {
            output::data(&format!(
                "left out, of other types on other task queues: {} open",
                self.foreign
            ));
        }
        for (word, breaks) in [
            ("BROKEN", &self.broken),
            ("stays", &self.stays),
            ("unreadable", &self.unreadable),
        ] {
            for found in breaks.iter().take(SHOWN) {
                output::data(&format!("{word}  {}", found.line()));
            }
            if breaks.len() > SHOWN {
                output::data(&format!("{word}  {} more", breaks.len() - SHOWN));
            }
        }
    }

    fn to_json(&self) -> Value {
        let types: Vec<Value> = self
            .types
            .iter()
            .map(|(name, tally)| {
                json!({
                    "workflowType": name,
                    "open": tally.open,
                    "openReplayed": tally.open_replayed,
                    "notBegun": tally.not_begun,
                    "endedReplayed": tally.ended_replayed,
                    "broken": tally.broken,
                })
            })
            .collect();
        let told = |breaks: &[Break]| -> Vec<Value> { breaks.iter().map(Break::to_json).collect() };
        json!({
            "clean": self.is_clean(),
            "types": types,
            "broken": told(&self.broken),
            "staysWithItsBuild": told(&self.stays),
            "unreadable": told(&self.unreadable),
            "ofOtherDeployments": self.of_other_deployments,
            "foreign": self.foreign,
            "cutShort": self.cut_short,
        })
    }
}

impl Tally {
    const fn count(&mut self, is_open: bool) {
        if is_open {
            self.open_replayed += 1;
        } else {
            self.ended_replayed += 1;
        }
    }
}

impl Break {
    fn new(run: Run, fault: Fault, event: Option<String>) -> Self {
        Self {
            run,
            kind: fault.kind,
            event_id: fault.event_id,
            event,
            message: fault.message,
        }
    }

    fn line(&self) -> String {
        let at = match (self.event_id, &self.event) {
            (Some(id), Some(event)) => format!(" at event {id} ({event})"),
            (Some(id), None) => format!(" at event {id}"),
            _ => String::new(),
        };
        let text = format!(
            "{}  run {}  {}{at}: {}",
            self.run.workflow_id, self.run.run_id, self.run.workflow_type, self.message
        );
        output::plain(&text)
    }

    fn to_json(&self) -> Value {
        json!({
            "workflowId": self.run.workflow_id,
            "runId": self.run.run_id,
            "workflowType": self.run.workflow_type,
            "open": self.run.is_open,
            "pinnedTo": self.run.pinned_to,
            "kind": self.kind,
            "eventId": self.event_id,
            "event": self.event,
            "error": self.message,
        })
    }
}

/// Replays what there is and prints what came of it.
pub(super) async fn run(
    client: &Client,
    version: Option<&WorkerDeploymentVersion>,
    args: &CheckArgs,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let verdict = check(client, version, args).await?;
    verdict.print(as_json);
    Ok(ExitCode::from(verdict.code()))
}

/// Replays what there is. Ends soon after its deadline at the latest.
///
/// # Errors
/// When Temporal does not say what there is.
pub(super) async fn check(
    client: &Client,
    version: Option<&WorkerDeploymentVersion>,
    args: &CheckArgs,
) -> anyhow::Result<Verdict> {
    let until = Instant::now() + args.deadline;
    let types = workflow_types()?;
    let deployment = version.map(|version| version.deployment_name.as_str());
    let mut visibility = Visibility::new(client, deployment);
    let census = visibility.census(&types).await?;
    let mut verdict = Verdict {
        of_other_deployments: census.of_other_deployments,
        foreign: census.foreign,
        ..Verdict::default()
    };
    for kind in &census.kinds {
        verdict
            .types
            .entry(kind.workflow_type.clone())
            .or_default()
            .open = kind.open;
    }
    for run in census.unknown {
        let fault = Fault::new(
            Kind::UnknownWorkflowType,
            "it is open on a task queue of ours, and this build has no such workflow",
        );
        verdict.broken.push(Break::new(run, fault, None));
    }
    let own = version.map(|v| version_attribute(&v.deployment_name, &v.build_id));
    let stays =
        |run: &Run| args.pinned_may_break && run.pinned_to.is_some() && run.pinned_to != own;
    let most = usize::try_from(args.max_histories).unwrap_or(usize::MAX);
    let mut replayed = pin!(
        visibility
            .spread(&census.kinds, args.recent)
            .take(most)
            .map_ok(|run| async move {
                let replayed = replay_run(client, &run.workflow_id, &run.run_id).await;
                anyhow::Ok((run, replayed))
            })
            .try_buffer_unordered(AT_ONCE)
    );
    let mut live = Live::new();
    let mut seen = 0_usize;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match timeout(left, replayed.try_next()).await {
            Err(_) => {
                let limit = span::in_words(args.deadline.as_secs_f64());
                verdict.cut_short = Some(format!("it was cut short after {limit} (--deadline)"));
                break;
            }
            Ok(next) => match next? {
                None => break,
                Some((run, outcome)) => {
                    let stays = stays(&run);
                    verdict.take(run, outcome, stays);
                }
            },
        }
        seen += 1;
        live.draw(&format!("{seen} histories replayed, at most {most}"));
    }
    Ok(verdict)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(is_open: bool) -> Run {
        Run {
            workflow_id: "order-1".to_owned(),
            run_id: "r".to_owned(),
            workflow_type: "PizzaOrder".to_owned(),
            is_open,
            pinned_to: None,
        }
    }

    fn replayed(outcome: Result<Replayed, Fault>) -> ReplayedRun {
        ReplayedRun {
            outcome,
            broken_event: None,
        }
    }

    /// A verdict on a namespace with so many open orders.
    fn verdict(open: u64) -> Verdict {
        let tally = Tally {
            open,
            ..Tally::default()
        };
        Verdict {
            types: [("PizzaOrder".to_owned(), tally)].into(),
            ..Verdict::default()
        }
    }

    #[test]
    fn only_a_check_of_something_or_of_an_empty_shop_is_clean() {
        assert_eq!(verdict(0).code(), 0);
        assert_eq!(verdict(1).code(), UNSURE);
        for outcome in [Replayed::Same, Replayed::NotBegun] {
            let mut checked = verdict(1);
            checked.take(run(true), replayed(Ok(outcome)), false);
            assert_eq!(checked.code(), 0);
        }
        let mut cut_short = verdict(0);
        cut_short.cut_short = Some("it was cut short".to_owned());
        assert_eq!(cut_short.code(), UNSURE);
    }

    #[test]
    fn a_break_counts_unless_it_stays_with_its_build() {
        let broken = || replayed(Err(Fault::new(Kind::Nondeterminism, "otherwise")));
        let mut checked = verdict(2);
        checked.take(run(true), broken(), true);
        assert_eq!(checked.code(), 0);
        checked.take(run(false), broken(), false);
        assert_eq!(checked.code(), 1);
        assert_eq!(checked.broken.len() + checked.stays.len(), 2);
    }

    #[test]
    fn a_history_that_cannot_be_had_leaves_the_check_unsure() {
        let mut checked = verdict(2);
        checked.take(run(true), replayed(Ok(Replayed::Same)), false);
        let gone = Fault::new(Kind::Unreadable, "no answer");
        checked.take(run(true), replayed(Err(gone)), false);
        assert_eq!(checked.code(), UNSURE);
    }
}
