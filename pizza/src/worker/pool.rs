//! What the worker of each task queue can do, and how it polls.

use std::time::Duration;

use anyhow::Context;
use failure_queue::worker::FailureQueueActivities;
use failure_queue::{
    BulkWorkflow, FailedTaskWorkflow, FailureQueueWorkflow, count_dropped_messages,
};
use pizza_activities::{Parties, ReconciliationActivities, register_steps};
use pizza_app::failure_queues;
use pizza_store::Store;
use pizza_store::meters;
use pizza_workflows::names::task_queue;
use pizza_workflows::{FulfilmentWorkflow, LoyaltyWorkflow, OrderWorkflow, ReconciliationWorkflow};
use temporalio_client::Client;
use temporalio_common::worker::WorkerDeploymentVersion;
use temporalio_sdk::runtime::{AutoscalingOptions, PollerBehavior};
use temporalio_sdk::{Runtime, Worker, WorkerOptions};

use super::versioning;
use crate::{telemetry, temporal};

/// How long steps under way may take to end once the worker is stopped.
const GRACEFUL_SHUTDOWN: Duration = Duration::from_secs(10);

/// How long a crashed worker's orders wait before another takes them.
const STICKY_TIMEOUT: Duration = Duration::from_secs(2);

/// How long one task of a bulk redrive may take before it is counted as
/// unanswered: an attempt, what follows it, and a worker that was lost.
const BULK_TASK_TIMEOUT: Duration = Duration::from_secs(25);

/// Makes the workers of this process, at the start and each time that they are
/// replaced.
pub(crate) struct WorkerPool {
    runtime: Runtime,
    store: Store,
    parties: Parties,
    queues: Vec<String>,
    version: Option<WorkerDeploymentVersion>,
}

impl WorkerPool {
    /// Workers for `queues`, as this version of a deployment where there is
    /// one.
    pub(crate) fn new(
        store: Store,
        queues: Vec<String>,
        version: Option<WorkerDeploymentVersion>,
    ) -> anyhow::Result<Self> {
        count_dropped_messages(meters::message_dropped);
        Ok(Self {
            runtime: Runtime::from_current_tokio(telemetry::runtime_options()?)?,
            parties: Parties::simulated(&store),
            store,
            queues,
            version,
        })
    }

    pub(super) fn announce(&self) {
        let queues = &self.queues;
        match &self.version {
            None => tracing::info!(?queues, "working"),
            Some(version) => tracing::info!(
                ?queues,
                deployment = version.deployment_name,
                build = version.build_id,
                "working, as far as the build is promoted"
            ),
        }
    }

    /// A worker for each queue, on the connection of `client`.
    pub(super) fn workers(&self, client: &Client) -> anyhow::Result<Vec<(String, Worker)>> {
        let make = |queue: &String| {
            let options = options(queue, client, self)?;
            let worker = Worker::new(&self.runtime, client.clone(), options)
                .map_err(|error| anyhow::anyhow!("{error}"))
                .with_context(|| format!("the worker of {queue} cannot be made"))?;
            Ok((queue.clone(), worker))
        };
        self.queues.iter().map(make).collect()
    }
}

fn reconciliation(client: &Client, store: &Store) -> anyhow::Result<ReconciliationActivities> {
    let activities = ReconciliationActivities::new(client.clone(), store.clone());
    Ok(match temporal::cipher()? {
        Some(cipher) => {
            activities.with_aliases(move |customer| cipher.keys().alias(&customer.to_string()))
        }
        None => activities,
    })
}

/// What the worker of a queue can do, and how it polls.
fn options(queue: &str, client: &Client, pool: &WorkerPool) -> anyhow::Result<WorkerOptions> {
    let WorkerPool { parties, store, .. } = pool;
    let polling = |maximum| {
        PollerBehavior::Autoscaling(
            AutoscalingOptions::builder()
                .minimum(2)
                .maximum(maximum)
                .initial(4)
                .build(),
        )
    };
    let options = WorkerOptions::new(queue)
        .deployment_options(versioning::deployment_options(pool.version.as_ref(), queue))
        .workflow_task_poller_behavior(polling(16))
        .activity_task_poller_behavior(polling(16))
        .sticky_queue_schedule_to_start_timeout(STICKY_TIMEOUT)
        .graceful_shutdown_period(GRACEFUL_SHUTDOWN);
    let mut options = match queue {
        task_queue::ORDERS => options.register_workflow::<OrderWorkflow>()?.build(),
        task_queue::LOYALTY => options.register_workflow::<LoyaltyWorkflow>()?.build(),
        task_queue::FULFILMENT => options.register_workflow::<FulfilmentWorkflow>()?.build(),
        task_queue::FAILURES => options
            .register_workflow::<FailedTaskWorkflow>()?
            .register_workflow::<FailureQueueWorkflow>()?
            .register_workflow::<BulkWorkflow>()?
            .register_activities(FailureQueueActivities::new(failure_queues(
                client.clone(),
                BULK_TASK_TIMEOUT,
                temporal::cipher()?,
            )))
            .build(),
        task_queue::RECONCILIATION => options
            .register_workflow::<ReconciliationWorkflow>()?
            .register_activities(reconciliation(client, store)?)
            .build(),
        other => anyhow::bail!("there is no task queue {other}"),
    };
    register_steps(&mut options, parties, store, client);
    Ok(options)
}
