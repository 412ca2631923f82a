//! The workflow that keeps the policy of a queue, and tells it to the queue's
//! tasks.

#![allow(
    missing_docs,
    clippy::unimplemented,
    reason = "the macros generate items without documentation, and never call the bodies"
)]

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use temporalio_common::ActivityError;
use temporalio_common::{MemoValue, MemoValues};
use temporalio_macros::{activity_definitions, workflow, workflow_methods};
use temporalio_workflow::{
    ContinueAsNewOptions, WorkflowContext, WorkflowContextView, WorkflowResult,
};

use crate::names::{MEMO_POLICY, activity, message, workflow_type};
use crate::payload::Bytes;
use crate::policy::StepPolicy;
use crate::queue_policy::{PolicyChange, QueuePolicy};
use crate::refusal::{Refusal, Refused};
use crate::request::PolicyRequest;
use crate::steps::Steps;
use crate::workflow_time::now_ms;

/// How many changes a queue remembers one by one.
const REMEMBERED_CHANGES: usize = 50;

/// How long after a change the tasks are told of it that were parked just
/// before, and that a listing right after it may not have shown.
const SECOND_LOOK: Duration = Duration::from_secs(5);

/// How far before the change that second look reaches back.
const SECOND_LOOK_BACK_MS: i64 = 60_000;

/// Where the second look begins: tasks that were parked after this are
/// notified of the change again. In milliseconds since the Unix epoch.
pub(crate) const fn second_look_from_ms(change: &PolicyChange) -> i64 {
    change.at_ms.saturating_sub(SECOND_LOOK_BACK_MS)
}

/// A page of a queue's tasks that is to be told its policy.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SpreadPage {
    /// The queue.
    pub queue: String,
    /// Only tasks that were parked after this, in milliseconds since the Unix
    /// epoch.
    pub parked_after_ms: Option<i64>,
    /// Where the page before ended.
    pub token: Bytes,
    /// What they are told.
    pub change: PolicyChange,
}

/// A page of tasks that were told.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SpreadResult {
    /// How many.
    pub reached: u64,
    /// Those of them that the second look finds again: the ids of the tasks
    /// that were parked about when the change was made. Absent in results of
    /// earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent: Vec<String>,
    /// Where the next page begins; empty after the last.
    pub next: Bytes,
}

/// Steps of the queues' own workflows, declared.
pub struct QueueActivities;

// What an implementation names in `#[activity(definition = ...)]`.
pub use queue_activities::{ReadPolicy, SpreadPolicy};

#[activity_definitions]
impl QueueActivities {
    /// The last change of a queue's policy.
    #[activity(name = activity::READ_POLICY)]
    pub fn read_policy(queue: String) -> Result<Option<PolicyChange>, ActivityError> {
        unimplemented!()
    }

    /// Tells a page of a queue's tasks its policy.
    #[activity(name = activity::SPREAD_POLICY)]
    pub fn spread_policy(page: SpreadPage) -> Result<SpreadResult, ActivityError> {
        unimplemented!()
    }
}

/// The policy of one queue. It lives as long as the queue.
#[workflow]
pub struct FailureQueueWorkflow {
    policy: QueuePolicy,
}

type Context = WorkflowContext<FailureQueueWorkflow>;

#[workflow_methods]
impl FailureQueueWorkflow {
    #[init]
    fn new(_ctx: &WorkflowContextView, policy: QueuePolicy) -> Self {
        Self { policy }
    }

    /// Tells each change of the policy to the tasks that wait in the queue. A
    /// cancellation is not heeded: the policy holds until it is changed.
    #[run(name = workflow_type::FAILURE_QUEUE)]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        loop {
            let steps = Steps::new(ctx);
            steps
                .until(|queue| queue.policy.spreading || steps.is_long())
                .await;
            if ctx.state(|queue| queue.policy.spreading) {
                spread(ctx).await;
            }
            if steps.is_long() {
                steps.handlers_finished().await;
                let policy = ctx.state(|queue| queue.policy.clone());
                ctx.continue_as_new(policy.clone(), with_memo(&policy))?;
            }
        }
    }

    /// Changes the policy.
    ///
    /// # Errors
    /// When a field of the request is beyond its limit.
    #[update(name = message::SET_POLICY)]
    pub async fn set_policy(
        ctx: &mut WorkflowContext<Self>,
        request: PolicyRequest,
    ) -> Result<QueuePolicy, Refused> {
        let at_ms = now_ms(ctx);
        ctx.state_mut(|queue| queue.change(request, at_ms))?;
        let change = ctx.state(|queue| queue.policy.changes.last().cloned());
        ctx.upsert_memo([(MEMO_POLICY, Some(MemoValue::new(change)))])?;
        Ok(ctx.state(|queue| queue.policy.clone()))
    }

    #[update_validator(set_policy)]
    fn validate_set_policy(
        &self,
        _ctx: &WorkflowContextView,
        request: &PolicyRequest,
    ) -> Result<(), Refused> {
        Ok(request.check().map_err(Refusal::from)?)
    }

    /// The policy, and how many tasks know of it.
    #[query(name = message::POLICY)]
    pub fn policy(&self, _ctx: &WorkflowContextView) -> QueuePolicy {
        self.policy.clone()
    }
}

impl FailureQueueWorkflow {
    fn change(&mut self, request: PolicyRequest, at_ms: i64) -> Result<(), Refusal> {
        request.check()?;
        let policy = &mut self.policy;
        policy.version += 1;
        policy.auto_redrive.clone_from(&request.auto_redrive);
        policy.changes.push(PolicyChange {
            version: policy.version,
            at_ms,
            principal: request.principal,
            reason: request.reason,
            auto_redrive: request.auto_redrive,
        });
        let dropped = policy.changes.len().saturating_sub(REMEMBERED_CHANGES);
        policy.changes.drain(..dropped);
        policy.reached = 0;
        policy.spreading = true;
        Ok(())
    }
}

/// The next run is not given what this one wrote into the memo.
fn with_memo(policy: &QueuePolicy) -> ContinueAsNewOptions {
    let mut memo = MemoValues::new();
    memo.insert(MEMO_POLICY, policy.changes.last().cloned());
    ContinueAsNewOptions::builder().memo(memo).build()
}

/// Tells the tasks of the latest change: all, and a little later those that
/// were parked about when it was made.
async fn spread(ctx: &Context) {
    let Some(change) = ctx.state(|queue| queue.policy.changes.last().cloned()) else {
        return ctx.state_mut(|queue| queue.policy.spreading = false);
    };
    let mut counted = BTreeSet::new();
    tell_all(ctx, &change, None, &mut counted).await;
    let is_outdated = |queue: &FailureQueueWorkflow| queue.policy.version != change.version;
    Steps::new(ctx)
        .until_or(is_outdated, SECOND_LOOK, "second look")
        .await;
    let again_ms = Some(second_look_from_ms(&change));
    tell_all(ctx, &change, again_ms, &mut counted).await;
    ctx.state_mut(|queue| {
        if queue.policy.version == change.version {
            queue.policy.spreading = false;
        }
    });
}

/// Tells tasks of a change. Those that were parked lately may be told twice;
/// `counted` holds them, so that each is counted once.
async fn tell_all(
    ctx: &Context,
    change: &PolicyChange,
    parked_after_ms: Option<i64>,
    counted: &mut BTreeSet<String>,
) {
    let mut token = Bytes::default();
    // A later change is told in its own round, which need not wait for this.
    while ctx.state(|queue| queue.policy.version) == change.version {
        let page = SpreadPage {
            queue: ctx.state(|queue| queue.policy.queue.clone()),
            parked_after_ms,
            token: token.clone(),
            change: change.clone(),
        };
        let told = Steps::new(ctx)
            .regular(
                QueueActivities::spread_policy,
                page,
                &StepPolicy::bookkeeping(),
                "tell tasks of the policy",
            )
            .await
            .unwrap_or_default();
        let recent = told.recent.into_iter();
        let twice = recent.filter(|id| !counted.insert(id.clone())).count() as u64;
        ctx.state_mut(|queue| {
            if queue.policy.version == change.version {
                queue.policy.reached += told.reached.saturating_sub(twice);
            }
        });
        if told.next.0.is_empty() {
            return;
        }
        token = told.next;
    }
}
