//! What lists of tasks are asked for, and what they show.

use std::collections::BTreeMap;

use crate::bulk::BulkFilter;
use crate::task_state::TaskState;

/// Which tasks to list or count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// Which, by what they are.
    pub tasks: BulkFilter,
    /// Which, by where they stand.
    pub state: StateFilter,
}

/// Where tasks stand, as far as a list can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StateFilter {
    /// Waiting, or being redriven.
    #[default]
    Open,
    /// Redriven with success.
    Done,
    /// Discarded.
    Discarded,
}

/// Which page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Tasks on it.
    pub size: u32,
    /// Where the page before ended; empty for the first.
    pub token: Vec<u8>,
}

/// A page of tasks, latest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskPage {
    /// The tasks.
    pub tasks: Vec<ListedTask>,
    /// Asks for the next page; empty after the last.
    pub next: Vec<u8>,
}

/// A task as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedTask {
    /// The id of its workflow.
    pub id: String,
    /// Its queue.
    pub queue: String,
    /// What it is about.
    pub message_type: String,
    /// The code of its last error.
    pub error_code: String,
    /// What it belongs to: keyword search attributes by name.
    pub subject: BTreeMap<String, String>,
    /// When it was parked, in milliseconds since the Unix epoch.
    pub parked_at_ms: i64,
    /// Waiting, done or discarded; a list cannot tell which are being
    /// redriven.
    pub state: TaskState,
}
