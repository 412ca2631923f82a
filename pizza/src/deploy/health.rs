//! Whether a build that was just given work does it.
//!
//! A workflow task that fails leaves an event in its workflow's history, once:
//! the attempts that follow leave none, and after some of them the server
//! names the trouble in the search attribute `TemporalReportedProblems`. Both
//! are looked at, and whether the workers are still there.

use std::collections::HashMap;
use std::pin::pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::{StreamExt, TryStreamExt, stream};
use pizza_workflows::names::task_queue;
use temporalio_client::Client;
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
use temporalio_common::protos::temporal::api::enums::v1::{
    TaskQueueType, WorkerVersioningMode, WorkflowTaskFailedCause,
};
use temporalio_common::protos::temporal::api::history::v1::{
    HistoryEvent, WorkflowTaskFailedEventAttributes, history_event::Attributes,
};
use temporalio_common::protos::temporal::api::taskqueue::v1::{PollerInfo, TaskQueue};
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeTaskQueueRequest, GetWorkflowExecutionHistoryReverseRequest,
};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::deployment::{Deployment, LOOK_AGAIN, asked, limited, version_attribute};
use super::sample::{OPEN, Run, runs};

/// A worker asks for work at least once a minute, for as long as a poll lasts.
/// The server remembers those that ended for five minutes.
const ASKED_WITHIN: Duration = Duration::from_secs(75);

/// Both kinds of work on a queue; workers of ours do both.
const KINDS: [TaskQueueType; 2] = [TaskQueueType::Workflow, TaskQueueType::Activity];

/// How often it is looked, and how long what was just done takes to show.
const LOOK: Duration = Duration::from_secs(2);

/// Open workflows that are looked at each time, latest first.
const LOOKED_AT: u8 = 100;

/// Of these, so many at once.
const AT_ONCE: usize = 4;

/// Events at the end of a history among which a failed task is found.
const LAST_EVENTS: i32 = 10;

/// How a build does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Health {
    Good,
    Bad(String),
    /// The watch was stopped.
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
        let pollers = Pollers::look(deployment, build).await?;
        Ok(Self {
            deployment,
            build,
            since,
            missing: pollers.missing(),
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
            let health = self.next_look(left.min(LOOK), stop).await?;
            if health != Health::Good || Instant::now() >= until {
                return Ok(health);
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
        let earlier = Pollers::look(self.deployment, self.build).await?;
        let until = Instant::now() + ASKED_WITHIN;
        loop {
            let health = self.next_look(LOOK, stop).await?;
            if health != Health::Good {
                return Ok(health);
            }
            let now = Pollers::look(self.deployment, self.build).await?;
            let silent = self.but_missing(now.silent_since(&earlier));
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

    async fn next_look(&self, wait: Duration, stop: &CancellationToken) -> anyhow::Result<Health> {
        tokio::select! {
            () = sleep(wait) => {}
            () = stop.cancelled() => return Ok(Health::Stopped),
        }
        Ok(self.trouble().await?.map_or(Health::Good, Health::Bad))
    }

    fn but_missing(&self, mut queues: Vec<&'static str>) -> Vec<&'static str> {
        queues.retain(|queue| !self.missing.contains(queue));
        queues
    }

    async fn trouble(&self) -> anyhow::Result<Option<String>> {
        let pollers = Pollers::look(self.deployment, self.build).await?;
        let missing = self.but_missing(pollers.missing());
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
        let mut reported = pin!(runs(self.deployment.client, reported, 1));
        if let Some(Ok(run)) = reported.next().await {
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
        let open: Vec<Run> = runs(client, OPEN.to_owned(), LOOKED_AT.into())
            .take(LOOKED_AT.into())
            .try_collect()
            .await?;
        let mut found = stream::iter(open)
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

/// Waits until workers of the build are there for each queue. Returns the
/// queues for which there are none after `patience`.
pub(super) async fn missing(
    deployment: &Deployment<'_>,
    build: &str,
    patience: Duration,
) -> anyhow::Result<Vec<&'static str>> {
    let given_up = Instant::now() + patience;
    loop {
        let missing = Pollers::look(deployment, build).await?.missing();
        if missing.is_empty() || Instant::now() >= given_up {
            return Ok(missing);
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// When workers of a build last asked for work of each kind on each queue, by
/// the server's clock: seconds, and nanoseconds.
struct Pollers(HashMap<(&'static str, TaskQueueType), (i64, i32)>);

impl Pollers {
    /// Of those that asked within the last minute.
    async fn look(deployment: &Deployment<'_>, build: &str) -> anyhow::Result<Self> {
        let since = SystemTime::now() - ASKED_WITHIN;
        let since = since.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut last = HashMap::new();
        for queue in task_queue::ALL {
            for kind in KINDS {
                let pollers = pollers(deployment.client, queue, kind).await?;
                let own = pollers
                    .iter()
                    .filter(|info| is_of_build(info, deployment, build));
                let asked = own.filter_map(|info| info.last_access_time.as_ref());
                let asked = asked.map(|at| (at.seconds, at.nanos)).max();
                if let Some(at) = asked.filter(|at| at.0.cast_unsigned() >= since.as_secs()) {
                    last.insert((queue, kind), at);
                }
            }
        }
        Ok(Self(last))
    }

    /// The queues for which no worker is there.
    fn missing(&self) -> Vec<&'static str> {
        self.queues_without(|queue| self.0.contains_key(&queue))
    }

    /// The queues on which no worker has asked for work since `earlier` was
    /// seen. A worker that ended stays listed for a while, and does not ask
    /// again.
    fn silent_since(&self, earlier: &Self) -> Vec<&'static str> {
        self.queues_without(|queue| self.0.get(&queue) > earlier.0.get(&queue))
    }

    /// The queues for which this does not hold of both kinds of work.
    fn queues_without(
        &self,
        holds: impl Fn((&'static str, TaskQueueType)) -> bool,
    ) -> Vec<&'static str> {
        let mut queues = Vec::from(task_queue::ALL);
        queues.retain(|queue| !KINDS.into_iter().all(|kind| holds((queue, kind))));
        queues
    }
}

async fn pollers(
    client: &Client,
    queue: &str,
    kind: TaskQueueType,
) -> anyhow::Result<Vec<PollerInfo>> {
    let request = DescribeTaskQueueRequest {
        namespace: client.options().namespace.clone(),
        task_queue: Some(TaskQueue {
            name: queue.to_owned(),
            ..Default::default()
        }),
        task_queue_type: kind.into(),
        ..Default::default()
    };
    let mut service = client.connection().workflow_service();
    let answer = service
        .describe_task_queue(limited(request))
        .await
        .map_err(|status| asked(&format!("who works on {queue}"), status))?;
    Ok(answer.into_inner().pollers)
}

fn is_of_build(info: &PollerInfo, deployment: &Deployment<'_>, build: &str) -> bool {
    info.deployment_options.as_ref().is_some_and(|options| {
        options.worker_versioning_mode() == WorkerVersioningMode::Versioned
            && options.deployment_name == deployment.name
            && options.build_id == build
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(at: i64, but: Option<(&str, i64)>) -> Pollers {
        let each = task_queue::ALL.into_iter().flat_map(|queue| {
            let at = but.filter(|but| but.0 == queue).map_or(at, |but| but.1);
            KINDS.map(|kind| ((queue, kind), (at, 0)))
        });
        Pollers(each.collect())
    }

    #[test]
    fn a_worker_that_is_listed_and_does_not_ask_again_is_silent() {
        let earlier = seen(100, None);
        assert!(seen(101, None).silent_since(&earlier).is_empty());
        assert_eq!(earlier.silent_since(&earlier), task_queue::ALL);
        let queue = task_queue::ALL[0];
        let mut now = seen(101, Some((queue, 100)));
        assert_eq!(now.silent_since(&earlier), [queue]);
        assert!(now.missing().is_empty());
        now.0.remove(&(queue, KINDS[1]));
        assert_eq!(now.silent_since(&earlier), [queue]);
        assert_eq!(now.missing(), [queue]);
    }
}
