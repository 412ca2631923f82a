//! The shop: what is ordered, and for how much. Where errors are simulated,
//! also how the order is to go wrong, and all the ways side by side.

use std::collections::{HashMap, HashSet};

use axum::Extension;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use futures::stream::{self, SelectAll};
use futures::{Stream, StreamExt};
use maud::{Markup, html};
use pizza_app::access::Viewer;
use pizza_app::{IdempotencyKey, OrderNow, PlaceOrder};
use pizza_contract::{self as contract, ErrorCode};
use pizza_domain::{CustomerId, ErrorOnStep, OrderId, Pace, Quantity, Size};
use pizza_store::now_ms;
use uuid::Uuid;

use super::form::{KEY, Submitted, key_field};
use super::layout::{Page, Section, Site};
use super::live::{changes, stream_of};
use super::order::{Follower, badge, legend, pizza, saga, short, size_choice, whole_number};
use super::picture;
use super::problem::{detail, sentence};
use super::session::Visitor;
use super::text::money;
use crate::client::Client;
use crate::connection::Closing;
use crate::gateway::AppState;
use crate::problem::Problem;

/// How long each status stays, in seconds, so that people can look on.
const PACES: [(&str, &str); 4] = [
    ("0", "as fast as it goes"),
    ("1", "1 s for each status"),
    ("3", "3 s for each status"),
    ("10", "10 s for each status"),
];

/// The pace that the form begins with.
const PACE: &str = "1";

/// What is typed into the form, not checked yet.
#[derive(Clone, Debug, Default)]
struct Typed {
    flavour: Option<String>,
    size: Option<String>,
    quantity: Option<String>,
    customer_id: Option<String>,
    error_on_step: Option<String>,
    per_step_delay_seconds: Option<String>,
    key: Option<String>,
}

impl Typed {
    fn read<'a>(text: impl Fn(&str) -> Option<&'a str>) -> Self {
        let owned = |field| text(field).map(str::to_owned);
        Self {
            flavour: owned("flavour"),
            size: owned("size"),
            quantity: owned("quantity"),
            customer_id: owned("customerId"),
            error_on_step: owned("errorOnStep"),
            per_step_delay_seconds: owned("perStepDelaySeconds"),
            key: owned(KEY),
        }
    }

    fn of_query(query: &HashMap<String, String>) -> Self {
        Self::read(|field| {
            let text = query.get(field).map(String::as_str);
            text.filter(|text| !text.is_empty())
        })
    }

    fn request(&self) -> Result<PlaceOrder, Problem> {
        let seconds = |text: &String| {
            text.trim().parse().map_err(|_| {
                let detail = "must be a number of seconds";
                Problem::new(ErrorCode::InvalidType, detail).field("perStepDelaySeconds")
            })
        };
        let pace = self.per_step_delay_seconds.as_ref().map(seconds);
        let key = self.key.as_deref().map(IdempotencyKey::parse);
        Ok(PlaceOrder {
            flavour: self.flavour.clone(),
            per_step_delay_seconds: pace.transpose()?,
            error_on_step: self.error_on_step.clone().map(contract::ErrorOnStep::Name),
            size: self.size.clone(),
            quantity: self.quantity.as_deref().map(whole_number).transpose()?,
            customer_id: self.customer_id.clone(),
            key: key.transpose()?,
        })
    }
}

/// `GET /`.
pub(super) async fn page(
    State(app): State<AppState>,
    visitor: Visitor,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, Problem> {
    let viewer = visitor.viewer(&app)?;
    let site = visitor.site(&app);
    Ok(shown(&site, &viewer, &Typed::of_query(&query), None))
}

/// The form with what was typed, and what was wrong with it.
fn shown(site: &Site<'_>, viewer: &Viewer, typed: &Typed, refused: Option<&Problem>) -> Response {
    let mut page = Page::new(
        "Order a pizza",
        Section::Shop,
        html! {
            h1 { "Order a pizza" }
            @if let Some(problem) = refused {
                p.card.wrong role="alert" #wrong {
                    (sentence(problem, label_of))
                }
            }
            div.columns {
                (form(site, viewer, typed, refused))
                (menu(site))
            }
        },
    );
    if let Some(problem) = refused {
        page.status = problem.code.status();
    }
    site.show(page)
}

fn form(site: &Site<'_>, viewer: &Viewer, typed: &Typed, refused: Option<&Problem>) -> Markup {
    let is_wrong = |field: &str| {
        let named = refused.and_then(|problem| problem.field.as_deref());
        (named == Some(field)).then_some("true")
    };
    let size = typed.size.as_deref().and_then(|size| size.parse().ok());
    html! {
        form.card #order method="post" action=(site.at("/shop/orders"))
            data-quote=(site.at("/shop/quote")) {
            (site.form_token())
            (key_field(Uuid::new_v4(), typed.key.as_deref(), refused))
            label for="flavour" { "Flavour" }
            input #flavour name="flavour" list="flavours" autocomplete="off"
                value=(typed.flavour.as_deref().unwrap_or("plain"))
                aria-invalid=[is_wrong("flavour")];
            datalist #flavours {
                @for item in site.app.use_cases().menu().flavours {
                    option value=(item.flavour.as_str()) {}
                }
            }
            label for="size" { "Size" }
            (size_choice("size", size.unwrap_or_default()))
            label for="quantity" { "How many (pizzas)" }
            input #quantity name="quantity" type="number" inputmode="numeric"
                min="1" max=(Quantity::MAX)
                value=(typed.quantity.as_deref().unwrap_or("1"))
                aria-invalid=[is_wrong("quantity")];
            @if !matches!(viewer, Viewer::Customer(_)) {
                label for="customer" { "Customer, if you like" }
                input #customer name="customerId" autocomplete="username"
                    placeholder=(CustomerId::default()) maxlength=(CustomerId::MAX_LENGTH) pattern="[A-Za-z0-9._\\-]+"
                    title="letters from A to Z, digits, dots, underscores and dashes"
                    value=[typed.customer_id.as_deref()]
                    aria-invalid=[is_wrong("customerId")];
            }
            @if site.app.use_cases().settings.fault_injection { (simulation(site, typed)) }
            (quote_of(site, viewer, typed))
            button { "Order" }
        }
    }
}

/// How the order is to go, where errors are simulated.
fn simulation(site: &Site<'_>, typed: &Typed) -> Markup {
    let longest = site.app.use_cases().settings.longest_pace;
    let is_allowed = |seconds: &str| {
        let seconds = seconds.parse().unwrap_or(f64::NAN);
        Pace::from_seconds(seconds).is_ok_and(|pace| pace.check_up_to(longest).is_ok())
    };
    let scenario = typed.error_on_step.as_deref().unwrap_or("none");
    let pace = typed.per_step_delay_seconds.as_deref().unwrap_or(PACE);
    let names = ErrorOnStep::all().map(ErrorOnStep::as_str);
    html! {
        label for="scenario" { "What goes wrong" }
        select #scenario name="errorOnStep" {
            @for (number, name) in (0..).zip(names) {
                option value=(name) selected[name == scenario] {
                    (number) " " (scenario_words(number))
                }
            }
            option value=(ErrorOnStep::ALL_NAME) selected[scenario == ErrorOnStep::ALL_NAME] {
                "All eight, side by side"
            }
        }
        label for="pace" { "Pace" }
        select #pace name="perStepDelaySeconds" {
            @for (seconds, words) in PACES.into_iter().filter(|it| is_allowed(it.0)) {
                option value=(seconds) selected[seconds == pace] { (words) }
            }
        }
    }
}

const fn scenario_words(number: u8) -> &'static str {
    match number {
        0 => "nothing",
        1 => "the order cannot be taken",
        2 => "the payment is declined",
        3 => "the points cannot be given",
        4 => "the kitchen refuses",
        5 => "the kitchen never answers",
        6 => "the refund fails as well",
        7 => "the points cannot be taken back",
        _ => "",
    }
}

/// A field, as the form calls it.
fn label_of(field: &str) -> &str {
    match field {
        "flavour" => "The flavour",
        "size" => "The size",
        "quantity" => "The number of pizzas",
        "customerId" => "The customer",
        "Idempotency-Key" => "The form's key",
        "errorOnStep" => "What goes wrong",
        "perStepDelaySeconds" => "The pace",
        other => other,
    }
}

fn menu(site: &Site<'_>) -> Markup {
    let offer = site.app.use_cases().menu();
    html! {
        section.card aria-label="Menu" {
            h2 { "Menu" }
            div.scroll tabindex="0" role="region" aria-label="Prices" {
                table {
                    thead { tr {
                        th scope="col" { "Flavour" }
                        @for size in Size::ALL { th.number scope="col" { (size) } }
                    } }
                    tbody {
                        @for item in &offer.flavours {
                            tr {
                                th scope="row" {
                                    bdi { (item.flavour.as_str()) }
                                    @if item.discount.percent() > 0 {
                                        div.soft { (item.discount.percent()) "% off" }
                                    }
                                }
                                @for size in Size::ALL {
                                    td.number { (money(item.prices.of(size).minor())) }
                                }
                            }
                        }
                        tr {
                            th scope="row" { "Anything else" }
                            @for size in Size::ALL {
                                td.number { (money(offer.custom.of(size).minor())) }
                            }
                        }
                    }
                }
            }
            p.soft { "Prices are for one pizza, before the discount. Whoever likes pineapple is one of us." }
        }
    }
}

/// `GET /shop/quote`: what the order of the form would cost.
pub(super) async fn quote(
    State(app): State<AppState>,
    visitor: Visitor,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, Problem> {
    let viewer = visitor.viewer(&app)?;
    let site = visitor.site(&app);
    Ok(quote_of(&site, &viewer, &Typed::of_query(&query)).into_response())
}

fn quote_of(site: &Site<'_>, viewer: &Viewer, typed: &Typed) -> Markup {
    let use_cases = site.app.use_cases();
    let quote = typed.request().and_then(|request| {
        let quote = use_cases.quote(viewer, request);
        quote.map_err(Problem::from)
    });
    html! {
        div.quote data-part="quote" aria-live="polite" {
            @match quote {
                Ok(quote) => {
                    p.lead {
                        "Total " strong { (money(quote.order.total.minor())) }
                        @if quote.order.total != quote.before_discount {
                            " instead of " s { (money(quote.before_discount.minor())) }
                        }
                    }
                    @if let Some(reason) = quote.order.discount.reason() {
                        p { (quote.order.discount.percent()) "% off. " (reason) }
                    }
                    p.soft { "Earns " (quote.order.points()) " points." }
                },
                Err(problem) => p.wrong { (detail(&problem, label_of)) },
            }
        }
    }
}

/// `POST /shop/orders`.
pub(super) async fn place(
    State(app): State<AppState>,
    Extension(client): Extension<Client>,
    form: Submitted<Viewer>,
) -> Result<Response, Problem> {
    let viewer = &form.right;
    let typed = Typed::read(|field| form.text(field));
    let placed = match typed.request() {
        Ok(request) => app.place_order(&client, viewer, request).await,
        Err(problem) => Err(problem),
    };
    let site = form.visitor.site(&app);
    let placed = match placed {
        Ok(placed) => placed,
        Err(problem) => return Ok(shown(&site, viewer, &typed, Some(&problem))),
    };
    let next = if placed.all.is_empty() {
        format!("/orders/{}", placed.first.order_id)
    } else {
        let ids = placed.all.iter().map(|order| order.order_id.to_string());
        let ids: Vec<String> = ids.collect();
        format!("/shop/scenarios?all=yes&orders={}", ids.join("."))
    };
    Ok(Redirect::to(&site.at(&next)).into_response())
}

/// The orders that are shown side by side, by the query, each once, and what
/// goes wrong with it, where that is known.
fn side_by_side(query: &HashMap<String, String>) -> Result<Vec<(OrderId, Option<u8>)>, Problem> {
    let most = ErrorOnStep::SCENARIOS.len();
    let ids = query.get("orders").map_or("", String::as_str);
    let ids: Result<Vec<OrderId>, _> = ids.split('.').map(str::parse).collect();
    let refused = || {
        let detail = format!("must be 1 to {most} orders' ids with dots between them");
        Problem::new(ErrorCode::InvalidOrderId, detail).field("orders")
    };
    let ids = ids.ok().filter(|ids| ids.len() <= most);
    let ids = ids.ok_or_else(refused)?;
    let mut seen = HashSet::new();
    let each = ids.into_iter().filter(|id| seen.insert(*id));
    let scenarios = (0..).map(|number| is_all(query).then_some(number));
    Ok(each.zip(scenarios).collect())
}

/// `GET /shop/scenarios`: some orders side by side.
pub(super) async fn scenarios(
    State(app): State<AppState>,
    visitor: Visitor,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, Problem> {
    let orders = side_by_side(&query)?;
    let site = visitor.site(&app);
    let viewer = visitor.viewer(&app)?;
    let mut columns = Vec::new();
    for (id, scenario) in &orders {
        let now = app.use_cases().follow_order(&viewer, *id).await?;
        columns.push(column(&site, &now, *scenario, now_ms()));
    }
    let joined: Vec<String> = orders.iter().map(|(id, _)| id.to_string()).collect();
    let all = if is_all(&query) { "all=yes&" } else { "" };
    let mut page = Page::new(
        "Side by side",
        Section::Shop,
        html! {
            h1 { "Side by side" }
            (legend())
            div.columns.small { @for column in columns { (column) } }
        },
    );
    let live = format!("/shop/scenarios/live?{all}orders={}", joined.join("."));
    page.live = Some(site.at(&live));
    Ok(site.show(page))
}

/// Whether the orders are one for each scenario, in their order.
fn is_all(query: &HashMap<String, String>) -> bool {
    query.get("all").is_some_and(|all| all == "yes")
}

fn column(site: &Site<'_>, now: &OrderNow, scenario: Option<u8>, at_ms: i64) -> Markup {
    let order = &now.state.record;
    let id = order.order_id;
    html! {
        section.card data-part=(format!("order-{id}")) aria-label=(format!("Order {}", short(id))) {
            h2 { a href=(site.at(&format!("/orders/{id}"))) { "Order " (short(id)) } }
            @if let Some(number) = scenario { p.soft { "What goes wrong: " (scenario_words(number)) } }
            p { (badge(order.status)) " " (pizza(order)) }
            @if let Some(reason) = &order.cancelled { p.wrong { bdi { (reason.message) } } }
            (picture::draw(&saga(now), at_ms))
        }
    }
}

/// `GET /shop/scenarios/live`.
pub(super) async fn scenarios_live(
    State(app): State<AppState>,
    Extension(closing): Extension<Closing>,
    Extension(client): Extension<Client>,
    visitor: Visitor,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, Problem> {
    let mut states = SelectAll::new();
    for (id, scenario) in side_by_side(&query)? {
        let follower = Follower::new(&app, &client, visitor.clone(), id)?;
        states.push(Box::pin(columns(
            app.clone(),
            visitor.clone(),
            follower,
            scenario,
        )));
    }
    Ok(stream_of(&app, closing, visitor, states))
}

/// An order's column, as it changes.
fn columns(
    app: AppState,
    visitor: Visitor,
    follower: Follower,
    scenario: Option<u8>,
) -> impl Stream<Item = Markup> + Send {
    let since_ms = follower.since_ms;
    let states = stream::unfold(follower, async |mut follower| {
        let now = follower.next().await?;
        Some((now, follower))
    });
    changes(states.map(move |now| {
        let site = visitor.site(&app);
        column(&site, &now, scenario, since_ms)
    }))
}
