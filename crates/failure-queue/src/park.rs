//! Runs a step, or parks it.

use temporalio_common::data_converters::{
    GenericPayloadConverter, MultiArgs2, PayloadConversionError, RawValue, SerializationContext,
    SerializationContextData, TemporalDeserializable, TemporalSerializable,
    WorkflowSerializationContext,
};
use temporalio_common::protos::temporal::api::common::v1::{Payload, SearchAttributes as Proto};
use temporalio_common::search_attributes::{SearchAttributes, Timestamp};
use temporalio_common::{ActivityDefinition, UntypedActivity};
use temporalio_workflow::{
    ChildWorkflowOptions, ParentClosePolicy, WorkflowCancellationToken, WorkflowContext,
};

use crate::failed_task::FailedTaskWorkflow;
use crate::failure::StepFailure;
use crate::names::{failed_task_workflow_id, search_attribute};
use crate::parkable_step::{FollowUp, ParkableStep, Recorder};
use crate::payload::StoredPayload;
use crate::steps::{Named, Steps, options};
use crate::task::{ParkedTask, TaskChange};
use crate::task_state::TaskState;
use crate::workflow_time::now_ms;

impl<W> Steps<'_, W> {
    /// Runs a step under its policy. When it fails for good it is parked: a
    /// workflow of its own, which outlives this one, and whose start is
    /// recorded before this returns.
    ///
    /// # Errors
    /// When the step failed for good, and is parked.
    pub async fn run_or_park<AD>(
        self,
        activity: AD,
        input: AD::Input,
        step: ParkableStep,
        summary: &str,
    ) -> Result<AD::Output, StepFailure>
    where
        AD: ActivityDefinition + 'static,
        AD::Input: Clone + TemporalSerializable,
        AD::Output: TemporalDeserializable,
    {
        let first_attempt_at_ms = now_ms(self.ctx);
        let activity_type = activity.name().to_owned();
        let result = if step.local_first {
            self.local_first(activity, input.clone(), &step.policy, summary)
                .await
        } else {
            self.regular(activity, input.clone(), &step.policy, summary)
                .await
        };
        let Err(failure) = result else {
            return result;
        };
        match payload_of(self.ctx, &input) {
            Ok(input) => {
                let task_queue = self.ctx.task_queue().to_owned();
                let at = Origin {
                    activity_type,
                    task_queue,
                    first_attempt_at_ms,
                };
                self.park(step, at, input, failure.clone()).await;
            }
            // What was serialized once to run the step can be serialized again.
            Err(error) => self.ctx.force_task_fail(error),
        }
        Err(failure)
    }

    /// Runs a step that follows another one, or parks it.
    pub(crate) async fn follow_up(self, follow_up: FollowUp) {
        let first_attempt_at_ms = now_ms(self.ctx);
        let FollowUp {
            step,
            activity_type,
            task_queue,
            input,
        } = follow_up;
        let input = RawValue::from(input);
        let mut options = options(&step.policy, &activity_type);
        options.task_queue = Some(task_queue.clone());
        let activity = UntypedActivity::new(activity_type.clone());
        let result = self.with_options(activity, input.clone(), options).await;
        if let Err(failure) = result {
            let at = Origin {
                activity_type,
                task_queue,
                first_attempt_at_ms,
            };
            self.park(step, at, input, failure).await;
        }
    }

    /// A step that is to follow another one's success, with its input.
    ///
    /// # Errors
    /// When the input cannot be serialized.
    pub fn to_follow<AD>(
        self,
        activity: &AD,
        input: &AD::Input,
        task_queue: impl Into<String>,
        step: ParkableStep,
    ) -> Result<FollowUp, PayloadConversionError>
    where
        AD: ActivityDefinition,
    {
        Ok(FollowUp {
            step,
            activity_type: activity.name().to_owned(),
            task_queue: task_queue.into(),
            input: StoredPayload::from(&payload_of(self.ctx, input)?),
        })
    }

    async fn park(self, step: ParkableStep, at: Origin, input: RawValue, failure: StepFailure) {
        let options = child_options(self.ctx, &step, &failure);
        let change = TaskChange {
            task_id: failed_task_workflow_id(&step.queue, &step.id),
            queue: step.queue.clone(),
            message_type: step.message_type.clone(),
            subject: step.subject.clone(),
            state: TaskState::Waiting,
            at_ms: now_ms(self.ctx),
            principal: None,
            reason: None,
        };
        let task = parked_task(self.ctx, step, at, failure);
        let recorder = task.recorder.clone();
        // Awaiting the start makes it certain: an abandoned child whose
        // parent ends first would never be created. A task of this name
        // that is there already is this one, parked before.
        let _ = self
            .ctx
            .start_child_workflow(FailedTaskWorkflow::run, MultiArgs2(task, input), options)
            .await;
        if let Some(Recorder(name)) = recorder {
            let record = Named::<TaskChange, ()>::new(name);
            self.bookkeeping(record, change, "record parked task").await;
        }
    }
}

/// Where a step was tried.
struct Origin {
    activity_type: String,
    task_queue: String,
    first_attempt_at_ms: i64,
}

fn parked_task<W>(
    ctx: &WorkflowContext<W>,
    step: ParkableStep,
    at: Origin,
    failure: StepFailure,
) -> ParkedTask {
    ParkedTask {
        queue: step.queue,
        message_type: step.message_type,
        subject: step.subject,
        activity_type: at.activity_type,
        task_queue: at.task_queue,
        policy: step.policy,
        idempotency_key: step.idempotency_key,
        failure,
        first_attempt_at_ms: at.first_attempt_at_ms,
        parked_at_ms: now_ms(ctx),
        workflow_id: ctx.workflow_id().to_owned(),
        run_id: ctx.run_id().to_owned(),
        recorder: step.recorder,
        follow_ups: step.follow_ups,
        carried: None,
        asks_for_policy: true,
    }
}

fn child_options<W>(
    ctx: &WorkflowContext<W>,
    step: &ParkableStep,
    failure: &StepFailure,
) -> ChildWorkflowOptions {
    ChildWorkflowOptions::builder()
        .workflow_id(failed_task_workflow_id(&step.queue, &step.id))
        .task_queue(step.failures_task_queue.clone())
        .parent_close_policy(ParentClosePolicy::Abandon)
        .cancellation_token(WorkflowCancellationToken::new())
        .search_attributes(search_attributes(step, failure, now_ms(ctx)))
        .static_summary(format!(
            "{}: {} after {} attempts",
            step.message_type, failure.code, failure.attempts
        ))
        .build()
}

fn search_attributes(step: &ParkableStep, failure: &StepFailure, at_ms: i64) -> SearchAttributes {
    // The names of a subject's attributes are not known to the compiler.
    let indexed_fields = step
        .subject
        .iter()
        .map(|(name, value)| {
            (
                name.clone(),
                keyword(step.aliases.get(name).unwrap_or(value)),
            )
        })
        .collect();
    let mut attributes = SearchAttributes::from_proto(&Proto { indexed_fields });
    for own in [
        search_attribute::QUEUE.value_set(step.queue.clone()),
        search_attribute::MESSAGE_TYPE.value_set(step.message_type.clone()),
        search_attribute::ERROR_CODE.value_set(failure.code.clone()),
        search_attribute::STATE.value_set(TaskState::Waiting.as_str().to_owned()),
        search_attribute::PARKED_AT.value_set(timestamp(at_ms)),
    ] {
        attributes.apply(own);
    }
    attributes
}

fn keyword(value: &str) -> Payload {
    let metadata = [
        ("encoding", b"json/plain".as_slice()),
        ("type", b"Keyword".as_slice()),
    ];
    Payload {
        metadata: metadata
            .map(|(key, value)| (key.to_owned(), value.to_vec()))
            .into_iter()
            .collect(),
        data: serde_json::Value::from(value).to_string().into_bytes(),
        ..Default::default()
    }
}

fn timestamp(at_ms: i64) -> Timestamp {
    // Below a thousand million, so it fits.
    let nanos = i32::try_from(at_ms.rem_euclid(1000) * 1_000_000).unwrap_or_default();
    Timestamp::new(at_ms.div_euclid(1000), nanos)
}

fn payload_of<W, T>(ctx: &WorkflowContext<W>, value: &T) -> Result<RawValue, PayloadConversionError>
where
    T: TemporalSerializable + 'static,
{
    let converter = ctx.payload_converter();
    let data = SerializationContextData::Workflow(WorkflowSerializationContext::new());
    let context = SerializationContext::new(&data, converter);
    Ok(RawValue::new(converter.to_payloads(&context, value)?))
}
