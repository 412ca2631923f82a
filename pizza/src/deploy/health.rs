//! Whether a build that was just given work does it.
//!
//! A workflow task that fails leaves an event in its workflow's history, once:
//! the attempts that follow leave none, and after some of them the server
//! names the trouble in the search attribute `TemporalReportedProblems`. Both
//! are looked at, and whether the workers are still there.

use std::time::Duration;

use futures::{StreamExt, stream};
use temporalio_client::Client;
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
use temporalio_common::protos::temporal::api::enums::v1::WorkflowTaskFailedCause;
use temporalio_common::protos::temporal::api::history::v1::{
    HistoryEvent, WorkflowTaskFailedEventAttributes, history_event::Attributes,
};
use temporalio_common::protos::temporal::api::workflowservice::v1::GetWorkflowExecutionHistoryReverseRequest;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::deployment::{Deployment, asked, limited, version_attribute};
use super::pollers::{ASKED_WITHIN, Pollers};
use super::sample::{OPEN, Run, list};

/// How often it is looked, and how long what was just done takes to show.
const LOOK: Duration = Duration::from_secs(2);

/// Open workflows that are looked at each time, latest first.
const LOOKED_AT: i32 = 100;

/// Of these, so many at once.
const AT_ONCE: usize = 4;

/// Events at the end of a history among which a failed task is found.
const LAST_EVENTS: i32 = 10;

/// How a build does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Health {
    Good,
    Bad(String),
    /// Nobody wants to know any more.
    Stopped,
}

/// Watches a build from the moment that it gets work.
pub(super) struct Watch<'a> {
    deployment: &'a Deployment<'a>,
    build: &'a str,
    /// When that was, in seconds since the Unix epoch, by the server's clock.
    /// Failures of before are not the build's own.
    since: i64,
    /// The queues that had no worker of it then: they were done without.
    missing: Vec<&'static str>,
}

impl<'a> Watch<'a> {
    /// Begins to watch a build that was given work at `since`.
    pub(super) async fn new(
        deployment: &'a Deployment<'a>,
        build: &'a str,
        since: i64,
    ) -> anyhow::Result<Self> {
        let pollers = Pollers::look(deployment.client).await?;
        Ok(Self {
            deployment,
            build,
            since,
            missing: pollers.missing(deployment.name, Some(build)),
        })
    }

    /// Looks on for this time.
    pub(super) async fn until(
        &self,
        time: Duration,
        stop: &CancellationToken,
    ) -> anyhow::Result<Health> {
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            tokio::select! {
                () = sleep(left.min(LOOK)) => {}
                () = stop.cancelled() => return Ok(Health::Stopped),
            }
            if let Some(why) = self.trouble().await? {
                return Ok(Health::Bad(why));
            }
            if Instant::now() >= until {
                return Ok(Health::Good);
            }
        }
    }

    /// Waits until workers of the build ask for work again on each queue.
    /// Without work they do so once a minute, and the server lists those that
    /// ended for longer: that they are listed proves nothing.
    pub(super) async fn until_asked_again(
        &self,
        stop: &CancellationToken,
    ) -> anyhow::Result<Health> {
        let client = self.deployment.client;
        let earlier = Pollers::look(client).await?;
        let until = Instant::now() + ASKED_WITHIN;
        loop {
            tokio::select! {
                () = sleep(LOOK) => {}
                () = stop.cancelled() => return Ok(Health::Stopped),
            }
            if let Some(why) = self.trouble().await? {
                return Ok(Health::Bad(why));
            }
            let now = Pollers::look(client).await?;
            let mut silent = now.silent_since(&earlier, self.deployment.name, self.build);
            silent.retain(|queue| !self.missing.contains(queue));
            if silent.is_empty() {
                return Ok(Health::Good);
            }
            if Instant::now() >= until {
                return Ok(Health::Bad(format!(
                    "no worker of {} has asked for work for {} within {} s",
                    self.build,
                    silent.join(", "),
                    ASKED_WITHIN.as_secs()
                )));
            }
        }
    }

    async fn trouble(&self) -> anyhow::Result<Option<String>> {
        let client = self.deployment.client;
        let pollers = Pollers::look(client).await?;
        let mut missing = pollers.missing(self.deployment.name, Some(self.build));
        missing.retain(|queue| !self.missing.contains(queue));
        if !missing.is_empty() {
            return Ok(Some(format!(
                "no worker of {} is there any more for {}",
                self.build,
                missing.join(", ")
            )));
        }
        let version = version_attribute(self.deployment.name, self.build);
        let reported = format!(
            "{OPEN} AND TemporalReportedProblems IS NOT NULL \
             AND TemporalWorkerDeploymentVersion = '{version}'"
        );
        // A server that does not know the attribute has nothing to report.
        if let Ok((runs, _)) = list(client, &reported, Vec::new(), 1).await
            && let Some(run) = runs.first()
        {
            return Ok(Some(format!(
                "Temporal reports a problem with {} on {version}",
                run.workflow_id
            )));
        }
        self.failed_task().await
    }

    /// A workflow task that failed since the build got work, and on it as far
    /// as the event tells.
    async fn failed_task(&self) -> anyhow::Result<Option<String>> {
        let client = self.deployment.client;
        // One that never got a task done has no version yet, and one that goes
        // on with the current build has that of the build before.
        let (runs, _) = list(client, OPEN, Vec::new(), LOOKED_AT).await?;
        let mut found = stream::iter(runs)
            .map(|run| async move {
                let events = last_events(client, &run).await;
                (run, events)
            })
            .buffer_unordered(AT_ONCE);
        while let Some((run, events)) = found.next().await {
            // One that ended and is gone meanwhile was no trouble.
            if let Some(message) = self.failure(&events.unwrap_or_default()) {
                return Ok(Some(format!(
                    "a workflow task of {} failed since {} got work: {message}",
                    run.workflow_id, self.build
                )));
            }
        }
        Ok(None)
    }

    /// What a workflow task failed with on the build, if one did lately.
    fn failure(&self, events: &[HistoryEvent]) -> Option<String> {
        events.iter().find_map(|event| {
            let Some(Attributes::WorkflowTaskFailedEventAttributes(failed)) = &event.attributes
            else {
                return None;
            };
            let at = event.event_time.as_ref()?.seconds;
            let is_own = at >= self.since && is_of(failed, self.build);
            (is_own && blames_the_worker(failed.cause())).then(|| {
                let failure = failed.failure.clone().unwrap_or_default();
                format!("{:?}: {}", failed.cause(), failure.message)
            })
        })
    }
}

#[allow(
    deprecated,
    reason = "the only place in the event that names the build"
)]
fn is_of(failed: &WorkflowTaskFailedEventAttributes, build: &str) -> bool {
    failed
        .worker_version
        .as_ref()
        .is_none_or(|version| version.build_id.is_empty() || version.build_id == build)
}

/// Whether the code of the workflow, or its worker, is at fault: tasks also
/// fail because something came in meanwhile, or somebody reset the workflow.
const fn blames_the_worker(cause: WorkflowTaskFailedCause) -> bool {
    use WorkflowTaskFailedCause as Cause;
    !matches!(
        cause,
        Cause::UnhandledCommand
            | Cause::ResetWorkflow
            | Cause::ResetStickyTaskQueue
            | Cause::ForceCloseCommand
            | Cause::FailoverCloseCommand
    )
}

async fn last_events(client: &Client, run: &Run) -> anyhow::Result<Vec<HistoryEvent>> {
    let request = GetWorkflowExecutionHistoryReverseRequest {
        namespace: client.options().namespace.clone(),
        execution: Some(WorkflowExecution {
            workflow_id: run.workflow_id.clone(),
            run_id: run.run_id.clone(),
        }),
        maximum_page_size: LAST_EVENTS,
        ..Default::default()
    };
    let mut service = client.connection().workflow_service();
    let answer = service
        .get_workflow_execution_history_reverse(limited(request))
        .await
        .map_err(|status| asked("for a history", status))?;
    Ok(answer.into_inner().history.unwrap_or_default().events)
}
