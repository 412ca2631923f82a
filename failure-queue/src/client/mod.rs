//! Lists, counts, shows, redrives and discards parked tasks.

#![allow(
    clippy::disallowed_methods,
    reason = "those bans are for workflows; a client reads the clock"
)]

mod error;
mod oldest;
mod visibility;

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use temporalio_client::errors::{WorkflowStartError, WorkflowUpdateError};
use temporalio_client::{
    Client, RetryOptions, RpcOptions, WorkflowDescribeOptions, WorkflowExecuteUpdateOptions,
    WorkflowExecutionStatus, WorkflowIdConflictPolicy, WorkflowIdReusePolicy, WorkflowQueryOptions,
    WorkflowSignalOptions, WorkflowStartOptions,
};
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    CountWorkflowExecutionsRequest, ListWorkflowExecutionsRequest, ListWorkflowExecutionsResponse,
};
use tokio::time::{sleep, timeout};
use tonic::{Code, IntoRequest};

use crate::bulk::{BulkFilter, BulkProgress, BulkRequest, BulkStart, BulkWorkflow};
use crate::failed_task::FailedTaskWorkflow;
use crate::names::{
    MEMO_POLICY, bulk_workflow_id, failure_queue_workflow_id, search_attribute, workflow_type,
};
use crate::queue::{FailureQueueWorkflow, PolicyChange, QueuePolicy};
use crate::request::{DiscardRequest, PolicyRequest, RedriveAnswer, RedriveRequest};
use crate::task::{AuditAction, AuditOutcome, TaskState, TaskView};

pub use error::Error;

/// How soon an update that was lost is sent again.
const ASK_AGAIN: Duration = Duration::from_millis(50);

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

/// How a queue fares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// How many tasks wait in it.
    pub depth: u64,
    /// When the oldest of them was parked, in milliseconds since the Unix
    /// epoch.
    pub oldest_parked_at_ms: Option<i64>,
    /// How many were parked within the window.
    pub arrived: u64,
    /// How many were done or discarded within the window.
    pub resolved: u64,
}

/// What became of a redrive while its caller waited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redriven {
    /// It ended.
    Ended(RedriveAnswer),
    /// It was taken, and goes on.
    StillRunning,
}

/// The failure queues of a namespace. Clones are cheap.
///
/// What lists and counts tell is a moment behind what Temporal does.
#[derive(Clone)]
pub struct FailureQueues {
    client: Client,
    task_queue: String,
    limit: Duration,
}

impl fmt::Debug for FailureQueues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FailureQueues")
            .field("task_queue", &self.task_queue)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl FailureQueues {
    /// The queues whose parked tasks live on `task_queue`. No call takes
    /// longer than `limit`.
    #[must_use]
    pub fn new(client: Client, task_queue: impl Into<String>, limit: Duration) -> Self {
        Self {
            client,
            task_queue: task_queue.into(),
            limit,
        }
    }

    /// A page of the tasks that a filter lets through.
    ///
    /// # Errors
    /// [`Error::InvalidToken`] when the page's token is not one of this list;
    /// others when Temporal is away.
    pub async fn list(&self, filter: &TaskFilter, page: Page) -> Result<TaskPage, Error> {
        let has_token = !page.token.is_empty();
        let listing = self.listing(visibility::query(filter), page).await;
        let listing = listing.map_err(|error| match error {
            // A token that Temporal did not make: it does not always say so.
            Error::Unavailable(status) if has_token && status.code() == Code::Unknown => {
                Error::InvalidToken
            }
            Error::Unexpected(source) if has_token && is_invalid_argument(&*source) => {
                Error::InvalidToken
            }
            error => error,
        })?;
        Ok(TaskPage {
            tasks: listing
                .executions
                .into_iter()
                .filter_map(visibility::listed)
                .collect(),
            next: listing.next_page_token,
        })
    }

    /// How many tasks a filter lets through.
    ///
    /// # Errors
    /// When Temporal is away.
    pub async fn count(&self, filter: &TaskFilter) -> Result<u64, Error> {
        self.counted(visibility::query(filter)).await
    }

    /// A task, open or closed, with its audit trail.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none with this id, or not any more.
    pub async fn show(&self, id: &str) -> Result<TaskView, Error> {
        self.within(async {
            let task = self.task(id);
            self.is_task(id).await?;
            let options = WorkflowQueryOptions::builder()
                .rpc_options(self.rpc_options())
                .build();
            Ok(task.query(FailedTaskWorkflow::task, (), options).await?)
        })
        .await
    }

    /// Runs a task's step again, and waits for its end as long as the limit
    /// allows.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Resolved`], [`Error::Busy`] or
    /// [`Error::Invalid`] when it was not taken.
    pub async fn redrive(&self, id: &str, request: RedriveRequest) -> Result<Redriven, Error> {
        request.check()?;
        let request_id = request.request_id.clone();
        let asked = self.within(async {
            self.is_task(id).await?;
            let task = self.task(id);
            loop {
                let update = task.execute_update(
                    FailedTaskWorkflow::redrive,
                    request.clone(),
                    self.update_options(),
                );
                match update.await {
                    Ok(answer) => return Ok(answer),
                    Err(error) if error::is_lost(&error) => sleep(ASK_AGAIN).await,
                    Err(error) => return Err(self.update_error(id, error).await),
                }
            }
        });
        match asked.await {
            Ok(answer) => Ok(Redriven::Ended(answer)),
            Err(Error::Resolved) => self.was_redriven(id, request_id.as_deref()).await,
            Err(Error::TimedOut) => self.is_redriving(id).await,
            Err(error) => Err(error),
        }
    }

    /// Closes a task for good.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Resolved`], [`Error::Busy`] or
    /// [`Error::Invalid`] when it was not taken.
    pub async fn discard(&self, id: &str, request: DiscardRequest) -> Result<(), Error> {
        request.check()?;
        let request_id = request.request_id.clone();
        let asked = self.within(async {
            self.is_task(id).await?;
            let task = self.task(id);
            loop {
                let update = task.execute_update(
                    FailedTaskWorkflow::discard,
                    request.clone(),
                    self.update_options(),
                );
                match update.await {
                    Ok(()) => return Ok(()),
                    Err(error) if error::is_lost(&error) => sleep(ASK_AGAIN).await,
                    Err(error) => return Err(self.update_error(id, error).await),
                }
            }
        });
        match asked.await {
            Err(Error::Resolved) => {
                let id_of = request_id.as_deref();
                let own = self.outcome_of(id, AuditAction::Discard, id_of).await?;
                own.map(drop).ok_or(Error::Resolved)
            }
            result => result,
        }
    }

    /// How a queue fares: how many tasks wait, and how many came and went
    /// within the last `window`.
    ///
    /// # Errors
    /// When Temporal is away.
    pub async fn stats(&self, queue: &str, window: Duration) -> Result<QueueStats, Error> {
        let of_queue = |state| TaskFilter {
            tasks: BulkFilter {
                queue: Some(queue.to_owned()),
                ..BulkFilter::default()
            },
            state,
        };
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
        let open = of_queue(StateFilter::Open);
        let (depth, arrived, resolved, oldest) = tokio::join!(
            self.count(&open),
            self.counted(arrived),
            self.counted(resolved),
            self.oldest(&open),
        );
        Ok(QueueStats {
            depth: depth?,
            oldest_parked_at_ms: oldest?,
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
        let options = WorkflowQueryOptions::builder()
            .rpc_options(self.rpc_options())
            .build();
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

    /// The last change of a queue's policy, which needs no worker to read.
    pub(crate) async fn last_change(&self, queue: &str) -> Result<Option<PolicyChange>, Error> {
        let handle = self.queue(queue);
        let options = WorkflowDescribeOptions::builder()
            .rpc_options(self.rpc_options())
            .build();
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
        request.check()?;
        let start = WorkflowStartOptions::new(&self.task_queue, failure_queue_workflow_id(queue))
            .id_conflict_policy(WorkflowIdConflictPolicy::UseExisting)
            .static_summary(format!("policy of {queue}"))
            .rpc_options(self.rpc_options())
            .build();
        self.within(async {
            let handle = self
                .client
                .start_workflow(FailureQueueWorkflow::run, no_policy(queue), start)
                .await?;
            loop {
                let update = handle.execute_update(
                    FailureQueueWorkflow::set_policy,
                    request.clone(),
                    self.update_options(),
                );
                match update.await {
                    Ok(policy) => return Ok(policy),
                    Err(error) if error::is_lost(&error) => sleep(ASK_AGAIN).await,
                    Err(error) => return Err(error.into()),
                }
            }
        })
        .await
    }

    /// Tells a task its queue's policy.
    #[cfg(feature = "worker")]
    pub(crate) async fn tell_policy(&self, id: &str, change: PolicyChange) -> Result<(), Error> {
        let options = WorkflowSignalOptions::builder()
            .rpc_options(self.rpc_options())
            .build();
        let task = self.task(id);
        let told = self.within(async {
            let signal = FailedTaskWorkflow::queue_policy;
            Ok(task.signal(signal, change, options).await?)
        });
        match told.await {
            // It was closed meanwhile.
            Err(Error::NotFound) => Ok(()),
            result => result,
        }
    }

    /// Starts a bulk operation. One with this id that was started before is
    /// this one.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it was not taken.
    pub async fn start_bulk(&self, request: BulkRequest) -> Result<(), Error> {
        request.check()?;
        let options = WorkflowStartOptions::new(&self.task_queue, bulk_workflow_id(&request.id))
            .id_conflict_policy(WorkflowIdConflictPolicy::UseExisting)
            .id_reuse_policy(WorkflowIdReusePolicy::RejectDuplicate)
            .static_summary(format!("{:?} by {}", request.action, request.principal))
            .rpc_options(self.rpc_options())
            .build();
        self.within(async {
            let start = BulkStart::New(request);
            let started = self
                .client
                .start_workflow(BulkWorkflow::run, start, options)
                .await;
            match started {
                // One that has ended is this one, too.
                Ok(_) | Err(WorkflowStartError::AlreadyStarted { .. }) => Ok(()),
                Err(error) => Err(error.into()),
            }
        })
        .await
    }

    /// How far a bulk operation is.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none with this id.
    pub async fn bulk(&self, id: &str) -> Result<BulkProgress, Error> {
        let handle = self
            .client
            .get_workflow_handle::<BulkWorkflow>(bulk_workflow_id(id));
        let options = WorkflowQueryOptions::builder()
            .rpc_options(self.rpc_options())
            .build();
        self.within(async { Ok(handle.query(BulkWorkflow::progress, (), options).await?) })
            .await
    }

    /// Stops a bulk operation after the page that is under way. One that has
    /// ended stays as it is.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none with this id.
    pub async fn stop_bulk(&self, id: &str, principal: &str) -> Result<(), Error> {
        let handle = self
            .client
            .get_workflow_handle::<BulkWorkflow>(bulk_workflow_id(id));
        let options = WorkflowSignalOptions::builder()
            .rpc_options(self.rpc_options())
            .build();
        let stopped = self.within(async {
            let principal = principal.to_owned();
            Ok(handle
                .signal(BulkWorkflow::stop, principal, options)
                .await?)
        });
        match stopped.await {
            // Closed, or never there: looking tells.
            Err(Error::NotFound) => self.bulk(id).await.map(drop),
            result => result,
        }
    }

    /// What became of a redrive whose task is closed by now.
    async fn was_redriven(&self, id: &str, request_id: Option<&str>) -> Result<Redriven, Error> {
        let own = self
            .outcome_of(id, AuditAction::Redrive, request_id)
            .await?;
        own.map(|(_, answer)| Redriven::Ended(answer))
            .ok_or(Error::Resolved)
    }

    /// Whether a redrive that did not end in time was taken.
    async fn is_redriving(&self, id: &str) -> Result<Redriven, Error> {
        match self.show(id).await?.state {
            TaskState::Redriving | TaskState::Done => Ok(Redriven::StillRunning),
            TaskState::Waiting | TaskState::Discarded => Err(Error::TimedOut),
        }
    }

    /// How the request with this id came out, if the task took it.
    async fn outcome_of(
        &self,
        id: &str,
        action: AuditAction,
        request_id: Option<&str>,
    ) -> Result<Option<(AuditOutcome, RedriveAnswer)>, Error> {
        let Some(request_id) = request_id else {
            return Ok(None);
        };
        let task = self.show(id).await?;
        let mut audit = task.audit.iter();
        let own = audit.find(|entry| entry.action == action && entry.request_id == request_id);
        Ok(own.map(|entry| {
            let done = entry.outcome == AuditOutcome::Done;
            let answer = RedriveAnswer {
                state: if done { task.state } else { TaskState::Waiting },
                attempts: task.attempts,
                failure: (!done).then(|| task.failure.clone()),
            };
            (entry.outcome, answer)
        }))
    }

    /// A closed workflow answers an update as one that never was.
    async fn update_error(&self, id: &str, error: WorkflowUpdateError) -> Error {
        match error.into() {
            Error::NotFound => match self.is_task(id).await {
                Ok(_) => Error::Resolved,
                Err(error) => error,
            },
            error => error,
        }
    }

    /// Fails unless the workflow with this id is a parked task: no other may
    /// be reached through here.
    async fn is_task(&self, id: &str) -> Result<WorkflowExecutionStatus, Error> {
        let options = WorkflowDescribeOptions::builder()
            .rpc_options(self.rpc_options())
            .build();
        let description = self.task(id).describe(options).await?;
        if description.workflow_type() == workflow_type::FAILED_TASK {
            Ok(description.status())
        } else {
            Err(Error::NotFound)
        }
    }

    /// When the oldest of the tasks was parked.
    async fn oldest(&self, filter: &TaskFilter) -> Result<Option<i64>, Error> {
        let Some(latest) = self.first(filter).await? else {
            return Ok(None);
        };
        let latest_before = |before_ms| {
            let mut older = filter.clone();
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

    async fn listing(
        &self,
        query: String,
        page: Page,
    ) -> Result<ListWorkflowExecutionsResponse, Error> {
        self.within(async {
            let mut request = ListWorkflowExecutionsRequest {
                namespace: self.client.options().namespace.clone(),
                page_size: i32::try_from(page.size).unwrap_or(i32::MAX),
                next_page_token: page.token,
                query,
            }
            .into_request();
            request.set_timeout(self.limit);
            let mut service = self.client.connection().workflow_service();
            let listing = service.list_workflow_executions(request).await?;
            Ok(listing.into_inner())
        })
        .await
    }

    async fn counted(&self, query: String) -> Result<u64, Error> {
        self.within(async {
            let mut request = CountWorkflowExecutionsRequest {
                namespace: self.client.options().namespace.clone(),
                query,
            }
            .into_request();
            request.set_timeout(self.limit);
            let mut service = self.client.connection().workflow_service();
            let answer = service.count_workflow_executions(request).await?;
            Ok(u64::try_from(answer.into_inner().count).unwrap_or_default())
        })
        .await
    }

    /// Makes a call within the limit.
    async fn within<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        // The client's futures are large; boxed, they stay off the stack.
        timeout(self.limit, Box::pin(call))
            .await
            .unwrap_or(Err(Error::TimedOut))
    }

    fn task(&self, id: &str) -> temporalio_client::WorkflowHandle<Client, FailedTaskWorkflow> {
        self.client.get_workflow_handle(id)
    }

    fn queue(
        &self,
        queue: &str,
    ) -> temporalio_client::WorkflowHandle<Client, FailureQueueWorkflow> {
        self.client
            .get_workflow_handle(failure_queue_workflow_id(queue))
    }

    fn update_options(&self) -> WorkflowExecuteUpdateOptions {
        WorkflowExecuteUpdateOptions::builder()
            .rpc_options(self.rpc_options())
            .build()
    }

    /// The client retries by itself what may pass; no longer than its caller
    /// waits.
    fn rpc_options(&self) -> RpcOptions {
        let retry = RetryOptions::builder()
            .max_elapsed_time(Some(self.limit))
            .build();
        RpcOptions::builder()
            .timeout(self.limit)
            .retry_options(retry)
            .build()
    }
}

fn is_invalid_argument(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    let status = error.downcast_ref::<tonic::Status>();
    status.is_some_and(|status| status.code() == Code::InvalidArgument)
}

fn no_policy(queue: &str) -> QueuePolicy {
    QueuePolicy {
        queue: queue.to_owned(),
        ..QueuePolicy::default()
    }
}

fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or_default()
}
