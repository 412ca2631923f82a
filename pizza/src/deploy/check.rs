//! `pizza deploy check`: would this build go on with what is there?

use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use pizza_workflows::names::task_queue;
use serde::Serialize;
use serde_json::json;
use temporal_replay::{Fault, Kind, Replayed};
use temporalio_client::Client;
use temporalio_common::worker::WorkerDeploymentVersion;
use tokio::time::{Instant, timeout};

use super::deployment::version_attribute;
use super::sample::{OPEN, Run, count, queries, runs, spread};
use crate::client::failures::span;
use crate::client::output::{self, Live};
use crate::codec_keys::CodecKeysArgs;
use crate::numbers::whole;
use crate::replay::{ReplayedRun, replay_run, workflow_types};
use crate::temporal;

/// Histories that are fetched and replayed at once.
const AT_ONCE: usize = 4;

/// Breaks that are printed one by one; of more, the number tells enough.
const SHOWN: usize = 20;

/// Workflows of unknown types that are looked up, and break the check.
const UNKNOWN: u8 = 50;

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
        value_parser = whole(1..=100_000_u32)
    )]
    max_histories: u32,
    /// Give up after this time
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = span::age)]
    deadline: Duration,
    /// Let this build break histories that stay with another build
    #[arg(long)]
    pinned_may_break: bool,
    #[command(flatten)]
    pub(crate) codec_keys: CodecKeysArgs,
}

fn recent(text: &str) -> Result<Duration, String> {
    match text {
        "0" | "0s" => Ok(Duration::ZERO),
        _ => span::age(text),
    }
}

/// What a check came to.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Verdict {
    types: Vec<Tally>,
    /// What would not go on.
    broken: Vec<Break>,
    /// What would not, and need not, since it stays with another build.
    #[serde(rename = "staysWithItsBuild")]
    stays: Vec<Break>,
    /// Histories that could not be had.
    unreadable: Vec<Break>,
    /// Open workflows of our types that another deployment works on.
    of_other_deployments: u64,
    /// Open workflows of other types on other task queues.
    foreign: u64,
    /// Why it ended before all was replayed that was to be.
    cut_short: Option<String>,
}

/// The histories of one workflow type.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Tally {
    workflow_type: String,
    /// How many are open in the namespace.
    open: u64,
    open_replayed: u64,
    ended_replayed: u64,
    /// Open ones that no worker has taken up yet: any build may.
    not_begun: u64,
    broken: u64,
}

/// A history that is not what this build would have done.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Break {
    #[serde(flatten)]
    run: Run,
    kind: Kind,
    event_id: Option<i64>,
    event: Option<String>,
    error: String,
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
        let sum = |of: fn(&Tally) -> u64| self.types.iter().map(of).sum::<u64>();
        sum(|tally| tally.open) > 0
            && sum(|tally| tally.open_replayed + tally.ended_replayed + tally.not_begun) == 0
    }

    /// The verdict in one line.
    pub(super) fn summary(&self) -> String {
        let replayed: u64 = self
            .types
            .iter()
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
        let of_type = |it: &Tally| it.workflow_type == run.workflow_type;
        let place = self.types.iter().position(of_type).unwrap_or_else(|| {
            self.types.push(Tally::of(&run.workflow_type));
            self.types.len() - 1
        });
        let tally = &mut self.types[place];
        let fault = match replayed.outcome {
            Ok(Replayed::NotBegun) => {
                tally.not_begun += u64::from(run.is_open);
                return;
            }
            outcome => outcome.err(),
        };
        if fault.as_ref().is_none_or(|it| !it.kind.is_bad_input()) {
            tally.open_replayed += u64::from(run.is_open);
            tally.ended_replayed += u64::from(!run.is_open);
        }
        let Some(fault) = fault else { return };
        let breaks = if fault.kind.is_bad_input() {
            &mut self.unreadable
        } else if stays {
            &mut self.stays
        } else {
            tally.broken += 1;
            &mut self.broken
        };
        breaks.push(Break::new(run, fault, replayed.broken_event));
    }

    /// Prints it: data on stdout, the summary on stderr.
    pub(super) fn print(&self, as_json: bool) -> anyhow::Result<()> {
        if as_json {
            let mut verdict = serde_json::to_value(self)?;
            verdict["clean"] = json!(self.is_clean());
            output::json(&verdict);
        } else {
            self.print_lines();
        }
        output::note(&self.summary());
        Ok(())
    }

    fn print_lines(&self) {
        for tally in &self.types {
            if tally.open + tally.ended_replayed > 0 {
                output::data(&format!(
                    "{}: {} open ({} replayed, {} not begun), {} ended replayed, {} broke",
                    tally.workflow_type,
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
}

impl Tally {
    fn of(workflow_type: &str) -> Self {
        Self {
            workflow_type: workflow_type.to_owned(),
            ..Self::default()
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
            error: fault.message,
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
            self.run.workflow_id, self.run.run_id, self.run.workflow_type, self.error
        );
        output::plain(&text)
    }
}

/// Replays what there is and prints what came of it.
pub(super) async fn run(
    version: Option<&WorkerDeploymentVersion>,
    args: &CheckArgs,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let verdict = async {
        let client = temporal::connect().await?;
        check(&client, version, args).await
    };
    match verdict.await {
        Ok(verdict) => {
            verdict.print(as_json)?;
            Ok(ExitCode::from(verdict.code()))
        }
        Err(error) => {
            output::error(&error.context("nothing was checked"));
            Ok(ExitCode::from(UNSURE))
        }
    }
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
    let deployment = version.map(|version| version.deployment_name.as_str());
    let ours = ours(deployment);
    let mut verdict = census(client, deployment).await?;
    let own = version.map(|v| version_attribute(&v.deployment_name, &v.build_id));
    let stays =
        |run: &Run| args.pinned_may_break && run.pinned_to.is_some() && run.pinned_to != own;
    let most = usize::try_from(args.max_histories).unwrap_or(usize::MAX);
    let now = Timestamp::now();
    let queries: Vec<String> = verdict
        .types
        .iter()
        .flat_map(|it| queries(&it.workflow_type, it.open, now, args.recent))
        .map(|query| format!("{ours}{query}"))
        .collect();
    let mut replayed = pin!(
        spread(client, queries)
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

/// What is open, and what of it this build does not know.
async fn census(client: &Client, deployment: Option<&str>) -> anyhow::Result<Verdict> {
    let ours = ours(deployment);
    let mut verdict = Verdict::default();
    let mut types = workflow_types()?;
    types.sort();
    for workflow_type in &types {
        let query = format!("WorkflowType = '{workflow_type}' AND {ours}{OPEN}");
        verdict.types.push(Tally {
            open: count(client, &query).await?,
            ..Tally::of(workflow_type)
        });
    }
    let (types, queues) = (listed(&types), listed(&task_queue::ALL));
    if let Some(name) = deployment {
        let others = format!(
            "WorkflowType IN ({types}) AND TemporalWorkerDeployment IS NOT NULL \
             AND TemporalWorkerDeployment != '{name}' AND {OPEN}"
        );
        verdict.of_other_deployments = count(client, &others).await?;
    }
    let not_known = format!("WorkflowType NOT IN ({types}) AND {OPEN}");
    let foreign = format!("{not_known} AND TaskQueue NOT IN ({queues})");
    verdict.foreign = count(client, &foreign).await?;
    let unknown = format!("{not_known} AND {ours}TaskQueue IN ({queues})");
    let mut unknown = pin!(runs(client, unknown, UNKNOWN.into()).take(UNKNOWN.into()));
    while let Some(run) = unknown.try_next().await? {
        let fault = Fault::new(
            Kind::UnknownWorkflowType,
            "it is open on a task queue of ours, and this build has no such workflow",
        );
        verdict.broken.push(Break::new(run, fault, None));
    }
    Ok(verdict)
}

/// The beginning of a query that leaves other deployments out.
fn ours(deployment: Option<&str>) -> String {
    deployment.map_or_else(String::new, |name| {
        format!("(TemporalWorkerDeployment IS NULL OR TemporalWorkerDeployment = '{name}') AND ")
    })
}

fn listed(names: &[impl AsRef<str>]) -> String {
    let quoted: Vec<String> = names
        .iter()
        .map(|name| format!("'{}'", name.as_ref()))
        .collect();
    quoted.join(", ")
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
            ..Tally::of("PizzaOrder")
        };
        Verdict {
            types: vec![tally],
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
