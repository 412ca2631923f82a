//! `GET /kitchen/tickets`.

use axum::Json;
use axum::extract::State;
use pizza_app::access::KitchenAccess;
use pizza_app::{ListTickets, Ticket, Tickets};
use pizza_contract::rfc_3339;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::failures::{StrictQuery, integer_in_query};
use super::problem::ProblemBody;
use super::report_kitchen_event::KitchenEventBody;
use crate::gateway::AppState;
use crate::problem::Problem;

/// Which page of the open tickets.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListTicketsQuery {
    /// Tickets on a page.
    #[param(minimum = 1, maximum = 100, default = 50)]
    #[serde(default, deserialize_with = "integer_in_query")]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

/// A page of open tickets.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Tickets)]
pub(super) struct TicketsBody {
    /// The page, the most urgent first.
    tickets: Vec<TicketBody>,
    /// Asks for the next page; `null` after the last.
    #[schema(required = true)]
    next_cursor: Option<String>,
}

/// A ticket that the kitchen is to work on.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Ticket)]
struct TicketBody {
    /// The ticket's id, which is its order's.
    #[schema(format = "uuid")]
    ticket_id: String,
    /// What is on the pizza.
    flavour: String,
    /// How large.
    #[schema(value_type = pizza_contract::Size)]
    size: &'static str,
    /// How many pizzas.
    quantity: i64,
    /// How far it is: `received`, or the last report that was taken.
    #[schema(value_type = TicketStageBody)]
    stage: &'static str,
    /// The reports that may be made now, the next one on the way to the door
    /// first.
    #[schema(value_type = Vec<KitchenEventBody>)]
    next_reports: Vec<&'static str>,
    /// When it was handed over.
    #[schema(format = DateTime)]
    handed_over_at: String,
    /// How long it has been at its stage, in seconds.
    seconds_at_stage: f64,
    /// Until when the next report has to come; `null` where nobody knows.
    #[schema(format = DateTime, required = true)]
    due_at: Option<String>,
    /// How long that is from now, in seconds. Negative for a ticket that is
    /// overdue and about to be cancelled.
    #[schema(required = true)]
    seconds_left: Option<f64>,
    /// For a simulated kitchen.
    simulation: TicketSimulationBody,
}

/// How far an open ticket is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TicketStage)]
#[expect(dead_code, reason = "only its schema is used")]
enum TicketStageBody {
    Received,
    Accepted,
    Cooked,
    PickedUp,
}

/// What a ticket asks of a simulated kitchen. A real one ignores it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TicketSimulation)]
struct TicketSimulationBody {
    /// The wait after each change of the order's status, in seconds.
    per_step_delay_seconds: f64,
    /// Nothing is to be reported on it.
    silent: bool,
}

/// List the tickets that the kitchen is to work on.
///
/// The most urgent first. A ticket leaves the list when it is delivered,
/// rejected, overdue or withdrawn.
#[utoipa::path(
    get, path = "/kitchen/tickets", operation_id = "listTickets", tag = "kitchen",
    params(ListTicketsQuery),
    responses(
        (status = 200, description = "A page of open tickets.", body = TicketsBody),
        (status = 400, description = "The query cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "A kitchen's key is needed.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "This gateway has no kitchens, or the key is not one's.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "A value is not allowed.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The store cannot tell right now.", body = ProblemBody, content_type = "application/problem+json",
         headers(("Retry-After" = u32, description = "Seconds to wait before another try."))),
    ),
    security(("kitchenKey" = [])),
)]
pub(super) async fn list_tickets(
    _: KitchenAccess,
    State(app): State<AppState>,
    StrictQuery(query): StrictQuery<ListTicketsQuery>,
) -> Result<Json<TicketsBody>, Problem> {
    let request = ListTickets {
        limit: query.limit,
        cursor: query.cursor,
    };
    let page = app.use_cases().list_tickets(request).await?;
    Ok(Json(page.into()))
}

impl From<Tickets> for TicketsBody {
    fn from(page: Tickets) -> Self {
        Self {
            tickets: page.tickets.into_iter().map(Into::into).collect(),
            next_cursor: page.next_cursor,
        }
    }
}

impl From<Ticket> for TicketBody {
    fn from(ticket: Ticket) -> Self {
        let next_reports = ticket.stage.next_reports();
        Self {
            ticket_id: ticket.ticket_id.to_string(),
            flavour: ticket.flavour.as_str().to_owned(),
            size: ticket.size.as_str(),
            quantity: ticket.quantity,
            stage: ticket.stage.as_str(),
            next_reports: next_reports
                .into_iter()
                .map(|report| report.as_str())
                .collect(),
            handed_over_at: rfc_3339(ticket.handed_over_at_ms),
            seconds_at_stage: seconds(ticket.stage_ms),
            due_at: ticket.due_at_ms.map(rfc_3339),
            seconds_left: ticket.left_ms.map(seconds),
            simulation: TicketSimulationBody {
                per_step_delay_seconds: ticket.pace_ms as f64 / 1000.0,
                silent: ticket.silent,
            },
        }
    }
}

fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}
