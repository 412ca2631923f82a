//! Where a parked task stands.

use serde::{Deserialize, Serialize};

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TaskState {
    /// Parked, and waiting for somebody.
    Waiting,
    /// Its activity is being run again.
    Redriving,
    /// It succeeded after all.
    Done,
    /// Somebody let it go; what it owed is still owed.
    Discarded,
}

impl TaskState {
    /// Whether nothing follows.
    #[must_use]
    pub const fn is_closed(self) -> bool {
        matches!(self, Self::Done | Self::Discarded)
    }

    /// The state's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Redriving => "redriving",
            Self::Done => "done",
            Self::Discarded => "discarded",
        }
    }

    /// The state with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Waiting, Self::Redriving, Self::Done, Self::Discarded]
            .into_iter()
            .find(|state| state.as_str() == name)
    }
}
