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

/// A worker of the errands and one of the parked tasks, on a thread of their
/// own. Dropped, they are lost as in a crash: what is under way gets no
/// answer.
pub(crate) struct Hands {
    lose: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Hands {
    pub(crate) fn start(address: &str, errands: &str, failures: &str, ledger: &Ledger) -> Self {
        let (lose, lost) = oneshot::channel();
        let (address, ledger) = (address.to_owned(), ledger.clone());
        let (errands, failures) = (errands.to_owned(), failures.to_owned());
        let work = move || {
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = work(&address, &errands, &failures, &ledger) => panic!("the workers ended"),
                    _ = lost => {}
                }
            });
            runtime.shutdown_background();
        };
        let thread = thread::Builder::new().name("hands".to_owned()).spawn(work);
        Self {
            lose: Some(lose),
            thread: Some(thread.unwrap()),
        }
    }
}

impl Drop for Hands {
    fn drop(&mut self) {
        drop(self.lose.take());
        let ended = self.thread.take().map(JoinHandle::join);
        // A test that fails already needs no second reason.
        if !thread::panicking() {
            ended.unwrap().unwrap();
        }
    }
}

async fn work(address: &str, errands: &str, failures: &str, ledger: &Ledger) {
    let client = connect(address).await;
    let runtime = Runtime::from_current_tokio(Default::default()).unwrap();
    let mut errands = errand_worker(&runtime, &client, errands, ledger);
    let mut failures = failure_worker(&runtime, &client, failures, ledger);
    let (errands, failures) = tokio::join!(errands.run(), failures.run());
    errands.unwrap();
    failures.unwrap();
}

fn errand_worker(runtime: &Runtime, client: &Client, queue: &str, ledger: &Ledger) -> Worker {
    let options = WorkerOptions::new(queue)
        .sticky_queue_schedule_to_start_timeout(Duration::from_secs(1))
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
