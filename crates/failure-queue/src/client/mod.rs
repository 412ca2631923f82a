//! Lists, counts, shows, redrives and discards parked tasks.

#![allow(
    clippy::disallowed_methods,
    reason = "those bans are for workflows; a client reads the clock"
)]

mod bulk;
mod error;
mod listing;
mod namespace;
mod oldest;
mod queues;
mod redrive;
mod search_attributes;
mod tasks;
pub mod update;
mod visibility;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use temporalio_client::{
    Client, RetryOptions, RpcOptions, WorkflowDescribeOptions, WorkflowExecuteUpdateOptions,
    WorkflowQueryOptions, WorkflowSignalOptions,
};
use tokio::time::timeout;

pub use error::Error;
pub use listing::{ListedTask, Page, StateFilter, TaskFilter, TaskPage};
pub use namespace::missing_namespace;
pub use queues::QueueStats;
pub use redrive::Redriven;

/// How soon an update that was lost, or a list that came too soon, is asked for
/// again.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// The values that a search attribute (its name comes first) may have for a
/// value of a subject.
type Spellings = Arc<dyn Fn(&str, &str) -> Vec<String> + Send + Sync>;

/// The failure queues of a namespace. Clones are cheap.
///
/// What lists and counts tell is a moment behind what Temporal does.
#[derive(Clone)]
pub struct FailureQueues {
    client: Client,
    task_queue: String,
    limit: Duration,
    spellings: Spellings,
}

impl fmt::Debug for FailureQueues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FailureQueues")
            .field("task_queue", &self.task_queue)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl FailureQueues {
    /// The queues whose parked tasks live on `task_queue`. No answer is waited
    /// for longer than `limit`; a redrive or discard that got none in time
    /// asks once more how the task stands, which may take as long again.
    #[must_use]
    pub fn new(client: Client, task_queue: impl Into<String>, limit: Duration) -> Self {
        Self {
            client,
            task_queue: task_queue.into(),
            limit,
            spellings: Arc::new(|_, value| vec![value.to_owned()]),
        }
    }

    /// Looks for a subject under each of the values that `spellings` gives for
    /// the name of a search attribute and a value: where aliases stand there
    /// ([`crate::ParkableStep::aliases`]).
    #[must_use]
    pub fn spelled(
        mut self,
        spellings: impl Fn(&str, &str) -> Vec<String> + Send + Sync + 'static,
    ) -> Self {
        self.spellings = Arc::new(spellings);
        self
    }

    /// Makes a call within the limit.
    async fn within<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        // The client's futures are large; boxed, they stay off the stack.
        timeout(self.limit, Box::pin(call))
            .await
            .unwrap_or(Err(Error::TimedOut))
    }

    fn describe_options(&self) -> WorkflowDescribeOptions {
        WorkflowDescribeOptions::builder()
            .rpc_options(self.rpc_options())
            .build()
    }

    fn query_options(&self) -> WorkflowQueryOptions {
        WorkflowQueryOptions::builder()
            .rpc_options(self.rpc_options())
            .build()
    }

    fn signal_options(&self) -> WorkflowSignalOptions {
        WorkflowSignalOptions::builder()
            .rpc_options(self.rpc_options())
            .build()
    }

    fn update_options(&self) -> WorkflowExecuteUpdateOptions {
        WorkflowExecuteUpdateOptions::builder()
            .rpc_options(self.rpc_options())
            .build()
    }

    /// The client retries by itself what may pass; no longer than its caller
    /// waits.
    fn rpc_options(&self) -> RpcOptions {
        let retry = RetryOptions::builder()
            .max_elapsed_time(Some(self.limit))
            .build();
        RpcOptions::builder()
            .timeout(self.limit)
            .retry_options(retry)
            .build()
    }
}
