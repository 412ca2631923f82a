//! Shows a parked task.

use failure_queue::client::ListedTask;
use failure_queue::{TaskState, TaskView};
use futures::{StreamExt, stream};
use pizza_store::OrderRecord;
use tokio::time::{Instant, timeout_at};

use super::error::UseCaseError;
use super::failures::{FailureId, order_and_customer};
use super::use_cases::UseCases;

/// How many tasks, or operations on many, are looked at side by side: each
/// look takes a worker.
pub(super) const AT_ONCE: usize = 8;

/// What is known of a task that was listed.
#[derive(Clone, Debug, Default)]
pub struct FailureDetails {
    /// The task itself.
    pub view: Option<TaskView>,
    /// Whether the store has it as done: then it owes nothing, whatever its
    /// workflow says.
    pub was_done: bool,
    /// Its order, by which what is owed can be told where the task's own input
    /// is encrypted.
    pub order: Option<OrderRecord>,
}

impl UseCases {
    /// A parked task with all that is known of it, be it open or closed.
    ///
    /// # Errors
    /// When there is no such task, or Temporal or its worker is away.
    pub async fn show_failure(&self, id: &FailureId) -> Result<TaskView, UseCaseError> {
        Ok(self.queues_to_read().await?.show(id.as_str()).await?)
    }

    /// What is known of tasks that were listed, as far as it can be told in
    /// the time that one look may take: a list is there without a worker, too.
    pub async fn failure_details(&self, tasks: &[ListedTask]) -> Vec<FailureDetails> {
        let deadline = Instant::now() + self.settings.temporal_timeout;
        let mut looks = Vec::with_capacity(tasks.len());
        for task in tasks {
            let (order_id, _) = order_and_customer(&task.subject);
            looks.push(self.details(task.id.clone(), order_id, deadline));
        }
        stream::iter(looks).buffered(AT_ONCE).collect().await
    }

    async fn details(&self, id: String, order_id: String, deadline: Instant) -> FailureDetails {
        let view = timeout_at(deadline, async {
            let id = FailureId::parse(&id).ok()?;
            self.show_failure(&id).await.ok()
        });
        let was_done = timeout_at(deadline, self.is_booked_as_done(&id));
        let order = timeout_at(deadline, self.order_behind(&order_id));
        let (view, was_done, order) = tokio::join!(view, was_done, order);
        FailureDetails {
            view: view.ok().flatten(),
            was_done: was_done.unwrap_or_default(),
            order: order.ok().flatten(),
        }
    }

    /// Whether a task was done, in this run of its workflow or before a reset.
    /// One that was reset waits in its queue again and owes nothing.
    pub async fn was_done(&self, task: &TaskView) -> bool {
        task.state == TaskState::Done || self.is_booked_as_done(&task.id).await
    }

    /// Whether the store has a task as done; not while it does not answer.
    async fn is_booked_as_done(&self, id: &str) -> bool {
        self.store.task_owes(id).await.is_ok_and(|owes| !owes)
    }

    /// The record of the order with this id, if it can be read.
    pub async fn order_behind(&self, order_id: &str) -> Option<OrderRecord> {
        self.store.order(order_id.parse().ok()?).await.ok()?
    }
}
