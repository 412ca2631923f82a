//! Runs steps under their policies.

use std::marker::PhantomData;

use pizza_domain::{OrderStatus, Pace, Step};
use temporalio_common::ActivityDefinition;
use temporalio_common::data_converters::{TemporalDeserializable, TemporalSerializable};
use temporalio_workflow::{
    ActivityCloseTimeouts, ActivityOptions, LocalActivityOptions, RetryPolicy, TimerOptions,
    WorkflowCancellationToken, WorkflowContext,
};

use crate::failure::StepFailure;
use crate::policy::{ATTEMPT_TIMEOUT, LOCAL_ATTEMPT_TIMEOUT, StepPolicy};

/// Runs the steps of one workflow.
///
/// A step that was begun is finished, even when the workflow is cancelled
/// meanwhile: an effect that is still under way could not be taken back. So
/// steps run detached from the workflow's cancellation, which the plan looks
/// at between them.
pub(crate) struct Runner<'a, W> {
    ctx: &'a WorkflowContext<W>,
}

/// An activity by its name, with the types of its declaration.
struct Named<AD> {
    name: String,
    declaration: PhantomData<AD>,
}

impl<AD: ActivityDefinition> ActivityDefinition for Named<AD> {
    type Input = AD::Input;
    type Output = AD::Output;

    fn name(&self) -> &str {
        &self.name
    }
}

impl<AD: ActivityDefinition> Named<AD> {
    fn of(activity: &AD) -> Self {
        Self {
            name: activity.name().to_owned(),
            declaration: PhantomData,
        }
    }
}

impl<'a, W> Runner<'a, W> {
    pub(crate) const fn new(ctx: &'a WorkflowContext<W>) -> Self {
        Self { ctx }
    }

    /// Runs a step whose first attempt is short: inside the workflow task,
    /// which costs one event instead of six. What is left of its policy, if
    /// that attempt met a fault, goes to a regular activity.
    pub(crate) async fn local_first<AD>(
        &self,
        activity: AD,
        input: AD::Input,
        policy: &StepPolicy,
        summary: &str,
    ) -> Result<AD::Output, StepFailure>
    where
        AD: ActivityDefinition + 'static,
        AD::Input: Clone + TemporalSerializable,
        AD::Output: TemporalDeserializable,
    {
        let options = LocalActivityOptions::builder()
            .retry_policy(RetryPolicy::builder().maximum_attempts(1).build())
            .start_to_close_timeout(LOCAL_ATTEMPT_TIMEOUT)
            .cancellation_token(WorkflowCancellationToken::new())
            .summary(summary.to_owned())
            .build();
        let first = self
            .ctx
            .execute_local_activity(Named::of(&activity), input.clone(), options)
            .await;
        let failure = match first {
            Ok(output) => return Ok(output),
            Err(error) => StepFailure::from_error(&error),
        };
        let rest = match policy.after_first_attempt() {
            Some(rest) if !failure.refused => rest,
            _ => return Err(failure),
        };
        self.wait_detached(policy.first_wait, &format!("{summary}: wait before retry"))
            .await;
        self.regular(activity, input, &rest, summary)
            .await
            .map_err(|failure| StepFailure {
                attempts: failure.attempts + 1,
                ..failure
            })
    }

    /// Runs a step as a regular activity, with a checkpoint of its own.
    pub(crate) async fn regular<AD>(
        &self,
        activity: AD,
        input: AD::Input,
        policy: &StepPolicy,
        summary: &str,
    ) -> Result<AD::Output, StepFailure>
    where
        AD: ActivityDefinition + 'static,
        AD::Output: TemporalDeserializable,
    {
        let options = ActivityOptions::with_close_timeouts(ActivityCloseTimeouts::StartToClose(
            ATTEMPT_TIMEOUT,
        ))
        .retry_policy(policy.retry_policy())
        .cancellation_token(WorkflowCancellationToken::new())
        .summary(summary.to_owned())
        .build();
        self.ctx
            .execute_activity(activity, input, options)
            .await
            .map_err(|error| StepFailure::from_error(&error))
    }

    /// Runs our own bookkeeping, which is tried until it works.
    pub(crate) async fn bookkeeping<AD>(&self, activity: AD, input: AD::Input, summary: &str)
    where
        AD: ActivityDefinition<Output = ()> + 'static,
        AD::Input: Clone + TemporalSerializable,
    {
        let policy = StepPolicy::bookkeeping();
        // It can only be refused if its input cannot be read, which no
        // retry and no rollback would mend; the worker logs it.
        let _ = self.local_first(activity, input, &policy, summary).await;
    }

    /// Waits the pace of a simulated order after a status change. Ends early
    /// when the workflow is cancelled.
    pub(crate) async fn pace(&self, pace: Pace, status: OrderStatus) {
        if !pace.is_zero() {
            let options = TimerOptions::builder(pace.duration())
                .summary(format!("pace after {status}"))
                .build();
            self.ctx.timer(options).await;
        }
    }

    /// As [`Self::pace`], but not ended by a cancellation: for the rollback.
    pub(crate) async fn pace_detached(&self, pace: Pace, status: OrderStatus) {
        if !pace.is_zero() {
            self.wait_detached(pace.duration(), &format!("pace after {status}"))
                .await;
        }
    }

    async fn wait_detached(&self, duration: std::time::Duration, summary: &str) {
        let options = TimerOptions::builder(duration)
            .cancellation_token(WorkflowCancellationToken::new())
            .summary(summary.to_owned())
            .build();
        self.ctx.timer(options).await;
    }

    /// The failure of a step that an operator's cancellation forestalled.
    pub(crate) fn cancelled(&self) -> Option<StepFailure> {
        let token = self.ctx.cancellation_token();
        token.is_cancelled().then(|| StepFailure {
            code: "cancelled-by-operator".to_owned(),
            message: token
                .reason()
                .filter(|reason| !reason.is_empty())
                .unwrap_or_else(|| "the workflow was cancelled".to_owned()),
            causes: Vec::new(),
            attempts: 0,
            refused: false,
        })
    }
}

/// The policy of a step, and its summary in the Temporal UI.
pub(crate) fn of(step: Step) -> (StepPolicy, &'static str) {
    (StepPolicy::of(step), step.as_str())
}
