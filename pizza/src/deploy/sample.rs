//! Which histories of a namespace are replayed: open ones of every age and
//! those that ended lately, of each workflow type alike.

use std::collections::VecDeque;
use std::time::Duration;

use futures::{Stream, stream};
use jiff::Timestamp;
use pizza_workflows::names::task_queue;
use temporalio_client::Client;
use temporalio_common::protos::temporal::api::workflow::v1::WorkflowExecutionInfo;
use temporalio_common::protos::temporal::api::workflowservice::v1::ListWorkflowExecutionsRequest;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::deployment::{asked, count, limited};

/// Between one question to the visibility store and the next: gateways and
/// reconciliations ask it as well.
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

/// A run that is to be replayed.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) workflow_id: String,
    pub(super) run_id: String,
    pub(super) workflow_type: String,
    pub(super) is_open: bool,
    /// The version, `deployment:build`, that this run stays with.
    pub(super) pinned_to: Option<String>,
}

/// What there is of one workflow type.
#[derive(Clone, Debug)]
pub(super) struct Kind {
    pub(super) workflow_type: String,
    pub(super) open: u64,
}

/// What there is in a namespace.
pub(super) struct Census {
    pub(super) kinds: Vec<Kind>,
    /// Open workflows of our types that another deployment works on.
    pub(super) of_other_deployments: u64,
    /// Open workflows of other types on other task queues.
    pub(super) foreign: u64,
    /// Open workflows on our task queues whose type this build does not know.
    pub(super) unknown: Vec<Run>,
}

/// Asks the visibility store, not too often.
pub(super) struct Visibility<'a> {
    client: &'a Client,
    deployment: Option<&'a str>,
    pace: Interval,
}

impl<'a> Visibility<'a> {
    /// With a deployment, what other deployments work on is left out.
    pub(super) fn new(client: &'a Client, deployment: Option<&'a str>) -> Self {
        let mut pace = interval(BETWEEN_QUERIES);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            client,
            deployment,
            pace,
        }
    }

    /// Counts what is open.
    pub(super) async fn census(&mut self, types: &[String]) -> anyhow::Result<Census> {
        let ours = self.ours();
        let mut kinds = Vec::new();
        for workflow_type in types {
            let query = format!("{} AND {ours}{OPEN}", of_type(workflow_type));
            kinds.push(Kind {
                workflow_type: workflow_type.clone(),
                open: self.count(&query).await?,
            });
        }
        let of_other_deployments = match self.deployment {
            None => 0,
            Some(name) => {
                let others = format!(
                    "WorkflowType IN ({}) AND TemporalWorkerDeployment IS NOT NULL \
                     AND TemporalWorkerDeployment != '{name}' AND {OPEN}",
                    listed(types)
                );
                self.count(&others).await?
            }
        };
        let not_known = format!("WorkflowType NOT IN ({}) AND {OPEN}", listed(types));
        let queues = listed(&task_queue::ALL.map(str::to_owned));
        let foreign = format!("{not_known} AND TaskQueue NOT IN ({queues})");
        let foreign = self.count(&foreign).await?;
        let unknown = format!("{not_known} AND {ours}TaskQueue IN ({queues})");
        let (unknown, _) = self.page(&unknown, Vec::new()).await?;
        Ok(Census {
            kinds,
            of_other_deployments,
            foreign,
            unknown,
        })
    }

    /// Runs of these kinds, one of each kind, age and end in turn, until there
    /// are no more.
    pub(super) fn spread(
        self,
        kinds: &[Kind],
        recent: Duration,
    ) -> impl Stream<Item = anyhow::Result<Run>> + use<'a> {
        let now = Timestamp::now();
        let ours = self.ours();
        let buckets: VecDeque<Bucket> = kinds
            .iter()
            .flat_map(|kind| queries(kind, now, recent))
            .map(|query| Bucket::new(format!("{ours}{query}")))
            .collect();
        stream::try_unfold((self, buckets), |(mut visibility, mut buckets)| async {
            while let Some(mut bucket) = buckets.pop_front() {
                if let Some(run) = bucket.next(&mut visibility).await? {
                    buckets.push_back(bucket);
                    return Ok(Some((run, (visibility, buckets))));
                }
            }
            Ok(None)
        })
    }

    /// The beginning of a query that leaves other deployments out.
    fn ours(&self) -> String {
        self.deployment.map_or_else(String::new, |name| {
            format!(
                "(TemporalWorkerDeployment IS NULL OR TemporalWorkerDeployment = '{name}') AND "
            )
        })
    }

    async fn count(&mut self, query: &str) -> anyhow::Result<u64> {
        self.pace.tick().await;
        count(self.client, query).await
    }

    async fn page(
        &mut self,
        query: &str,
        next_page_token: Vec<u8>,
    ) -> anyhow::Result<(Vec<Run>, Vec<u8>)> {
        self.pace.tick().await;
        list(self.client, query, next_page_token, PAGE).await
    }
}

/// A page of the runs that match, latest first, and where the next begins.
pub(super) async fn list(
    client: &Client,
    query: &str,
    next_page_token: Vec<u8>,
    page_size: i32,
) -> anyhow::Result<(Vec<Run>, Vec<u8>)> {
    let request = ListWorkflowExecutionsRequest {
        namespace: client.options().namespace.clone(),
        page_size,
        next_page_token,
        query: query.to_owned(),
    };
    let mut service = client.connection().workflow_service();
    let answer = service
        .list_workflow_executions(limited(request))
        .await
        .map_err(|status| asked(&format!("to list {query}"), status))?
        .into_inner();
    let runs = answer.executions.into_iter().map(run).collect();
    Ok((runs, answer.next_page_token))
}

/// What is open, in a visibility query, also while somebody has paused it.
pub(super) const OPEN: &str = "CloseTime IS NULL";

/// Runs that one query finds, page by page.
struct Bucket {
    query: String,
    found: VecDeque<Run>,
    /// Where the next page begins; none after the last.
    token: Option<Vec<u8>>,
}

impl Bucket {
    const fn new(query: String) -> Self {
        Self {
            query,
            found: VecDeque::new(),
            token: Some(Vec::new()),
        }
    }

    async fn next(&mut self, visibility: &mut Visibility<'_>) -> anyhow::Result<Option<Run>> {
        while self.found.is_empty()
            && let Some(token) = self.token.take()
        {
            let (runs, next) = visibility.page(&self.query, token).await?;
            self.found = runs.into();
            self.token = (!next.is_empty()).then_some(next);
        }
        Ok(self.found.pop_front())
    }
}

/// The queries that share out the runs of one kind.
fn queries(kind: &Kind, now: Timestamp, recent: Duration) -> Vec<String> {
    let of_type = of_type(&kind.workflow_type);
    let mut open: Vec<String> = match kind.open {
        0 => Vec::new(),
        1..=FEW => vec![OPEN.to_owned()],
        _ => {
            let since = |age: Duration| before(now, age);
            let [hour, day, week] = AGES.map(since);
            vec![
                format!("{OPEN} AND StartTime >= '{hour}'"),
                format!("{OPEN} AND StartTime < '{hour}' AND StartTime >= '{day}'"),
                format!("{OPEN} AND StartTime < '{day}' AND StartTime >= '{week}'"),
                format!("{OPEN} AND StartTime < '{week}'"),
            ]
        }
    };
    if !recent.is_zero() {
        let since = before(now, recent);
        open.extend(
            ENDS.map(|ends| format!("ExecutionStatus IN ({ends}) AND CloseTime >= '{since}'")),
        );
    }
    open.into_iter()
        .map(|query| format!("{of_type} AND {query}"))
        .collect()
}

fn before(now: Timestamp, age: Duration) -> Timestamp {
    now.checked_sub(age).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn of_type(workflow_type: &str) -> String {
    format!("WorkflowType = '{workflow_type}'")
}

fn listed(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    quoted.join(", ")
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

    fn kind(open: u64) -> Kind {
        Kind {
            workflow_type: "PizzaOrder".to_owned(),
            open,
        }
    }

    #[test]
    fn many_open_workflows_are_told_apart_by_age_and_none_is_left_out() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().expect("a time");
        let of = |open, recent| queries(&kind(open), now, Duration::from_secs(recent));
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
