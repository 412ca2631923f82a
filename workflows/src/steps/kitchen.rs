//! Steps of and with the kitchen.

use pizza_domain::{
    Flavour, KitchenReport, OrderId, Quantity, Rejection, ReportId, Simulation, Size, Step,
};
use serde::{Deserialize, Serialize};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;

use super::spec::{Part, SimulatedFailure, StepSpec};
use crate::names::activity;

/// What the kitchen is asked to cook. Its id is the order's.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    /// The order, and the ticket.
    pub order_id: OrderId,
    /// What is on it.
    pub flavour: Flavour,
    /// How large.
    pub size: Size,
    /// How many.
    pub quantity: Quantity,
    /// How long the kitchen may take to accept it, in milliseconds. None for an
    /// order of before: there the cooking starts with the hand-over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept_within_ms: Option<u64>,
    /// For a simulated kitchen.
    pub simulation: Simulation,
}

/// How far the store knows a ticket to be.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Prepared {
    /// The last report that an observer of the order has seen already: the
    /// workflow may be a new run of one that had come so far.
    pub reported: Option<KitchenReport>,
}

/// A report that was taken.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedReport {
    /// The order, and the ticket.
    pub order_id: OrderId,
    /// What the kitchen said.
    pub report: KitchenReport,
    /// The report's own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_id: Option<ReportId>,
    /// Why, when it is a rejection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Rejection>,
    /// Until when the next report has to come, in milliseconds since the Unix
    /// epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at_ms: Option<i64>,
}

/// Steps of and with the kitchen.
pub struct KitchenSteps;

// What an implementation names in `#[activity(definition = ...)]`.
pub use kitchen_steps::{
    AmendTicket, LastKitchenReport, PrepareOrder, RecordKitchenReport, WithdrawTicket,
};

/// Step 4.
pub const PREPARE_ORDER: StepSpec = StepSpec {
    simulated: Some(SimulatedFailure::refusal(
        "kitchen-refused",
        "the kitchen refused the order",
    )),
    ..StepSpec::new(Step::PrepareOrder, "Hand to kitchen", Part::Fulfilment)
};

/// Step 5, a wait. In a demonstration the kitchen fails it by its silence.
pub const PROCESS_ORDER: StepSpec = StepSpec {
    activity: None,
    ..StepSpec::new(Step::ProcessOrder, "Cook and deliver", Part::Fulfilment)
};

#[activity_definitions]
impl KitchenSteps {
    /// Hands the kitchen its ticket. A refusal is final.
    #[activity(name = activity::PREPARE_ORDER)]
    pub fn prepare_order(ticket: Ticket) -> Result<Prepared, ActivityError> {
        unimplemented!()
    }

    /// Writes a taken report to the order's record.
    #[activity(name = activity::RECORD_KITCHEN_REPORT)]
    pub fn record_kitchen_report(report: RecordedReport) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// The last report of an order that is in the store.
    #[activity(name = activity::LAST_KITCHEN_REPORT)]
    pub fn last_kitchen_report(order_id: OrderId) -> Result<Prepared, ActivityError> {
        unimplemented!()
    }

    /// Tells the kitchen that a ticket which it has not accepted was changed.
    #[activity(name = activity::AMEND_TICKET)]
    pub fn amend_ticket(ticket: Ticket) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// Tells the kitchen to stop working on a ticket.
    #[activity(name = activity::WITHDRAW_TICKET)]
    pub fn withdraw_ticket(order_id: OrderId) -> Result<(), ActivityError> {
        unimplemented!()
    }
}
