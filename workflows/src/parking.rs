//! What the saga parks when it has failed for good, and where.

use std::collections::BTreeMap;

use failure_queue::{ParkableStep, Recorder};
use pizza_domain::{MoneyState, Order, PointsState, Step};
use serde::{Deserialize, Serialize};

use crate::names::{activity, idempotency_key, search_attribute, task_queue};
use crate::policy::policy_of;

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

/// A step of an order that must not be lost.
pub(crate) fn parkable(order: &Order, message_type: MessageType) -> ParkableStep {
    let step = message_type.step();
    ParkableStep {
        queue: message_type.queue().to_owned(),
        message_type: message_type.as_str().to_owned(),
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
        policy: policy_of(step),
        idempotency_key: idempotency_key(order.order_id, step),
        failures_task_queue: task_queue::FAILURES.to_owned(),
        // Points are moved in our own books; money and messages go outside.
        local_first: matches!(
            message_type,
            MessageType::AddLoyaltyPointsFailed | MessageType::RemoveLoyaltyPointsFailed
        ),
        recorder: Some(Recorder(activity::RECORD_PARKED_TASK.to_owned())),
        follow_ups: Vec::new(),
    }
}

fn subject(name: &str, value: impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}
