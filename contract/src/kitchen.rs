//! The kitchen's tickets and reports, and how simulated kitchens behave.

use pizza_domain::OrderId;
use serde::{Deserialize, Serialize};
#[cfg(feature = "schema")]
use utoipa::{IntoParams, ToSchema};

use crate::names::names;
#[cfg(feature = "schema")]
use crate::schemas;
use crate::{Integer, Name};

/// Which page of the open tickets: the query of `GET /kitchen/tickets`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(IntoParams), into_params(parameter_in = Query))]
pub struct ListTickets {
    /// Tickets on a page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 50))]
    pub limit: Option<Integer>,
    /// The `nextCursor` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A page of open tickets.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct Tickets {
    /// The page, the most urgent first.
    pub tickets: Vec<Ticket>,
    /// Asks for the next page; `null` after the last.
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub next_cursor: Option<String>,
}

/// A ticket that the kitchen is to work on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct Ticket {
    /// The ticket's id, which is its order's.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = "uuid"))]
    pub ticket_id: OrderId,
    /// What is on the pizza.
    pub flavour: String,
    /// How large.
    #[cfg_attr(feature = "schema", schema(value_type = crate::Size))]
    pub size: Name,
    /// How many pizzas.
    pub quantity: i64,
    /// How far it is: `received`, or the last report that was taken.
    #[cfg_attr(feature = "schema", schema(value_type = schemas::TicketStage))]
    pub stage: Name,
    /// The reports that may be made now, the next one on the way to the door
    /// first.
    #[cfg_attr(feature = "schema", schema(value_type = Vec<schemas::KitchenEvent>))]
    pub next_reports: Vec<Name>,
    /// When it was handed over.
    #[cfg_attr(feature = "schema", schema(format = DateTime))]
    pub handed_over_at: String,
    /// How long it has been at its stage, in seconds.
    pub seconds_at_stage: f64,
    /// Until when the next report has to come; `null` where nobody knows.
    #[cfg_attr(feature = "schema", schema(format = DateTime, required = true))]
    pub due_at: Option<String>,
    /// How long that is from now, in seconds. Negative for a ticket that is
    /// overdue and about to be cancelled.
    #[cfg_attr(feature = "schema", schema(required = true))]
    pub seconds_left: Option<f64>,
    /// For a simulated kitchen.
    pub simulation: TicketSimulation,
}

/// What a ticket asks of a simulated kitchen. A real one ignores it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct TicketSimulation {
    /// The wait after each change of the order's status, in seconds.
    pub per_step_delay_seconds: f64,
    /// Nothing is to be reported on it.
    pub silent: bool,
}

/// The kitchen's word on a ticket.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct ReportKitchenEvent {
    /// What happened.
    #[cfg_attr(feature = "schema", schema(value_type = schemas::KitchenEvent))]
    pub event: Name,
    /// The report's own id: the same report is sent again under the same id.
    /// 1 to 64 of `A-Z a-z 0-9 . _ : / -`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schema(pattern = "^[A-Za-z0-9._:/-]{1,64}$", nullable = false)
    )]
    pub report_id: Option<String>,
    /// Why, when it is a rejection, and then alone: 1 to 200 characters, at
    /// least one of them visible, for the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schema(min_length = 1, max_length = 200, nullable = false)
    )]
    pub reason: Option<String>,
}

/// The answer to a report that was taken, now or before.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct KitchenEventReported {
    /// The order's id.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = "uuid"))]
    pub order_id: OrderId,
    /// The report that is answered.
    #[cfg_attr(feature = "schema", schema(value_type = schemas::KitchenEvent))]
    pub event: Name,
    /// The order's status now.
    #[cfg_attr(feature = "schema", schema(value_type = schemas::OrderStatus))]
    pub status: Name,
    /// What became of the report.
    #[cfg_attr(feature = "schema", schema(value_type = ReportOutcome))]
    pub outcome: Name,
}

names! {
    /// What became of a report.
    ReportOutcome {
        /// It brought the order on.
        Taken = "taken",
        /// It was taken before, and changed nothing now.
        Repeated = "repeated",
    }
}

/// How simulated kitchens are to behave. What is missing is `false` or 0.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct SetKitchenSimulation {
    /// Nothing is reported. The deadlines run on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(nullable = false))]
    pub paused: Option<bool>,
    /// The wait before each report, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schema(minimum = 0, maximum = 3600, nullable = false)
    )]
    pub delay_seconds: Option<f64>,
    /// How likely it is that a report is never made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(minimum = 0, maximum = 1, nullable = false))]
    pub lose_rate: Option<f64>,
    /// How likely it is that a report is made twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(minimum = 0, maximum = 1, nullable = false))]
    pub repeat_rate: Option<f64>,
    /// How likely it is that the report after it is tried first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(minimum = 0, maximum = 1, nullable = false))]
    pub reorder_rate: Option<f64>,
    /// What the choice of those reports follows from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(
        value_type = Option<i64>, minimum = 0, maximum = 9_223_372_036_854_775_807_i64, nullable = false
    ))]
    pub seed: Option<Integer>,
}

/// How simulated kitchens are to behave. A real one ignores it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct KitchenSimulation {
    /// Nothing is reported.
    pub paused: bool,
    /// The wait before each report, in seconds, beside the pace of its order.
    pub delay_seconds: f64,
    /// How likely it is that a report is never made.
    pub lose_rate: f64,
    /// How likely it is that a report is made twice.
    pub repeat_rate: f64,
    /// How likely it is that the report after it is tried first.
    pub reorder_rate: f64,
    /// What the choice of those reports follows from.
    pub seed: u64,
}

impl From<KitchenSimulation> for SetKitchenSimulation {
    fn from(simulation: KitchenSimulation) -> Self {
        Self {
            paused: Some(simulation.paused),
            delay_seconds: Some(simulation.delay_seconds),
            lose_rate: Some(simulation.lose_rate),
            repeat_rate: Some(simulation.repeat_rate),
            reorder_rate: Some(simulation.reorder_rate),
            seed: Some(simulation.seed.into()),
        }
    }
}
