//! The workers: one for each task queue.

mod pool;
mod recycle;
mod versioning;

use std::process::ExitCode;

use clap::Args;
use pizza_store::Store;
use pizza_workflows::names::task_queue;
use temporalio_client::Client;
use temporalio_sdk::Worker;
use tokio_util::sync::CancellationToken;

use crate::audit::periodic::PeriodicAuditArgs;
use crate::codec_keys::CodecKeysArgs;
use crate::reconciliation::{self, ReconciliationArgs};
use crate::store_args::StoreArgs;
use crate::telemetry::{MetricsArgs, Part};
use crate::{shutdown, temporal};

pub(crate) use pool::WorkerPool;
pub(crate) use recycle::RecycleArgs;
use recycle::Shift;
pub(crate) use versioning::{VersioningArgs, name_of_a_version};

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
    #[command(flatten)]
    pub(crate) codec_keys: CodecKeysArgs,
}

/// Runs the workers until a signal stops them.
pub(crate) async fn run(args: WorkerArgs) -> anyhow::Result<ExitCode> {
    let shutdown = shutdown::on_signal();
    let queues = if args.queues.is_empty() {
        task_queue::ALL.map(str::to_owned).to_vec()
    } else {
        args.queues
    };
    let reconciles = queues
        .iter()
        .any(|queue| queue == task_queue::RECONCILIATION);
    // Before the client, which is counted from its first call on.
    let parts = queues.iter().cloned().map(Part::Worker).collect();
    let metrics = args.metrics.open(parts).await?;
    let store = Store::open(args.store.options()?).await?;
    if let Some(metrics) = metrics {
        metrics.serve(&store, &shutdown);
        if reconciles {
            args.audit.start(&store, &shutdown);
        }
    }
    let Some(client) = temporal::connect_patiently(&shutdown).await? else {
        return Ok(ExitCode::SUCCESS);
    };
    let version = args.versioning.version();
    let pool = WorkerPool::new(store.clone(), queues, version)?;
    let workers = Workers::new(pool, &client, args.recycle)?;
    // Only who runs it asks for it: nobody else may be there to.
    if reconciles {
        reconciliation::keep(&client, &args.reconciliation).await;
    }
    drop(client);
    workers.pool.announce();
    tokio::select! {
        ended = workers.run(&temporal::connect, &shutdown) => ended?,
        error = store.lost() => return Err(error.into()),
    }
    Ok(ExitCode::SUCCESS)
}

/// The workers of one process.
pub(crate) struct Workers {
    pool: WorkerPool,
    client: Client,
    first: Vec<(String, Worker)>,
    recycle: RecycleArgs,
}

impl Workers {
    /// Makes the first workers on the connection of `client`.
    pub(crate) fn new(
        pool: WorkerPool,
        client: &Client,
        recycle: RecycleArgs,
    ) -> anyhow::Result<Self> {
        let first = pool.workers(client)?;
        Ok(Self {
            pool,
            client: client.clone(),
            first,
            recycle,
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
        recycle::run(first, &self.pool, self.recycle, connect, shutdown).await
    }
}
