//! A step that failed for good, waiting in its failure queue.

#![allow(
    missing_docs,
    reason = "the macros generate items without documentation"
)]

use temporalio_common::data_converters::{MultiArgs2, RawValue};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{WorkflowContext, WorkflowContextView, WorkflowResult};

use crate::names::{message, workflow_type};
use crate::parking::ParkedTask;

/// A parked task: durable, listed by Temporal itself, and waiting.
#[workflow]
pub struct FailedTaskWorkflow {
    task: ParkedTask,
}

#[workflow_methods]
impl FailedTaskWorkflow {
    #[init]
    fn new(_ctx: &WorkflowContextView, input: MultiArgs2<ParkedTask, RawValue>) -> Self {
        Self { task: input.0 }
    }

    /// Waits to be redriven or discarded. Until there is a way to do either,
    /// only an operator's cancellation ends it.
    #[run(name = workflow_type::FAILED_TASK)]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        ctx.wait_condition(|_| false).await?;
        Ok(())
    }

    /// What the task is.
    #[query(name = message::TASK)]
    pub fn task(&self, _ctx: &WorkflowContextView) -> ParkedTask {
        self.task.clone()
    }
}
