//! What an operator does to tasks: a redrive or a discard.

use serde_json::{Map, Value, json};

/// What is done to the tasks.
#[derive(Debug)]
pub(super) struct Action {
    /// `redrive` or `discard`.
    pub(super) name: &'static str,
    /// What is said with it.
    pub(super) body: Map<String, Value>,
}

impl Action {
    /// An action, with its reason if there is one.
    pub(super) fn new(name: &'static str, reason: Option<&str>) -> Self {
        let body = reason
            .map(|reason| ("reason".to_owned(), json!(reason)))
            .into_iter()
            .collect();
        Self { name, body }
    }
}
