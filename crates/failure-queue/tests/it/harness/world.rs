//! What one test works with.

use std::collections::BTreeMap;
use std::time::Duration;

use failure_queue::client::{FailureQueues, TaskFilter};
use failure_queue::names::failed_task_workflow_id;
use failure_queue::{
    BulkFilter, DiscardRequest, FailedTaskWorkflow, ParkableStep, PolicyChange, Recorder,
    RedriveRequest, StepFailure, StepPolicy, TaskState,
};
use futures::{StreamExt, TryStreamExt, stream};
use temporalio_client::{
    Client, WorkflowDescribeOptions, WorkflowGetResultOptions, WorkflowSignalOptions,
    WorkflowStartOptions,
};
use uuid::Uuid;

use super::hands::Hands;
use super::temporal::{connect, shared_server};
use super::{Errand, ErrandWorkflow, Ledger, Next, Payment, SOON, eventually};

/// Longer than an attempt and its retries after a lost worker.
const LIMIT: Duration = Duration::from_secs(30);

/// A failure queue with workers and a ledger of its own.
pub(crate) struct World {
    pub(crate) queue: String,
    pub(crate) errands: String,
    pub(crate) failures: String,
    pub(crate) ledger: Ledger,
    pub(crate) client: Client,
    pub(crate) queues: FailureQueues,
    address: String,
    hands: Option<Hands>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::on(shared_server().await).await
    }

    /// On the server at this address.
    pub(crate) async fn on(address: String) -> Self {
        let client = connect(&address).await;
        let id = Uuid::new_v4().simple().to_string();
        let failures = format!("failures-{id}");
        let mut world = Self {
            queue: format!("refund-{id}"),
            errands: format!("errands-{id}"),
            queues: FailureQueues::new(client.clone(), failures.clone(), LIMIT),
            failures,
            ledger: Ledger::new(),
            client,
            address,
            hands: None,
        };
        world.start_workers();
        world
    }

    pub(crate) fn start_workers(&mut self) {
        let hands = Hands::start(&self.address, &self.errands, &self.failures, &self.ledger);
        self.hands = Some(hands);
    }

    /// The workers are lost, as in a crash.
    pub(crate) fn lose_workers(&mut self) {
        self.hands = None;
    }

    /// The workers end in order.
    pub(crate) fn stop_workers(&mut self) {
        self.hands.take().unwrap().stop();
    }

    /// The tasks of this world's queue.
    pub(crate) fn filter(&self) -> TaskFilter {
        TaskFilter {
            tasks: BulkFilter {
                queue: Some(self.queue.clone()),
                ..BulkFilter::default()
            },
            ..TaskFilter::default()
        }
    }

    /// Waits until so many tasks are listed.
    pub(crate) async fn until_listed(&self, filter: &TaskFilter, count: u64) {
        eventually(SOON, &format!("{count} tasks are listed"), async || {
            (self.queues.count(filter).await.unwrap() == count).then_some(())
        })
        .await;
    }

    /// Parks tasks with these names, at once, and waits until they are listed.
    pub(crate) async fn park_all(&self, ids: &[String], code: &'static str) {
        let before = self.queues.count(&self.filter()).await.unwrap();
        let errands = ids.iter().map(|id| self.errand(id)).collect();
        for id in ids {
            self.ledger.next(id, [Next::Fault(code)]);
        }
        let (_, _, failures) = self.run(errands).await;
        assert!(failures.iter().all(Option::is_some), "a step did not fail");
        self.until_listed(&self.filter(), before + ids.len() as u64)
            .await;
    }

    /// The events in the history of a workflow's latest run, and its run id.
    pub(crate) async fn history(&self, id: &str) -> (usize, String) {
        let handle = self.client.get_workflow_handle::<FailedTaskWorkflow>(id);
        let described = handle.describe(WorkflowDescribeOptions::default()).await;
        let described = described.unwrap();
        (described.history_length(), described.run_id().to_owned())
    }

    /// Sends a workflow so many signals that it does not know, or that are no
    /// news to it: its history grows.
    pub(crate) async fn lengthen(&self, id: &str, events: usize) {
        let handle = self.client.get_workflow_handle::<FailedTaskWorkflow>(id);
        let signals = (0..events).map(|_| {
            let old = PolicyChange {
                version: 0,
                at_ms: 0,
                principal: "nobody".to_owned(),
                reason: None,
                auto_redrive: None,
            };
            let options = WorkflowSignalOptions::default();
            handle.signal(FailedTaskWorkflow::queue_policy, old.into(), options)
        });
        let sent = stream::iter(signals).buffer_unordered(16);
        sent.try_collect::<()>().await.unwrap();
    }

    /// A step that is tried once.
    pub(crate) fn step(&self, id: &str) -> ParkableStep {
        ParkableStep {
            queue: self.queue.clone(),
            message_type: "Refund".to_owned(),
            id: id.to_owned(),
            subject: BTreeMap::from([("OrderId".to_owned(), id.to_owned())]),
            aliases: BTreeMap::new(),
            policy: StepPolicy::once(),
            idempotency_key: id.to_owned(),
            failures_task_queue: self.failures.clone(),
            local_first: false,
            recorder: Some(Recorder("tellLedger".to_owned())),
            follow_ups: Vec::new(),
        }
    }

    pub(crate) fn errand(&self, id: &str) -> Errand {
        Errand {
            step: self.step(id),
            payment: payment(id),
            opaque: None,
        }
    }

    /// Runs a workflow with these errands to its end. Returns its workflow
    /// id, its run id and how the errands ended.
    pub(crate) async fn run(
        &self,
        errands: Vec<Errand>,
    ) -> (String, String, Vec<Option<StepFailure>>) {
        let id = format!("errand-{}", Uuid::new_v4());
        let options = WorkflowStartOptions::new(&self.errands, &id).build();
        let handle = self
            .client
            .start_workflow(ErrandWorkflow::run, errands, options)
            .await
            .unwrap();
        let run = handle.run_id().unwrap().to_owned();
        let failures = handle
            .get_result(WorkflowGetResultOptions::default())
            .await
            .unwrap();
        (id, run, failures)
    }

    /// Parks a task whose step failed with this code. Returns its id.
    pub(crate) async fn park(&self, id: &str, code: &'static str) -> String {
        self.park_errand(self.errand(id), code).await
    }

    pub(crate) async fn park_errand(&self, errand: Errand, code: &'static str) -> String {
        let task = self.task_id(&errand.step.id);
        self.ledger.next(&errand.payment.key, [Next::Fault(code)]);
        let (_, _, failures) = self.run(vec![errand]).await;
        assert!(failures[0].is_some(), "the step did not fail");
        task
    }

    pub(crate) fn task_id(&self, id: &str) -> String {
        failed_task_workflow_id(&self.queue, id)
    }

    /// Waits until the task is in this state.
    pub(crate) async fn until_state(&self, task: &str, state: TaskState) {
        eventually(SOON, &format!("{task} is {}", state.as_str()), async || {
            (self.queues.show(task).await.unwrap().state == state).then_some(())
        })
        .await;
    }
}

pub(crate) fn payment(key: &str) -> Payment {
    Payment {
        key: key.to_owned(),
        amount: 100,
    }
}

pub(crate) fn redrive_by(principal: &str) -> RedriveRequest {
    RedriveRequest {
        principal: principal.to_owned(),
        ..RedriveRequest::default()
    }
}

pub(crate) fn discard_by(principal: &str, reason: &str) -> DiscardRequest {
    DiscardRequest {
        principal: principal.to_owned(),
        reason: reason.to_owned(),
        request_id: None,
    }
}
