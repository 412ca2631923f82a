//! Lets a parked task go.

use failure_queue::DiscardRequest;
use pizza_domain::{InvalidField, composed};

use super::error::{UseCaseError, Violation};
use super::failures::{FailureId, check_visible};
use super::idempotency_key::IdempotencyKey;
use super::use_cases::UseCases;

/// Which task to let go, and why.
#[derive(Clone, Debug)]
pub struct DiscardFailure {
    /// The task.
    pub id: FailureId,
    /// Who asks.
    pub principal: String,
    /// Why; must be given.
    pub reason: Option<String>,
    /// Sent again with the same key, the request acts once.
    pub key: Option<IdempotencyKey>,
}

impl UseCases {
    /// Closes a parked task for good. What it owed is still owed.
    ///
    /// # Errors
    /// When no reason is given, there is no such task, it is closed or being
    /// redriven, or Temporal or its worker is away.
    pub async fn discard_failure(&self, request: DiscardFailure) -> Result<(), UseCaseError> {
        let discard = DiscardRequest {
            principal: request.principal,
            reason: composed(&request.reason.ok_or_else(missing_reason)?),
            request_id: request.key.map(Into::into),
        };
        discard.check()?;
        check_visible("reason", Some(&discard.reason))?;
        let queues = self.queues_to_act().await?;
        Ok(queues.discard(request.id.as_str(), discard).await?)
    }
}

/// What is let go is still owed to somebody, who may ask why.
pub(super) fn missing_reason() -> UseCaseError {
    let field = InvalidField {
        field: "reason",
        expected: "is missing: a discard is explained".to_owned(),
    };
    UseCaseError::invalid(Violation::Missing, field)
}
