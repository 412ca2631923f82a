//! How Temporal is asked: the deadline and the retries of one call.

use std::time::Duration;

use temporalio_client::{RetryOptions, RpcOptions, WorkflowDescribeOptions};

/// The longest wait for one answer.
pub(crate) const ANSWER: Duration = Duration::from_secs(5);

/// The options of a question about one workflow.
pub(crate) fn describe_options() -> WorkflowDescribeOptions {
    WorkflowDescribeOptions::builder()
        .rpc_options(rpc_options())
        .build()
}

/// The options of any other call.
pub(crate) fn rpc_options() -> RpcOptions {
    RpcOptions::builder()
        .timeout(ANSWER)
        .retry_options(retries())
        .build()
}

/// The client tries again what may pass; whoever asks does after that.
pub(crate) fn retries() -> RetryOptions {
    RetryOptions::builder()
        .max_elapsed_time(Some(ANSWER))
        .build()
}
