//! Which workers are there.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pizza_workflows::names::task_queue;
use temporalio_client::Client;
use temporalio_common::protos::temporal::api::enums::v1::{TaskQueueType, WorkerVersioningMode};
use temporalio_common::protos::temporal::api::taskqueue::v1::{PollerInfo, TaskQueue};
use temporalio_common::protos::temporal::api::workflowservice::v1::DescribeTaskQueueRequest;
use tokio::time::{Instant, sleep};

use super::deployment::{LOOK_AGAIN, asked, limited};

/// A worker asks for work at least once a minute, for as long as a poll lasts.
/// The server remembers those that ended for five minutes.
pub(super) const ASKED_WITHIN: Duration = Duration::from_secs(75);

/// Both kinds of work on a queue; workers of ours do both.
const KINDS: [TaskQueueType; 2] = [TaskQueueType::Workflow, TaskQueueType::Activity];

/// The pollers of all queues.
pub(super) struct Pollers(Vec<Poller>);

struct Poller {
    queue: &'static str,
    kind: TaskQueueType,
    identity: String,
    /// The deployment and the build; none where it is not versioned.
    version: Option<(String, String)>,
    /// When it last asked, by the server's clock: seconds, and nanoseconds.
    asked_at: (i64, i32),
}

impl Pollers {
    /// Those that asked for work within the last minute.
    pub(super) async fn look(client: &Client) -> anyhow::Result<Self> {
        let mut pollers = Vec::new();
        for queue in task_queue::ALL {
            for kind in KINDS {
                for info in describe(client, queue, kind).await? {
                    if has_asked_lately(&info) {
                        pollers.push(Poller {
                            queue,
                            kind,
                            version: version(&info),
                            asked_at: asked_at(&info),
                            identity: info.identity,
                        });
                    }
                }
            }
        }
        Ok(Self(pollers))
    }

    /// The queues for which no worker of this build is there; without a
    /// build, none that is not versioned.
    pub(super) fn missing(&self, deployment: &str, build: Option<&str>) -> Vec<&'static str> {
        let wanted = build.map(|build| (deployment.to_owned(), build.to_owned()));
        task_queue::ALL
            .into_iter()
            .filter(|queue| {
                !KINDS.into_iter().all(|kind| {
                    self.0.iter().any(|poller| {
                        poller.queue == *queue && poller.kind == kind && poller.version == wanted
                    })
                })
            })
            .collect()
    }

    /// The queues on which no worker of this build has asked for work since
    /// `earlier` was seen. A worker that ended stays listed for a while, and
    /// does not ask again.
    pub(super) fn silent_since(
        &self,
        earlier: &Self,
        deployment: &str,
        build: &str,
    ) -> Vec<&'static str> {
        let has_asked = |queue: &&str, kind| {
            let now = self.last_asked(queue, kind, deployment, build);
            now > earlier.last_asked(queue, kind, deployment, build)
        };
        task_queue::ALL
            .into_iter()
            .filter(|queue| !KINDS.into_iter().all(|kind| has_asked(queue, kind)))
            .collect()
    }

    fn last_asked(
        &self,
        queue: &str,
        kind: TaskQueueType,
        deployment: &str,
        build: &str,
    ) -> Option<(i64, i32)> {
        let is_of_build = |poller: &&Poller| {
            let version = poller.version.as_ref();
            poller.queue == queue
                && poller.kind == kind
                && version.is_some_and(|version| version.0 == deployment && version.1 == build)
        };
        let pollers = self.0.iter().filter(is_of_build);
        pollers.map(|poller| poller.asked_at).max()
    }

    /// How many processes of this build work on each queue.
    pub(super) fn by_queue(&self, deployment: &str, build: &str) -> BTreeMap<&'static str, usize> {
        let mut found = BTreeMap::new();
        for queue in task_queue::ALL {
            let processes: HashSet<&str> = self
                .0
                .iter()
                .filter(|poller| {
                    let version = poller.version.as_ref();
                    poller.queue == queue
                        && version
                            .is_some_and(|version| version.0 == deployment && version.1 == build)
                })
                .map(|poller| poller.identity.as_str())
                .collect();
            if !processes.is_empty() {
                found.insert(queue, processes.len());
            }
        }
        found
    }
}

/// Waits until workers of the build are there for each queue. Gives the
/// queues for which there are none after `patience`.
pub(super) async fn missing(
    client: &Client,
    deployment: &str,
    build: Option<&str>,
    patience: Duration,
) -> anyhow::Result<Vec<&'static str>> {
    let given_up = Instant::now() + patience;
    loop {
        let missing = Pollers::look(client).await?.missing(deployment, build);
        if missing.is_empty() || Instant::now() >= given_up {
            return Ok(missing);
        }
        sleep(LOOK_AGAIN).await;
    }
}

async fn describe(
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

fn has_asked_lately(info: &PollerInfo) -> bool {
    let since = SystemTime::now() - ASKED_WITHIN;
    let since = since.duration_since(UNIX_EPOCH).unwrap_or_default();
    let at = info.last_access_time.map_or(0, |time| time.seconds);
    u64::try_from(at).unwrap_or_default() >= since.as_secs()
}

fn asked_at(info: &PollerInfo) -> (i64, i32) {
    let at = info.last_access_time.as_ref();
    at.map_or((0, 0), |at| (at.seconds, at.nanos))
}

fn version(info: &PollerInfo) -> Option<(String, String)> {
    let options = info.deployment_options.as_ref()?;
    (options.worker_versioning_mode() == WorkerVersioningMode::Versioned)
        .then(|| (options.deployment_name.clone(), options.build_id.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(at: i64, but: Option<(&str, i64)>) -> Pollers {
        let each = task_queue::ALL.into_iter().flat_map(|queue| {
            KINDS.map(|kind| Poller {
                queue,
                kind,
                identity: "a worker".to_owned(),
                version: Some(("pizza".to_owned(), "2".to_owned())),
                asked_at: (but.filter(|but| but.0 == queue).map_or(at, |but| but.1), 0),
            })
        });
        Pollers(each.collect())
    }

    #[test]
    fn a_worker_that_is_listed_and_does_not_ask_again_is_silent() {
        let earlier = seen(100, None);
        let silent = |now: &Pollers, build| now.silent_since(&earlier, "pizza", build);
        assert!(silent(&seen(101, None), "2").is_empty());
        assert_eq!(silent(&earlier, "2"), task_queue::ALL);
        let queue = task_queue::ALL[0];
        assert_eq!(silent(&seen(101, Some((queue, 100))), "2"), [queue]);
        // Another build's workers are no help.
        assert_eq!(silent(&seen(101, None), "3"), task_queue::ALL);
    }
}
