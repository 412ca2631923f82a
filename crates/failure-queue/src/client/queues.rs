//! How queues fare, and their policies.

use std::time::{Duration, SystemTime};

use temporalio_client::{Client, WorkflowHandle, WorkflowIdConflictPolicy, WorkflowStartOptions};

use super::update::until_processed;
use super::{Error, FailureQueues, Page, StateFilter, TaskFilter, oldest, visibility};
use crate::bulk::BulkFilter;
#[cfg(feature = "worker")]
use crate::failed_task::FailedTaskWorkflow;
use crate::invalid_request::check_queue;
use crate::names::{MEMO_POLICY, failure_queue_workflow_id, search_attribute, workflow_type};
use crate::queue::FailureQueueWorkflow;
use crate::queue_policy::{PolicyChange, QueuePolicy};
use crate::request::PolicyRequest;

/// How a queue fares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// How many tasks wait in it.
    pub depth: u64,
    /// How many were parked within the window.
    pub arrived: u64,
    /// How many were done or discarded within the window.
    pub resolved: u64,
}

impl FailureQueues {
    /// How a queue fares: how many tasks wait, and how many came and went
    /// within the last `window`.
    ///
    /// # Errors
    /// When Temporal is away.
    pub async fn stats(&self, queue: &str, window: Duration) -> Result<QueueStats, Error> {
        let open = open_in(queue);
        let window_ms = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        let since = visibility::rfc_3339(now_ms().saturating_sub(window_ms));
        let queue = visibility::escaped(queue);
        let any = format!(
            "WorkflowType = '{}' AND {} = '{queue}'",
            workflow_type::FAILED_TASK,
            search_attribute::QUEUE.name(),
        );
        // A task that continued as new closed a run, and was not parked again.
        let arrived = format!(
            "{any} AND {} >= '{since}' AND ExecutionStatus != 'ContinuedAsNew'",
            search_attribute::PARKED_AT.name()
        );
        let resolved =
            format!("{any} AND ExecutionStatus = 'Completed' AND CloseTime >= '{since}'");
        let (depth, arrived, resolved) = tokio::join!(
            self.count(&open),
            self.counted(arrived),
            self.counted(resolved),
        );
        Ok(QueueStats {
            depth: depth?,
            arrived: arrived?,
            resolved: resolved?,
        })
    }

    /// The policy of a queue; version 0 for one that never had any.
    ///
    /// # Errors
    /// When Temporal or its worker is away.
    pub async fn policy(&self, queue: &str) -> Result<QueuePolicy, Error> {
        let handle = self.queue(queue);
        let options = self.query_options();
        let query = async {
            Ok(handle
                .query(FailureQueueWorkflow::policy, (), options)
                .await?)
        };
        match self.within(query).await {
            Err(Error::NotFound) => Ok(no_policy(queue)),
            result => result,
        }
    }

    /// The last change of a queue's policy, which needs no worker to read; none
    /// for a queue that never had any.
    ///
    /// # Errors
    /// When Temporal is away.
    pub async fn last_change(&self, queue: &str) -> Result<Option<PolicyChange>, Error> {
        let handle = self.queue(queue);
        let options = self.describe_options();
        let described = self.within(async { Ok(handle.describe(options).await?) });
        match described.await {
            Ok(description) => {
                let memo = description.memo();
                let change = memo.get::<Option<PolicyChange>>(MEMO_POLICY);
                change
                    .map(Option::flatten)
                    .map_err(|error| Error::Unexpected(error.into()))
            }
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Changes the policy of a queue. Tasks that are parked already are told,
    /// which the policy then shows.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it was not taken.
    pub async fn set_policy(
        &self,
        queue: &str,
        request: PolicyRequest,
    ) -> Result<QueuePolicy, Error> {
        check_queue(queue)?;
        request.check()?;
        // Where its workflow was ended by force, versions must not begin anew:
        // tasks take only a later one for news.
        let known = self.last_change(queue).await?;
        let policy = known.map_or_else(|| no_policy(queue), |change| policy_of(queue, change));
        let start = WorkflowStartOptions::new(&self.task_queue, failure_queue_workflow_id(queue))
            .id_conflict_policy(WorkflowIdConflictPolicy::UseExisting)
            .static_summary(format!("policy of {queue}"))
            .rpc_options(self.rpc_options())
            .build();
        self.within(async {
            let handle = self
                .client
                .start_workflow(FailureQueueWorkflow::run, policy, start)
                .await?;
            let send = || {
                let set_policy = FailureQueueWorkflow::set_policy;
                handle.execute_update(set_policy, request.clone(), self.update_options())
            };
            Ok(until_processed(&self.client, send).await?)
        })
        .await
    }

    /// Tells a task its queue's policy.
    #[cfg(feature = "worker")]
    pub(crate) async fn tell_policy(&self, id: &str, change: PolicyChange) -> Result<(), Error> {
        let options = self.signal_options();
        let task = self.task(id);
        let told = self.within(async {
            let signal = FailedTaskWorkflow::queue_policy;
            Ok(task.signal(signal, change.into(), options).await?)
        });
        match told.await {
            // It was closed meanwhile.
            Err(Error::NotFound) => Ok(()),
            result => result,
        }
    }

    /// When the oldest task of a queue was parked, in milliseconds since the
    /// Unix epoch; none for an empty queue.
    ///
    /// Lists show the latest first, so this asks some thirty times. Where the
    /// application's recorder keeps books, they know it for one query.
    ///
    /// # Errors
    /// When Temporal is away.
    pub async fn oldest(&self, queue: &str) -> Result<Option<i64>, Error> {
        let open = open_in(queue);
        let Some(latest) = self.first(&open).await? else {
            return Ok(None);
        };
        let latest_before = |before_ms| {
            let mut older = open.clone();
            older.tasks.parked_before_ms = Some(before_ms);
            async move { self.first(&older).await }
        };
        oldest::oldest(latest, latest_before).await.map(Some)
    }

    /// When the first listed task was parked.
    async fn first(&self, filter: &TaskFilter) -> Result<Option<i64>, Error> {
        let page = Page {
            size: 1,
            token: Vec::new(),
        };
        let page = self.list(filter, page).await?;
        Ok(page.tasks.first().map(|task| task.parked_at_ms))
    }

    fn queue(&self, queue: &str) -> WorkflowHandle<Client, FailureQueueWorkflow> {
        self.client
            .get_workflow_handle(failure_queue_workflow_id(queue))
    }
}

/// The tasks that wait in a queue.
fn open_in(queue: &str) -> TaskFilter {
    TaskFilter {
        tasks: BulkFilter {
            queue: Some(queue.to_owned()),
            ..BulkFilter::default()
        },
        state: StateFilter::Open,
    }
}

fn no_policy(queue: &str) -> QueuePolicy {
    QueuePolicy {
        queue: queue.to_owned(),
        ..QueuePolicy::default()
    }
}

/// What is left of a policy when all but its last change is forgotten.
fn policy_of(queue: &str, change: PolicyChange) -> QueuePolicy {
    QueuePolicy {
        version: change.version,
        auto_redrive: change.auto_redrive.clone(),
        changes: vec![change],
        ..no_policy(queue)
    }
}

fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or_default()
}
