//! Steps on the order's own record.

use failure_queue::TaskChange;
use pizza_domain::{
    CancelReason, Discount, Flavour, Money, Order, OrderId, OrderStatus, Quantity, ReportId, Size,
    Step,
};
use serde::{Deserialize, Serialize};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;

use super::spec::{Part, Retries, SimulatedFailure, StepSpec};
use crate::names::activity;

/// A status that the record is to show.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusChange {
    /// The order.
    pub order_id: OrderId,
    /// Its new status; an older one than the record's changes nothing.
    pub status: OrderStatus,
    /// The kitchen report that brought it about, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<DeliveryReport>,
}

/// The kitchen's last word, as its branch hands it on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryReport {
    /// The report's own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_id: Option<ReportId>,
}

/// The end of an order that was not delivered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cancellation {
    /// The whole order, since it may be its creation that failed.
    pub order: Order,
    /// Why it ends.
    pub reason: CancelReason,
}

/// An order that its customer amended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedAmendment {
    /// The order as it is now.
    pub order: Order,
    /// The amendment's number, which counts from 1.
    pub amendment: u32,
}

/// The record does not take an amendment: it holds another one under this
/// number, which the run of the order does not know, or the order is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmendmentNotTaken {}

/// What an earlier run of an order's workflow wrote.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EarlierRun {
    /// Why it cancelled the order, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled: Option<CancelReason>,
    /// What it amended, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amendments: Option<Amendments>,
}

/// What was amended about an order, as its record and its ledgers hold it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Amendments {
    /// What is on the order now.
    pub flavour: Flavour,
    /// How large.
    pub size: Size,
    /// How many.
    pub quantity: Quantity,
    /// The discount that is given.
    pub discount: Discount,
    /// What is to be paid, in minor units.
    pub total: Money,
    /// The highest number of any amendment: its keys are used.
    pub last: u32,
    /// Those that moved money or points and came to no end.
    pub unfinished: Vec<u32>,
}

/// Steps on the order's own record.
pub struct OrderSteps;

// What an implementation names in `#[activity(definition = ...)]`.
pub use order_steps::{
    CancelOrder, CreateOrder, ReadEarlierRun, RecordAmendment, RecordParkedTask, SetOrderStatus,
};

/// Step 1.
pub const CREATE_ORDER: StepSpec = StepSpec {
    retries: Retries(3, 1, 2.0),
    simulated: Some(SimulatedFailure::fault(
        "order-not-created",
        "the order could not be created",
    )),
    ..StepSpec::new(Step::CreateOrder, "Take the order", Part::Order)
};

#[activity_definitions]
impl OrderSteps {
    /// Writes the order to the store as Pending. Says what an earlier run of
    /// its workflow wrote; none when this is the first.
    #[activity(name = activity::CREATE_ORDER)]
    pub fn create_order(order: Order) -> Result<Option<EarlierRun>, ActivityError> {
        unimplemented!()
    }

    /// Reads what an earlier run of the order's workflow wrote.
    #[activity(name = activity::READ_EARLIER_RUN)]
    pub fn read_earlier_run(order_id: OrderId) -> Result<Option<EarlierRun>, ActivityError> {
        unimplemented!()
    }

    /// Writes a status that no other step writes.
    #[activity(name = activity::SET_ORDER_STATUS)]
    pub fn set_order_status(change: StatusChange) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// Writes what the customer amended. None when the record took it, now or
    /// before, and from workers that did not tell.
    #[activity(name = activity::RECORD_AMENDMENT)]
    pub fn record_amendment(
        amendment: RecordedAmendment,
    ) -> Result<Option<AmendmentNotTaken>, ActivityError> {
        unimplemented!()
    }

    /// Writes what waits in a failure queue, and what became of it.
    #[activity(name = activity::RECORD_PARKED_TASK)]
    pub fn record_parked_task(change: TaskChange) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// Ends the order as Cancelled, with the reason.
    #[activity(name = activity::CANCEL_ORDER)]
    pub fn cancel_order(cancellation: Cancellation) -> Result<(), ActivityError> {
        unimplemented!()
    }
}
