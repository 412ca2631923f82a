//! The kitchen's board: the open tickets, and what is reported on them.

use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use futures::FutureExt;
use maud::{Markup, html};
use pizza_app::access::KitchenAccess;
use pizza_app::{ListTickets, ReportKitchenEvent, Ticket, TicketStage, Tickets, UseCaseError};
use pizza_contract::ErrorCode;
use pizza_domain::{KitchenReport, KitchenSimulation, OrderId, Rejection, TicketReport};
use pizza_store::now_ms;

use super::form::Submitted;
use super::layout::{Page, Section, Site};
use super::looking::{Look, looking};
use super::order::short;
use super::picture::words;
use super::problem::{as_it_is, sentence};
use super::session::Visitor;
use super::text::{ago, count, left};
use crate::client::Client;
use crate::connection::Closing;
use crate::extract::OrderIdInPath;
use crate::gateway::{App, AppState};
use crate::problem::Problem;

/// How often an open board looks for what changed: as often as a kitchen can
/// use, and as much less than its deadlines.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Why kitchens reject an order, to be chosen or typed.
const REASONS: [&str; 3] = [
    "an ingredient is sold out",
    "the oven is out of order",
    "the kitchen closes",
];

/// `GET /kitchen`.
pub(super) async fn page(
    State(app): State<AppState>,
    visitor: Visitor,
) -> Result<Response, Problem> {
    visitor.cook(&app)?;
    shown(&app, &visitor, None).await
}

async fn shown(
    app: &App,
    visitor: &Visitor,
    refused: Option<(OrderId, Problem)>,
) -> Result<Response, Problem> {
    let board = Board::read(app).await?;
    let site = visitor.site(app);
    let mut page = Page::new(
        "Kitchen",
        Section::Kitchen,
        html! {
            h1 { "Kitchen" }
            @if let Some((id, problem)) = &refused {
                p.card.wrong role="alert" {
                    "Order " (short(*id)) ": " (sentence(problem, as_it_is))
                }
            }
            (board.draw(&site, now_ms()))
        },
    );
    page.live = Some(site.at("/kitchen/live"));
    if let Some((_, problem)) = refused {
        page.status = problem.code.status();
    }
    Ok(site.show(page))
}

/// What the board shows.
struct Board {
    tickets: Tickets,
    simulation: KitchenSimulation,
}

impl Board {
    async fn read(app: &App) -> Result<Self, UseCaseError> {
        Ok(Self {
            tickets: app.use_cases().list_tickets(ListTickets::default()).await?,
            simulation: app.use_cases().kitchen_simulation().await?,
        })
    }

    fn draw(&self, site: &Site<'_>, at_ms: i64) -> Markup {
        let open = &self.tickets.tickets;
        let number = i64::try_from(open.len()).unwrap_or(i64::MAX);
        html! {
            div data-part="simulation" { (self.simulation(site)) }
            div data-part="board" {
                @if open.is_empty() {
                    p.card.lead { "Nothing to cook. Orders come up here by themselves." }
                } @else {
                    p { (count(number, "open ticket", "open tickets")) ", the most urgent first"
                        @if self.tickets.next_cursor.is_some() { "; there are more" } "." }
                }
                datalist #reasons { @for reason in REASONS { option value=(reason) {} } }
                ul.columns.board {
                    @for ticket in open { (card(site, ticket, at_ms)) }
                }
            }
        }
    }

    /// Who cooks where nobody does.
    fn simulation(&self, site: &Site<'_>) -> Markup {
        let (state, pause, button) = if self.simulation.paused {
            (" is paused: you cook", "no", "Let it cook")
        } else {
            (", where one runs, cooks by itself", "yes", "Pause it")
        };
        html! {
            form.row method="post" action=(site.at("/kitchen/pause")) {
                (site.form_token())
                span.soft { "The simulated kitchen" (state) "." }
                button.quiet #pause name="paused" value=(pause) { (button) }
            }
        }
    }
}

fn card(site: &Site<'_>, ticket: &Ticket, at_ms: i64) -> Markup {
    let id = ticket.ticket_id;
    let action = site.at(&format!("/kitchen/board/{id}"));
    let next = ticket.stage.next_reports();
    let forward = next.iter().filter(|it| **it != KitchenReport::Rejected);
    html! {
        li.card data-ticket=(id) data-stage=(ticket.stage.as_str()) data-part=(format!("ticket-{id}")) {
            h2 { (count(ticket.quantity, "pizza", "pizzas")) ", " (ticket.size) ", "
                bdi { (ticket.flavour.as_str()) } }
            p {
                strong { (stage_words(ticket.stage)) }
                @if let Some(due_at_ms) = ticket.due_at_ms { ", " (left(due_at_ms, at_ms)) }
            }
            p.soft { "Order " span.id { (short(id)) } ", came " (ago(ticket.handed_over_at_ms, at_ms)) }
            @for report in forward {
                form method="post" action=(action) {
                    (site.form_token())
                    button name="event" value=(report) id=(format!("next-{id}")) {
                        "Report " (words(*report))
                    }
                }
            }
            details id=(format!("reject-{id}")) {
                summary { "Reject" }
                form method="post" action=(action) {
                    (site.form_token())
                    label for=(format!("reason-{id}")) { "Why, for the customer" }
                    input id=(format!("reason-{id}")) name="reason" required maxlength="200"
                        list="reasons" autocomplete="off";
                    button.quiet name="event" value=(KitchenReport::Rejected)
                        id=(format!("send-{id}")) { "Reject the order" }
                }
            }
        }
    }
}

const fn stage_words(stage: TicketStage) -> &'static str {
    match stage {
        TicketStage::Received => "new",
        TicketStage::Reported(report) => words(report),
    }
}

/// `GET /kitchen/live`: the board as it changes. While the store is away it
/// stays as it was.
pub(super) async fn live(
    State(app): State<AppState>,
    Extension(closing): Extension<Closing>,
    Extension(client): Extension<Client>,
    visitor: Visitor,
) -> Result<Response, Problem> {
    visitor.cook(&app)?;
    looking(&app, &client, closing, visitor, LOOK_EVERY, |looker| {
        async move {
            match Board::read(&looker.app).await {
                Ok(board) => Look::Now(board.draw(&looker.site(), looker.since_ms)),
                Err(_) => Look::Away,
            }
        }
        .boxed()
    })
}

/// `POST /kitchen/board/{id}`: a report on a ticket. Of two boards that report
/// the same, the second is told the same.
pub(super) async fn report(
    State(app): State<AppState>,
    OrderIdInPath(ticket_id): OrderIdInPath,
    form: Submitted<KitchenAccess>,
) -> Result<Response, Problem> {
    let reported = match read_report(&form) {
        Ok(report) => {
            let report = ReportKitchenEvent { ticket_id, report };
            let reported = app.use_cases().report_kitchen_event(report).await;
            reported.map(drop).map_err(Problem::from)
        }
        Err(problem) => Err(problem),
    };
    match reported {
        Ok(()) => Ok(back(&app)),
        Err(problem) => shown(&app, &form.visitor, Some((ticket_id, problem))).await,
    }
}

fn read_report(form: &Submitted<KitchenAccess>) -> Result<TicketReport, Problem> {
    let refused = |refusal: pizza_domain::InvalidField| {
        Problem::new(ErrorCode::InvalidValue, refusal.to_string()).field(refusal.field)
    };
    let event = form.text("event").unwrap_or_default();
    let report: KitchenReport = event.parse().map_err(refused)?;
    let reason = form
        .text("reason")
        .filter(|_| report == KitchenReport::Rejected);
    let reason = reason.map(|reason| Rejection::try_from(reason.to_owned()));
    Ok(TicketReport {
        report,
        report_id: None,
        reason: reason.transpose().map_err(refused)?,
    })
}

fn back(app: &App) -> Response {
    Redirect::to(&format!("{}/kitchen", app.base_path())).into_response()
}

/// `POST /kitchen/pause`: the simulated kitchen stops, or goes on.
pub(super) async fn pause(
    State(app): State<AppState>,
    form: Submitted<KitchenAccess>,
) -> Result<Response, Problem> {
    let paused = match form.text("paused") {
        Some("yes") => true,
        Some("no") => false,
        _ => {
            let detail = "must be yes or no";
            return Err(Problem::new(ErrorCode::InvalidValue, detail).field("paused"));
        }
    };
    app.use_cases().pause_kitchen_simulation(paused).await?;
    Ok(back(&app))
}
