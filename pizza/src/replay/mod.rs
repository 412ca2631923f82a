//! `pizza replay`: runs recorded histories through this build's workflows.
//!
//! A workflow that runs for days outlives the code that began it. Before a new build takes over,
//! the histories that exist are replayed with it: the ones for which it would decide otherwise are
//! named, with the event at which it does.

pub(crate) mod history_json;
pub(crate) mod replayer;
mod report;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use clap::Args;
use failure_queue::{BulkWorkflow, FailedTaskWorkflow, FailureQueueWorkflow};
use futures::StreamExt;
use payload_codec::EncodedFailures;
use pizza_workflows::{FulfilmentWorkflow, LoyaltyWorkflow, OrderWorkflow, ReconciliationWorkflow};
use temporalio_client::{
    Client, UntypedWorkflow, UntypedWorkflowHandle, WorkflowExecutionInfo,
    WorkflowFetchHistoryOptions, WorkflowListOptions,
};
use temporalio_common::data_converters::{DataConverter, DefaultPayloadCodec, PayloadConverter};
use temporalio_common::protos::temporal::api::history::v1::{History, history_event::Attributes};
use temporalio_sdk::workflow_replayer::WorkflowReplayerOptions;

use history_json::{read_history, start_of};
use replayer::{Fault, Kind, Replayed, Replayer};
use report::{Identity, Report};

/// How long to connect, to fetch one history or to wait for the next match of a query may take.
const FETCH_DEADLINE: Duration = Duration::from_secs(60);

/// What to replay.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("histories").required(true).multiple(true))]
pub(crate) struct ReplayArgs {
    /// Files with a history each, as `temporal workflow show -o json` prints it; `-` is stdin
    #[arg(value_name = "FILE", group = "histories")]
    files: Vec<PathBuf>,

    /// Replay the latest run of this workflow (repeatable)
    #[arg(long = "workflow-id", value_name = "ID", group = "histories")]
    workflow_ids: Vec<String>,

    /// Replay each workflow that matches, as in `temporal workflow list --query`
    #[arg(long, value_name = "QUERY", group = "histories")]
    query: Option<String>,

    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// The workflows of this build.
fn options() -> anyhow::Result<WorkflowReplayerOptions> {
    // What was encrypted is not any more, but failures still have their texts in payloads.
    let converter = DataConverter::new(
        PayloadConverter::default(),
        EncodedFailures,
        DefaultPayloadCodec,
    );
    Ok(WorkflowReplayerOptions::new()
        .data_converter(converter)
        .register_workflow::<OrderWorkflow>()?
        .register_workflow::<LoyaltyWorkflow>()?
        .register_workflow::<FulfilmentWorkflow>()?
        .register_workflow::<FailedTaskWorkflow>()?
        .register_workflow::<FailureQueueWorkflow>()?
        .register_workflow::<BulkWorkflow>()?
        .register_workflow::<ReconciliationWorkflow>()?
        .build())
}

/// The workflow types of this build.
pub(crate) fn workflow_types() -> anyhow::Result<Vec<String>> {
    let definitions = options()?.workflows();
    Ok(definitions
        .workflow_definitions()
        .map(|definition| definition.workflow_type.clone())
        .collect())
}

/// How the replay of one run came out.
pub(crate) struct ReplayedRun {
    /// What the workflow did, or why that is not what its history says.
    pub(crate) outcome: Result<Replayed, Fault>,
    /// The type of the event at which it broke.
    pub(crate) broken_event: Option<String>,
}

/// Replays a run that Temporal has. Takes at most two minutes and a bit.
pub(crate) async fn replay_run(client: &Client, workflow_id: &str, run_id: &str) -> ReplayedRun {
    let mut identity = Identity {
        workflow_id: Some(workflow_id.to_owned()),
        run_id: Some(run_id.to_owned()),
        ..Identity::default()
    };
    let history = fetch(run_of(client, workflow_id, run_id)).await;
    let outcome = replayed(Replayer::new(options), &mut identity, history).await;
    ReplayedRun {
        outcome,
        broken_event: identity.broken_event,
    }
}

/// Replays all that `args` name and prints a verdict for each on stdout, a summary on stderr.
///
/// `connect` is called at most once, and only for `--workflow-id` and `--query`. What cannot be read
/// or fetched gets its verdict like the rest and stops nothing. The exit code is 0 when all is well,
/// 1 when something broke, 2 when nothing broke and something could not be read.
///
/// # Errors
/// When reading a file was interrupted.
pub(crate) async fn run<C>(args: ReplayArgs, connect: C) -> anyhow::Result<ExitCode>
where
    C: AsyncFnOnce() -> anyhow::Result<Client>,
{
    let mut replays = Replays {
        replayer: Replayer::new(options),
        report: Report::new(args.json),
    };
    for file in args.files {
        replays.file(file).await?;
    }
    if !args.workflow_ids.is_empty() || args.query.is_some() {
        let client = within_deadline(connect()).await;
        for workflow_id in args.workflow_ids {
            replays.latest_run(&client, workflow_id).await;
        }
        if let Some(query) = args.query {
            replays.matches(&client, query).await;
        }
    }
    Ok(replays.report.finish())
}

/// One call of `pizza replay`.
struct Replays {
    replayer: Replayer,
    report: Report,
}

impl Replays {
    /// Replays the history in one file.
    async fn file(&mut self, path: PathBuf) -> anyhow::Result<()> {
        let identity = Identity {
            source: path.display().to_string(),
            is_file: true,
            ..Identity::default()
        };
        let history = tokio::task::spawn_blocking(move || read(&path))
            .await
            .context("reading a file was interrupted")?;
        self.replay(identity, history).await;
        Ok(())
    }

    /// Replays the latest run of a workflow.
    async fn latest_run(&mut self, client: &anyhow::Result<Client>, workflow_id: String) {
        let identity = Identity {
            source: format!("--workflow-id {workflow_id}"),
            workflow_id: Some(workflow_id.clone()),
            ..Identity::default()
        };
        let history = match client {
            Ok(client) => fetch(client.get_workflow_handle::<UntypedWorkflow>(workflow_id)).await,
            Err(error) => Err(unreachable(error)),
        };
        self.replay(identity, history).await;
    }

    /// Replays all that match, one after the other, while the list is read page by page.
    async fn matches(&mut self, client: &anyhow::Result<Client>, query: String) {
        let source = format!("--query {query}");
        let client = match client {
            Ok(client) => client,
            Err(error) => return self.no_history(source, unreachable(error)).await,
        };
        let mut list = client.list_workflows(query, WorkflowListOptions::default());
        let mut any = false;
        loop {
            self.report.show_progress();
            let next = within_deadline(async { Ok(list.next().await.transpose()?) });
            let found = match next.await {
                Ok(Some(found)) => found,
                Ok(None) => break,
                Err(error) => {
                    let fault = unreadable(format!("cannot list: {}", told(&error)));
                    return self.no_history(source, fault).await;
                }
            };
            any = true;
            let identity = Identity {
                source: source.clone(),
                workflow_id: Some(found.id().to_owned()),
                run_id: Some(found.run_id().to_owned()),
                workflow_type: Some(found.workflow_type().to_owned()),
                ..Identity::default()
            };
            let history = fetch(run_of(client, found.id(), found.run_id())).await;
            self.replay(identity, history).await;
        }
        if any {
            return;
        }
        // A check of nothing must not pass for a check.
        self.no_history(source, unreadable("no workflow matches".into()))
            .await;
    }

    /// Prints that there was nothing to replay.
    async fn no_history(&mut self, source: String, fault: Fault) {
        let identity = Identity {
            source,
            ..Identity::default()
        };
        self.replay(identity, Err(fault)).await;
    }

    /// Replays one history, or passes on why there is none, and prints the verdict.
    async fn replay(&mut self, mut identity: Identity, history: Result<History, Fault>) {
        let outcome = replayed(self.replayer, &mut identity, history).await;
        self.report.verdict(&identity, &outcome);
    }
}

/// Replays one history, or passes on why there is none. Notes in `identity` what the history is and
/// where it broke.
async fn replayed(
    replayer: Replayer,
    identity: &mut Identity,
    history: Result<History, Fault>,
) -> Result<Replayed, Fault> {
    let mut history = history?;
    complete(identity, &mut history);
    let types: Vec<_> = history.events.iter().map(|e| e.event_type()).collect();
    let outcome = replayer.replay(history).await;
    identity.broken_event = outcome
        .as_ref()
        .err()
        .and_then(|fault| usize::try_from(fault.event_id? - 1).ok())
        .and_then(|index| types.get(index))
        .map(|event_type| format!("{event_type:?}"));
    outcome
}

/// A run that Temporal has.
fn run_of(client: &Client, workflow_id: &str, run_id: &str) -> UntypedWorkflowHandle<Client> {
    WorkflowExecutionInfo::builder()
        .namespace(client.options().namespace.clone())
        .workflow_id(workflow_id)
        .run_id(run_id)
        .build()
        .bind_untyped(client.clone())
}

/// Reads and parses one file, or stdin for `-`.
fn read(path: &Path) -> Result<History, Fault> {
    read_history(path).map_err(|error| unreadable(error.to_string()))
}

/// Fetches a whole history from Temporal.
async fn fetch(handle: UntypedWorkflowHandle<Client>) -> Result<History, Fault> {
    let history = handle.fetch_history(WorkflowFetchHistoryOptions::default());
    let events = within_deadline(async { Ok(history.into_events().await?) })
        .await
        .map_err(|error| unreadable(told(&error)))?;
    Ok(History { events })
}

/// Takes over what the first event says, and gives it the workflow's id where only the caller knows
/// it: old servers leave it out, and ids of children are made of it.
fn complete(identity: &mut Identity, history: &mut History) {
    identity.events = Some(history.events.len());
    if let Ok(started) = start_of(&history.events) {
        let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let workflow_type = started.workflow_type.as_ref();
        identity.workflow_type = workflow_type.and_then(|t| known(&t.name));
        identity.run_id = identity
            .run_id
            .take()
            .or_else(|| known(&started.original_execution_run_id));
        identity.workflow_id = identity
            .workflow_id
            .take()
            .or_else(|| known(&started.workflow_id));
    }
    let first = history.events.first_mut();
    if let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) =
        first.and_then(|event| event.attributes.as_mut())
        && let (true, Some(id)) = (started.workflow_id.is_empty(), &identity.workflow_id)
    {
        started.workflow_id = id.clone();
    }
}

/// Gives up after [`FETCH_DEADLINE`].
async fn within_deadline<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    match tokio::time::timeout(FETCH_DEADLINE, work).await {
        Ok(outcome) => outcome,
        Err(_) => anyhow::bail!("no answer within {} s", FETCH_DEADLINE.as_secs()),
    }
}

/// The error and its causes on one line. The client's errors often repeat their cause: what was said
/// already is left out.
fn told(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

fn unreadable(why: String) -> Fault {
    Fault::new(Kind::Unreadable, why)
}

fn unreachable(error: &anyhow::Error) -> Fault {
    unreadable(format!("cannot reach Temporal: {}", told(error)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::Parser;
    use temporalio_sdk::WorkerPlugin;

    use super::history_json::parse_history;
    use super::*;
    use crate::telemetry;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        replay: ReplayArgs,
    }

    /// The workflows as a process that traces runs them.
    fn traced() -> anyhow::Result<WorkflowReplayerOptions> {
        let mut options = options()?;
        for plugin in telemetry::plugins() {
            plugin.configure_workflow_replayer_options(&mut options)?;
        }
        Ok(options)
    }

    fn histories(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries
            .flat_map(|entry| match entry.unwrap().path() {
                folder if folder.is_dir() => histories(&folder),
                file => vec![file],
            })
            .collect()
    }

    #[tokio::test]
    async fn histories_of_before_replay_in_a_process_that_traces() {
        telemetry::trace_nowhere();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/histories");
        let files = histories(&folder);
        assert!(files.len() > 30, "{files:?}");
        for file in files {
            let history = parse_history(&std::fs::read(&file).unwrap()).unwrap();
            let replayed = Replayer::new(traced).replay(history).await;
            assert_eq!(replayed, Ok(replayer::Replayed::Same), "{file:?}");
        }
    }

    #[test]
    fn at_least_one_history_is_named() {
        let parse = |args: &[&str]| Cli::try_parse_from([&["replay"], args].concat());
        assert!(parse(&[]).is_err());
        assert!(parse(&["--json"]).is_err());
        let all = parse(&[
            "a",
            "-",
            "--workflow-id",
            "x",
            "--workflow-id",
            "y",
            "--query",
            "q",
        ]);
        let args = all.unwrap_or_else(|error| panic!("{error}")).replay;
        assert_eq!(args.files, [Path::new("a"), Path::new("-")]);
        assert_eq!(args.workflow_ids, ["x", "y"]);
        assert_eq!(args.query.as_deref(), Some("q"));
    }

    #[test]
    fn a_file_that_is_not_there_or_empty_is_unreadable() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty.json");
        std::fs::write(&empty, "").unwrap();
        for path in [folder.path().join("none.json"), empty] {
            assert_eq!(read(&path).unwrap_err().kind, Kind::Unreadable);
        }
    }

    #[test]
    fn the_first_event_says_what_is_replayed() {
        let recorded = include_bytes!("testdata/cli_history.json");
        let mut history = parse_history(recorded).unwrap();
        let mut identity = Identity::default();
        complete(&mut identity, &mut history);
        assert_eq!(identity.workflow_id.as_deref(), Some("order-sample"));
        assert_eq!(identity.workflow_type.as_deref(), Some("Order"));
        assert_eq!(identity.events, Some(17));
    }

    #[test]
    fn a_workflow_id_that_the_history_lacks_is_filled_in() {
        let recorded = std::str::from_utf8(include_bytes!("testdata/cli_history.json")).unwrap();
        let old_server = recorded.replace("\"workflowId\"", "\"notYetInvented\"");
        let mut history = parse_history(old_server.as_bytes()).unwrap();
        assert_eq!(start_of(&history.events).unwrap().workflow_id, "");
        let mut identity = Identity {
            workflow_id: Some("order-7".into()),
            ..Identity::default()
        };
        complete(&mut identity, &mut history);
        assert_eq!(start_of(&history.events).unwrap().workflow_id, "order-7");
    }

    #[test]
    fn a_cause_is_told_once() {
        let error = anyhow::anyhow!("refused").context("cannot connect: refused");
        assert_eq!(told(&error), "cannot connect: refused");
        let error = anyhow::anyhow!("refused").context("cannot connect");
        assert_eq!(told(&error), "cannot connect: refused");
    }
}
