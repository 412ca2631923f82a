//! Parking a step that failed for good in its failure queue.

use std::time::SystemTime;

use pizza_domain::{CustomerId, MoneyState, Order, OrderId, PointsState, Step};
use serde::{Deserialize, Serialize};
use temporalio_common::data_converters::{
    GenericPayloadConverter, MultiArgs2, PayloadConversionError, RawValue, SerializationContext,
    SerializationContextData, TemporalSerializable, WorkflowSerializationContext,
};
use temporalio_common::search_attributes::SearchAttributes;
use temporalio_workflow::{
    ChildWorkflowOptions, ParentClosePolicy, WorkflowCancellationToken, WorkflowContext,
};

use crate::failed_task::FailedTaskWorkflow;
use crate::failure::StepFailure;
use crate::names::{
    activity, failed_task_workflow_id, idempotency_key, search_attribute, task_queue,
};
use crate::policy::StepPolicy;
use crate::runner::Runner;
use crate::steps::{OrderSteps, ParkedStep};

/// What a parked task is about. Each type has a queue of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MessageType {
    /// Points were not awarded.
    AddLoyaltyPointsFailed,
    /// A charge was not given back.
    RefundPaymentFailed,
    /// Points were not taken back.
    RemoveLoyaltyPointsFailed,
    /// The customer does not know.
    NotifyCustomerFailed,
}

impl MessageType {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::AddLoyaltyPointsFailed,
        Self::RefundPaymentFailed,
        Self::RemoveLoyaltyPointsFailed,
        Self::NotifyCustomerFailed,
    ];

    /// The type's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AddLoyaltyPointsFailed => "AddLoyaltyPointsFailed",
            Self::RefundPaymentFailed => "RefundPaymentFailed",
            Self::RemoveLoyaltyPointsFailed => "RemoveLoyaltyPointsFailed",
            Self::NotifyCustomerFailed => "NotifyCustomerFailed",
        }
    }

    /// The failure queue's name.
    #[must_use]
    pub const fn queue(self) -> &'static str {
        match self {
            Self::AddLoyaltyPointsFailed => "add-loyalty-points",
            Self::RefundPaymentFailed => "refund-payment",
            Self::RemoveLoyaltyPointsFailed => "remove-loyalty-points",
            Self::NotifyCustomerFailed => "notify-customer",
        }
    }

    /// The step that failed.
    #[must_use]
    pub const fn step(self) -> Step {
        match self {
            Self::AddLoyaltyPointsFailed => Step::AddLoyaltyPoints,
            Self::RefundPaymentFailed => Step::RefundPayment,
            Self::RemoveLoyaltyPointsFailed => Step::ReclaimLoyaltyPoints,
            Self::NotifyCustomerFailed => Step::NotifyCustomer,
        }
    }

    /// The activity that carries the step out, by name.
    #[must_use]
    pub const fn activity_type(self) -> &'static str {
        match self {
            Self::AddLoyaltyPointsFailed => activity::ADD_LOYALTY_POINTS,
            Self::RefundPaymentFailed => activity::REFUND_PAYMENT,
            Self::RemoveLoyaltyPointsFailed => activity::RECLAIM_LOYALTY_POINTS,
            Self::NotifyCustomerFailed => activity::NOTIFY_CUSTOMER,
        }
    }

    /// The type with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// What the order's money stands at while the task waits, if it changes.
    #[must_use]
    pub const fn money(self) -> Option<MoneyState> {
        match self {
            Self::RefundPaymentFailed => Some(MoneyState::RefundParked),
            Self::AddLoyaltyPointsFailed
            | Self::RemoveLoyaltyPointsFailed
            | Self::NotifyCustomerFailed => None,
        }
    }

    /// What the order's points stand at while the task waits, if it changes.
    #[must_use]
    pub const fn points(self) -> Option<PointsState> {
        match self {
            Self::AddLoyaltyPointsFailed => Some(PointsState::Parked),
            Self::RemoveLoyaltyPointsFailed => Some(PointsState::ReclaimParked),
            Self::RefundPaymentFailed | Self::NotifyCustomerFailed => None,
        }
    }
}

/// What follows when a parked task succeeds after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Continuation {
    /// Nothing.
    Nothing,
    /// The points, which the rollback left where they were.
    ReclaimLoyaltyPoints,
}

/// A step that failed for good, with what a person needs to decide and what
/// is needed to run it again. The step's input is the workflow's second
/// argument: the payload exactly as it was.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParkedTask {
    /// What it is about.
    pub message_type: MessageType,
    /// The failure queue that it waits in.
    pub queue: String,
    /// The order that it belongs to.
    pub order_id: OrderId,
    /// Whose order it is.
    pub customer_id: CustomerId,
    /// The step that failed.
    pub step: Step,
    /// The activity to run again, by name.
    pub activity_type: String,
    /// The task queue to run it on.
    pub task_queue: String,
    /// When it is tried again in one go.
    pub policy: StepPolicy,
    /// Under this key the step's effect happens once, redriven or not.
    pub idempotency_key: String,
    /// How it failed.
    pub failure: StepFailure,
    /// When it was first tried, in milliseconds since the Unix epoch.
    pub first_attempt_at_ms: i64,
    /// When it was given up, in milliseconds since the Unix epoch.
    pub parked_at_ms: i64,
    /// The workflow that it comes from.
    pub workflow_id: String,
    /// The run that it comes from.
    pub run_id: String,
    /// What follows when it succeeds.
    pub then: Continuation,
}

/// A step that is to be parked.
pub(crate) struct Parking<'a, T> {
    pub(crate) order: &'a Order,
    pub(crate) message_type: MessageType,
    /// What the step was given.
    pub(crate) input: &'a T,
    pub(crate) failure: StepFailure,
    pub(crate) first_attempt_at_ms: i64,
    pub(crate) then: Continuation,
}

/// Parks a step: a workflow of its own, which outlives this one, and the
/// order's record, which says so.
pub(crate) async fn park<W, T>(ctx: &WorkflowContext<W>, parking: Parking<'_, T>)
where
    T: TemporalSerializable + 'static,
{
    let parked = ParkedStep {
        order_id: parking.order.order_id,
        message_type: parking.message_type,
    };
    let options = options(&parking);
    match payload_of(ctx, parking.input) {
        Ok(input) => {
            let task = task(ctx, parking);
            // Awaiting the start makes it certain: an abandoned child whose
            // parent ends first would never be created. A task of this name
            // that is there already is this one, parked before.
            let _ = ctx
                .start_child_workflow(FailedTaskWorkflow::run, MultiArgs2(task, input), options)
                .await;
        }
        // What was serialized once to run the step can be serialized again.
        Err(error) => ctx.force_task_fail(error),
    }
    Runner::new(ctx)
        .bookkeeping(OrderSteps::record_parked_task, parked, "record parked task")
        .await;
}

fn task<W, T>(ctx: &WorkflowContext<W>, parking: Parking<'_, T>) -> ParkedTask {
    let Parking {
        order,
        message_type,
        ..
    } = parking;
    let step = message_type.step();
    ParkedTask {
        message_type,
        queue: message_type.queue().to_owned(),
        order_id: order.order_id,
        customer_id: order.customer_id.clone(),
        step,
        activity_type: message_type.activity_type().to_owned(),
        // Every step runs on the queue of the workflow that takes it.
        task_queue: ctx.task_queue().to_owned(),
        policy: StepPolicy::of(step),
        idempotency_key: idempotency_key(order.order_id, step),
        failure: parking.failure,
        first_attempt_at_ms: parking.first_attempt_at_ms,
        parked_at_ms: now_ms(ctx),
        workflow_id: ctx.workflow_id().to_owned(),
        run_id: ctx.run_id().to_owned(),
        then: parking.then,
    }
}

fn options<T>(parking: &Parking<'_, T>) -> ChildWorkflowOptions {
    let order = parking.order;
    let queue = parking.message_type.queue();
    ChildWorkflowOptions::builder()
        .workflow_id(failed_task_workflow_id(queue, order.order_id))
        .task_queue(task_queue::FAILURES.to_owned())
        .parent_close_policy(ParentClosePolicy::Abandon)
        .cancellation_token(WorkflowCancellationToken::new())
        .search_attributes(SearchAttributes::new([
            search_attribute::ORDER_ID.value_set(order.order_id.to_string()),
            search_attribute::CUSTOMER_ID.value_set(order.customer_id.to_string()),
            search_attribute::FAILURE_QUEUE.value_set(queue.to_owned()),
            search_attribute::FAILURE_TYPE.value_set(parking.message_type.as_str().to_owned()),
        ]))
        .static_summary(format!(
            "{}: {} after {} attempts",
            parking.message_type.as_str(),
            parking.failure.code,
            parking.failure.attempts
        ))
        .build()
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

/// The workflow's time, in milliseconds since the Unix epoch.
pub(crate) fn now_ms<W>(ctx: &WorkflowContext<W>) -> i64 {
    ctx.workflow_time()
        .and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok())
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or_default()
}
