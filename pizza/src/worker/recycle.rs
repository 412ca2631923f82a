//! Workers that are replaced while they work.
//!
//! The SDK's worker keeps a cancellation token for each activity that it ever
//! ran, and frees them when it is dropped (see docs/decisions/0009). So every
//! now and then new workers begin on a connection of their own, and then the
//! old ones end what they have begun. Between them no task is without a worker.

use std::ops::ControlFlow;
use std::time::Duration;

use clap::Args;
use failure_queue::error_chain;
use futures::future::{LocalBoxFuture, join_all};
use temporalio_client::Client;
use temporalio_common::protos::temporal::api::enums::v1::TaskQueueType;
use temporalio_common::protos::temporal::api::workflowservice::v1::ShutdownWorkerRequest;
use temporalio_sdk::Worker;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::IntoRequest;

use super::pool::WorkerPool;
use crate::numbers::whole;

/// How long new workers have to run before the old ones are told to stop. One
/// that cannot work at all ends at once.
const HEAD_START: Duration = Duration::from_secs(1);

/// How long old workers still take what the server had handed to them when it
/// was told that they are leaving.
const LAST_TASKS: Duration = Duration::from_millis(500);

/// How long the server may take to be told.
const ANSWER: Duration = Duration::from_secs(5);

/// How long after a replacement that failed the next one is tried.
const TRY_AGAIN: Duration = Duration::from_secs(60);

/// How far a wait may be from the one asked for, in hundredths: processes that
/// were started at once are not to be replaced at once.
const JITTER_PERCENT: u32 = 20;

/// When the workers of this process are replaced.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct RecycleArgs {
    /// Replace the workers in place every so many seconds, give or take a
    /// fifth, which gives back memory; 0 is never
    #[arg(
        long,
        value_name = "SECONDS",
        env = "PIZZA_RECYCLE_EVERY_SECONDS",
        default_value_t = 600,
        value_parser = whole(0..=604_800_u32)
    )]
    recycle_every_seconds: u32,
}

impl RecycleArgs {
    /// How long until the next replacement; none for never.
    fn wait(self) -> Option<Duration> {
        let every = Duration::from_secs(self.recycle_every_seconds.into());
        let random = getrandom::u32().unwrap_or_default() % (2 * JITTER_PERCENT + 1);
        (!every.is_zero()).then(|| every * (100 - JITTER_PERCENT + random) / 100)
    }
}

/// Workers that run together: one for each queue, on one connection.
pub(super) struct Shift {
    running: LocalBoxFuture<'static, anyhow::Result<()>>,
    stop: CancellationToken,
    /// Tells the server that they are leaving.
    leaving: Option<LocalBoxFuture<'static, ()>>,
}

impl Shift {
    /// These workers, until `shutdown`, or until they are told to stop, and
    /// until what is under way has ended. One that fails stops the others.
    pub(super) fn new(
        workers: Vec<(String, Worker)>,
        client: Client,
        shutdown: &CancellationToken,
    ) -> Self {
        let stop = shutdown.child_token();
        let requests = workers
            .iter()
            .map(|(queue, worker)| leave(&client, queue, worker))
            .collect();
        let workers = workers.into_iter().map(|(_, worker)| worker).collect();
        Self {
            running: Box::pin(work(workers, client.clone(), stop.clone())),
            stop,
            leaving: Some(Box::pin(tell(client, requests))),
        }
    }

    /// Has the server hand nothing more to these workers, lets them take what
    /// it did, and stops them. The SDK tells the server, too, but has stopped
    /// listening then. A server that does not know this call does nothing.
    fn hand_over(&mut self) -> impl Future<Output = ()> + use<> {
        let (leaving, stop) = (self.leaving.take(), self.stop.clone());
        async move {
            if let Some(leaving) = leaving {
                leaving.await;
            }
            sleep(LAST_TASKS).await;
            stop.cancel();
            // Whoever waits, waits for the end of the workers.
            std::future::pending().await
        }
    }
}

async fn tell(client: Client, leaving: Vec<ShutdownWorkerRequest>) {
    let told = leaving.into_iter().map(|request| {
        let mut service = client.connection().workflow_service();
        let mut request = request.into_request();
        request.set_timeout(ANSWER);
        async move { service.shutdown_worker(request).await }
    });
    for answer in join_all(told).await {
        if let Err(status) = answer {
            tracing::debug!(status = status.message(), "leaving was not understood");
        }
    }
}

fn leave(client: &Client, queue: &str, worker: &Worker) -> ShutdownWorkerRequest {
    ShutdownWorkerRequest {
        namespace: client.options().namespace.clone(),
        identity: client.connection().identity().to_owned(),
        reason: "replaced in place".to_owned(),
        worker_instance_key: worker.worker_instance_key().to_string(),
        task_queue: queue.to_owned(),
        task_queue_types: vec![
            TaskQueueType::Workflow.into(),
            TaskQueueType::Activity.into(),
        ],
        ..Default::default()
    }
}

async fn work(
    mut workers: Vec<Worker>,
    client: Client,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let handles: Vec<_> = workers.iter().map(Worker::shutdown_handle).collect();
    let stopping = async {
        stop.cancelled().await;
        handles.iter().for_each(|shut_down| shut_down());
    };
    let running = join_all(workers.iter_mut().map(|worker| {
        let stop = stop.clone();
        async move {
            let ended = worker.run().await;
            stop.cancel();
            ended
        }
    }));
    let (ended, ()) = tokio::join!(running, stopping);
    forget(&client, &workers);
    for result in ended {
        result.map_err(|error| anyhow::anyhow!("{error}"))?;
    }
    Ok(())
}

/// Takes workers that have ended off the list that their connection keeps for
/// their heartbeats. The SDK leaves them there, and list and connection hold
/// each other, with a thread for each worker.
fn forget(client: &Client, workers: &[Worker]) {
    let listed = client.connection().workers();
    for worker in workers {
        if let Err(error) = listed.finalize_unregister(worker.worker_instance_key()) {
            tracing::warn!(
                error = error_chain(error.as_ref()),
                "a worker is still listed"
            );
        }
    }
}

/// Runs a shift and those that follow it, until `shutdown`. `connect` makes a
/// client with a connection of its own.
///
/// # Errors
/// When the workers fail, other than those that were to replace others.
pub(super) async fn run<C>(
    mut current: Shift,
    pool: &WorkerPool,
    recycle: RecycleArgs,
    connect: &C,
    shutdown: &CancellationToken,
) -> anyhow::Result<()>
where
    C: AsyncFn() -> anyhow::Result<Client>,
{
    loop {
        let next = tokio::select! {
            ended = &mut current.running => return ended,
            next = replacement(pool, recycle, connect, shutdown) => next,
        };
        current = match replace(current, next).await {
            ControlFlow::Continue(current) => current,
            ControlFlow::Break(ended) => return ended,
        };
    }
}

/// Waits until it is time, and makes the workers that are to go on. While that
/// fails, the ones that there are stay.
async fn replacement<C>(
    pool: &WorkerPool,
    recycle: RecycleArgs,
    connect: &C,
    shutdown: &CancellationToken,
) -> Shift
where
    C: AsyncFn() -> anyhow::Result<Client>,
{
    let Some(mut wait) = recycle.wait() else {
        return std::future::pending().await;
    };
    loop {
        sleep(wait).await;
        let made = async {
            let client = connect().await?;
            anyhow::Ok((pool.workers(&client)?, client))
        };
        match made.await {
            Ok((workers, client)) => return Shift::new(workers, client, shutdown),
            Err(error) => still_the_old_ones(&error),
        }
        wait = wait.min(TRY_AGAIN);
    }
}

/// Lets `new` go on where `old` ends. Gives the shift that works from now on,
/// or how the work ended.
async fn replace(mut old: Shift, mut new: Shift) -> ControlFlow<anyhow::Result<()>, Shift> {
    tokio::select! {
        ended = &mut old.running => return over(ended, new).await,
        ended = &mut new.running => {
            if let Err(error) = ended {
                still_the_old_ones(&error);
            }
            return ControlFlow::Continue(old);
        }
        () = sleep(HEAD_START) => {}
    }
    let handing_over = old.hand_over();
    tokio::select! {
        ended = &mut old.running => match ended {
            Ok(()) => tracing::info!("the workers were replaced"),
            // What it had begun is done again by the others.
            Err(error) => tracing::error!(
                error = error_chain(error.as_ref()),
                "workers that were replaced ended with an error"
            ),
        },
        ended = &mut new.running => return over(ended, old).await,
        () = handing_over => {}
    }
    ControlFlow::Continue(new)
}

/// Ends the work after one shift ended by itself: the other one ends, too.
async fn over(ended: anyhow::Result<()>, other: Shift) -> ControlFlow<anyhow::Result<()>, Shift> {
    other.stop.cancel();
    ControlFlow::Break(ended.and(other.running.await))
}

fn still_the_old_ones(error: &anyhow::Error) {
    tracing::warn!(
        error = error_chain(error.as_ref()),
        "the workers were not replaced; they go on, and it is tried again later"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shift that works until it is told to stop, or one that cannot work.
    fn shift(works: bool) -> Shift {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let running = Box::pin(async move {
            anyhow::ensure!(works, "it cannot work");
            stopped.cancelled().await;
            Ok(())
        });
        Shift {
            running,
            stop,
            leaving: None,
        }
    }

    #[tokio::test]
    async fn the_old_ones_end_and_the_new_ones_go_on() {
        let (old, new) = (shift(true), shift(true));
        let (told_old, told_new) = (old.stop.clone(), new.stop.clone());
        let ControlFlow::Continue(current) = replace(old, new).await else {
            panic!("the new ones work");
        };
        assert!(told_old.is_cancelled() && !told_new.is_cancelled());
        current.stop.cancel();
        assert!(told_new.is_cancelled());
    }

    #[tokio::test]
    async fn a_shutdown_in_the_middle_of_it_ends_both() {
        let (mut old, new) = (shift(true), shift(true));
        let (stop_old, stop_new) = (old.stop.clone(), new.stop.clone());
        old.leaving = Some(Box::pin(async move {
            stop_old.cancel();
            stop_new.cancel();
        }));
        let ended = match replace(old, new).await {
            ControlFlow::Continue(last) => last.running.await,
            ControlFlow::Break(ended) => ended,
        };
        assert!(ended.is_ok());
    }

    #[tokio::test]
    async fn new_ones_that_cannot_work_leave_the_old_ones_alone() {
        let (old, new) = (shift(true), shift(false));
        let told_old = old.stop.clone();
        assert!(matches!(replace(old, new).await, ControlFlow::Continue(_)));
        assert!(!told_old.is_cancelled());
    }

    #[tokio::test]
    async fn old_ones_that_fail_end_the_work_as_they_always_did() {
        let (old, new) = (shift(false), shift(true));
        let ControlFlow::Break(ended) = replace(old, new).await else {
            panic!("the work ends");
        };
        assert!(ended.is_err());
    }

    #[test]
    fn processes_are_not_replaced_all_at_once() {
        let every = |seconds| RecycleArgs {
            recycle_every_seconds: seconds,
        };
        assert_eq!(every(0).wait(), None);
        let waits: Vec<_> = (0..100).filter_map(|_| every(100).wait()).collect();
        assert!(
            waits
                .iter()
                .all(|wait| (80..=120).contains(&wait.as_secs()))
        );
        assert!(waits.iter().any(|wait| *wait != waits[0]));
    }
}
