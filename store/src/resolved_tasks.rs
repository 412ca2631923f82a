//! The parked tasks that are over, last first.

use pizza_domain::{CustomerId, OrderId};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::failed_tasks::read_state;
use super::{FailedTaskState, Store, StoreError};

/// A parked task that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedTask {
    /// The id of its workflow.
    pub task_id: String,
    /// The order that it belonged to.
    pub order_id: OrderId,
    /// Whose order that is.
    pub customer_id: CustomerId,
    /// Its failure queue.
    pub queue: String,
    /// What it was about.
    pub message_type: String,
    /// Done or discarded.
    pub state: FailedTaskState,
    /// Since when, in milliseconds since the Unix epoch.
    pub resolved_at_ms: i64,
    /// Who brought it about, where somebody did.
    pub resolved_by: Option<String>,
    /// Why, in their words.
    pub reason: Option<String>,
}

/// Where a task stands in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedPosition {
    /// When it was over, in milliseconds since the Unix epoch.
    pub resolved_at_ms: i64,
    /// Its id, which orders those that were over at the same time.
    pub task_id: String,
}

impl ResolvedPosition {
    /// Before every task.
    #[must_use]
    pub const fn start() -> Self {
        Self {
            resolved_at_ms: i64::MAX,
            task_id: String::new(),
        }
    }
}

impl From<&ResolvedTask> for ResolvedPosition {
    fn from(task: &ResolvedTask) -> Self {
        Self {
            resolved_at_ms: task.resolved_at_ms,
            task_id: task.task_id.clone(),
        }
    }
}

impl Store {
    /// The first `most` of the tasks that are over, last first, behind a
    /// position. What ends later stands before it, so that none shifts what
    /// follows it.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.resolved_tasks", level = "debug", skip_all)]
    pub async fn resolved_tasks(
        &self,
        after: &ResolvedPosition,
        most: u32,
    ) -> Result<Vec<ResolvedTask>, StoreError> {
        self.within(async {
            // A task that waits has no such time, and is behind no position.
            let rows = sqlx::query(
                "SELECT task_id, order_id, customer_id, queue, message_type, state, \
                 resolved_at_ms, resolved_by, reason FROM failed_tasks \
                 WHERE (resolved_at_ms, task_id) < ($1, $2) \
                 ORDER BY resolved_at_ms DESC, task_id DESC LIMIT $3",
            )
            .bind(after.resolved_at_ms)
            .bind(after.task_id.clone())
            .bind(i64::from(most))
            .fetch_all(&self.pool)
            .await?;
            rows.iter().map(read).collect()
        })
        .await
    }
}

fn read(row: &AnyRow) -> Result<ResolvedTask, StoreError> {
    let text = |column: &str| row.try_get::<String, _>(column);
    Ok(ResolvedTask {
        task_id: text("task_id")?,
        order_id: text("order_id")?.parse()?,
        customer_id: text("customer_id")?.parse()?,
        queue: text("queue")?,
        message_type: text("message_type")?,
        state: read_state(&text("state")?)?,
        resolved_at_ms: row.try_get("resolved_at_ms")?,
        resolved_by: row.try_get("resolved_by")?,
        reason: row.try_get("reason")?,
    })
}
