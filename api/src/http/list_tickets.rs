//! `GET /kitchen/tickets`.

use axum::Json;
use axum::extract::State;
use pizza_app::access::KitchenAccess;
use pizza_app::{ListTickets, Ticket};
use pizza_contract::{self as contract, rfc_3339};

use super::query::Query;
use crate::gateway::AppState;
use crate::problem::Problem;

/// List the tickets that the kitchen is to work on.
///
/// The most urgent first. A ticket leaves the list when it is delivered,
/// rejected, overdue or withdrawn.
#[utoipa::path(
    get, path = "/kitchen/tickets", operation_id = "listTickets", tag = "kitchen",
    params(contract::ListTickets),
    responses(
        (status = 200, description = "A page of open tickets.", body = contract::Tickets),
        (status = 400, description = "The query cannot be read."),
        (status = 422, description = "A value is not allowed."),
        (status = 503, description = "The store cannot tell right now."),
    ),
    security(("kitchenKey" = [])),
)]
pub(super) async fn list_tickets(
    _: KitchenAccess,
    State(app): State<AppState>,
    Query(query): Query<contract::ListTickets>,
) -> Result<Json<contract::Tickets>, Problem> {
    let request = ListTickets {
        limit: query.limit,
        cursor: query.cursor,
    };
    let page = app.use_cases().list_tickets(request).await?;
    Ok(Json(contract::Tickets {
        tickets: page.tickets.into_iter().map(ticket).collect(),
        next_cursor: page.next_cursor,
    }))
}

fn ticket(ticket: Ticket) -> contract::Ticket {
    let next_reports = ticket.stage.next_reports().into_iter();
    contract::Ticket {
        ticket_id: ticket.ticket_id,
        flavour: ticket.flavour.as_str().to_owned(),
        size: ticket.size.as_str().into(),
        quantity: ticket.quantity,
        stage: ticket.stage.as_str().into(),
        next_reports: next_reports.map(|report| report.as_str().into()).collect(),
        handed_over_at: rfc_3339(ticket.handed_over_at_ms),
        seconds_at_stage: seconds(ticket.stage_ms),
        due_at: ticket.due_at_ms.map(rfc_3339),
        seconds_left: ticket.left_ms.map(seconds),
        simulation: contract::TicketSimulation {
            per_step_delay_seconds: ticket.pace_ms as f64 / 1000.0,
            silent: ticket.silent,
        },
    }
}

fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}
