//! What Temporal's visibility store is asked, and how its answers read.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::de::DeserializeOwned;
use temporalio_common::protos::temporal::api::workflow::v1::WorkflowExecutionInfo;

use super::{ListedTask, Spellings, StateFilter, TaskFilter};
use crate::names::{search_attribute, workflow_type};
use crate::task_state::TaskState;

/// The query for the tasks that a filter lets through.
pub(super) fn query(filter: &TaskFilter, spellings: &Spellings) -> String {
    let mut query = format!("WorkflowType = '{}'", workflow_type::FAILED_TASK);
    match filter.state {
        // Also while somebody has paused it.
        StateFilter::Open => query.push_str(" AND CloseTime IS NULL"),
        StateFilter::Done => closed(&mut query, TaskState::Done),
        StateFilter::Discarded => closed(&mut query, TaskState::Discarded),
    }
    let mut and = |name, operator, value: &str| and(&mut query, name, operator, value);
    let tasks = &filter.tasks;
    for (key, value) in [
        (search_attribute::QUEUE, &tasks.queue),
        (search_attribute::MESSAGE_TYPE, &tasks.message_type),
        (search_attribute::ERROR_CODE, &tasks.error_code),
    ] {
        if let Some(value) = value {
            and(key.name(), "=", value);
        }
    }
    let parked_at = search_attribute::PARKED_AT.name();
    if let Some(before) = tasks.parked_before_ms {
        and(parked_at, "<", &rfc_3339(before));
    }
    if let Some(after) = tasks.parked_after_ms {
        and(parked_at, ">=", &rfc_3339(after));
    }
    for (name, value) in &tasks.subject {
        let values = spellings(name, value);
        let quoted: Vec<_> = values
            .iter()
            .map(|it| format!("'{}'", escaped(it)))
            .collect();
        let _ = match quoted.as_slice() {
            [only] => write!(query, " AND {name} = {only}"),
            several => write!(query, " AND {name} IN ({})", several.join(", ")),
        };
    }
    query
}

fn closed(query: &mut String, state: TaskState) {
    and(query, "ExecutionStatus", "=", "Completed");
    and(query, search_attribute::STATE.name(), "=", state.as_str());
}

fn and(query: &mut String, name: &str, operator: &str, value: &str) {
    // Writing to a string does not fail.
    let _ = write!(query, " AND {name} {operator} '{}'", escaped(value));
}

/// A text inside the quotes of a query.
pub(super) fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}

/// A time of a query, in UTC with milliseconds.
pub(super) fn rfc_3339(ms: i64) -> String {
    let time = prost_types::Timestamp {
        seconds: ms.div_euclid(1000),
        // Below a thousand million, so it fits.
        nanos: i32::try_from(ms.rem_euclid(1000) * 1_000_000).unwrap_or_default(),
    };
    time.to_string()
}

/// A task as a list shows it; none for one whose attributes are not a task's.
pub(super) fn listed(info: WorkflowExecutionInfo) -> Option<ListedTask> {
    let id = info.execution?.workflow_id;
    let fields = info.search_attributes?.indexed_fields;
    let own: Vec<&str> = search_attribute::KEYWORDS.map(|key| key.name()).to_vec();
    let mut texts: BTreeMap<String, String> = fields
        .iter()
        .filter_map(|(name, payload)| Some((name.clone(), read(&payload.data)?)))
        .collect();
    let mut take = |name: &str| texts.remove(name);
    let queue = take(own[0])?;
    let message_type = take(own[1])?;
    // Tasks that were parked before there were these have none.
    let error_code = take(own[2]).unwrap_or_default();
    let state = take(own[3]).and_then(|name| TaskState::from_name(&name));
    let parked_at_ms = take(search_attribute::PARKED_AT.name())
        .and_then(|time| time.parse::<prost_types::Timestamp>().ok())
        .or(info.start_time.map(|time| prost_types::Timestamp {
            seconds: time.seconds,
            nanos: time.nanos,
        }))
        .map(|time| time.seconds * 1000 + i64::from(time.nanos) / 1_000_000)?;
    // Those of Temporal itself are not the subject's.
    texts.retain(|name, _| !name.starts_with("Temporal") && name != "BuildIds");
    Some(ListedTask {
        id,
        queue,
        message_type,
        error_code,
        subject: texts,
        parked_at_ms,
        state: state.unwrap_or(TaskState::Waiting),
    })
}

fn read<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    serde_json::from_slice(json).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::bulk::BulkFilter;

    fn plain() -> Spellings {
        Arc::new(|_, value| vec![value.to_owned()])
    }

    #[test]
    fn a_subject_is_looked_for_under_all_its_spellings() {
        let mut filter = TaskFilter::default();
        let subject = ("CustomerId".to_owned(), "o'neil".to_owned());
        filter.tasks.subject.extend([subject]);
        let open = "WorkflowType = 'FailedTask' AND CloseTime IS NULL AND CustomerId";
        assert_eq!(query(&filter, &plain()), format!(r"{open} = 'o\'neil'"));
        let spellings: Spellings = Arc::new(|name, value| vec![value.to_owned(), name.to_owned()]);
        assert_eq!(
            query(&filter, &spellings),
            format!(r"{open} IN ('o\'neil', 'CustomerId')")
        );
    }

    #[test]
    fn a_filter_cannot_leave_its_quotes() {
        let filter = TaskFilter {
            tasks: BulkFilter {
                queue: Some("a' OR WorkflowType = 'b".to_owned()),
                parked_before_ms: Some(1_500),
                ..BulkFilter::default()
            },
            state: StateFilter::Open,
        };
        assert_eq!(
            query(&filter, &plain()),
            "WorkflowType = 'FailedTask' AND CloseTime IS NULL \
             AND FailureQueue = 'a\\' OR WorkflowType = \\'b' \
             AND FailureParkedAt < '1970-01-01T00:00:01.500Z'"
        );
    }
}
