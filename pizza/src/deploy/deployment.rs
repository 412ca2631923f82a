//! A worker deployment as Temporal knows it, and every change of it.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use failure_queue::client::missing_namespace;
use serde::Serialize;
use serde_json::json;
use temporalio_client::Client;
use temporalio_common::protos::temporal::api::common::v1::Payload;
use temporalio_common::protos::temporal::api::deployment::v1::{
    RoutingConfig, WorkerDeploymentVersion,
};
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeWorkerDeploymentRequest, SetWorkerDeploymentCurrentVersionRequest,
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
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Routing {
    /// The build that gets what is new; none for workers that are not
    /// versioned.
    pub(super) current: Option<String>,
    /// The build that gets a share of it.
    pub(super) ramping: Option<Ramp>,
}

/// A share of what is new.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Ramp {
    pub(super) build: String,
    pub(super) percent: f32,
}

/// The state of a deployment.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) routing: Routing,
    /// When the routing last changed, in seconds since the Unix epoch.
    pub(super) changed_at: i64,
    /// All builds that the server knows.
    builds: Vec<String>,
    /// Who changed it last.
    changed_by: String,
    /// A change with an earlier token is refused.
    token: Vec<u8>,
}

/// A change of the routing.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// Its state; none when the server has seen no worker of it.
    async fn state(&self) -> anyhow::Result<Option<State>> {
        let request = DescribeWorkerDeploymentRequest {
            namespace: self.client.options().namespace.clone(),
            deployment_name: self.name.to_owned(),
        };
        let answer = patiently(Code::ResourceExhausted, async || {
            let mut service = self.client.connection().workflow_service();
            let request = limited(request.clone());
            service.describe_worker_deployment(request).await
        });
        let answer = match answer.await {
            Ok(answer) => answer.into_inner(),
            Err(status)
                if status.code() == Code::NotFound && missing_namespace(&status).is_none() =>
            {
                return Ok(None);
            }
            Err(status) => return Err(asked("for the state of the deployment", status)),
        };
        let info = answer.worker_deployment_info.unwrap_or_default();
        let config = info.routing_config.unwrap_or_default();
        let changes = [
            config.current_version_changed_time,
            config.ramping_version_percentage_changed_time,
        ];
        let build = |version: Option<WorkerDeploymentVersion>| version.unwrap_or_default().build_id;
        Ok(Some(State {
            changed_at: changes
                .iter()
                .flatten()
                .map(|at| at.seconds)
                .max()
                .unwrap_or_default(),
            routing: routing(config),
            builds: info
                .version_summaries
                .into_iter()
                .map(|summary| build(summary.deployment_version))
                .collect(),
            changed_by: info.last_modifier_identity,
            token: answer.conflict_token,
        }))
    }

    /// Its state, once the server knows this build of it: it takes note of one
    /// a moment after its first worker asked for work.
    pub(super) async fn with_build(
        &self,
        build: &str,
        patience: Duration,
    ) -> anyhow::Result<State> {
        let given_up = Instant::now() + patience;
        loop {
            if let Some(state) = self.state().await?
                && state.builds.iter().any(|known| known == build)
            {
                return Ok(state);
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
    /// Returns the state from then on.
    pub(super) async fn change(
        &self,
        change: Change<'_>,
        seen: &State,
        force: bool,
    ) -> anyhow::Result<State> {
        let mut token = seen.token.clone();
        for _ in 0..TRIES {
            let done = self.try_change(change, token, force).await;
            // Whatever was answered, or got lost: what counts is what is.
            let now = self.state().await?.context("the deployment is gone")?;
            if change.is_made(&now.routing) {
                return Ok(now);
            }
            if let Err(status) = done
                && (status.code() != Code::FailedPrecondition || now.token == seen.token)
            {
                return Err(asked("for another routing", status));
            }
            ensure!(
                now.routing == seen.routing,
                "somebody else ({}) changed the deployment {1} meanwhile; look at \
                 `pizza temporal worker deployment describe --name {1}`, and decide anew",
                now.changed_by,
                self.name
            );
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
                let request = limited(SetWorkerDeploymentCurrentVersionRequest {
                    namespace,
                    deployment_name,
                    build_id: build.unwrap_or_default().to_owned(),
                    conflict_token,
                    identity,
                    ignore_missing_task_queues: force,
                    allow_no_pollers: force,
                    ..Default::default()
                });
                let done = service.set_worker_deployment_current_version(request);
                return done.await.map(drop);
            }
            Change::Ramp { build, percent } => (build.to_owned(), percent),
            Change::NoRamp => (String::new(), 0.0),
        };
        let request = limited(SetWorkerDeploymentRampingVersionRequest {
            namespace,
            deployment_name,
            build_id,
            percentage,
            conflict_token,
            identity,
            ignore_missing_task_queues: force,
            allow_no_pollers: force,
            ..Default::default()
        });
        let done = service.set_worker_deployment_ramping_version(request);
        done.await.map(drop)
    }

    /// Keeps with a build which one was current before it, and why it was not
    /// checked. The server itself keeps only when each build last became
    /// current, which does not tell a promotion from a rollback.
    pub(super) async fn note_promotion(
        &self,
        build: &str,
        previous: Option<&str>,
        check_skipped: Option<&str>,
    ) -> anyhow::Result<()> {
        let mut note = json!({ "previous": previous });
        if let Some(reason) = check_skipped {
            note["checkSkipped"] = json!(reason);
        }
        let entry = Payload {
            metadata: [("encoding".to_owned(), b"json/plain".to_vec())].into(),
            data: note.to_string().into_bytes(),
            ..Default::default()
        };
        let request = UpdateWorkerDeploymentVersionMetadataRequest {
            namespace: self.client.options().namespace.clone(),
            deployment_version: Some(WorkerDeploymentVersion {
                build_id: build.to_owned(),
                deployment_name: self.name.to_owned(),
            }),
            upsert_entries: [(NOTE.to_owned(), entry)].into(),
            identity: self.client.connection().identity().to_owned(),
            ..Default::default()
        };
        // A build is listed a moment before there is a place for notes on it.
        patiently(Code::NotFound, async || {
            let mut service = self.client.connection().workflow_service();
            let request = limited(request.clone());
            let kept = service.update_worker_deployment_version_metadata(request);
            kept.await
        })
        .await
        .map_err(|status| asked("to keep a note", status))?;
        Ok(())
    }
}

/// Asks again while the answer is this error, and gives up after [`ANSWER`]:
/// the server holds those who ask about one deployment to a rate of their own,
/// for which the client alone has too little patience.
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
    anyhow::Error::new(status).context(format!("Temporal was asked {what}"))
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
