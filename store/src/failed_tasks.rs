//! What was parked in the failure queues, and what became of it.

use std::str::FromStr;

use pizza_domain::{CustomerId, InvalidField, OrderId};
use pizza_workflows::names::search_attribute;
use pizza_workflows::steps::Parked;
use sqlx::{AnyConnection, Row};

use super::ended::Ended;
use super::orders::{Change, apply};
use super::{Store, StoreError};
use failure_queue::{TaskChange, TaskState};

/// Where a parked task stands in the accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailedTaskState {
    /// It waits in its queue, and owes what it was to do.
    Parked,
    /// It succeeded after all, and owes nothing.
    Done,
    /// Somebody let it go; what it owed is still owed.
    Discarded,
}

impl FailedTaskState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Parked, Self::Done, Self::Discarded];

    /// The state's name in the store and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Parked => "parked",
            Self::Done => "done",
            Self::Discarded => "discarded",
        }
    }

    /// The state with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    const fn of(state: TaskState) -> Self {
        match state {
            TaskState::Waiting | TaskState::Redriving => Self::Parked,
            TaskState::Done => Self::Done,
            TaskState::Discarded => Self::Discarded,
        }
    }
}

/// A task that owes an order something: it is parked, or was discarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwedTask {
    /// The id of its workflow.
    pub task_id: String,
    /// Its failure queue.
    pub queue: String,
    /// What it is about.
    pub message_type: String,
    /// Parked or discarded.
    pub state: FailedTaskState,
}

impl Store {
    /// What an order, or its customer, is still owed, by queue.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.owed", level = "debug", skip_all)]
    pub async fn owed(&self, order: OrderId) -> Result<Vec<OwedTask>, StoreError> {
        self.within(async {
            let rows = sqlx::query(
                "SELECT task_id, queue, message_type, state FROM failed_tasks \
             WHERE order_id = $1 AND state <> 'done' ORDER BY queue, task_id",
            )
            .bind(order.to_string())
            .fetch_all(&self.pool)
            .await?;
            rows.iter()
                .map(|row| {
                    Ok(OwedTask {
                        task_id: row.try_get("task_id")?,
                        queue: row.try_get("queue")?,
                        message_type: row.try_get("message_type")?,
                        state: read_state(&row.try_get::<String, _>("state")?)?,
                    })
                })
                .collect()
        })
        .await
    }

    /// Whether a parked task still owes something: until it was done, in any
    /// run of its workflow.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.task_owes", level = "debug", skip_all)]
    pub async fn task_owes(&self, task_id: &str) -> Result<bool, StoreError> {
        self.within(async { owes(&mut *self.pool.acquire().await?, task_id).await })
            .await
    }

    /// Since when the oldest task of a queue waits, in milliseconds since the
    /// Unix epoch; none when nothing waits there.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.oldest_parked_at_ms", level = "debug", skip_all)]
    pub async fn oldest_parked_at_ms(&self, queue: &str) -> Result<Option<i64>, StoreError> {
        self.within(async {
            let row = sqlx::query(
                "SELECT MIN(parked_at_ms) AS oldest FROM failed_tasks \
             WHERE state = 'parked' AND queue = $1",
            )
            .bind(queue.to_owned())
            .fetch_one(&self.pool)
            .await?;
            Ok(row.try_get("oldest")?)
        })
        .await
    }

    /// Books what became of a task, and lets the order's record say what it
    /// owes, as one. It may be told twice, and late: of two changes the later
    /// one holds, whichever is told last, so that what is over stays over. A
    /// later run of the same order may park the same task anew.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.record_failed_task", level = "debug", skip_all)]
    pub async fn record_failed_task(&self, change: &TaskChange) -> Result<(), StoreError> {
        self.within(async {
            let order = order_of(change)?;
            let mut transaction = self.begin(order).await?;
            match FailedTaskState::of(change.state) {
                FailedTaskState::Parked => park(&mut transaction, order, change).await?,
                resolved => resolve(&mut transaction, order, change, resolved).await?,
            }
            let mut ended = Ended::default();
            // What a task that is done owed, its own activity has written.
            if let Some(parked) = Parked::of_message_type(&change.message_type)
                && owes(&mut transaction, &change.task_id).await?
            {
                let owed = Change {
                    money: parked.money,
                    points: parked.points,
                    ..Change::default()
                };
                ended = apply(&mut transaction, order, owed).await?;
            }
            transaction.commit().await?;
            self.measure(order, ended).await;
            Ok(())
        })
        .await
    }
}

/// Books a parking, unless the books know of one or of an end that came after.
async fn park(
    connection: &mut AnyConnection,
    order: OrderId,
    change: &TaskChange,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO failed_tasks \
         (task_id, order_id, customer_id, queue, message_type, state, parked_at_ms) \
         VALUES ($1, $2, $3, $4, $5, 'parked', $6) \
         ON CONFLICT (task_id) DO UPDATE SET state = excluded.state, \
         parked_at_ms = excluded.parked_at_ms, \
         resolved_at_ms = NULL, resolved_by = NULL, reason = NULL \
         WHERE COALESCE(failed_tasks.resolved_at_ms, failed_tasks.parked_at_ms) \
         < excluded.parked_at_ms",
    )
    .bind(change.task_id.clone())
    .bind(order.to_string())
    .bind(customer_of(change)?)
    .bind(change.queue.clone())
    .bind(change.message_type.clone())
    .bind(change.at_ms)
    .execute(connection)
    .await?;
    Ok(())
}

/// Books an end, unless the books know of what came after, or that what is
/// discarded now was done: a task's workflow that is reset after its end is
/// open again and owes nothing. The parking itself may still be on its way:
/// then the end's time stands in for its.
async fn resolve(
    connection: &mut AnyConnection,
    order: OrderId,
    change: &TaskChange,
    state: FailedTaskState,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO failed_tasks (task_id, order_id, customer_id, queue, message_type, state, \
         parked_at_ms, resolved_at_ms, resolved_by, reason) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         ON CONFLICT (task_id) DO UPDATE SET state = excluded.state, \
         resolved_at_ms = excluded.resolved_at_ms, resolved_by = excluded.resolved_by, \
         reason = excluded.reason \
         WHERE (excluded.resolved_at_ms > failed_tasks.resolved_at_ms \
         AND NOT (failed_tasks.state = 'done' AND excluded.state = 'discarded')) \
         OR (failed_tasks.resolved_at_ms IS NULL \
         AND excluded.resolved_at_ms >= failed_tasks.parked_at_ms)",
    )
    .bind(change.task_id.clone())
    .bind(order.to_string())
    .bind(customer_of(change)?)
    .bind(change.queue.clone())
    .bind(change.message_type.clone())
    .bind(state.as_str())
    .bind(change.at_ms)
    .bind(change.at_ms)
    .bind(change.principal.clone())
    .bind(change.reason.clone())
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether a task, as the books now have it, still owes something.
async fn owes(connection: &mut AnyConnection, task_id: &str) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT 1 FROM failed_tasks WHERE task_id = $1 AND state = 'done'")
        .bind(task_id.to_owned())
        .fetch_optional(connection)
        .await?;
    Ok(row.is_none())
}

pub(super) fn read_state(name: &str) -> Result<FailedTaskState, StoreError> {
    FailedTaskState::from_name(name).ok_or_else(|| {
        StoreError::Corrupt(InvalidField {
            field: "state",
            expected: "must be one of parked done discarded".to_owned(),
        })
    })
}

/// The order that a task belongs to.
fn order_of(change: &TaskChange) -> Result<OrderId, StoreError> {
    subject(change, search_attribute::ORDER_ID.name())
}

/// The customer that a task belongs to.
fn customer_of(change: &TaskChange) -> Result<String, StoreError> {
    subject(change, search_attribute::CUSTOMER_ID.name()).map(|id: CustomerId| id.to_string())
}

fn subject<T>(change: &TaskChange, name: &str) -> Result<T, StoreError>
where
    T: FromStr<Err = InvalidField>,
{
    let text = change.subject.get(name).map_or("", String::as_str);
    text.parse().map_err(StoreError::ForeignTask)
}
