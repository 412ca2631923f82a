//! Makes the namespace know our search attributes.

use std::time::Duration;

use failure_queue::client::{Error, FailureQueues};
use pizza_workflows::names::{search_attribute, task_queue};
use temporalio_client::Client;

use super::temporal_error::TemporalError;

/// How long the namespace may take to take them.
const LIMIT: Duration = Duration::from_secs(10);

/// Registers the search attributes that the client's namespace lacks. Where
/// only an administrator may do that, they have to be there already, which
/// is logged and not an error.
///
/// # Errors
/// When Temporal is away.
pub async fn register_search_attributes(client: &Client) -> Result<(), TemporalError> {
    let subject = [search_attribute::ORDER_ID, search_attribute::CUSTOMER_ID].map(|key| key.name());
    let queues = FailureQueues::new(client.clone(), task_queue::FAILURES, LIMIT);
    match queues.register_search_attributes(&subject).await {
        Ok(()) => Ok(()),
        Err(Error::TimedOut) => Err(TemporalError::TimedOut),
        Err(Error::NoNamespace(name)) => Err(TemporalError::NoNamespace(name)),
        Err(Error::Unavailable(status)) => Err(TemporalError::Rpc(status)),
        Err(error) => {
            tracing::warn!(
                reason = %std::error::Error::source(&error).unwrap_or(&error),
                needed = ?search_attribute::all(),
                "the namespace's search attributes are not ours to register"
            );
            Ok(())
        }
    }
}
