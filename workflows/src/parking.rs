//! How a step of an order is parked when it has failed for good.

use std::collections::BTreeMap;

use failure_queue::{ParkableStep, Recorder, StepFailure, Steps};
use pizza_domain::Order;
use temporalio_common::ActivityDefinition;
use temporalio_common::data_converters::{TemporalDeserializable, TemporalSerializable};
use temporalio_workflow::WorkflowContext;

use crate::names::{activity, idempotency_key, search_attribute, task_queue};
use crate::steps::{Parked, StepSpec};

/// Takes a step that must not be lost: it is parked when it fails for good.
///
/// # Errors
/// When it is parked.
pub(crate) async fn run_or_park<W, AD>(
    ctx: &WorkflowContext<W>,
    order: &Order,
    parked: &Parked,
    activity: AD,
    input: AD::Input,
) -> Result<AD::Output, StepFailure>
where
    AD: ActivityDefinition + 'static,
    AD::Input: Clone + TemporalSerializable,
    AD::Output: TemporalDeserializable,
{
    let step = parkable(order, parked);
    Steps::new(ctx)
        .run_or_park(activity, input, step, parked.step.as_str())
        .await
}

/// A step of an order that must not be lost.
pub(crate) fn parkable(order: &Order, parked: &Parked) -> ParkableStep {
    let step = parked.step;
    ParkableStep {
        queue: parked.queue.to_owned(),
        message_type: parked.message_type.to_owned(),
        id: order.order_id.to_string(),
        subject: BTreeMap::from([
            subject(search_attribute::ORDER_ID.name(), order.order_id),
            subject(search_attribute::CUSTOMER_ID.name(), &order.customer_id),
        ]),
        aliases: order
            .customer_alias
            .iter()
            .map(|alias| subject(search_attribute::CUSTOMER_ID.name(), alias))
            .collect(),
        policy: StepSpec::of(step).policy(),
        idempotency_key: idempotency_key(order.order_id, step),
        failures_task_queue: task_queue::FAILURES.to_owned(),
        local_first: parked.local_first,
        recorder: Some(Recorder(activity::RECORD_PARKED_TASK.to_owned())),
        follow_ups: Vec::new(),
    }
}

fn subject(name: &str, value: impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}
