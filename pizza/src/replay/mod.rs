//! `pizza replay`: runs recorded histories through this build's workflows.
//!
//! A workflow that runs for days outlives the code that began it. Before a new build takes over,
//! the histories that exist are replayed with it: the ones for which it would decide otherwise are
//! named, with the event at which it does.

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
use temporalio_common::protos::temporal::api::history::v1::History;
use temporalio_sdk::workflow_replayer::WorkflowReplayerOptions;

use report::{Report, Subject};
use temporal_replay::{Fault, Identity, Kind, Replayed, Replayer, read_history};

use crate::codec_keys;
use crate::codec_keys::CodecKeysArgs;

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
    #[command(flatten)]
    pub(crate) codec_keys: CodecKeysArgs,
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
    let fault = outcome.as_ref().err();
    ReplayedRun {
        broken_event: fault.and_then(|fault| fault.event_type.clone()),
        outcome,
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
        let subject = Subject {
            source: path.display().to_string(),
            is_file: true,
            identity: Identity::default(),
        };
        let history = tokio::task::spawn_blocking(move || read(&path))
            .await
            .context("reading a file was interrupted")?;
        self.replay(subject, history).await;
        Ok(())
    }

    /// Replays the latest run of a workflow.
    async fn latest_run(&mut self, client: &anyhow::Result<Client>, workflow_id: String) {
        let source = format!("--workflow-id {workflow_id}");
        let identity = Identity {
            workflow_id: Some(workflow_id.clone()),
            ..Identity::default()
        };
        let history = match client {
            Ok(client) => fetch(client.get_workflow_handle::<UntypedWorkflow>(workflow_id)).await,
            Err(error) => Err(unreachable(error)),
        };
        self.replay(Subject::of_server(source, identity), history)
            .await;
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
                workflow_id: Some(found.id().to_owned()),
                run_id: Some(found.run_id().to_owned()),
                workflow_type: Some(found.workflow_type().to_owned()),
                ..Identity::default()
            };
            let history = fetch(run_of(client, found.id(), found.run_id())).await;
            self.replay(Subject::of_server(source.clone(), identity), history)
                .await;
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
        self.replay(Subject::of_server(source, Identity::default()), Err(fault))
            .await;
    }

    /// Replays one history, or passes on why there is none, and prints the verdict.
    async fn replay(&mut self, mut subject: Subject, history: Result<History, Fault>) {
        let outcome = replayed(self.replayer, &mut subject.identity, history).await;
        self.report.verdict(&subject, &outcome);
    }
}

/// Replays one history, or passes on why there is none. Notes in `identity` what the history is.
async fn replayed(
    replayer: Replayer,
    identity: &mut Identity,
    history: Result<History, Fault>,
) -> Result<Replayed, Fault> {
    let mut history = history?;
    identity.complete(&mut history);
    decrypt(&mut history).await?;
    replayer.replay(history).await
}

/// Decrypts a history that is encrypted.
async fn decrypt(history: &mut History) -> Result<(), Fault> {
    let opened = async { codec_keys::open(history, codec_keys::cipher()?.as_ref()).await };
    opened
        .await
        .map_err(|error| unreadable(format!("{error:#}")))
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
    use temporal_replay::parse_history;
    use temporalio_sdk::WorkerPlugin;

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
            assert_eq!(replayed, Ok(Replayed::Same), "{file:?}");
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
    fn a_cause_is_told_once() {
        let error = anyhow::anyhow!("refused").context("cannot connect: refused");
        assert_eq!(told(&error), "cannot connect: refused");
        let error = anyhow::anyhow!("refused").context("cannot connect");
        assert_eq!(told(&error), "cannot connect: refused");
    }
}
