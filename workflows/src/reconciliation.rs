//! The reconciliation: goes through the orders that Temporal and the store may
//! not agree about, page by page. What is done to each is the activity's.

#![allow(
    missing_docs,
    reason = "the macros generate items without documentation"
)]

use std::time::Duration;

use failure_queue::{StepPolicy, now_ms};
use serde::{Deserialize, Serialize};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{
    ActivityCloseTimeouts, ActivityOptions, ContinueAsNewOptions, WorkflowContext,
    WorkflowContextView, WorkflowResult,
};

use crate::names::workflow_type;
use crate::steps::{
    Place, ReconciledPage, ReconciliationCounts, ReconciliationPage, ReconciliationPart,
    ReconciliationSteps,
};

/// How many orders a run mends at most. Each may be a new run of its workflow,
/// and they are not to crowd out the orders of those who wait. The next run
/// goes on: what was mended is in nobody's way then.
const MOST_MENDED: u64 = 1000;

/// How long a page may take, and how long its worker may keep silent.
const PAGE_TIMEOUT: Duration = Duration::from_secs(60);
const PAGE_SILENCE: Duration = Duration::from_secs(10);

/// How long a page waits for a worker, and is tried, in all: a run that nobody
/// can help makes way for the next.
const PAGE_PATIENCE: Duration = Duration::from_secs(300);

/// A history of this many events is continued in a new one.
const LONGEST_HISTORY: u32 = 500;

/// What a reconciliation is started with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reconciliation {
    /// How long an order is left alone after its last change, in milliseconds.
    pub grace_ms: u64,
    /// How far an earlier run of it came; none for a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<ReconciliationProgress>,
}

impl Reconciliation {
    /// A new one, that leaves an order alone so long after its last change.
    #[must_use]
    pub fn with_grace(grace: Duration) -> Self {
        Self {
            grace_ms: u64::try_from(grace.as_millis()).unwrap_or(u64::MAX),
            progress: None,
        }
    }
}

/// How far a reconciliation came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReconciliationProgress {
    /// What was found and done so far.
    pub counts: ReconciliationCounts,
    /// The page that follows.
    pub page: ReconciliationPage,
}

/// One look at everything that may not be in line.
#[workflow]
pub struct ReconciliationWorkflow {
    start: Reconciliation,
}

type Context = WorkflowContext<ReconciliationWorkflow>;

#[workflow_methods]
impl ReconciliationWorkflow {
    #[init]
    fn new(_ctx: &WorkflowContextView, start: Reconciliation) -> Self {
        Self { start }
    }

    /// Goes through both lists once. A page that cannot be had fails the run;
    /// what was mended before stays mended, and the next run sees to the rest.
    #[run(name = workflow_type::RECONCILIATION)]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<ReconciliationCounts> {
        let start = ctx.state(|state| state.start.clone());
        let mut progress = start.progress.unwrap_or_else(|| begin(ctx, start.grace_ms));
        loop {
            let done = reconcile(ctx, progress.page.clone()).await?;
            progress.counts.add(&done.counts);
            let Some(part) = done.next else { break };
            if progress.counts.mended() >= MOST_MENDED {
                break;
            }
            progress.page.part = part;
            if ctx.history_length() >= LONGEST_HISTORY || ctx.continue_as_new_suggested() {
                let rest = Reconciliation {
                    grace_ms: start.grace_ms,
                    progress: Some(progress.clone()),
                };
                ctx.continue_as_new(rest, ContinueAsNewOptions::default())?;
            }
        }
        Ok(progress.counts)
    }
}

/// The first page. What is unchanged is decided here, once: an order that this
/// run mends is not met again.
fn begin(ctx: &Context, grace_ms: u64) -> ReconciliationProgress {
    let grace_ms = i64::try_from(grace_ms).unwrap_or(i64::MAX);
    ReconciliationProgress {
        counts: ReconciliationCounts::default(),
        page: ReconciliationPage {
            part: ReconciliationPart::OpenOrders(Place::default()),
            unchanged_since_ms: now_ms(ctx).saturating_sub(grace_ms),
        },
    }
}

async fn reconcile(ctx: &Context, page: ReconciliationPage) -> WorkflowResult<ReconciledPage> {
    let timeouts = ActivityCloseTimeouts::ScheduleAndStartToClose {
        start_to_close: PAGE_TIMEOUT,
        schedule_to_close: PAGE_PATIENCE,
    };
    let options = ActivityOptions::with_close_timeouts(timeouts)
        .heartbeat_timeout(PAGE_SILENCE)
        .retry_policy(StepPolicy::bookkeeping().retry_policy())
        .summary("a page of orders".to_owned())
        .build();
    let reconciled = ctx
        .execute_activity(ReconciliationSteps::reconcile_page, page, options)
        .await?;
    Ok(reconciled)
}
