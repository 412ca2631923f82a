//! Redrives and discards a task.

use temporalio_client::errors::WorkflowUpdateError;

use super::update::until_processed;
use super::{Error, FailureQueues};
use crate::failed_task::FailedTaskWorkflow;
use crate::request::{DiscardRequest, RedriveAnswer, RedriveRequest};
use crate::task::{AuditAction, AuditEntry, AuditOutcome, TaskState, TaskView};

/// What became of a redrive while its caller waited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redriven {
    /// It ended.
    Ended(RedriveAnswer),
    /// It was taken, and goes on.
    StillRunning,
}

impl FailureQueues {
    /// Runs a task's step again, and waits for its end as long as the limit
    /// allows.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Resolved`], [`Error::Busy`] or
    /// [`Error::Invalid`] when it was not taken.
    pub async fn redrive(&self, id: &str, request: RedriveRequest) -> Result<Redriven, Error> {
        request.check()?;
        let request_id = request.request_id.clone();
        let asked = self.within(async {
            self.is_task(id).await?;
            let task = self.task(id);
            let send = || {
                let redrive = FailedTaskWorkflow::redrive;
                task.execute_update(redrive, request.clone(), self.update_options())
            };
            match until_processed(&self.client, send).await {
                Ok(answer) => Ok(answer),
                Err(error) => Err(self.update_error(id, error).await),
            }
        });
        let request_id = request_id.as_deref();
        match asked.await {
            Ok(answer) => Ok(Redriven::Ended(answer)),
            // Closed meanwhile, maybe by this very request.
            Err(Error::Resolved) => self
                .taken(id, AuditAction::Redrive, request_id)
                .await?
                .map(|(task, _)| Redriven::Ended(task.answer_to(request_id)))
                .ok_or(Error::Resolved),
            Err(Error::TimedOut) => self.so_far(id, request_id).await,
            Err(error) => Err(error),
        }
    }

    /// Closes a task for good.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Resolved`], [`Error::Busy`] or
    /// [`Error::Invalid`] when it was not taken.
    pub async fn discard(&self, id: &str, request: DiscardRequest) -> Result<(), Error> {
        request.check()?;
        let request_id = request.request_id.clone();
        let asked = self.within(async {
            self.is_task(id).await?;
            let task = self.task(id);
            let send = || {
                let discard = FailedTaskWorkflow::discard;
                task.execute_update(discard, request.clone(), self.update_options())
            };
            match until_processed(&self.client, send).await {
                Ok(()) => Ok(()),
                Err(error) => Err(self.update_error(id, error).await),
            }
        });
        match asked.await {
            Err(Error::Resolved) => self
                .taken(id, AuditAction::Discard, request_id.as_deref())
                .await?
                .map(drop)
                .ok_or(Error::Resolved),
            result => result,
        }
    }

    /// How a redrive stands that did not end in time.
    async fn so_far(&self, id: &str, request_id: Option<&str>) -> Result<Redriven, Error> {
        if request_id.is_some() {
            let taken = self.taken(id, AuditAction::Redrive, request_id).await?;
            return match taken {
                Some((_, entry)) if entry.outcome == AuditOutcome::Pending => {
                    Ok(Redriven::StillRunning)
                }
                Some((task, _)) => Ok(Redriven::Ended(task.answer_to(request_id))),
                None => Err(Error::TimedOut),
            };
        }
        match self.show(id).await?.state {
            TaskState::Redriving | TaskState::Done => Ok(Redriven::StillRunning),
            TaskState::Waiting | TaskState::Discarded => Err(Error::TimedOut),
        }
    }

    /// The task, if it took the request with this id, and what its audit trail
    /// says of it.
    async fn taken(
        &self,
        id: &str,
        action: AuditAction,
        request_id: Option<&str>,
    ) -> Result<Option<(TaskView, AuditEntry)>, Error> {
        let Some(request_id) = request_id else {
            return Ok(None);
        };
        let task = self.show(id).await?;
        let mut audit = task.audit.iter();
        let own = audit
            .find(|entry| entry.action == action && entry.request_id == request_id)
            .cloned();
        Ok(own.map(|entry| (task, entry)))
    }

    /// A closed workflow answers an update as one that never was.
    async fn update_error(&self, id: &str, error: WorkflowUpdateError) -> Error {
        match error.into() {
            Error::NotFound => match self.is_task(id).await {
                Ok(_) => Error::Resolved,
                Err(error) => error,
            },
            error => error,
        }
    }
}
