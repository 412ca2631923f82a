//! The orders, for those who look after them.

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use pizza_app::{ListOrders, Orders};
use pizza_contract::ErrorCode;
use pizza_domain::{MoneyState, OrderId, OrderStatus, PointsState, Step};
use pizza_store::{OrderRecord, now_ms};
use pizza_workflows::names::{fulfilment_workflow_id, loyalty_workflow_id, order_workflow_id};

use super::super::layout::Site;
use super::super::order::{badge, money_words, pizza, points_words, short, status_words};
use super::super::temporal_ui::linked;
use super::super::text::{ago, money};

use super::frame::{Asked, ORDERS, Operating, asked, encoded, next_page, page_of, refusal, table};
use crate::gateway::{App, AppState};
use crate::problem::Problem;
use crate::times;

/// Orders on a page.
const PAGE: u32 = 25;

/// What is looked for, and where.
const SEARCH: &str = "search";

/// When they were ordered, in UTC as a browser's field has it:
/// `2026-11-23T04:00`.
const AFTER: &str = "placedAfter";
const BEFORE: &str = "placedBefore";

/// `GET /operator/orders`.
pub(super) async fn page(
    operator: Operating,
    State(app): State<AppState>,
    Query(query): Query<Asked>,
) -> Result<Response, Problem> {
    let search = asked(&query, SEARCH);
    if let Some(id) = search.and_then(|search| search.parse::<OrderId>().ok()) {
        let order = format!("{}/orders/{id}", app.base_path());
        return Ok(Redirect::to(&order).into_response());
    }
    let site = operator.site(&app);
    let found = find(&operator, &app, &query).await;
    let mut page = page_of(
        &site,
        ORDERS,
        "Orders",
        html! {
            @if let Err(problem) = &found { (refusal(problem)) }
            (choice(&site, &query, found.as_ref().err()))
            @if let Ok(found) = &found { (list(&site, &query, found)) }
        },
    );
    if let Err(problem) = &found {
        page.status = problem.code.status();
    }
    Ok(site.show(page))
}

async fn find(operator: &Operating, app: &App, query: &Asked) -> Result<Orders, Problem> {
    let owned = |field| asked(query, field).map(str::to_owned);
    let status = asked(query, "status").map(|name| {
        name.parse().map_err(|invalid: pizza_domain::InvalidField| {
            Problem::new(ErrorCode::InvalidValue, invalid.expected).field("status")
        })
    });
    let request = ListOrders {
        status: status.transpose()?,
        customer_id: owned(SEARCH),
        flavour: owned("flavour"),
        failed_step: owned("failedStep"),
        placed_after: time(query, AFTER)?,
        placed_before: time(query, BEFORE)?,
        limit: Some(PAGE.into()),
        cursor: owned("cursor"),
    };
    let viewer = operator.visitor.viewer(app)?;
    // The field of the page is that of the customer, unless it was an order.
    let found = app.use_cases().list_orders(&viewer, request).await;
    found.map_err(|error| {
        let mut problem = Problem::from(error);
        if problem.field.as_deref() == Some("customerId") {
            problem.detail = "is neither an order's id nor a customer's".to_owned();
            problem.field = Some(SEARCH.to_owned());
        }
        problem
    })
}

fn time(query: &Asked, field: &'static str) -> Result<Option<Timestamp>, Problem> {
    let time = asked(query, field).map(|text| {
        read_time(field, text).ok_or_else(|| {
            let detail = "must be a date and a time in UTC, like 2026-11-23T04:00";
            Problem::new(ErrorCode::InvalidValue, detail).field(field)
        })
    });
    time.transpose()
}

/// A time as a browser's field has it, in UTC, or with an offset as in an
/// address that somebody wrote.
fn read_time(field: &'static str, text: &str) -> Option<Timestamp> {
    let with_offset = times::instant(field, text).ok();
    let in_utc = || {
        let time = text.parse::<DateTime>().ok()?;
        // The last days that can be written are beyond the last time.
        Some(TimeZone::UTC.to_timestamp(time).unwrap_or(Timestamp::MAX))
    };
    with_offset.or_else(in_utc)
}

/// What was typed, as the field shows it, where it can.
fn typed_time(query: &Asked, field: &'static str) -> Option<String> {
    let text = asked(query, field)?;
    Some(read_time(field, text).map_or_else(
        || text.to_owned(),
        |time| time.strftime("%Y-%m-%dT%H:%M").to_string(),
    ))
}

fn choice(site: &Site<'_>, query: &Asked, refused: Option<&Problem>) -> Markup {
    let wrong = refused.and_then(|problem| problem.field.as_deref());
    let is_wrong = |field: &str| (wrong == Some(field)).then_some("true");
    let status = asked(query, "status");
    let step = asked(query, "failedStep");
    html! {
        form.card.row method="get" action=(site.at(ORDERS)) role="search" aria-label="Orders" {
            div {
                label for="search" { "Order or customer" }
                input #search name=(SEARCH) type="search" value=[asked(query, SEARCH)]
                    autocomplete="off" aria-invalid=[is_wrong(SEARCH)]
                    aria-describedby=[is_wrong(SEARCH).map(|_| "wrong")];
            }
            div {
                label for="status" { "Status" }
                select #status name="status" {
                    option value="" { "all" }
                    @for known in OrderStatus::ALL {
                        option value=(known) selected[status == Some(known.as_str())] {
                            (status_words(*known))
                        }
                    }
                }
            }
            div {
                label for="failed-step" { "Failed at, or owed" }
                select #failed-step name="failedStep" {
                    option value="" { "any step" }
                    @for known in Step::ALL {
                        option value=(known) selected[step == Some(known.as_str())] { (known) }
                    }
                }
            }
            div {
                label for="flavour" { "Flavour" }
                input #flavour name="flavour" value=[asked(query, "flavour")] autocomplete="off"
                    dir="auto" aria-invalid=[is_wrong("flavour")]
                    aria-describedby=[is_wrong("flavour").map(|_| "wrong")];
            }
            @for (field, label) in [(AFTER, "Ordered after (UTC)"), (BEFORE, "Ordered before (UTC)")] {
                div {
                    label for=(field) { (label) }
                    input id=(field) name=(field) type="datetime-local" value=[typed_time(query, field)]
                        aria-invalid=[is_wrong(field)]
                        aria-describedby=[is_wrong(field).map(|_| "wrong")];
                }
            }
            button { "Show" }
        }
    }
}

fn list(site: &Site<'_>, query: &Asked, found: &Orders) -> Markup {
    if found.orders.is_empty() {
        return nothing(site, query);
    }
    let fields = [SEARCH, "status", "failedStep", "flavour", AFTER, BEFORE];
    let given = fields
        .iter()
        .filter_map(|field| Some((*field, asked(query, field)?)));
    let fields = encoded(&given.collect::<Vec<_>>());
    let at_ms = now_ms();
    let head = html! {
        th scope="col" { "Order" }
        th scope="col" { "Status" }
        th.number scope="col" { "Total" }
        th scope="col" { "Money" }
        th scope="col" { "Points" }
        th scope="col" { "Owed" }
        th scope="col" { "Ordered" }
        th scope="col" { "In Temporal" }
    };
    let rows = html! { @for order in &found.orders { (row(site, order, at_ms)) } };
    html! {
        (table("Orders", &head, &rows))
        (next_page(site, ORDERS, &fields, found.next_cursor.as_deref()))
    }
}

fn nothing(site: &Site<'_>, query: &Asked) -> Markup {
    let is_filtered = query.keys().any(|field| asked(query, field).is_some());
    html! {
        @if asked(query, "cursor").is_some() {
            p.card.lead { "That was all." }
        } @else if is_filtered {
            p.card.lead { "There are no such orders." }
            p { a.button.quiet href=(site.at(ORDERS)) { "All orders" } }
        } @else {
            p.card.lead { "Nobody has ordered yet." }
            p { a.button href=(site.at("/")) { "Order a pizza" } }
        }
    }
}

fn row(site: &Site<'_>, order: &OrderRecord, at_ms: i64) -> Markup {
    let id = order.order_id;
    html! {
        tr data-order=(id) {
            th scope="row" {
                a href=(site.at(&format!("/orders/{id}"))) { span.id { (short(id)) } }
                div.soft { (pizza(order)) " for " bdi { (order.customer_id) } }
            }
            td { (badge(order.status)) }
            td.number { (money(order.total)) }
            td { (money_words(order.money)) }
            td { (points_words(order.points)) }
            td {
                @if is_owed(order) {
                    a href=(site.at(&format!("/orders/{id}#owed"))) { "yes" }
                } @else { "no" }
            }
            td { (ago(order.placed_at_ms, at_ms)) }
            td { (workflows(site, id)) }
        }
    }
}

/// Whether the order's record says that something is owed. A word to its
/// customer is no part of it.
fn is_owed(order: &OrderRecord) -> bool {
    order.money == MoneyState::RefundParked
        || matches!(
            order.points,
            PointsState::Parked | PointsState::ReclaimParked
        )
}

/// The order's workflows in the Temporal UI.
fn workflows(site: &Site<'_>, id: OrderId) -> Markup {
    html! {
        (linked(site, &order_workflow_id(id), html! { "order" })) ", "
        (linked(site, &loyalty_workflow_id(id), html! { "points" })) ", "
        (linked(site, &fulfilment_workflow_id(id), html! { "kitchen" }))
    }
}
