//! How a step of an order is parked when it has failed for good.

use std::collections::BTreeMap;

use failure_queue::{ParkableStep, Recorder};
use pizza_domain::Order;

use crate::names::{activity, idempotency_key, search_attribute, task_queue};
use crate::steps::{Parked, StepSpec};

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
