//! A redrive or discard of many tasks.

#![allow(
    missing_docs,
    clippy::unimplemented,
    reason = "the macros generate items without documentation, and never call the bodies"
)]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use temporalio_common::ActivityError;
use temporalio_macros::{activity_definitions, workflow, workflow_methods};
use temporalio_workflow::{
    ActivityCloseTimeouts, ActivityOptions, ContinueAsNewOptions, SyncWorkflowContext,
    WorkflowCancellationToken, WorkflowContext, WorkflowContextView, WorkflowResult,
};

use crate::invalid_request::{InvalidRequest, check, check_principal, check_reason};
use crate::message::Message;
use crate::names::{activity, message, workflow_type};
use crate::payload::Bytes;
use crate::policy::StepPolicy;
use crate::steps::Steps;
use crate::workflow_time::now_ms;

/// How many problems a bulk operation lists.
const LISTED_PROBLEMS: usize = 20;

/// The largest page of tasks.
const LARGEST_PAGE: f64 = 50.0;

/// How long a page takes at its rate, in seconds; progress moves this often.
const PAGE_SECONDS: f64 = 2.0;

/// How long a page may take in all, and how long its worker may keep silent.
const PAGE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(1200);
const PAGE_SILENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// What is done to each task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BulkAction {
    /// Run its step again.
    Redrive,
    /// Close it for good.
    Discard,
}

/// Which tasks. What is none matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BulkFilter {
    /// The queue.
    pub queue: Option<String>,
    /// The message type.
    pub message_type: Option<String>,
    /// The code of the last error.
    pub error_code: Option<String>,
    /// Parked before this, in milliseconds since the Unix epoch.
    pub parked_before_ms: Option<i64>,
    /// Parked at this time or later, in milliseconds since the Unix epoch.
    pub parked_after_ms: Option<i64>,
    /// What they belong to: keyword search attributes by name.
    pub subject: BTreeMap<String, String>,
}

impl BulkFilter {
    /// Fails with the field that is not as it must be.
    ///
    /// # Errors
    /// When a name of the subject cannot be one of a search attribute.
    pub fn check(&self) -> Result<(), InvalidRequest> {
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        check(
            self.subject.keys().all(|name| is_name(name)),
            "subject",
            "must have names of letters, digits and '_', a letter first",
        )
    }
}

/// Redrive or discard many tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BulkRequest {
    /// Names the operation, 1 to 64 characters of A-Z, a-z, 0-9, `_` and `-`:
    /// started again with the same id, it is the same operation.
    pub id: String,
    /// What is done to each.
    pub action: BulkAction,
    /// To which. Only tasks that were parked before the operation began.
    pub filter: BulkFilter,
    /// Who asks.
    pub principal: String,
    /// Why, 1 to 500 characters. A discard must say.
    pub reason: Option<String>,
    /// Tasks in a second, 0.1 to 100.
    pub rate_per_second: f64,
    /// What its client asked for, in the client's own form: by it a program
    /// tells a repetition from another request under the same id. It means
    /// nothing here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
}

impl BulkRequest {
    /// Fails with the field that is not as it must be.
    ///
    /// # Errors
    /// When a field is beyond its limit.
    pub fn check(&self) -> Result<(), InvalidRequest> {
        let id_fits = (1..=64).contains(&self.id.len())
            && self
                .id
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        check(
            id_fits,
            "id",
            "must be 1 to 64 characters of A-Z, a-z, 0-9, '_' and '-'",
        )?;
        check_principal(&self.principal)?;
        check(
            self.action == BulkAction::Redrive || self.reason.is_some(),
            "reason",
            "must be given for a discard",
        )?;
        self.reason.as_deref().map_or(Ok(()), check_reason)?;
        self.filter.check()?;
        check(
            (0.1..=100.0).contains(&self.rate_per_second),
            "ratePerSecond",
            "must be from 0.1 to 100",
        )
    }

    /// Under this id each task takes the request once.
    #[must_use]
    pub fn request_id(&self) -> String {
        format!("bulk-{}", self.id)
    }

    /// Tasks on a page: what a few seconds allow.
    fn page_size(&self) -> u32 {
        // From 1 to 50, so it fits.
        (self.rate_per_second * PAGE_SECONDS).clamp(1.0, LARGEST_PAGE) as u32
    }
}

/// A task that is not as wished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BulkProblem {
    /// The task.
    pub task_id: String,
    /// What is with it.
    pub problem: String,
}

/// What became of a number of tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BulkCounts {
    /// Redriven with success.
    pub done: u64,
    /// Redriven, and failed again; they stay.
    pub failed_again: u64,
    /// Discarded.
    pub discarded: u64,
    /// Left alone: closed or being redriven by somebody else meanwhile.
    pub skipped: u64,
    /// Gave no answer in time: what became of them shows in each.
    pub unanswered: u64,
    /// The first of those that are not as wished.
    pub problems: Vec<BulkProblem>,
}

impl BulkCounts {
    fn add(&mut self, more: Self) {
        self.done += more.done;
        self.failed_again += more.failed_again;
        self.discarded += more.discarded;
        self.skipped += more.skipped;
        self.unanswered += more.unanswered;
        self.problems.extend(more.problems);
        self.problems.truncate(LISTED_PROBLEMS);
    }
}

/// How far a bulk operation is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BulkProgress {
    /// What was asked for.
    pub request: BulkRequest,
    /// When it began, in milliseconds since the Unix epoch.
    pub started_at_ms: i64,
    /// When it ended; none while it runs.
    pub ended_at_ms: Option<i64>,
    /// How many tasks matched when it began.
    pub matching: u64,
    /// What became of them so far.
    #[serde(flatten)]
    pub counts: BulkCounts,
    /// Whether it was stopped before it was through.
    pub stopped: bool,
    /// The tasks of the next page.
    #[serde(default)]
    pub(crate) tasks: Vec<String>,
    /// Where the page after that begins; none when there is no other.
    #[serde(default)]
    pub(crate) next: Option<Bytes>,
}

/// A page of tasks to be redriven or discarded. Which tasks they are is part
/// of it, so that a page that is run again is the same one, whatever its first
/// run already closed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BulkPage {
    /// What is done, to which.
    pub request: BulkRequest,
    /// The tasks; none on the first page, which only finds the next one's.
    pub tasks: Vec<String>,
    /// Where the next page begins; none when there is no other.
    pub next: Option<Bytes>,
    /// How many tasks the next page has.
    pub size: u32,
}

/// What became of a page.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BulkPageResult {
    /// What became of its tasks.
    pub counts: BulkCounts,
    /// The tasks of the next page; none after the last.
    pub tasks: Vec<String>,
    /// Where the page after that begins; none when there is no other.
    pub next: Option<Bytes>,
}

/// Steps of a bulk operation, declared.
pub struct BulkActivities;

// What an implementation names in `#[activity(definition = ...)]`.
pub use bulk_activities::{CountTasks, RunPage};

#[activity_definitions]
impl BulkActivities {
    /// How many tasks match.
    #[activity(name = activity::COUNT)]
    pub fn count_tasks(filter: BulkFilter) -> Result<u64, ActivityError> {
        unimplemented!()
    }

    /// Redrives or discards a page of tasks. Run again, it does to each task
    /// what it has not done yet.
    #[activity(name = activity::BULK_PAGE)]
    pub fn run_page(page: BulkPage) -> Result<BulkPageResult, ActivityError> {
        unimplemented!()
    }
}

/// A redrive or discard of many tasks, page by page at its rate. What ends or
/// restarts its worker does not end it.
#[workflow]
pub struct BulkWorkflow {
    progress: BulkProgress,
}

type Context = WorkflowContext<BulkWorkflow>;

/// What a bulk operation is started with: a request, or how far an earlier
/// run of it was.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BulkStart {
    /// It begins.
    New(BulkRequest),
    /// It goes on.
    GoOn(BulkProgress),
}

#[workflow_methods]
impl BulkWorkflow {
    #[init]
    fn new(_ctx: &WorkflowContextView, start: BulkStart) -> Self {
        let progress = match start {
            BulkStart::New(request) => BulkProgress {
                request,
                started_at_ms: 0,
                ended_at_ms: None,
                matching: 0,
                counts: BulkCounts::default(),
                stopped: false,
                tasks: Vec::new(),
                next: Some(Bytes::default()),
            },
            BulkStart::GoOn(progress) => progress,
        };
        Self { progress }
    }

    /// Goes through the tasks once.
    #[run(name = workflow_type::BULK)]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<BulkProgress> {
        if ctx.state(|bulk| bulk.progress.started_at_ms) == 0 {
            begin(ctx).await;
        }
        while !ctx.state(|bulk| bulk.progress.stopped) && page(ctx).await {
            if Steps::new(ctx).is_long() {
                let progress = ctx.state(|bulk| bulk.progress.clone());
                ctx.continue_as_new(BulkStart::GoOn(progress), ContinueAsNewOptions::default())?;
            }
        }
        let now = now_ms(ctx);
        ctx.state_mut(|bulk| bulk.progress.ended_at_ms = Some(now));
        Ok(ctx.state(|bulk| bulk.progress.clone()))
    }

    /// Goes no further than the page that is under way.
    #[signal(name = message::STOP)]
    pub fn stop(&mut self, ctx: &mut SyncWorkflowContext<Self>, principal: Message<String>) {
        self.progress.stopped |= principal.read(ctx, message::STOP).is_some();
    }

    /// How far it is.
    #[query(name = message::PROGRESS)]
    pub fn progress(&self, _ctx: &WorkflowContextView) -> BulkProgress {
        self.progress.clone()
    }
}

/// Fixes what the operation is about: tasks that fail again are parked still,
/// and must not be met again.
async fn begin(ctx: &Context) {
    let now = now_ms(ctx);
    let filter = ctx.state_mut(|bulk| {
        bulk.progress.started_at_ms = now;
        let filter = &mut bulk.progress.request.filter;
        filter.parked_before_ms = Some(filter.parked_before_ms.unwrap_or(now).min(now));
        filter.clone()
    });
    let matching = Steps::new(ctx)
        .regular(
            BulkActivities::count_tasks,
            filter,
            &StepPolicy::bookkeeping(),
            "count",
        )
        .await
        .unwrap_or_default();
    ctx.state_mut(|bulk| bulk.progress.matching = matching);
}

/// Goes through a page. Whether there is another one.
async fn page(ctx: &Context) -> bool {
    let page = ctx.state(|bulk| BulkPage {
        request: bulk.progress.request.clone(),
        tasks: bulk.progress.tasks.clone(),
        next: bulk.progress.next.clone(),
        size: bulk.progress.request.page_size(),
    });
    let mut options =
        ActivityOptions::with_close_timeouts(ActivityCloseTimeouts::StartToClose(PAGE_TIMEOUT))
            .retry_policy(StepPolicy::bookkeeping().retry_policy())
            .cancellation_token(WorkflowCancellationToken::new())
            .summary("a page of tasks".to_owned())
            .build();
    options.heartbeat_timeout = Some(PAGE_SILENCE);
    let result = Steps::new(ctx)
        .with_options(BulkActivities::run_page, page, options)
        .await
        .unwrap_or_default();
    ctx.state_mut(|bulk| {
        bulk.progress.counts.add(result.counts);
        bulk.progress.tasks = result.tasks;
        bulk.progress.next = result.next;
        !bulk.progress.tasks.is_empty()
    })
}
