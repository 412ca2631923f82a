//! Workers that can be lost.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use failure_queue::client::FailureQueues;
use failure_queue::worker::FailureQueueActivities;
use failure_queue::{BulkWorkflow, FailedTaskWorkflow, FailureQueueWorkflow};
use temporalio_client::Client;
use temporalio_sdk::{Runtime, Worker, WorkerOptions};
use tokio::runtime;
use tokio::sync::oneshot;

use super::temporal::connect;
use super::{ErrandWorkflow, Ledger, LedgerActivities};

/// What one task of a bulk operation may take.
const BULK_TASK_LIMIT: Duration = Duration::from_secs(20);

/// How the hands are to end.
enum End {
    /// In order.
    Stopped,
}

/// A worker of the errands and one of the parked tasks, on a thread of their
/// own. Dropped, they are lost as in a crash: what is under way gets no
/// answer.
pub(crate) struct Hands {
    end: Option<oneshot::Sender<End>>,
    thread: Option<JoinHandle<()>>,
}

impl Hands {
    pub(crate) fn start(address: &str, errands: &str, failures: &str, ledger: &Ledger) -> Self {
        let (end, ended) = oneshot::channel();
        let (address, ledger) = (address.to_owned(), ledger.clone());
        let (errands, failures) = (errands.to_owned(), failures.to_owned());
        let work = move || {
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(work(&address, &errands, &failures, &ledger, ended));
            runtime.shutdown_background();
        };
        let thread = thread::Builder::new().name("hands".to_owned()).spawn(work);
        Self {
            end: Some(end),
            thread: Some(thread.unwrap()),
        }
    }

    /// Stops the workers in order.
    pub(crate) fn stop(mut self) {
        let end = self.end.take().unwrap();
        end.send(End::Stopped).ok().unwrap();
    }
}

impl Drop for Hands {
    fn drop(&mut self) {
        drop(self.end.take());
        let ended = self.thread.take().map(JoinHandle::join);
        // A test that fails already needs no second reason.
        if !thread::panicking() {
            ended.unwrap().unwrap();
        }
    }
}

async fn work(
    address: &str,
    errands: &str,
    failures: &str,
    ledger: &Ledger,
    ended: oneshot::Receiver<End>,
) {
    let client = connect(address).await;
    let runtime = Runtime::from_current_tokio(Default::default()).unwrap();
    let mut errands = errand_worker(&runtime, &client, errands, ledger);
    let mut failures = failure_worker(&runtime, &client, failures, ledger);
    let stop = [errands.shutdown_handle(), failures.shutdown_handle()];
    let running = async { tokio::join!(errands.run(), failures.run()) };
    tokio::pin!(running);
    let how = tokio::select! {
        _ = &mut running => panic!("the workers ended"),
        how = ended => how,
    };
    if how.is_ok() {
        stop.iter().for_each(|stop| stop());
        let (errands, failures) = running.await;
        errands.unwrap();
        failures.unwrap();
    }
}

fn errand_worker(runtime: &Runtime, client: &Client, queue: &str, ledger: &Ledger) -> Worker {
    let options = WorkerOptions::new(queue)
        .sticky_queue_schedule_to_start_timeout(Duration::from_secs(1))
        .graceful_shutdown_period(Duration::from_millis(500))
        .register_workflow::<ErrandWorkflow>()
        .unwrap()
        .register_activities(LedgerActivities(ledger.clone()))
        .build();
    Worker::new(runtime, client.clone(), options).unwrap()
}

fn failure_worker(runtime: &Runtime, client: &Client, queue: &str, ledger: &Ledger) -> Worker {
    let queues = FailureQueues::new(client.clone(), queue, BULK_TASK_LIMIT);
    let options = WorkerOptions::new(queue)
        .sticky_queue_schedule_to_start_timeout(Duration::from_secs(1))
        .graceful_shutdown_period(Duration::from_millis(500))
        .register_workflow::<FailedTaskWorkflow>()
        .unwrap()
        .register_workflow::<FailureQueueWorkflow>()
        .unwrap()
        .register_workflow::<BulkWorkflow>()
        .unwrap()
        .register_activities(FailureQueueActivities::new(queues))
        // It is told of the end of each parked task.
        .register_activities(LedgerActivities(ledger.clone()))
        .build();
    Worker::new(runtime, client.clone(), options).unwrap()
}
