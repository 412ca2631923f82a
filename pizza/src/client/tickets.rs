//! `pizza tickets`.

use std::process::ExitCode;

use clap::Args;
use pizza_contract::{ListTickets, Ticket};

use super::kitchen_key::KitchenApiArgs;
use super::output::{self, Table};
use crate::numbers::whole;

#[derive(Args, Debug)]
pub(crate) struct TicketsArgs {
    /// Tickets on a page, 1 to 100
    #[arg(long, default_value_t = 50, value_parser = whole(1..=100_u32))]
    limit: u32,
    /// The page after the one that ended with this cursor
    #[arg(long)]
    cursor: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    kitchen: KitchenApiArgs,
}

/// Lists a page of the tickets that the kitchen is to work on.
pub(crate) async fn run(args: TicketsArgs) -> anyhow::Result<ExitCode> {
    let kitchen = args.kitchen.connect()?;
    let wanted = ListTickets {
        limit: Some(args.limit.into()),
        cursor: args.cursor,
    };
    let page = kitchen.tickets(&wanted).await?;
    if args.json {
        output::json(&page.json);
    } else {
        output::page(&table(&page.view.tickets), page.view.next_cursor);
    }
    Ok(ExitCode::SUCCESS)
}

/// Tickets for a person.
fn table(tickets: &[Ticket]) -> Table {
    let mut table = output::table(&["ticket", "pizza", "stage", "next", "left"]);
    for ticket in tickets {
        let pizza = format!("{} x {}, {}", ticket.quantity, ticket.flavour, ticket.size);
        table.add_row([
            ticket.ticket_id.to_string(),
            pizza,
            ticket.stage.to_string(),
            ticket.next_reports.join(" or "),
            left(ticket.seconds_left),
        ]);
    }
    table
}

/// How long a stage has left.
fn left(seconds: Option<f64>) -> String {
    match seconds {
        None => "not known".to_owned(),
        Some(seconds) if seconds < 0.0 => format!("overdue by {:.1} s", -seconds),
        Some(seconds) => format!("{seconds:.1} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_says_what_comes_next_and_by_when() {
        let page: pizza_contract::Tickets = serde_json::from_value(serde_json::json!({
            "tickets": [{
                "ticketId": "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11", "flavour": "hawaiian\u{1b}[31m",
                "size": "large", "quantity": 2, "stage": "cooked",
                "nextReports": ["pickedUp", "rejected"],
                "handedOverAt": "2026-11-22T12:00:00Z", "secondsAtStage": 1.5,
                "dueAt": "2026-11-22T12:00:10Z", "secondsLeft": -0.25,
                "simulation": { "perStepDelaySeconds": 0.0, "silent": false },
            }],
            "nextCursor": null,
        }))
        .expect("a page");
        let shown = table(&page.tickets).to_string();
        for part in [
            "2 x hawaiian\\u001b[31m, large",
            "cooked",
            "pickedUp or rejected",
        ] {
            assert!(shown.contains(part), "{part} is not in:\n{shown}");
        }
        assert_eq!(left(Some(-0.25)), "overdue by 0.2 s");
        assert_eq!(left(Some(2.54)), "2.5 s");
        assert_eq!(left(None), "not known");
    }
}
