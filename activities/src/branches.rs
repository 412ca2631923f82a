//! Steps that look at an order's branches from outside.
//!
//! A workflow cannot ask Temporal about another one, so these steps do. The
//! branches of an order may have been started by an earlier run of its workflow,
//! and each may itself have several runs, when it was reset.

#![allow(
    missing_docs,
    reason = "the macros generate items without documentation"
)]

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use pizza_domain::{CancelReason, OrderId, OrderStatus};
use pizza_store::{Store, StoreError};
use pizza_workflows::names::{failure_type, fulfilment_workflow_id, loyalty_workflow_id};
use pizza_workflows::steps::{FulfilmentJoin, FulfilmentState, WhileRunning, branches};
use pizza_workflows::{FulfilmentWorkflow, LoyaltyOutcome, LoyaltyWorkflow, SettledChange};
use temporalio_client::errors::{WorkflowGetResultError, WorkflowInteractionError};
use temporalio_client::{
    Client, WorkflowCancelOptions, WorkflowExecutionInfo, WorkflowExecutionStatus as Status,
    WorkflowGetResultOptions, WorkflowHandle, WorkflowListOptions, WorkflowSignalOptions,
};
use temporalio_common::HasWorkflowDefinition;
use temporalio_common::error::{ApplicationErrorCategory, ApplicationFailure, IncomingError};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use tokio::time::{interval, sleep};

use crate::temporal_calls::{describe_options, rpc_options};

/// How often a branch that runs is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// How often a step that waits tells that its worker lives.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// Carries out the steps that look at an order's branches.
pub struct BranchActivities {
    client: Client,
    store: Store,
}

impl BranchActivities {
    /// Looks at the branches that `client` finds, and at the orders' records in
    /// `store`.
    #[must_use]
    pub const fn new(client: Client, store: Store) -> Self {
        Self { client, store }
    }
}

/// Neither the store nor Temporal says what became of a branch. It is asked
/// again.
#[derive(Debug, thiserror::Error)]
enum Unknown {
    #[error("the store does not answer")]
    Store(#[from] StoreError),
    #[error("Temporal does not answer")]
    Temporal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Unknown {
    fn temporal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Temporal(error.into())
    }
}

#[activities]
impl BranchActivities {
    #[activity(definition = branches::JoinFulfilment)]
    pub async fn join_fulfilment(
        self: Arc<Self>,
        ctx: ActivityContext,
        join: FulfilmentJoin,
    ) -> Result<FulfilmentState, ActivityError> {
        alive(&ctx, self.fulfilment(join)).await
    }

    #[activity(definition = branches::JoinLoyalty)]
    pub async fn join_loyalty(
        self: Arc<Self>,
        ctx: ActivityContext,
        order_id: OrderId,
    ) -> Result<Option<LoyaltyOutcome>, ActivityError> {
        alive(&ctx, self.loyalty(order_id)).await
    }
}

impl BranchActivities {
    async fn fulfilment(&self, join: FulfilmentJoin) -> Result<FulfilmentState, Unknown> {
        let id = join.order_id;
        let ended = loop {
            match self.fulfilment_now(id).await? {
                FulfilmentState::Running => match join.while_running {
                    WhileRunning::Answer => return Ok(FulfilmentState::Running),
                    WhileRunning::Wait => {}
                    // Also a run that somebody begins meanwhile.
                    WhileRunning::Stop => {
                        stop(&self.client, id).await.map_err(Unknown::temporal)?
                    }
                },
                ended => break ended,
            }
            sleep(LOOK_AGAIN).await;
        };
        let ended = match ended {
            FulfilmentState::Failed(_) | FulfilmentState::EndedFromOutside => {
                self.delivered_before(id).await?.unwrap_or(ended)
            }
            other => other,
        };
        self.as_seen(id, ended).await
    }

    /// Where the last run of the branch stands.
    async fn fulfilment_now(&self, id: OrderId) -> Result<FulfilmentState, Unknown> {
        let workflow = fulfilment_workflow_id(id);
        let handle = self
            .client
            .get_workflow_handle::<FulfilmentWorkflow>(workflow);
        let (status, run) = match Box::pin(handle.describe(describe_options())).await {
            Ok(description) => (description.status(), description.run_id().to_owned()),
            Err(WorkflowInteractionError::NotFound(_)) => return Ok(FulfilmentState::Absent),
            Err(error) => return Err(Unknown::temporal(error)),
        };
        match status {
            Status::Completed | Status::Failed => self.fulfilment_of_run(id, run).await,
            Status::Terminated | Status::TimedOut | Status::Canceled => {
                Ok(FulfilmentState::EndedFromOutside)
            }
            // Also what a later server calls by a name of its own.
            _ => Ok(FulfilmentState::Running),
        }
    }

    /// How a run of the branch ended.
    async fn fulfilment_of_run(
        &self,
        id: OrderId,
        run: String,
    ) -> Result<FulfilmentState, Unknown> {
        let handle = self.run::<FulfilmentWorkflow>(fulfilment_workflow_id(id), run);
        match Box::pin(handle.get_result(result_options())).await {
            Ok(report) => Ok(FulfilmentState::Delivered(report)),
            Err(WorkflowGetResultError::Failed(failure)) => Ok(failed(&failure)),
            Err(error @ WorkflowGetResultError::Rpc(_)) => Err(Unknown::temporal(error)),
            Err(_) => Ok(FulfilmentState::EndedFromOutside),
        }
    }

    /// Whether an earlier run of the branch delivered the order: one that was
    /// reset after that does not hear of it again.
    async fn delivered_before(&self, id: OrderId) -> Result<Option<FulfilmentState>, Unknown> {
        let query = format!(
            "WorkflowId = '{}' AND ExecutionStatus = 'Completed'",
            fulfilment_workflow_id(id)
        );
        let runs = self
            .client
            .list_workflows(query, WorkflowListOptions::default());
        let runs: Vec<_> = runs.try_collect().await.map_err(Unknown::temporal)?;
        let Some(run) = runs.first() else {
            return Ok(None);
        };
        let run = run.run_id().to_owned();
        self.fulfilment_of_run(id, run).await.map(Some)
    }

    /// What an observer has seen as the order's end stays its end.
    async fn as_seen(
        &self,
        id: OrderId,
        state: FulfilmentState,
    ) -> Result<FulfilmentState, Unknown> {
        if !matches!(state, FulfilmentState::Delivered(_)) {
            return Ok(state);
        }
        let order = self.store.order(id).await?;
        let cancelled = order.filter(|order| order.status == OrderStatus::Cancelled);
        Ok(match cancelled.and_then(|order| order.cancelled) {
            Some(reason) => FulfilmentState::Failed(reason),
            None => state,
        })
    }

    async fn loyalty(&self, id: OrderId) -> Result<Option<LoyaltyOutcome>, Unknown> {
        let workflow = loyalty_workflow_id(id);
        loop {
            let handle = self
                .client
                .get_workflow_handle::<LoyaltyWorkflow>(workflow.clone());
            let (status, run) = match Box::pin(handle.describe(describe_options())).await {
                Ok(description) => (description.status(), description.run_id().to_owned()),
                Err(WorkflowInteractionError::NotFound(_)) => return Ok(None),
                Err(error) => return Err(Unknown::temporal(error)),
            };
            match status {
                Status::Completed => {
                    let handle = self.run::<LoyaltyWorkflow>(workflow, run);
                    return Box::pin(handle.get_result(result_options()))
                        .await
                        .map(Some)
                        .map_err(Unknown::temporal);
                }
                Status::Failed | Status::Terminated | Status::TimedOut | Status::Canceled => {
                    return Ok(None);
                }
                _ => sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// One run of a workflow: another may have begun since.
    fn run<W: HasWorkflowDefinition>(&self, id: String, run: String) -> WorkflowHandle<Client, W> {
        let info = WorkflowExecutionInfo::builder()
            .namespace(self.client.options().namespace.clone())
            .workflow_id(id)
            .run_id(run)
            .build();
        WorkflowHandle::new(self.client.clone(), info)
    }
}

/// Has the fulfilment of an order end: it withdraws its ticket. One that waits
/// for a change of the order does not wait any more.
pub(crate) async fn stop(client: &Client, id: OrderId) -> Result<(), WorkflowInteractionError> {
    let handle = client.get_workflow_handle::<FulfilmentWorkflow>(fulfilment_workflow_id(id));
    let cancel = WorkflowCancelOptions::builder()
        .reason("the order's workflow ended without it")
        .rpc_options(rpc_options())
        .build();
    let signal = WorkflowSignalOptions::builder()
        .rpc_options(rpc_options())
        .build();
    let settled = SettledChange { order: None };
    let released =
        Box::pin(handle.signal(FulfilmentWorkflow::settle_change, settled.into(), signal));
    for done in [Box::pin(handle.cancel(cancel)).await, released.await] {
        match done {
            // It has ended meanwhile.
            Ok(()) | Err(WorkflowInteractionError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn failed(failure: &IncomingError) -> FulfilmentState {
    let reason = match failure {
        IncomingError::Application(failure)
            if failure.type_name() == Some(failure_type::FULFILMENT_FAILED) =>
        {
            failure.details::<CancelReason>().ok().flatten()
        }
        _ => None,
    };
    reason.map_or(FulfilmentState::EndedFromOutside, FulfilmentState::Failed)
}

fn result_options() -> WorkflowGetResultOptions {
    WorkflowGetResultOptions::builder()
        .rpc_options(rpc_options())
        .build()
}

/// Runs a step that may take long, and tells meanwhile that its worker lives.
async fn alive<T>(
    ctx: &ActivityContext,
    step: impl Future<Output = Result<T, Unknown>>,
) -> Result<T, ActivityError> {
    let mut step = Box::pin(step);
    let mut alive = interval(HEARTBEAT);
    loop {
        tokio::select! {
            done = &mut step => return done.map_err(|error| again(&error)),
            _ = alive.tick() => drop(ctx.record_heartbeat(()).await),
            () = ctx.cancelled() => {
                let text = std::io::Error::other("the worker is being stopped");
                return Err(again(&Unknown::temporal(text)));
            }
        }
    }
}

/// A failure that the step is tried again after.
fn again(error: &Unknown) -> ActivityError {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    let text = cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
    let failure = ApplicationFailure::builder(text)
        .type_name("branch-unknown".to_owned())
        .category(ApplicationErrorCategory::Benign)
        .build();
    ActivityError::application(failure)
}
