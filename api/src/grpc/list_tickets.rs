//! `KitchenService/ListTickets`.

use pizza_app::{ListTickets, Ticket, TicketStage, UseCaseError};

use super::convert::timestamp;
use super::get_order::size;
use super::proto::{self, KitchenEvent, ListTicketsRequest, ListTicketsResponse, TicketSimulation};
use super::report_kitchen_event::in_protocol;
use crate::gateway::App;

pub(super) async fn serve(
    app: &App,
    request: ListTicketsRequest,
) -> Result<ListTicketsResponse, UseCaseError> {
    let request = ListTickets {
        limit: request.limit.map(Into::into),
        cursor: request.cursor,
    };
    let page = app.use_cases().list_tickets(request).await?;
    Ok(ListTicketsResponse {
        tickets: page.tickets.into_iter().map(Into::into).collect(),
        next_cursor: page.next_cursor,
    })
}

impl From<Ticket> for proto::Ticket {
    fn from(ticket: Ticket) -> Self {
        let last = match ticket.stage {
            TicketStage::Received => KitchenEvent::Unspecified,
            TicketStage::Reported(report) => in_protocol(report),
        };
        let next = ticket.stage.next_reports();
        Self {
            ticket_id: ticket.ticket_id.to_string(),
            flavour: ticket.flavour.as_str().to_owned(),
            size: size(ticket.size).into(),
            quantity: u32::try_from(ticket.quantity).unwrap_or_default(),
            last_report: last.into(),
            next_reports: next
                .into_iter()
                .map(|report| in_protocol(report).into())
                .collect(),
            handed_over_at: Some(timestamp(ticket.handed_over_at_ms)),
            seconds_at_stage: seconds(ticket.stage_ms),
            due_at: ticket.due_at_ms.map(timestamp),
            seconds_left: ticket.left_ms.map(seconds),
            simulation: Some(TicketSimulation {
                per_step_delay_seconds: ticket.pace_ms as f64 / 1000.0,
                silent: ticket.silent,
            }),
        }
    }
}

fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}
