//! Redrives and discards a task.

use temporalio_client::errors::WorkflowUpdateError;

use super::update::until_processed;
use super::{Error, FailureQueues};
use crate::audit_trail::{AuditAction, AuditOutcome};
use crate::failed_task::FailedTaskWorkflow;
use crate::request::{DiscardRequest, RedriveAnswer, RedriveRequest};
use crate::task_state::TaskState;

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
    /// [`Error::NotFound`], [`Error::Resolved`], [`Error::Busy`],
    /// [`Error::Reused`] or [`Error::Invalid`] when it was not taken.
    pub async fn redrive(&self, id: &str, request: RedriveRequest) -> Result<Redriven, Error> {
        request.check()?;
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
        match asked.await {
            Ok(answer) => Ok(Redriven::Ended(answer)),
            // Closed meanwhile, maybe by this very request.
            Err(Error::Resolved) => match self.taken_redrive(id, &request).await? {
                Some((_, answer)) => Ok(Redriven::Ended(answer)),
                None => Err(Error::Resolved),
            },
            Err(Error::TimedOut) => self.so_far(id, &request).await,
            Err(error) => Err(error),
        }
    }

    /// Closes a task for good.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Resolved`], [`Error::Busy`],
    /// [`Error::Reused`] or [`Error::Invalid`] when it was not taken.
    pub async fn discard(&self, id: &str, request: DiscardRequest) -> Result<(), Error> {
        request.check()?;
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
            Err(Error::Resolved) => self.taken_discard(id, &request).await,
            result => result,
        }
    }

    /// How a redrive stands that did not end in time.
    async fn so_far(&self, id: &str, request: &RedriveRequest) -> Result<Redriven, Error> {
        if request.request_id.is_some() {
            return match self.taken_redrive(id, request).await? {
                Some((AuditOutcome::Pending, _)) => Ok(Redriven::StillRunning),
                Some((_, answer)) => Ok(Redriven::Ended(answer)),
                None => Err(Error::TimedOut),
            };
        }
        match self.show(id).await?.state {
            TaskState::Redriving | TaskState::Done => Ok(Redriven::StillRunning),
            TaskState::Waiting | TaskState::Discarded => Err(Error::TimedOut),
        }
    }

    /// How a redrive came out, if the task took it, and what it answers.
    async fn taken_redrive(
        &self,
        id: &str,
        request: &RedriveRequest,
    ) -> Result<Option<(AuditOutcome, RedriveAnswer)>, Error> {
        let Some(request_id) = request.request_id.as_deref() else {
            return Ok(None);
        };
        let task = self.show(id).await?;
        let entry = task.audited(AuditAction::Redrive, Some(request_id));
        entry
            .map(|entry| match task.is_redrive(entry, request) {
                true => Ok((entry.outcome, task.answer_to(Some(request_id)))),
                false => Err(Error::Reused),
            })
            .transpose()
    }

    /// The answer of a closed task to a discard.
    async fn taken_discard(&self, id: &str, request: &DiscardRequest) -> Result<(), Error> {
        let Some(request_id) = request.request_id.as_deref() else {
            return Err(Error::Resolved);
        };
        let task = self.show(id).await?;
        match task.audited(AuditAction::Discard, Some(request_id)) {
            Some(entry) if task.is_discard(entry, request) => Ok(()),
            Some(_) => Err(Error::Reused),
            None => Err(Error::Resolved),
        }
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
