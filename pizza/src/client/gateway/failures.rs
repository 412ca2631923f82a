//! The gateway's failure queues, from an operator's side.

use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use pizza_contract::IDEMPOTENCY_KEY;

use super::{CallError, Gateway, read};
use crate::client::shown_key::ShownKey;

/// How often a request is sent at most when its answer says to come again,
/// or gets lost.
const TRIES: u32 = 4;

/// A client of the failure queues. Answers are the gateway's JSON as it is,
/// so that `--json` passes on what this version knows nothing of.
#[derive(Clone, Debug)]
pub(crate) struct FailureQueues {
    gateway: Gateway,
    key: ShownKey,
}

impl FailureQueues {
    /// A client of `gateway`'s queues that shows `key`.
    pub(crate) const fn new(gateway: Gateway, key: ShownKey) -> Self {
        Self { gateway, key }
    }

    /// The queues.
    pub(crate) async fn queues(&self) -> Result<Value, CallError> {
        self.get(&["failure-queues"]).await
    }

    /// A page of tasks.
    pub(crate) async fn list(&self, query: &[(&str, String)]) -> Result<Value, CallError> {
        let mut url = self.gateway.at(&["failures"])?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.send(self.gateway.client.get(url)).await
    }

    /// A task.
    pub(crate) async fn show(&self, id: &str) -> Result<Value, CallError> {
        self.get(&["failures", id]).await
    }

    /// Does something to a task: `redrive` or `discard`. It happens once for
    /// each `request_id`.
    pub(crate) async fn act(
        &self,
        id: &str,
        action: &str,
        body: &Value,
        request_id: &str,
    ) -> Result<Value, CallError> {
        let path = ["failures", id, action];
        self.ask(Method::POST, &path, Some(body), Some(request_id))
            .await
    }

    /// When a queue's tasks are run again by themselves.
    pub(crate) async fn policy(&self, queue: &str) -> Result<Value, CallError> {
        self.get(&["failure-queues", queue, "policy"]).await
    }

    /// Changes that. Not tried again: each time is a change of its own in the
    /// audit trail.
    pub(crate) async fn set_policy(&self, queue: &str, body: &Value) -> Result<Value, CallError> {
        let url = self.gateway.at(&["failure-queues", queue, "policy"])?;
        self.send(self.gateway.client.put(url).json(body)).await
    }

    /// Starts a bulk operation, once for each `request_id`, or says what one
    /// would reach.
    pub(crate) async fn start_bulk(
        &self,
        body: &Value,
        request_id: &str,
    ) -> Result<Value, CallError> {
        let path = ["failures", "bulk"];
        self.ask(Method::POST, &path, Some(body), Some(request_id))
            .await
    }

    /// How far a bulk operation is.
    pub(crate) async fn bulk(&self, id: &str) -> Result<Value, CallError> {
        self.get(&["failures", "bulk", id]).await
    }

    /// Stops a bulk operation. What is stopped stays stopped, so this may be
    /// said twice.
    pub(crate) async fn stop_bulk(&self, id: &str) -> Result<Value, CallError> {
        let path = ["failures", "bulk", id, "stop"];
        self.ask(Method::POST, &path, None, None).await
    }

    async fn get(&self, path: &[&str]) -> Result<Value, CallError> {
        self.ask(Method::GET, path, None, None).await
    }

    /// Asks until there is an answer, a few times at most. Only for what may
    /// be said twice.
    async fn ask(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&Value>,
        request_id: Option<&str>,
    ) -> Result<Value, CallError> {
        let url = self.gateway.at(path)?;
        let mut tries = 1;
        loop {
            let mut request = self.gateway.client.request(method.clone(), url.clone());
            if let Some(body) = body {
                request = request.json(body);
            }
            if let Some(id) = request_id {
                request = request.header(IDEMPOTENCY_KEY, id);
            }
            let error = match self.send(request).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let Some(wait) = error.retry_after().filter(|_| tries < TRIES) else {
                return Err(error);
            };
            tries += 1;
            tokio::time::sleep(wait).await;
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Value, CallError> {
        let request = match self.key.secret() {
            Some(secret) => request.bearer_auth(secret),
            None => request,
        };
        let answer = match self.gateway.send(request).await {
            Ok(response) => read(response).await,
            Err(error) => Err(error),
        };
        answer.map_err(|error| error.advised(&self.key))
    }
}
