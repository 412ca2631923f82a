//! What several commands show of failed tasks, in words.

use pizza_contract::{AutoRedrive, ListedFailure, StepError};

use super::span;
use crate::client::output::{self, Table, plain};

/// A table of tasks.
pub(super) fn tasks(tasks: &[ListedFailure]) -> Table {
    let mut table = output::table(&["task", "what", "error", "customer", "parked at", "state"]);
    for task in tasks {
        table.add_row([
            task.id.as_str(),
            &task.message_type,
            &task.error_code,
            &task.customer_id,
            &task.parked_at,
            &task.state,
        ]);
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

/// Lines for a person. What comes from the gateway makes none of its own.
pub(super) fn lines(lines: &[String]) -> String {
    lines
        .iter()
        .map(|line| plain(line))
        .collect::<Vec<_>>()
        .join("\n")
}

/// How a step failed.
pub(super) fn failure(error: &StepError) -> String {
    format!("{}: {}", error.code, error.message)
}

/// What follows a colon at the end of a line, where there is something.
pub(super) fn after_colon(text: Option<impl std::fmt::Display>) -> String {
    text.map_or_else(String::new, |text| format!(": {text}"))
}
