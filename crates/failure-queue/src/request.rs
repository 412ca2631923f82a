//! What may be asked of a parked task and of a queue, and its limits.

use serde::{Deserialize, Serialize};

use crate::attempt::{Attempt, AttemptOutcome};
use crate::auto_redrive::AutoRedrive;
use crate::failure::StepFailure;
use crate::invalid_request::{
    InvalidRequest, check, check_principal, check_reason, check_request_id,
};
use crate::payload::StoredPayload;
use crate::task_state::TaskState;

/// How often one task may be redriven by hand. Its history is continued in a
/// new one long before, so this bounds what one task may cost, and not how long
/// it may wait: automatic redrives have a limit of their own.
pub const MOST_REDRIVES: u32 = 200;
/// The largest corrected input, in bytes.
pub(crate) const MAX_INPUT: usize = 256 * 1024;

/// Run a task's step again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RedriveRequest {
    /// Who asks.
    pub principal: String,
    /// Why, 1 to 500 characters.
    pub reason: Option<String>,
    /// Sent again with the same id, the request acts once. None: it acts each
    /// time.
    pub request_id: Option<String>,
    /// The input to take from now on, for a task whose own cannot be used.
    /// The original is kept.
    pub input: Option<StoredPayload>,
    /// Take the original input again.
    pub original_input: bool,
}

/// Close a task for good, with what it owes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DiscardRequest {
    /// Who asks.
    pub principal: String,
    /// Why, 1 to 500 characters.
    pub reason: String,
    /// Sent again with the same id, the request acts once.
    pub request_id: Option<String>,
}

/// Change when a queue's tasks are run again by themselves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyRequest {
    /// Who asks.
    pub principal: String,
    /// Why, 1 to 500 characters.
    pub reason: Option<String>,
    /// The new policy; none switches it off.
    pub auto_redrive: Option<AutoRedrive>,
}

/// How a redrive ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RedriveAnswer {
    /// Done, or waiting when it failed again.
    pub state: TaskState,
    /// How often the step was tried in all.
    pub attempts: u32,
    /// How it failed this time.
    pub failure: Option<StepFailure>,
}

impl From<&Attempt> for RedriveAnswer {
    fn from(attempt: &Attempt) -> Self {
        let (state, failure) = match &attempt.outcome {
            AttemptOutcome::Done => (TaskState::Done, None),
            AttemptOutcome::FailedAgain(failure) => (TaskState::Waiting, Some(failure.clone())),
        };
        Self {
            state,
            attempts: attempt.attempts,
            failure,
        }
    }
}

impl RedriveRequest {
    /// Fails with the field that is not as it must be.
    ///
    /// # Errors
    /// When a field is beyond its limit.
    pub fn check(&self) -> Result<(), InvalidRequest> {
        check_principal(&self.principal)?;
        check_request_id(self.request_id.as_deref())?;
        self.reason.as_deref().map_or(Ok(()), check_reason)?;
        let fits = self
            .input
            .as_ref()
            .is_none_or(|input| input.data.0.len() <= MAX_INPUT);
        check(fits, "input", "must have at most 262144 bytes")?;
        check(
            self.input.is_none() || !self.original_input,
            "originalInput",
            "cannot be asked for together with another input",
        )
    }
}

impl DiscardRequest {
    /// Fails with the field that is not as it must be.
    ///
    /// # Errors
    /// When a field is beyond its limit.
    pub fn check(&self) -> Result<(), InvalidRequest> {
        check_principal(&self.principal)?;
        check_request_id(self.request_id.as_deref())?;
        check_reason(&self.reason)
    }
}

impl PolicyRequest {
    /// Fails with the field that is not as it must be.
    ///
    /// # Errors
    /// When a field is beyond its limit.
    pub fn check(&self) -> Result<(), InvalidRequest> {
        check_principal(&self.principal)?;
        self.reason.as_deref().map_or(Ok(()), check_reason)?;
        self.auto_redrive
            .as_ref()
            .map_or(Ok(()), AutoRedrive::check)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn discard(principal: &str, reason: &str) -> Result<(), InvalidRequest> {
        let request = DiscardRequest {
            principal: principal.to_owned(),
            reason: reason.to_owned(),
            request_id: None,
        };
        request.check()
    }

    #[test]
    fn what_is_beyond_a_limit_is_named() {
        assert_eq!(discard("alice", "paid by hand"), Ok(()));
        for (principal, reason, field) in [
            ("", "x", "principal"),
            ("a b", "x", "principal"),
            ("alice", "", "reason"),
            ("alice", "  ", "reason"),
            ("alice", "a\u{7}b", "reason"),
            ("alice", &"x".repeat(501), "reason"),
        ] {
            let refused = discard(principal, reason).map_err(|invalid| invalid.field);
            assert_eq!(refused, Err(field.to_owned()), "{principal:?} {reason:?}");
        }
        let both = RedriveRequest {
            principal: "alice".to_owned(),
            input: Some(StoredPayload::json("1")),
            original_input: true,
            ..RedriveRequest::default()
        };
        assert_eq!(
            both.check().map_err(|invalid| invalid.field),
            Err("originalInput".to_owned())
        );
    }
}
