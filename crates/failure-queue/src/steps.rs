//! Runs steps under their policies.

use std::marker::PhantomData;
use std::time::Duration;

use futures::FutureExt;
use temporalio_common::ActivityDefinition;
use temporalio_common::data_converters::{TemporalDeserializable, TemporalSerializable};
use temporalio_workflow::{
    ActivityCloseTimeouts, ActivityOptions, LocalActivityOptions, RetryPolicy, TimerOptions,
    WaitConditionOptions, WorkflowCancellationToken, WorkflowContext, select,
};

use crate::failure::StepFailure;
use crate::policy::{ATTEMPT_TIMEOUT, LOCAL_ATTEMPT_TIMEOUT, StepPolicy};

/// A workflow of the queues continues as new when its history has this many
/// events: far below the server's limit, and little to replay.
const LONGEST_HISTORY: u32 = 500;

/// Runs the steps of one workflow.
///
/// A step that was begun is finished, even when the workflow is cancelled
/// meanwhile: an effect that is still under way could not be taken back. So
/// steps run detached from the workflow's cancellation, which the plan looks
/// at between them.
pub struct Steps<'a, W> {
    pub(crate) ctx: &'a WorkflowContext<W>,
}

impl<W> Clone for Steps<'_, W> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<W> Copy for Steps<'_, W> {}

/// An activity by its name, with the types of its declaration.
pub(crate) struct Named<I, O> {
    name: String,
    types: PhantomData<fn(I) -> O>,
}

impl<I, O> Named<I, O> {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            types: PhantomData,
        }
    }
}

impl<I, O> ActivityDefinition for Named<I, O>
where
    I: TemporalDeserializable + TemporalSerializable + 'static,
    O: TemporalDeserializable + TemporalSerializable + 'static,
{
    type Input = I;
    type Output = O;

    fn name(&self) -> &str {
        &self.name
    }
}

impl<'a, W> Steps<'a, W> {
    /// The steps of the workflow with this context.
    #[must_use]
    pub const fn new(ctx: &'a WorkflowContext<W>) -> Self {
        Self { ctx }
    }

    /// Runs a step whose first attempt is short: inside the workflow task,
    /// which costs one event instead of six. What is left of its policy, if
    /// that attempt met a fault, goes to a regular activity.
    ///
    /// # Errors
    /// When the step was refused, or failed as often as its policy allows.
    pub async fn local_first<AD>(
        self,
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
        let named = Named::<AD::Input, AD::Output>::new(activity.name());
        let first = self
            .ctx
            .execute_local_activity(named, input.clone(), options)
            .await;
        let failure = match first {
            Ok(output) => return Ok(output),
            Err(error) => StepFailure::from_error(&error),
        };
        let rest = match policy.after_first_attempt() {
            Some(rest) if !failure.refused => rest,
            _ => return Err(failure),
        };
        self.wait(policy.first_wait, &format!("{summary}: wait before retry"))
            .await;
        self.regular(activity, input, &rest, summary)
            .await
            .map_err(|failure| StepFailure {
                attempts: failure.attempts + 1,
                ..failure
            })
    }

    /// Runs a step as a regular activity, with a checkpoint of its own.
    ///
    /// # Errors
    /// When the step was refused, or failed as often as its policy allows.
    pub async fn regular<AD>(
        self,
        activity: AD,
        input: AD::Input,
        policy: &StepPolicy,
        summary: &str,
    ) -> Result<AD::Output, StepFailure>
    where
        AD: ActivityDefinition + 'static,
        AD::Output: TemporalDeserializable,
    {
        self.with_options(activity, input, options(policy, summary))
            .await
    }

    pub(crate) async fn with_options<AD>(
        self,
        activity: AD,
        input: AD::Input,
        options: ActivityOptions,
    ) -> Result<AD::Output, StepFailure>
    where
        AD: ActivityDefinition + 'static,
        AD::Output: TemporalDeserializable,
    {
        let policy = options.retry_policy.as_ref();
        let at_most = policy.map(RetryPolicy::maximum_attempts);
        self.ctx
            .execute_activity(activity, input, options)
            .await
            .map_err(|error| StepFailure::of_attempts(&error, at_most))
    }

    /// Runs the application's own bookkeeping, which is tried until it works.
    pub async fn bookkeeping<AD>(self, activity: AD, input: AD::Input, summary: &str)
    where
        AD: ActivityDefinition<Output = ()> + 'static,
        AD::Input: Clone + TemporalSerializable,
    {
        let policy = StepPolicy::bookkeeping();
        // It can only be refused if its input cannot be read, which no
        // retry and no rollback would mend; the worker logs it.
        let _ = self.local_first(activity, input, &policy, summary).await;
    }

    /// Waits for a condition, also when the workflow is cancelled meanwhile.
    pub async fn until(self, condition: impl FnMut(&W) -> bool) {
        let detached = WaitConditionOptions::builder()
            .cancellation_token(WorkflowCancellationToken::new())
            .build();
        // A detached token is never cancelled.
        let _ = self
            .ctx
            .wait_condition_with_options(condition, detached)
            .await;
    }

    /// Waits until the workflow may end: one that ended with a handler under
    /// way would leave its caller without an answer.
    pub async fn handlers_finished(self) {
        self.until(|_| self.ctx.all_handlers_finished()).await;
    }

    /// Waits for a condition as long as this; detached, too.
    pub(crate) async fn until_or(
        self,
        condition: impl FnMut(&W) -> bool,
        longest: Duration,
        summary: &str,
    ) {
        let token = WorkflowCancellationToken::new();
        let timer = TimerOptions::builder(longest)
            .cancellation_token(token.clone())
            .summary(summary.to_owned())
            .build();
        select! {
            () = self.until(condition).fuse() => token.cancel(),
            _ = self.ctx.timer(timer) => {}
        }
    }

    /// Whether the workflow should continue as new.
    pub(crate) fn is_long(self) -> bool {
        self.ctx.history_length() >= LONGEST_HISTORY || self.ctx.continue_as_new_suggested()
    }

    /// Waits, also when the workflow is cancelled meanwhile.
    pub async fn wait(self, duration: Duration, summary: &str) {
        let options = TimerOptions::builder(duration)
            .cancellation_token(WorkflowCancellationToken::new())
            .summary(summary.to_owned())
            .build();
        self.ctx.timer(options).await;
    }
}

/// The options of an activity under a policy, detached from cancellation.
pub(crate) fn options(policy: &StepPolicy, summary: &str) -> ActivityOptions {
    ActivityOptions::with_close_timeouts(ActivityCloseTimeouts::StartToClose(ATTEMPT_TIMEOUT))
        .retry_policy(policy.retry_policy())
        .cancellation_token(WorkflowCancellationToken::new())
        .summary(summary.to_owned())
        .build()
}
