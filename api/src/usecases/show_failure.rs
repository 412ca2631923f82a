//! Shows a parked task.

use failure_queue::TaskView;

use super::failures::FailureId;
use super::{UseCaseError, UseCases};

impl UseCases {
    /// A parked task with all that is known of it, be it open or closed.
    ///
    /// # Errors
    /// When there is no such task, or Temporal or its worker is away.
    pub async fn show_failure(&self, id: &FailureId) -> Result<TaskView, UseCaseError> {
        Ok(self.queues_to_read().await?.show(id.as_str()).await?)
    }
}
