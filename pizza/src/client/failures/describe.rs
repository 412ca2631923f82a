//! What several commands show of failed tasks, in words.

use super::answer::{AutoRedrive, Failure, Listed, Text};
use super::span;
use crate::client::output::{self, Table};

/// A table of tasks.
pub(super) fn tasks(tasks: &[Listed]) -> Table {
    let mut table = output::table(&["task", "what", "error", "customer", "parked at", "state"]);
    for task in tasks {
        let cells = [
            &task.id,
            &task.message_type,
            &task.error_code,
            &task.customer_id,
            &task.parked_at,
            &task.state,
        ];
        table.add_row(cells.map(Text::as_str));
    }
    table.keep_whole(0);
    table
}

/// When tasks are run again by themselves.
pub(super) fn auto_redrive(policy: Option<&AutoRedrive>) -> String {
    let Some(policy) = policy else {
        return "off".to_owned();
    };
    format!(
        "after {}, x{} up to {}, {} times, until {} old",
        span::in_words(policy.first_wait_seconds),
        policy.backoff,
        span::in_words(policy.longest_wait_seconds),
        policy.max_attempts,
        span::in_words(policy.max_age_seconds),
    )
}

/// How a step failed.
pub(super) fn failure(error: &Failure) -> String {
    format!("{}: {}", error.code, error.message)
}

/// What follows a colon at the end of a line, where there is something.
pub(super) fn after_colon(text: Option<impl std::fmt::Display>) -> String {
    text.map_or_else(String::new, |text| format!(": {text}"))
}
