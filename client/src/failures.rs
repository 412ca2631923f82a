//! The gateway's failure queues, from an operator's side.

use pizza_contract::{
    BulkPreview, BulkProgress, BulkStarted, DiscardFailure, Failure, FailureDiscarded,
    FailureQueues as Queues, FailureRedriven, FailureRedriving, Failures, ListFailures,
    QueuePolicy, RedriveFailure, SetQueuePolicy, StartBulk,
};
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::CallError;
use crate::gateway::{Gateway, under_key};
use crate::sent::Sent;

/// How often a request is sent at most when its answer says to come again,
/// or gets lost.
const TRIES: u32 = 4;

/// A client of the failure queues, by the right of its gateway's key. Its
/// calls fail with what went wrong on the way, or with the gateway's refusal.
#[derive(Clone, Debug)]
pub struct FailureQueues(Gateway);

/// The answer to a redrive.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Redriven {
    /// It has ended.
    Ended(FailureRedriven),
    /// It goes on.
    UnderWay(FailureRedriving),
}

impl FailureQueues {
    /// A client of `gateway`'s queues.
    #[must_use]
    pub const fn new(gateway: Gateway) -> Self {
        Self(gateway)
    }

    /// The queues.
    pub async fn queues(&self) -> Result<Sent<Queues>, CallError> {
        self.get(&["failure-queues"]).await
    }

    /// A page of tasks.
    pub async fn list(&self, wanted: &ListFailures) -> Result<Sent<Failures>, CallError> {
        let request = self.0.request(Method::GET, &["failures"])?;
        self.0.ask(request.query(wanted)).await
    }

    /// A task.
    pub async fn show(&self, id: &str) -> Result<Sent<Failure>, CallError> {
        self.get(&["failures", id]).await
    }

    /// Runs a task again, once for each `request_id`.
    pub async fn redrive(
        &self,
        id: &str,
        how: &RedriveFailure,
        request_id: &str,
    ) -> Result<Sent<Redriven>, CallError> {
        let path = ["failures", id, "redrive"];
        let request = self.0.request(Method::POST, &path)?.json(how);
        self.ask(under_key(request, Some(request_id))).await
    }

    /// Closes a task for good, once for each `request_id`.
    pub async fn discard(
        &self,
        id: &str,
        why: &DiscardFailure,
        request_id: &str,
    ) -> Result<Sent<FailureDiscarded>, CallError> {
        let path = ["failures", id, "discard"];
        let request = self.0.request(Method::POST, &path)?.json(why);
        self.ask(under_key(request, Some(request_id))).await
    }

    /// When a queue's tasks are run again by themselves.
    pub async fn policy(&self, queue: &str) -> Result<Sent<QueuePolicy>, CallError> {
        self.get(&["failure-queues", queue, "policy"]).await
    }

    /// Changes that. Not tried again: each time is a change of its own in the
    /// audit trail.
    pub async fn set_policy(
        &self,
        queue: &str,
        policy: &SetQueuePolicy,
    ) -> Result<Sent<QueuePolicy>, CallError> {
        let path = ["failure-queues", queue, "policy"];
        let request = self.0.request(Method::PUT, &path)?;
        self.0.ask(request.json(policy)).await
    }

    /// Starts a bulk operation, once for each `request_id`.
    pub async fn start_bulk(
        &self,
        bulk: &StartBulk,
        request_id: &str,
    ) -> Result<Sent<BulkStarted>, CallError> {
        let request = self.0.request(Method::POST, &["failures", "bulk"])?;
        self.ask(under_key(request.json(bulk), Some(request_id)))
            .await
    }

    /// What a bulk operation would reach.
    pub async fn preview_bulk(&self, bulk: &StartBulk) -> Result<Sent<BulkPreview>, CallError> {
        let preview = StartBulk {
            dry_run: Some(true),
            ..bulk.clone()
        };
        let request = self.0.request(Method::POST, &["failures", "bulk"])?;
        self.ask(request.json(&preview)).await
    }

    /// How far a bulk operation is.
    pub async fn bulk(&self, id: &str) -> Result<Sent<BulkProgress>, CallError> {
        self.get(&["failures", "bulk", id]).await
    }

    /// Stops a bulk operation. One that is stopped stays stopped, so this may
    /// be asked for twice.
    pub async fn stop_bulk(&self, id: &str) -> Result<Sent<BulkProgress>, CallError> {
        let path = ["failures", "bulk", id, "stop"];
        self.ask(self.0.request(Method::POST, &path)?).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<Sent<T>, CallError> {
        self.ask(self.0.request(Method::GET, path)?).await
    }

    /// Asks until there is an answer, a few times at most. Only for what may
    /// be asked twice.
    async fn ask<T: DeserializeOwned>(
        &self,
        mut request: RequestBuilder,
    ) -> Result<Sent<T>, CallError> {
        let mut tries = 1;
        loop {
            let again = request.try_clone();
            let error = match self.0.ask(request).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let wait = error.retry_after().filter(|_| tries < TRIES);
            let (Some(wait), Some(again)) = (wait, again) else {
                return Err(error);
            };
            tries += 1;
            tokio::time::sleep(wait).await;
            request = again;
        }
    }
}
