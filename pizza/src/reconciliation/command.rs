//! `pizza reconcile`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use jiff::Timestamp;
use pizza_workflows::names::{reconciliation_workflow_id, schedule, task_queue, workflow_type};
use pizza_workflows::steps::ReconciliationCounts;
use pizza_workflows::{Reconciliation, ReconciliationWorkflow};
use serde_json::{Value, json};
use temporalio_client::schedules::{ScheduleDescription, ScheduleError};
use temporalio_client::{
    Client, WorkflowExecutionInfo, WorkflowGetResultOptions, WorkflowHandle, WorkflowStartOptions,
};
use temporalio_common::protos::temporal::api::enums::v1::WorkflowExecutionStatus;
use temporalio_common::protos::temporal::api::workflow::v1::WorkflowExecutionInfo as Listed;
use temporalio_common::protos::temporal::api::workflowservice::v1::ListWorkflowExecutionsRequest;
use tokio::time::timeout;
use tonic::{Code, IntoRequest};
use uuid::Uuid;

use super::grace;
use super::schedule::{every, rpc_options};
use crate::client::output;
use crate::codec_keys::CodecKeysArgs;
use crate::numbers::{LONGEST_WAIT, whole};
use crate::temporal::connect;

/// How many of the last runs are shown.
const LAST: i32 = 10;

/// The longest wait for an answer of Temporal that needs no worker.
const ANSWER: Duration = Duration::from_secs(10);

/// A run that no worker takes does not wait for ever.
const LONGEST_RUN: Duration = Duration::from_hours(1);

#[derive(Args, Debug)]
#[command(after_help = "\
A reconciliation looks at each order without an end that has not changed for a while, and at each \
order's workflow that was ended from outside: terminated, timed out, or lost. A record that is behind \
its workflow is brought in line; an order that nobody would end is taken up again, delivered when its \
food is at the door and rolled back otherwise. Orders that run are left alone.

It runs by itself on the schedule `reconcile-orders` of the Temporal server of TEMPORAL_ADDRESS and \
TEMPORAL_NAMESPACE, and needs a worker of the task queue `reconciliation`.")]
pub(crate) struct ReconcileArgs {
    /// Leave orders alone that changed within the last so many seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = grace)]
    grace_seconds: Duration,
    /// How long to wait for its end; it goes on by itself
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = whole(0..=LONGEST_WAIT))]
    timeout_seconds: u64,
    /// Show the schedule and its last runs instead
    #[arg(long, conflicts_with_all = ["grace_seconds", "timeout_seconds"])]
    last: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(crate) codec_keys: CodecKeysArgs,
}

/// Reconciles now, or shows how that went.
pub(crate) async fn run(args: ReconcileArgs) -> anyhow::Result<ExitCode> {
    let client = connect().await?;
    if args.last {
        show_last(&client, args.json).await?;
    } else {
        let counts = reconcile(&client, &args).await?;
        if args.json {
            output::data(&serde_json::to_string(&counts)?);
        } else {
            output::lines(&table(&counts));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn reconcile(client: &Client, args: &ReconcileArgs) -> anyhow::Result<ReconciliationCounts> {
    let id = reconciliation_workflow_id(&Uuid::new_v4().to_string());
    let options = WorkflowStartOptions::new(task_queue::RECONCILIATION, &id)
        .execution_timeout(LONGEST_RUN)
        .static_summary("asked for by an operator".to_owned())
        .rpc_options(rpc_options())
        .build();
    let input = Reconciliation::with_grace(args.grace_seconds);
    let started = client.start_workflow(ReconciliationWorkflow::run, input, options);
    let handle = Box::pin(started)
        .await
        .context("the reconciliation cannot be started")?;
    let result = handle.get_result(WorkflowGetResultOptions::default());
    let limit = Duration::from_secs(args.timeout_seconds);
    timeout(limit, Box::pin(result))
        .await
        .with_context(|| {
            format!(
                "the reconciliation {id} did not end within {} s; is there a worker of the task \
                 queue {}?",
                args.timeout_seconds,
                task_queue::RECONCILIATION
            )
        })?
        .with_context(|| format!("the reconciliation {id} failed"))
}

fn table(counts: &ReconciliationCounts) -> String {
    let mut table = output::table(&["orders", "count"]);
    for (what, count) in [
        ("looked at", counts.looked),
        ("under way, left alone", counts.running),
        ("written as delivered", counts.delivery_confirmed),
        ("written as cancelled", counts.cancelled),
        ("being rolled back", counts.rolled_back),
        ("delivered all the same", counts.recovered_delivered),
        ("left to a person, see the worker's log", counts.stuck),
    ] {
        table.add_row([what.to_owned(), count.to_string()]);
    }
    table.to_string()
}

/// A run, and what it found where it completed.
struct Run {
    id: String,
    started_at: Timestamp,
    status: WorkflowExecutionStatus,
    counts: Option<ReconciliationCounts>,
}

async fn show_last(client: &Client, json: bool) -> anyhow::Result<()> {
    let handle = client.get_schedule_handle(schedule::RECONCILE_ORDERS);
    let schedule = match Box::pin(handle.describe(rpc_options())).await {
        Ok(description) => Some(description),
        Err(ScheduleError::Rpc(status)) if status.code() == Code::NotFound => None,
        Err(error) => return Err(error).context("Temporal did not describe the schedule"),
    };
    let mut runs = Vec::new();
    for listed in list(client).await? {
        runs.push(run_of(client, listed).await?);
    }
    if json {
        let schedule = schedule.as_ref().map(schedule_json);
        let runs: Vec<Value> = runs.iter().map(run_json).collect();
        output::json(&json!({ "schedule": schedule, "runs": runs }));
    } else {
        output::note(&schedule.as_ref().map_or_else(
            || "There is no schedule yet: a worker makes it when it starts.".to_owned(),
            in_words,
        ));
        output::lines(&runs_table(&runs));
    }
    Ok(())
}

async fn list(client: &Client) -> anyhow::Result<Vec<Listed>> {
    let mut request = ListWorkflowExecutionsRequest {
        namespace: client.options().namespace.clone(),
        page_size: LAST,
        next_page_token: Vec::new(),
        query: format!(
            "WorkflowType = '{}' AND ExecutionStatus != 'ContinuedAsNew'",
            workflow_type::RECONCILIATION
        ),
    }
    .into_request();
    request.set_timeout(ANSWER);
    let mut service = client.connection().workflow_service();
    let listing = service
        .list_workflow_executions(request)
        .await
        .context("Temporal did not list the runs")?
        .into_inner();
    Ok(listing.executions)
}

async fn run_of(client: &Client, listed: Listed) -> anyhow::Result<Run> {
    let status = listed.status();
    let started_at = listed.start_time.unwrap_or_default();
    let execution = listed.execution.unwrap_or_default();
    let counts = if status == WorkflowExecutionStatus::Completed {
        let info = WorkflowExecutionInfo::builder()
            .namespace(client.options().namespace.clone())
            .workflow_id(execution.workflow_id.clone())
            .run_id(execution.run_id)
            .build();
        let handle = WorkflowHandle::<Client, ReconciliationWorkflow>::new(client.clone(), info);
        let result = handle.get_result(WorkflowGetResultOptions::default());
        let counts = timeout(ANSWER, Box::pin(result)).await;
        Some(counts.context("Temporal did not answer")??)
    } else {
        None
    };
    Ok(Run {
        id: execution.workflow_id,
        started_at: Timestamp::new(started_at.seconds, started_at.nanos)?,
        status,
        counts,
    })
}

fn schedule_json(description: &ScheduleDescription) -> Value {
    json!({
        "id": schedule::RECONCILE_ORDERS,
        "everySeconds": every(description).map(|every| every.as_secs()),
        "paused": description.paused(),
        "runs": description.action_count(),
        "skipped": description.overlap_skipped(),
        "missed": description.missed_catchup_window(),
    })
}

fn in_words(description: &ScheduleDescription) -> String {
    let every = every(description).map_or_else(
        || "by a rule of its own".to_owned(),
        |every| format!("every {} s", every.as_secs()),
    );
    let paused = if description.paused() {
        ", and is paused"
    } else {
        ""
    };
    format!(
        "The schedule {} starts a run {every}{paused}; so far {}. The last runs, also those that \
         were asked for:",
        schedule::RECONCILE_ORDERS,
        description.action_count()
    )
}

fn run_json(run: &Run) -> Value {
    json!({
        "id": run.id,
        "startedAt": run.started_at.to_string(),
        "status": name(run.status),
        "counts": run.counts,
    })
}

fn runs_table(runs: &[Run]) -> String {
    let columns = [
        "started",
        "run",
        "status",
        "looked at",
        "running",
        "mended",
        "stuck",
    ];
    let mut table = output::table(&columns);
    for run in runs {
        let count = |of: fn(&ReconciliationCounts) -> u64| {
            run.counts
                .as_ref()
                .map_or_else(String::new, |counts| of(counts).to_string())
        };
        table.add_row([
            run.started_at.to_string(),
            run.id.clone(),
            name(run.status),
            count(|counts| counts.looked),
            count(|counts| counts.running),
            count(ReconciliationCounts::mended),
            count(|counts| counts.stuck),
        ]);
    }
    table.to_string()
}

/// A status in the words of the Temporal CLI.
fn name(status: WorkflowExecutionStatus) -> String {
    let name = status.as_str_name();
    name.strip_prefix("WORKFLOW_EXECUTION_STATUS_")
        .unwrap_or(name)
        .to_lowercase()
}
