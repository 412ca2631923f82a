//! What can be wrong with a replay.

use std::fmt;

use serde::Serialize;

/// What was wrong with a history, in the words of the JSON output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// This build's workflow does something else than the history says.
    Nondeterminism,
    /// The events do not make a history that can be replayed.
    InvalidHistory,
    /// The workflow's code panicked or could not be started, for instance on its input.
    WorkflowTaskFailure,
    /// This build has no workflow of that type.
    UnknownWorkflowType,
    /// The history could not be read or fetched.
    Unreadable,
    /// The replay did not end in time.
    Timeout,
    /// The SDK failed in a way that says nothing about the workflow.
    Internal,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nondeterminism => "nondeterministic",
            Self::InvalidHistory => "invalid history",
            Self::WorkflowTaskFailure => "workflow task failed",
            Self::UnknownWorkflowType => "unknown workflow type",
            Self::Unreadable => "unreadable",
            Self::Timeout => "no end",
            Self::Internal => "replay failed",
        })
    }
}

impl Kind {
    /// Whether the fault lies in what was given to replay, and not in the workflows.
    pub fn is_bad_input(self) -> bool {
        matches!(self, Self::InvalidHistory | Self::Unreadable)
    }
}

/// Why a replay did not go well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}{}: {message}", self.place())]
pub struct Fault {
    /// What sort of fault.
    pub kind: Kind,
    /// The id of the event at which it showed, where that is known.
    pub event_id: Option<i64>,
    /// The type of that event, `TimerStarted` for example.
    pub event_type: Option<String>,
    /// What the SDK says about it.
    pub message: String,
}

impl Fault {
    /// A fault at no particular event.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            event_id: None,
            event_type: None,
            message: message.into(),
        }
    }

    /// ` at event 6 (TimerStarted)`, or nothing where the event is not known.
    fn place(&self) -> String {
        match (self.event_id, &self.event_type) {
            (Some(id), Some(event)) => format!(" at event {id} ({event})"),
            (Some(id), None) => format!(" at event {id}"),
            (None, _) => String::new(),
        }
    }
}
