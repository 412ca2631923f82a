//! Which histories of a namespace are replayed: open ones of every age and
//! those that ended lately, of each workflow type alike.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::Context;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::Serialize;
use temporalio_client::{Client, WorkflowCountOptions};
use temporalio_common::protos::temporal::api::workflow::v1::WorkflowExecutionInfo;
use temporalio_common::protos::temporal::api::workflowservice::v1::ListWorkflowExecutionsRequest;
use tokio::time::sleep;

use super::deployment::{asked, limited};

/// The pause before each request to the visibility store: gateways and
/// reconciliations use it as well.
const BETWEEN_QUERIES: Duration = Duration::from_millis(50);

/// Workflows on a page of a list.
const PAGE: i32 = 50;

/// So many open workflows of a type are taken as one; more of them by age.
const FEW: u64 = 50;

/// The ages by which open workflows are told apart: which code a workflow
/// began with is mostly a matter of its age.
const AGES: [Duration; 3] = [
    Duration::from_hours(1),
    Duration::from_hours(24),
    Duration::from_hours(24 * 7),
];

/// The ends by which closed ones are told apart.
const ENDS: [&str; 3] = [
    "'Completed'",
    "'Failed'",
    "'Terminated', 'Canceled', 'TimedOut', 'ContinuedAsNew'",
];

/// What is open, in a visibility query, also while somebody has paused it.
pub(super) const OPEN: &str = "CloseTime IS NULL";

/// A run of a workflow.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Run {
    pub(super) workflow_id: String,
    pub(super) run_id: String,
    pub(super) workflow_type: String,
    #[serde(rename = "open")]
    pub(super) is_open: bool,
    /// The version, `deployment:build`, that this run stays with.
    pub(super) pinned_to: Option<String>,
}

/// How many workflows match a visibility query. What Temporal counts is a
/// moment behind what it does.
pub(super) async fn count(client: &Client, query: &str) -> anyhow::Result<u64> {
    sleep(BETWEEN_QUERIES).await;
    let found = client
        .count_workflows(query, WorkflowCountOptions::default())
        .await
        .with_context(|| format!("Temporal was asked to count {query}"))?;
    Ok(found.count() as u64)
}

/// The runs that match a visibility query, latest first. The client's own list
/// reads pages of a thousand.
pub(super) fn runs(
    client: &Client,
    query: String,
    page_size: i32,
) -> impl Stream<Item = anyhow::Result<Run>> + Send + use<> {
    let client = client.clone();
    let pages = stream::try_unfold(Some(Vec::new()), move |token| {
        let request = token.map(|next_page_token| ListWorkflowExecutionsRequest {
            namespace: client.options().namespace.clone(),
            page_size,
            next_page_token,
            query: query.clone(),
        });
        let mut service = client.connection().workflow_service();
        async move {
            let Some(request) = request else {
                return Ok(None);
            };
            sleep(BETWEEN_QUERIES).await;
            let what = format!("to list {}", request.query);
            let answer = service
                .list_workflow_executions(limited(request))
                .await
                .map_err(|status| asked(&what, status))?
                .into_inner();
            let token = answer.next_page_token;
            let found = stream::iter(answer.executions).map(|info| anyhow::Ok(run(info)));
            anyhow::Ok(Some((found, (!token.is_empty()).then_some(token))))
        }
    });
    pages.try_flatten()
}

/// Runs that match these queries, one of each in turn, until there are no more.
pub(super) fn spread(
    client: &Client,
    queries: impl IntoIterator<Item = String>,
) -> impl Stream<Item = anyhow::Result<Run>> {
    let lists: VecDeque<_> = queries
        .into_iter()
        .map(|query| runs(client, query, PAGE).boxed())
        .collect();
    stream::try_unfold(lists, |mut lists| async {
        while let Some(mut list) = lists.pop_front() {
            if let Some(run) = list.try_next().await? {
                lists.push_back(list);
                return Ok(Some((run, lists)));
            }
        }
        Ok(None)
    })
}

/// The queries that share out the runs of a type, of which so many are open.
pub(super) fn queries(
    workflow_type: &str,
    open: u64,
    now: Timestamp,
    recent: Duration,
) -> Vec<String> {
    let before = |age: Duration| now.checked_sub(age).unwrap_or(Timestamp::UNIX_EPOCH);
    let mut queries: Vec<String> = match open {
        0 => Vec::new(),
        1..=FEW => vec![OPEN.to_owned()],
        _ => {
            let [hour, day, week] = AGES.map(before);
            vec![
                format!("{OPEN} AND StartTime >= '{hour}'"),
                format!("{OPEN} AND StartTime < '{hour}' AND StartTime >= '{day}'"),
                format!("{OPEN} AND StartTime < '{day}' AND StartTime >= '{week}'"),
                format!("{OPEN} AND StartTime < '{week}'"),
            ]
        }
    };
    if !recent.is_zero() {
        let since = before(recent);
        queries.extend(
            ENDS.map(|ends| format!("ExecutionStatus IN ({ends}) AND CloseTime >= '{since}'")),
        );
    }
    queries
        .into_iter()
        .map(|query| format!("WorkflowType = '{workflow_type}' AND {query}"))
        .collect()
}

fn run(info: WorkflowExecutionInfo) -> Run {
    let is_open = info.close_time.is_none();
    let execution = info.execution.unwrap_or_default();
    let attribute = |name: &str| -> Option<String> {
        let fields = &info.search_attributes.as_ref()?.indexed_fields;
        serde_json::from_slice(&fields.get(name)?.data).ok()
    };
    let behavior = attribute("TemporalWorkflowVersioningBehavior");
    Run {
        pinned_to: (behavior.as_deref() == Some("Pinned"))
            .then(|| attribute("TemporalWorkerDeploymentVersion"))
            .flatten(),
        workflow_id: execution.workflow_id,
        run_id: execution.run_id,
        workflow_type: info.r#type.unwrap_or_default().name,
        is_open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_open_workflows_are_told_apart_by_age_and_none_is_left_out() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().expect("a time");
        let of = |open, recent| queries("PizzaOrder", open, now, Duration::from_secs(recent));
        assert!(of(0, 0).is_empty());
        assert_eq!(
            of(FEW, 0),
            ["WorkflowType = 'PizzaOrder' AND CloseTime IS NULL"]
        );
        let ages = of(FEW + 1, 0);
        assert_eq!(ages.len(), 4);
        let bound = |at: usize, bound: &str| assert!(ages[at].contains(bound), "{}", ages[at]);
        bound(0, "StartTime >= '2026-01-31T11:00:00Z'");
        bound(
            1,
            "StartTime < '2026-01-31T11:00:00Z' AND StartTime >= '2026-01-30T12:00:00Z'",
        );
        bound(
            2,
            "StartTime < '2026-01-30T12:00:00Z' AND StartTime >= '2026-01-24T12:00:00Z'",
        );
        bound(3, "StartTime < '2026-01-24T12:00:00Z'");
        let ended = of(0, 3600);
        assert_eq!(ended.len(), ENDS.len());
        assert!(
            ended
                .iter()
                .all(|query| query.contains("CloseTime >= '2026-01-31T11:00:00Z'"))
        );
    }
}
