//! The activities of the queues' own workflows.

#![allow(
    missing_docs,
    reason = "the macros generate items without documentation"
)]

use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use temporalio_common::error::ApplicationFailure;
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};

use crate::activities::{self as declared, BulkPage, BulkPageResult, SpreadPage, SpreadResult};
use crate::bulk::{BulkAction, BulkCounts, BulkFilter, BulkProblem, BulkRequest};
use crate::client::{Error, FailureQueues, Page, Redriven, StateFilter, TaskFilter};
use crate::error_chain::error_chain;
use crate::payload::Bytes;
use crate::queue::second_look_from_ms;
use crate::queue_policy::PolicyChange;
use crate::request::{DiscardRequest, RedriveRequest};
use crate::task_state::TaskState;

/// Tasks that are told of a policy at once.
const TELL_AT_ONCE: usize = 8;
/// Tasks on a page that is told of a policy.
const TOLD_PAGE: u32 = 100;
/// How often a page of a bulk operation tells that its worker lives.
const HEARTBEAT: Duration = Duration::from_secs(4);
/// Tasks of a bulk operation that are under way at once.
const UNDER_WAY: usize = 8;

/// The activities of the queues' own workflows. Register them with the worker
/// of the parked tasks' task queue, together with
/// [`FailedTaskWorkflow`](crate::FailedTaskWorkflow),
/// [`FailureQueueWorkflow`](crate::FailureQueueWorkflow) and
/// [`BulkWorkflow`](crate::BulkWorkflow).
pub struct FailureQueueActivities {
    queues: FailureQueues,
}

impl FailureQueueActivities {
    /// Acts on these queues. Their limit is what each task of a bulk operation
    /// may take.
    #[must_use]
    pub const fn new(queues: FailureQueues) -> Self {
        Self { queues }
    }
}

#[activities]
impl FailureQueueActivities {
    #[activity(definition = declared::ReadPolicy)]
    pub async fn read_policy(
        self: Arc<Self>,
        _ctx: ActivityContext,
        queue: String,
    ) -> Result<Option<PolicyChange>, ActivityError> {
        self.queues.last_change(&queue).await.map_err(fault)
    }

    #[activity(definition = declared::SpreadPolicy)]
    pub async fn spread_policy(
        self: Arc<Self>,
        _ctx: ActivityContext,
        page: SpreadPage,
    ) -> Result<SpreadResult, ActivityError> {
        self.spread(page).await.map_err(fault)
    }

    #[activity(definition = declared::CountTasks)]
    pub async fn count_tasks(
        self: Arc<Self>,
        _ctx: ActivityContext,
        filter: BulkFilter,
    ) -> Result<u64, ActivityError> {
        self.queues.count(&open(filter)).await.map_err(fault)
    }

    #[activity(definition = declared::RunPage)]
    pub async fn run_page(
        self: Arc<Self>,
        ctx: ActivityContext,
        page: BulkPage,
    ) -> Result<BulkPageResult, ActivityError> {
        self.run(&ctx, page).await
    }
}

impl FailureQueueActivities {
    async fn spread(&self, page: SpreadPage) -> Result<SpreadResult, Error> {
        let filter = open(BulkFilter {
            queue: Some(page.queue),
            parked_after_ms: page.parked_after_ms,
            ..BulkFilter::default()
        });
        let token = page.token.0;
        let listed = self
            .queues
            .list(
                &filter,
                Page {
                    size: TOLD_PAGE,
                    token,
                },
            )
            .await?;
        let from_ms = second_look_from_ms(&page.change);
        let recent = listed
            .tasks
            .iter()
            .filter(|task| task.parked_at_ms > from_ms)
            .map(|task| task.id.clone())
            .collect();
        let told: Vec<Result<(), Error>> = stream::iter(listed.tasks)
            .map(|task| {
                let change = page.change.clone();
                async move { self.queues.tell_policy(&task.id, change).await }
            })
            .buffer_unordered(TELL_AT_ONCE)
            .collect()
            .await;
        let reached = told.len() as u64;
        // One that could not be told is told with the page's next attempt.
        told.into_iter().collect::<Result<(), Error>>()?;
        Ok(SpreadResult {
            reached,
            recent,
            next: Bytes(listed.next),
        })
    }

    async fn run(
        &self,
        ctx: &ActivityContext,
        page: BulkPage,
    ) -> Result<BulkPageResult, ActivityError> {
        let counts = self.run_tasks(ctx, &page.request, page.tasks).await?;
        let filter = open(page.request.filter);
        let (tasks, next) = self
            .next_page(&filter, page.size, page.next)
            .await
            .map_err(fault)?;
        Ok(BulkPageResult {
            counts,
            tasks,
            next,
        })
    }

    /// Does to each task what the operation does, at its rate.
    async fn run_tasks(
        &self,
        ctx: &ActivityContext,
        request: &BulkRequest,
        tasks: Vec<String>,
    ) -> Result<BulkCounts, ActivityError> {
        let mut outcomes = Box::pin(
            paced(tasks, request.rate_per_second)
                .map(|id| self.act(request, id))
                .buffer_unordered(UNDER_WAY),
        );
        let mut counts = BulkCounts::default();
        let mut alive = interval(HEARTBEAT);
        loop {
            tokio::select! {
                outcome = outcomes.next() => match outcome {
                    Some(outcome) => outcome.count(&mut counts),
                    None => return Ok(counts),
                },
                // Only tells that this worker lives; a page run again finds
                // out from each task what was done to it.
                _ = alive.tick() => drop(ctx.record_heartbeat(()).await),
                () = ctx.cancelled() => return Err(stopping()),
            }
        }
    }

    /// The tasks of the page that begins here, and where the one after it
    /// does.
    async fn next_page(
        &self,
        filter: &TaskFilter,
        size: u32,
        mut begin: Option<Bytes>,
    ) -> Result<(Vec<String>, Option<Bytes>), Error> {
        while let Some(Bytes(token)) = begin {
            let page = self.queues.list(filter, Page { size, token }).await?;
            begin = (!page.next.is_empty()).then_some(Bytes(page.next));
            if !page.tasks.is_empty() {
                let ids = page.tasks.into_iter().map(|task| task.id).collect();
                return Ok((ids, begin));
            }
        }
        Ok((Vec::new(), None))
    }

    /// Does to one task what the operation does to each.
    async fn act(&self, request: &BulkRequest, id: String) -> Outcome {
        let result = match request.action {
            BulkAction::Redrive => self.redrive(request, &id).await,
            BulkAction::Discard => self.discard(request, &id).await,
        };
        let kind = result.unwrap_or_else(|error| match error {
            Error::Resolved
            | Error::Busy
            | Error::TooManyRedrives
            | Error::Paused
            | Error::NotFound => Kind::Skipped(error.to_string()),
            error => Kind::Unanswered(error_chain(&error)),
        });
        Outcome { id, kind }
    }

    async fn redrive(&self, request: &BulkRequest, id: &str) -> Result<Kind, Error> {
        let redrive = RedriveRequest {
            principal: request.principal.clone(),
            reason: request.reason.clone(),
            request_id: Some(request.request_id()),
            ..RedriveRequest::default()
        };
        Ok(match self.queues.redrive(id, redrive).await? {
            Redriven::Ended(answer) if answer.state == TaskState::Done => Kind::Done,
            Redriven::Ended(answer) => {
                Kind::FailedAgain(answer.failure.map_or_else(String::new, |failure| {
                    format!("{}: {}", failure.code, failure.message)
                }))
            }
            Redriven::StillRunning => Kind::Unanswered("the redrive goes on".to_owned()),
        })
    }

    async fn discard(&self, request: &BulkRequest, id: &str) -> Result<Kind, Error> {
        let discard = DiscardRequest {
            principal: request.principal.clone(),
            reason: request.reason.clone().unwrap_or_default(),
            request_id: Some(request.request_id()),
        };
        self.queues.discard(id, discard).await?;
        Ok(Kind::Discarded)
    }
}

/// What became of one task.
struct Outcome {
    id: String,
    kind: Kind,
}

enum Kind {
    Done,
    Discarded,
    FailedAgain(String),
    Skipped(String),
    Unanswered(String),
}

impl Outcome {
    fn count(self, counts: &mut BulkCounts) {
        let problem = match self.kind {
            Kind::Done => {
                counts.done += 1;
                return;
            }
            Kind::Discarded => {
                counts.discarded += 1;
                return;
            }
            Kind::FailedAgain(problem) => {
                counts.failed_again += 1;
                problem
            }
            Kind::Skipped(problem) => {
                counts.skipped += 1;
                problem
            }
            Kind::Unanswered(problem) => {
                counts.unanswered += 1;
                problem
            }
        };
        counts.problems.push(BulkProblem {
            task_id: self.id,
            problem,
        });
    }
}

/// Hands the tasks out one by one, so many in a second. The first one waits,
/// too: the page before may have ended just now.
fn paced(tasks: Vec<String>, per_second: f64) -> impl Stream<Item = String> {
    let period = Duration::from_secs_f64(1.0 / per_second);
    let mut pace = interval_at(Instant::now() + period, period);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    stream::unfold((pace, tasks.into_iter()), async |(mut pace, mut tasks)| {
        let task = tasks.next()?;
        pace.tick().await;
        Some((task, (pace, tasks)))
    })
}

/// The worker is being stopped; another one goes on with the page.
fn stopping() -> ActivityError {
    let failure = ApplicationFailure::builder("the worker is being stopped")
        .type_name("FailureQueueWorkerStopping".to_owned())
        .build();
    ActivityError::application(failure)
}

fn open(tasks: BulkFilter) -> TaskFilter {
    TaskFilter {
        tasks,
        state: StateFilter::Open,
    }
}

/// Nothing that these activities meet is final: they are tried again.
fn fault(error: Error) -> ActivityError {
    let failure = ApplicationFailure::builder(error_chain(&error))
        .type_name("FailureQueueUnavailable".to_owned())
        .build();
    ActivityError::application(failure)
}
