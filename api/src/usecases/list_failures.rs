//! Lists what waits in the failure queues.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use failure_queue::names::search_attribute as failure_attribute;
use futures::future::try_join_all;
use pizza_domain::InvalidField;
use pizza_workflows::names::{search_attribute, workflow_type};
use pizza_workflows::parking::MessageType;
use tonic::Code;

use super::temporal::{ListedWorkflow, TemporalError};
use super::{UseCaseError, UseCases, Violation};

/// Which parked tasks to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListFailures {
    /// The queue; all when none is named.
    pub queue: Option<MessageType>,
    /// Tasks on a page, at most [`Self::MAX_LIMIT`].
    pub limit: u32,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

impl ListFailures {
    /// The most that a page may have.
    pub const MAX_LIMIT: u32 = 100;
}

/// How many tasks wait in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueDepth {
    /// What waits there.
    pub message_type: MessageType,
    /// How many.
    pub depth: i64,
}

/// A task that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedFailure {
    /// The id of its workflow.
    pub id: String,
    /// What it is about.
    pub message_type: MessageType,
    /// The order that it belongs to.
    pub order_id: String,
    /// Whose order it is.
    pub customer_id: String,
    /// Since when it waits, in milliseconds since the Unix epoch.
    pub parked_at_ms: i64,
}

/// A page of parked tasks, and how many there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failures {
    /// Each queue, empty ones included.
    pub queues: Vec<QueueDepth>,
    /// The page, latest first.
    pub failures: Vec<ParkedFailure>,
    /// Asks for the next page; none after the last.
    pub next_cursor: Option<String>,
}

impl UseCases {
    /// A page of the tasks that wait in the failure queues, and the depth of
    /// each queue, as Temporal lists them: a moment behind what it does.
    ///
    /// # Errors
    /// When the cursor is not one, or Temporal is away.
    pub async fn list_failures(&self, request: ListFailures) -> Result<Failures, UseCaseError> {
        let limit = self.settings.temporal_timeout;
        let page = request
            .cursor
            .as_deref()
            .map_or(Ok(Vec::new()), read_cursor)?;
        let has_cursor = !page.is_empty();
        let depths = try_join_all(MessageType::ALL.map(async |message_type| {
            let depth = self
                .temporal
                .count(waiting(Some(message_type)), limit)
                .await?;
            Ok::<_, TemporalError>(QueueDepth {
                message_type,
                depth,
            })
        }));
        let listing = self
            .temporal
            .list(waiting(request.queue), request.limit, page, limit);
        let (queues, listing) = tokio::join!(depths, listing);
        let listing = listing.map_err(|error| match error {
            // The cursor could be decoded, but Temporal did not make it, which
            // it does not always know to say.
            TemporalError::Rpc(status)
                if has_cursor && matches!(status.code(), Code::InvalidArgument | Code::Unknown) =>
            {
                invalid_cursor()
            }
            error => error.into(),
        })?;
        Ok(Failures {
            queues: queues?,
            failures: listing.workflows.into_iter().filter_map(parked).collect(),
            next_cursor: (!listing.next.is_empty())
                .then(|| BASE64_URL_SAFE_NO_PAD.encode(listing.next)),
        })
    }
}

/// The visibility query for the tasks that wait. Names of queues are ours, so
/// they need no escaping.
fn waiting(queue: Option<MessageType>) -> String {
    let mut query = format!(
        "WorkflowType = '{}' AND ExecutionStatus = 'Running'",
        workflow_type::FAILED_TASK
    );
    if let Some(message_type) = queue {
        query.push_str(&format!(
            " AND {} = '{}'",
            failure_attribute::QUEUE.name(),
            message_type.queue()
        ));
    }
    query
}

fn parked(workflow: ListedWorkflow) -> Option<ParkedFailure> {
    let attribute = |key| workflow.attributes.get(key);
    Some(ParkedFailure {
        message_type: MessageType::from_name(&attribute(&failure_attribute::MESSAGE_TYPE)?)?,
        order_id: attribute(&search_attribute::ORDER_ID)?,
        customer_id: attribute(&search_attribute::CUSTOMER_ID)?,
        parked_at_ms: workflow.started_at_ms,
        id: workflow.id,
    })
}

fn read_cursor(text: &str) -> Result<Vec<u8>, UseCaseError> {
    BASE64_URL_SAFE_NO_PAD
        .decode(text)
        .ok()
        .filter(|token| !token.is_empty())
        .ok_or_else(invalid_cursor)
}

fn invalid_cursor() -> UseCaseError {
    let field = InvalidField {
        field: "cursor",
        expected: "must be the nextCursor of a page of the same list".to_owned(),
    };
    UseCaseError::invalid(Violation::InvalidValue, field)
}
