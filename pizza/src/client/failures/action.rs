//! What an operator does to tasks: a redrive or a discard.

use pizza_contract::{BulkAction, DiscardFailure, RedriveFailure};

/// What is done to the tasks.
#[derive(Debug)]
pub(super) enum Action {
    Redrive(RedriveFailure),
    Discard(DiscardFailure),
}

impl Action {
    /// What a bulk operation calls it.
    pub(super) const fn of_bulk(&self) -> BulkAction {
        match self {
            Self::Redrive(_) => BulkAction::Redrive,
            Self::Discard(_) => BulkAction::Discard,
        }
    }

    /// Why it is done.
    pub(super) fn reason(&self) -> Option<&str> {
        match self {
            Self::Redrive(how) => how.reason.as_deref(),
            Self::Discard(why) => Some(&why.reason),
        }
    }
}
