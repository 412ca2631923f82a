//! The workers: one for each task queue.

mod recycle;
mod versioning;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use failure_queue::worker::FailureQueueActivities;
use failure_queue::{
    BulkWorkflow, FailedTaskWorkflow, FailureQueueWorkflow, count_dropped_messages,
};
use pizza_activities::{
    BranchActivities, CustomerActivities, KitchenActivities, LoyaltyActivities, OrderActivities,
    Parties, PaymentActivities, ReconciliationActivities,
};
use pizza_api::usecases::failure_queues;
use pizza_store::Store;
use pizza_store::meters;
use pizza_workflows::names::task_queue;
use pizza_workflows::{FulfilmentWorkflow, LoyaltyWorkflow, OrderWorkflow, ReconciliationWorkflow};
use temporalio_client::Client;
use temporalio_common::worker::WorkerDeploymentVersion;
use temporalio_sdk::runtime::{AutoscalingOptions, PollerBehavior};
use temporalio_sdk::{Runtime, Worker, WorkerOptions};
use tokio_util::sync::CancellationToken;

use crate::audit::periodic::PeriodicAuditArgs;
use crate::reconciliation::{self, ReconciliationArgs};
use crate::store_args::StoreArgs;
use crate::telemetry::{self, MetricsArgs, Part};
use crate::{shutdown, temporal};

pub(crate) use recycle::RecycleArgs;
use recycle::Shift;
pub(crate) use versioning::{VersioningArgs, name_of_a_version};

/// How long steps under way may take to end once the worker is stopped.
const GRACEFUL_SHUTDOWN: Duration = Duration::from_secs(10);

/// How long a crashed worker's orders wait before another takes them.
const STICKY_TIMEOUT: Duration = Duration::from_secs(2);

/// How long one task of a bulk redrive may take before it is counted as
/// unanswered: an attempt, what follows it, and a worker that was lost.
const BULK_TASK_TIMEOUT: Duration = Duration::from_secs(25);

#[derive(Args, Debug)]
pub(crate) struct WorkerArgs {
    /// The task queues to work on; all when none is named
    #[arg(long = "queue", value_name = "QUEUE", value_parser = task_queue::ALL)]
    queues: Vec<String>,
    #[command(flatten)]
    reconciliation: ReconciliationArgs,
    #[command(flatten)]
    versioning: VersioningArgs,
    #[command(flatten)]
    recycle: RecycleArgs,
    #[command(flatten)]
    metrics: MetricsArgs,
    #[command(flatten)]
    audit: PeriodicAuditArgs,
    #[command(flatten)]
    store: StoreArgs,
}

/// Runs the workers until a signal stops them.
pub(crate) async fn run(args: WorkerArgs) -> anyhow::Result<ExitCode> {
    let shutdown = shutdown::on_signal();
    let queues = if args.queues.is_empty() {
        task_queue::ALL.map(str::to_owned).to_vec()
    } else {
        args.queues
    };
    // Before the client, which is counted from its first call on.
    let parts = queues.iter().cloned().map(Part::Worker).collect();
    let metrics = args.metrics.open(parts).await?;
    let store = Store::open(args.store.options()?).await?;
    if let Some(metrics) = metrics {
        metrics.serve(&store, &shutdown);
        if queues
            .iter()
            .any(|queue| queue == task_queue::RECONCILIATION)
        {
            args.audit.start(&store, &shutdown);
        }
    }
    let Some(client) = temporal::connect_patiently(&shutdown).await? else {
        return Ok(ExitCode::SUCCESS);
    };
    let version = args.versioning.version();
    let crew = Crew::new(store.clone(), queues, version, args.recycle)?;
    let workers = Workers::new(crew, &client)?;
    // Only who runs it asks for it: nobody else may be there to.
    if workers.crew.works_on(task_queue::RECONCILIATION) {
        reconciliation::keep(&client, &args.reconciliation).await;
    }
    drop(client);
    workers.crew.announce();
    tokio::select! {
        ended = workers.run(&temporal::connect, &shutdown) => ended?,
        error = store.lost() => return Err(error.into()),
    }
    Ok(ExitCode::SUCCESS)
}

/// What the workers of this process are made of, again and again.
pub(crate) struct Crew {
    runtime: Runtime,
    store: Store,
    parties: Parties,
    queues: Vec<String>,
    version: Option<WorkerDeploymentVersion>,
    recycle: RecycleArgs,
}

impl Crew {
    /// Workers for `queues`, as this version of a deployment where there is
    /// one.
    pub(crate) fn new(
        store: Store,
        queues: Vec<String>,
        version: Option<WorkerDeploymentVersion>,
        recycle: RecycleArgs,
    ) -> anyhow::Result<Self> {
        count_dropped_messages(meters::message_dropped);
        Ok(Self {
            runtime: Runtime::from_current_tokio(telemetry::runtime_options()?)?,
            parties: Parties::simulated(&store),
            store,
            queues,
            version,
            recycle,
        })
    }

    fn works_on(&self, queue: &str) -> bool {
        self.queues.iter().any(|worked_on| worked_on == queue)
    }

    fn announce(&self) {
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
    fn workers(&self, client: &Client) -> anyhow::Result<Vec<(String, Worker)>> {
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

/// The workers of one process.
pub(crate) struct Workers {
    crew: Crew,
    client: Client,
    first: Vec<(String, Worker)>,
}

impl Workers {
    /// Makes the first workers on the connection of `client`.
    pub(crate) fn new(crew: Crew, client: &Client) -> anyhow::Result<Self> {
        let first = crew.workers(client)?;
        Ok(Self {
            crew,
            client: client.clone(),
            first,
        })
    }

    /// Runs them until `shutdown`, and until what is under way has ended. A
    /// worker that fails stops the others. Those that replace them work on
    /// what `connect` makes: a client with the same settings, and a connection
    /// of its own.
    pub(crate) async fn run<C>(
        self,
        connect: &C,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<()>
    where
        C: AsyncFn() -> anyhow::Result<Client>,
    {
        let first = Shift::new(self.first, self.client, shutdown);
        recycle::run(first, &self.crew, connect, shutdown).await
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
fn options(queue: &str, client: &Client, crew: &Crew) -> anyhow::Result<WorkerOptions> {
    let Crew { parties, store, .. } = crew;
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
        .deployment_options(versioning::deployment_options(crew.version.as_ref(), queue))
        .workflow_task_poller_behavior(polling(16))
        .activity_task_poller_behavior(polling(16))
        .sticky_queue_schedule_to_start_timeout(STICKY_TIMEOUT)
        .graceful_shutdown_period(GRACEFUL_SHUTDOWN);
    let loyalty = LoyaltyActivities::new(parties.loyalty.clone(), store.clone());
    let kitchen = KitchenActivities::new(parties.kitchen.clone(), store.clone());
    Ok(match queue {
        task_queue::ORDERS => options
            .register_workflow::<OrderWorkflow>()?
            .register_activities(OrderActivities::new(store.clone()))
            .register_activities(PaymentActivities::new(
                parties.payments.clone(),
                store.clone(),
            ))
            .register_activities(loyalty)
            .register_activities(CustomerActivities::new(parties.messenger.clone()))
            // An order that is taken up again has its ticket withdrawn, and
            // looks for branches of an earlier run.
            .register_activities(kitchen)
            .register_activities(BranchActivities::new(client.clone(), store.clone()))
            .build(),
        // Both branches also write to the order's record.
        task_queue::LOYALTY => options
            .register_workflow::<LoyaltyWorkflow>()?
            .register_activities(loyalty)
            .register_activities(OrderActivities::new(store.clone()))
            .build(),
        task_queue::FULFILMENT => options
            .register_workflow::<FulfilmentWorkflow>()?
            .register_activities(kitchen)
            .build(),
        task_queue::FAILURES => options
            .register_workflow::<FailedTaskWorkflow>()?
            .register_workflow::<FailureQueueWorkflow>()?
            .register_workflow::<BulkWorkflow>()?
            .register_activities(FailureQueueActivities::new(failure_queues(
                client.clone(),
                BULK_TASK_TIMEOUT,
                temporal::cipher()?,
            )))
            // It tells the order's record what became of a task.
            .register_activities(OrderActivities::new(store.clone()))
            .build(),
        task_queue::RECONCILIATION => options
            .register_workflow::<ReconciliationWorkflow>()?
            .register_activities(reconciliation(client, store)?)
            .build(),
        other => anyhow::bail!("there is no task queue {other}"),
    })
}
