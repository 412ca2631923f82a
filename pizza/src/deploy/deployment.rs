//! A worker deployment as Temporal knows it, and every change of it.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use failure_queue::client::missing_namespace;
use serde::{Deserialize, Serialize};
use temporalio_client::Client;
use temporalio_common::protos::temporal::api::common::v1::Payload;
use temporalio_common::protos::temporal::api::deployment::v1::{
    RoutingConfig, WorkerDeploymentVersion, worker_deployment_info::WorkerDeploymentVersionSummary,
};
use temporalio_common::protos::temporal::api::enums::v1::WorkerDeploymentVersionStatus;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    CountWorkflowExecutionsRequest, DescribeWorkerDeploymentRequest,
    DescribeWorkerDeploymentVersionRequest, SetWorkerDeploymentCurrentVersionRequest,
    SetWorkerDeploymentRampingVersionRequest, UpdateWorkerDeploymentVersionMetadataRequest,
};
use tokio::time::{Instant, sleep};
use tonic::{Code, IntoRequest, Request, Status};

/// The longest wait for one answer. A change of the routing is an update of a
/// workflow of the server's, and takes some of it.
const ANSWER: Duration = Duration::from_secs(20);

/// How often one looks for a build that is still starting.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// How often a change is tried again when others changed something that it
/// does not depend on.
const TRIES: u32 = 5;

/// The entry of a version's metadata in which its promotion is noted.
const NOTE: &str = "pizza-promotion";

/// What is routed where.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Routing {
    /// The build that gets what is new; none for workers that are not
    /// versioned.
    pub(super) current: Option<String>,
    /// The build that gets a share of it, and that share in percent.
    pub(super) ramping: Option<Ramp>,
}

/// A share of what is new.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Ramp {
    pub(super) build: String,
    pub(super) percent: f32,
}

/// How a deployment stands.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) routing: Routing,
    /// All builds that the server knows of, latest first.
    pub(super) versions: Vec<Version>,
    /// Who changed the routing last.
    pub(super) changed_by: String,
    /// When, in seconds since the Unix epoch.
    pub(super) changed_at: i64,
    token: Vec<u8>,
}

/// A build of the deployment.
#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) build: String,
    pub(super) state: State,
    /// When it last became current, in milliseconds since the Unix epoch.
    pub(super) last_current_ms: Option<i64>,
}

/// How far a build is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// Its workers were seen, and nothing is routed to them.
    Inactive,
    Current,
    Ramping,
    /// It gets nothing new, and workflows that stay with it are open.
    Draining,
    /// None is open any more.
    Drained,
    Unknown,
}

impl State {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Current => "current",
            Self::Ramping => "ramping",
            Self::Draining => "draining",
            Self::Drained => "drained",
            Self::Unknown => "unknown",
        }
    }
}

/// What is kept with a version about how it became current. The server itself
/// keeps only when each version last did, which does not tell a promotion from
/// a rollback.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Note {
    /// The build that was current before; none for workers that were not
    /// versioned.
    #[serde(default)]
    pub(super) previous: Option<String>,
    /// Why it was promoted without a check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) check_skipped: Option<String>,
    /// The build that was rolled back when this one became current again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) restored_from: Option<String>,
}

/// A change of the routing.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change<'a> {
    /// All that is new goes to this build; none for workers that are not
    /// versioned.
    Current(Option<&'a str>),
    /// A share of it does.
    Ramp { build: &'a str, percent: f32 },
    /// No share of it goes anywhere else.
    NoRamp,
}

impl Change<'_> {
    fn is_made(self, routing: &Routing) -> bool {
        match self {
            Self::Current(build) => routing.current.as_deref() == build,
            Self::Ramp { build, percent } => routing
                .ramping
                .as_ref()
                .is_some_and(|ramp| ramp.build == build && ramp.percent == percent),
            Self::NoRamp => routing.ramping.is_none(),
        }
    }
}

/// The deployment of this name.
pub(super) struct Deployment<'a> {
    pub(super) client: &'a Client,
    pub(super) name: &'a str,
}

impl Deployment<'_> {
    /// How it stands; none when no worker of it was ever seen.
    pub(super) async fn standing(&self) -> anyhow::Result<Option<Standing>> {
        let request = DescribeWorkerDeploymentRequest {
            namespace: self.client.options().namespace.clone(),
            deployment_name: self.name.to_owned(),
        };
        let answer = patiently(Code::ResourceExhausted, async || {
            let mut service = self.client.connection().workflow_service();
            service
                .describe_worker_deployment(limited(request.clone()))
                .await
        });
        let answer = match answer.await {
            Ok(answer) => answer.into_inner(),
            Err(status)
                if status.code() == Code::NotFound && missing_namespace(&status).is_none() =>
            {
                return Ok(None);
            }
            Err(status) => return Err(asked("how the deployment stands", status)),
        };
        let info = answer.worker_deployment_info.unwrap_or_default();
        let config = info.routing_config.unwrap_or_default();
        let changes = [
            config.current_version_changed_time,
            config.ramping_version_percentage_changed_time,
        ];
        Ok(Some(Standing {
            versions: info.version_summaries.into_iter().map(version).collect(),
            changed_by: info.last_modifier_identity,
            changed_at: changes
                .iter()
                .flatten()
                .map(|at| at.seconds)
                .max()
                .unwrap_or_default(),
            token: answer.conflict_token,
            routing: routing(config),
        }))
    }

    /// How it stands.
    ///
    /// # Errors
    /// Also when no worker of it was ever seen.
    pub(super) async fn known(&self) -> anyhow::Result<Standing> {
        self.standing().await?.with_context(|| {
            format!(
                "no worker of the deployment {} was ever seen; start one with \
                 TEMPORAL_DEPLOYMENT_NAME={}",
                self.name, self.name
            )
        })
    }

    /// How it stands, once the server knows this build of it: it takes note of
    /// one a moment after its first worker asked for work.
    pub(super) async fn with_build(
        &self,
        build: &str,
        patience: Duration,
    ) -> anyhow::Result<Standing> {
        let given_up = Instant::now() + patience;
        loop {
            if let Some(standing) = self.standing().await?
                && standing
                    .versions
                    .iter()
                    .any(|version| version.build == build)
            {
                return Ok(standing);
            }
            ensure!(
                Instant::now() < given_up,
                "no worker of the build {build} of {} was ever seen",
                self.name
            );
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Makes a change for which `seen` was the reason. Others may have changed
    /// something since: when the routing is still the one that was seen, it is
    /// tried again, otherwise refused. To make a change that is made already
    /// is well.
    ///
    /// Gives how the deployment stands from then on.
    pub(super) async fn change(
        &self,
        change: Change<'_>,
        seen: &Standing,
        force: bool,
    ) -> anyhow::Result<Standing> {
        let mut token = seen.token.clone();
        for _ in 0..TRIES {
            let done = self.try_change(change, token, force).await;
            // Whatever was answered, or got lost: what counts is what is.
            let now = self.known().await?;
            if change.is_made(&now.routing) {
                return Ok(now);
            }
            match done {
                Err(status) if status.code() != Code::FailedPrecondition => {
                    return Err(asked("for another routing", status));
                }
                Err(status) if now.token == seen.token => {
                    return Err(asked("for another routing", status));
                }
                _ => {}
            }
            if now.routing != seen.routing {
                bail!(
                    "somebody else ({}) changed the deployment {} meanwhile; look at \
                     `pizza deploy status`, and decide anew",
                    now.changed_by,
                    self.name
                );
            }
            token = now.token;
        }
        bail!(
            "the deployment {} is being changed all the time; nothing was done",
            self.name
        )
    }

    async fn try_change(
        &self,
        change: Change<'_>,
        conflict_token: Vec<u8>,
        force: bool,
    ) -> Result<(), Status> {
        let namespace = self.client.options().namespace.clone();
        let deployment_name = self.name.to_owned();
        let identity = self.client.connection().identity().to_owned();
        let mut service = self.client.connection().workflow_service();
        let (build_id, percentage) = match change {
            Change::Current(build) => {
                let request = SetWorkerDeploymentCurrentVersionRequest {
                    namespace,
                    deployment_name,
                    build_id: build.unwrap_or_default().to_owned(),
                    conflict_token,
                    identity,
                    ignore_missing_task_queues: force,
                    allow_no_pollers: force,
                    ..Default::default()
                };
                let request = limited(request);
                service
                    .set_worker_deployment_current_version(request)
                    .await?;
                return Ok(());
            }
            Change::Ramp { build, percent } => (build.to_owned(), percent),
            Change::NoRamp => (String::new(), 0.0),
        };
        let request = SetWorkerDeploymentRampingVersionRequest {
            namespace,
            deployment_name,
            build_id,
            percentage,
            conflict_token,
            identity,
            ignore_missing_task_queues: force,
            allow_no_pollers: force,
            ..Default::default()
        };
        let request = limited(request);
        service
            .set_worker_deployment_ramping_version(request)
            .await?;
        Ok(())
    }

    /// What is kept about how a build became current; none for one that
    /// another tool promoted.
    pub(super) async fn note(&self, build: &str) -> anyhow::Result<Option<Note>> {
        let request = DescribeWorkerDeploymentVersionRequest {
            namespace: self.client.options().namespace.clone(),
            deployment_version: Some(self.version(build)),
            ..Default::default()
        };
        let answer = patiently(Code::ResourceExhausted, async || {
            let mut service = self.client.connection().workflow_service();
            service
                .describe_worker_deployment_version(limited(request.clone()))
                .await
        })
        .await
        .map_err(|status| asked("about a build", status))?;
        let entry = answer
            .into_inner()
            .worker_deployment_version_info
            .and_then(|info| info.metadata)
            .and_then(|mut metadata| metadata.entries.remove(NOTE));
        Ok(entry.and_then(|entry| serde_json::from_slice(&entry.data).ok()))
    }

    /// Keeps a note with a build.
    pub(super) async fn keep(&self, build: &str, note: &Note) -> anyhow::Result<()> {
        let entry = Payload {
            metadata: [("encoding".to_owned(), b"json/plain".to_vec())].into(),
            data: serde_json::to_vec(note)?,
            ..Default::default()
        };
        let request = UpdateWorkerDeploymentVersionMetadataRequest {
            namespace: self.client.options().namespace.clone(),
            deployment_version: Some(self.version(build)),
            upsert_entries: [(NOTE.to_owned(), entry)].into(),
            identity: self.client.connection().identity().to_owned(),
            ..Default::default()
        };
        // A build is listed a moment before there is a place for notes on it.
        patiently(Code::NotFound, async || {
            let mut service = self.client.connection().workflow_service();
            service
                .update_worker_deployment_version_metadata(limited(request.clone()))
                .await
        })
        .await
        .map_err(|status| asked("to keep a note", status))?;
        Ok(())
    }

    fn version(&self, build: &str) -> WorkerDeploymentVersion {
        WorkerDeploymentVersion {
            build_id: build.to_owned(),
            deployment_name: self.name.to_owned(),
        }
    }
}

/// Asks again while the answer is this error, and gives up after [`ANSWER`]:
/// the server holds those who ask for one deployment to a rate of their own.
async fn patiently<T>(
    passing: Code,
    ask: impl AsyncFn() -> Result<T, Status>,
) -> Result<T, Status> {
    let given_up = Instant::now() + ANSWER;
    loop {
        match ask().await {
            Err(status) if status.code() == passing && Instant::now() < given_up => {
                sleep(LOOK_AGAIN).await;
            }
            answer => return answer,
        }
    }
}

/// How many workflows match a visibility query. What Temporal counts is a
/// moment behind what it does.
pub(super) async fn count(client: &Client, query: &str) -> anyhow::Result<u64> {
    let request = CountWorkflowExecutionsRequest {
        namespace: client.options().namespace.clone(),
        query: query.to_owned(),
    };
    let mut service = client.connection().workflow_service();
    let answer = service
        .count_workflow_executions(limited(request))
        .await
        .map_err(|status| asked(&format!("to count {query}"), status))?;
    Ok(u64::try_from(answer.into_inner().count).unwrap_or_default())
}

/// The search attribute `TemporalWorkerDeploymentVersion` of what a build
/// worked on last.
pub(super) fn version_attribute(deployment: &str, build: &str) -> String {
    format!("{deployment}:{build}")
}

/// A request that is given up after [`ANSWER`].
pub(super) fn limited<T>(request: T) -> Request<T> {
    let mut request = request.into_request();
    request.set_timeout(ANSWER);
    request
}

/// What Temporal was asked, and that it answered with an error.
pub(super) fn asked(what: &str, status: Status) -> anyhow::Error {
    anyhow::anyhow!("{}", status.message())
        .context(format!("Temporal was asked {what} ({:?})", status.code()))
}

fn routing(config: RoutingConfig) -> Routing {
    let percent = config.ramping_version_percentage;
    Routing {
        current: config
            .current_deployment_version
            .map(|version| version.build_id),
        ramping: config.ramping_deployment_version.map(|version| Ramp {
            build: version.build_id,
            percent,
        }),
    }
}

fn version(summary: WorkerDeploymentVersionSummary) -> Version {
    use WorkerDeploymentVersionStatus as Status;
    let state = match summary.status() {
        Status::Inactive | Status::Created => State::Inactive,
        Status::Current => State::Current,
        Status::Ramping => State::Ramping,
        Status::Draining => State::Draining,
        Status::Drained => State::Drained,
        Status::Unspecified => State::Unknown,
    };
    Version {
        build: summary.deployment_version.unwrap_or_default().build_id,
        state,
        last_current_ms: summary
            .last_current_time
            .map(|time| time.seconds * 1000 + i64::from(time.nanos) / 1_000_000),
    }
}
