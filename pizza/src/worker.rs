//! The workers: one for each task queue.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use failure_queue::client::FailureQueues;
use failure_queue::worker::FailureQueueActivities;
use failure_queue::{BulkWorkflow, FailedTaskWorkflow, FailureQueueWorkflow};
use futures::future::join_all;
use pizza_activities::store::Store;
use pizza_activities::{
    CustomerActivities, KitchenActivities, LoyaltyActivities, OrderActivities, Parties,
    PaymentActivities, ReconciliationActivities,
};
use pizza_workflows::names::task_queue;
use pizza_workflows::{FulfilmentWorkflow, LoyaltyWorkflow, OrderWorkflow, ReconciliationWorkflow};
use temporalio_client::Client;
use temporalio_sdk::runtime::{AutoscalingOptions, PollerBehavior};
use temporalio_sdk::{Runtime, Worker, WorkerOptions};
use tokio_util::sync::CancellationToken;

use crate::reconciliation::{self, ReconciliationArgs};
use crate::telemetry::{self, WorkerMetricsArgs};
use crate::{shutdown, temporal};

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
    metrics: WorkerMetricsArgs,
    #[command(flatten)]
    store: StoreArgs,
}

/// Where the store is.
#[derive(Args, Clone, Debug)]
pub(crate) struct StoreArgs {
    /// The store, as `sqlite:PATH`; by default the one that `pizza dev` keeps
    #[arg(
        long,
        value_name = "URL",
        env = "DATABASE_URL",
        default_value = "sqlite:.pizza/pizza.db"
    )]
    pub(crate) database_url: String,
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
    let metrics = args.metrics.open(&queues).await?;
    let store = Store::open(&args.store.database_url).await?;
    if let Some(metrics) = metrics {
        metrics.serve(&store, &shutdown);
    }
    let Some(client) = temporal::connect_patiently(&shutdown).await? else {
        return Ok(ExitCode::SUCCESS);
    };
    let workers = Workers::new(&client, &store, &queues)?;
    // Only who runs it asks for it: nobody else may be there to.
    if queues
        .iter()
        .any(|queue| queue == task_queue::RECONCILIATION)
    {
        reconciliation::keep(&client, &args.reconciliation).await;
    }
    tracing::info!(?queues, "working");
    workers.run(shutdown).await?;
    Ok(ExitCode::SUCCESS)
}

/// The workers of one process.
pub(crate) struct Workers {
    workers: Vec<Worker>,
}

impl Workers {
    /// Makes a worker for each of `queues`.
    pub(crate) fn new(client: &Client, store: &Store, queues: &[String]) -> anyhow::Result<Self> {
        let runtime = Runtime::from_current_tokio(telemetry::runtime_options()?)?;
        let parties = Parties::simulated(store);
        let workers = queues
            .iter()
            .map(|queue| {
                let options = options(queue, client, &parties, store)?;
                Worker::new(&runtime, client.clone(), options)
                    .map_err(|error| anyhow::anyhow!("{error}"))
                    .with_context(|| format!("the worker of {queue} cannot be made"))
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { workers })
    }

    /// Runs them until `shutdown`, and until what is under way has ended. A
    /// worker that fails stops the others.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let handles: Vec<_> = self.workers.iter().map(Worker::shutdown_handle).collect();
        let stop = shutdown.child_token();
        let stopping = async {
            stop.cancelled().await;
            handles.iter().for_each(|shut_down| shut_down());
        };
        let running = join_all(self.workers.iter_mut().map(|worker| {
            let stop = stop.clone();
            async move {
                let ended = worker.run().await;
                stop.cancel();
                ended
            }
        }));
        let (ended, ()) = tokio::join!(running, stopping);
        for result in ended {
            result.map_err(|error| anyhow::anyhow!("{error}"))?;
        }
        Ok(())
    }
}

/// What the worker of a queue can do, and how it polls.
fn options(
    queue: &str,
    client: &Client,
    parties: &Parties,
    store: &Store,
) -> anyhow::Result<WorkerOptions> {
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
            // An order that is taken up again withdraws its ticket.
            .register_activities(KitchenActivities::new(
                parties.kitchen.clone(),
                store.clone(),
            ))
            .register_activities(CustomerActivities::new(parties.messenger.clone()))
            // An order that is taken up again has its ticket withdrawn.
            .register_activities(kitchen)
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
            .register_activities(FailureQueueActivities::new(FailureQueues::new(
                client.clone(),
                task_queue::FAILURES,
                BULK_TASK_TIMEOUT,
            )))
            // It tells the order's record what became of a task.
            .register_activities(OrderActivities::new(store.clone()))
            .build(),
        task_queue::RECONCILIATION => options
            .register_workflow::<ReconciliationWorkflow>()?
            .register_activities(ReconciliationActivities::new(client.clone(), store.clone()))
            .build(),
        other => anyhow::bail!("there is no task queue {other}"),
    })
}
