//! The page of one order.

use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use futures::stream;
use maud::{Markup, html};
use pizza_app::access::Viewer;
use pizza_app::keys::Role;
use pizza_app::timeline::{Entry, Outcome, SourceState};
use pizza_app::{OrderNow, UseCaseError, Watcher};
use pizza_contract::reading::integer_in;
use pizza_contract::{AmendOrder, ErrorCode};
use pizza_domain::{MoneyState, OrderId, OrderStatus, PointsState, Quantity, Size};
use pizza_store::{FailedTaskState, OrderRecord, OwedTask, now_ms};
use tokio::time::sleep;

use super::form::Submitted;
use super::layout::{Page, Section, Site};
use super::live::stream_of;
use super::picture::{self, Known, Saga, State as StepState};
use super::problem::{as_it_is, sentence};
use super::session::Visitor;
use super::text::{ago, count, left, money, took};
use crate::client::Client;
use crate::connection::Closing;
use crate::extract::OrderIdInPath;
use crate::gateway::{App, AppState};
use crate::problem::Problem;
use crate::streams::Place;

/// How often an order is looked at while a step is under way: its tries, and
/// what it waits for, no change of the order tells of.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The same while it only waits for an operator.
const LOOK_AT_PARKED_EVERY: Duration = Duration::from_secs(5);

/// The most entries of a timeline on the page, the last ones. An order
/// without a fault has about 30.
const MOST_ENTRIES: usize = 60;

/// `GET /orders/{id}`, to a browser.
pub(crate) async fn page(app: &App, visitor: &Visitor, id: OrderId) -> Result<Response, Problem> {
    shown(app, visitor, id, None).await
}

/// The order's page, and what was wrong with what was asked of it.
async fn shown(
    app: &App,
    visitor: &Visitor,
    id: OrderId,
    refused: Option<Problem>,
) -> Result<Response, Problem> {
    let viewer = visitor.viewer(app)?;
    let now = app.use_cases().follow_order(&viewer, id).await?;
    let site = visitor.site(app);
    let drawing = Drawing::of(&site, &now, now_ms());
    let mut page = Page::new(
        format!("Order {}", short(id)),
        Section::Shop,
        html! {
            h1 { "Your order" }
            p.soft { "Order " span.id { (id) } }
            @if let Some(problem) = &refused {
                p.card.wrong role="alert" { (sentence(problem, as_it_is)) }
            }
            div.columns {
                div { (drawing.summary) (drawing.actions) }
                (drawing.picture)
            }
            (drawing.timeline)
        },
    );
    if !drawing.is_settled {
        page.live = Some(site.at(&format!("/shop/orders/{id}/live")));
    }
    if let Some(problem) = refused {
        page.status = problem.code.status();
    }
    Ok(site.show(page))
}

/// The first part of an order's id, which tells the orders of a day apart.
pub(super) fn short(id: OrderId) -> String {
    id.to_string().chars().take(8).collect()
}

/// The parts of the page that change.
struct Drawing {
    summary: Markup,
    actions: Markup,
    picture: Markup,
    timeline: Markup,
    /// Whether nothing changes any more.
    is_settled: bool,
}

impl Drawing {
    /// Drawn with the ages and the times left of a moment. The script says
    /// them anew; drawn with another moment each time, a page would change
    /// all the time.
    fn of(site: &Site<'_>, now: &OrderNow, at_ms: i64) -> Self {
        let saga = saga(now);
        Self {
            summary: summary(site, now, at_ms),
            actions: actions(site, &now.state.record),
            picture: html! {
                section.card data-part="picture" aria-label="The order's way" {
                    h2 { "Its way" }
                    (picture::draw(&saga, at_ms))
                    @if let Some((after, until_ms)) = &saga.pause {
                        p.soft { "A pause that was asked for, " (after) ": " (left(*until_ms, at_ms)) }
                    }
                    (legend())
                }
            },
            timeline: timeline(site, now, at_ms),
            is_settled: is_settled(now, &saga),
        }
    }

    fn all(self) -> Markup {
        html! { (self.summary) (self.actions) (self.picture) (self.timeline) }
    }
}

/// The order in the saga.
pub(super) fn saga(now: &OrderNow) -> Saga {
    Saga::of(&Known {
        order: &now.state.record,
        timeline: &now.timeline,
        pending: &now.pending,
        due_at_ms: now.due_at_ms,
    })
}

/// Whether nothing will change that the page shows. What was let go stays
/// owed, and stays so.
pub(super) fn is_settled(now: &OrderNow, saga: &Saga) -> bool {
    let is_parked = |task: &OwedTask| task.state == FailedTaskState::Parked;
    now.state.record.status.is_final()
        && !saga.is_under_way()
        && !saga.is_parked()
        && !now.owed().iter().any(is_parked)
        && !is_running(now)
}

/// Whether one of its workflows has not ended, as far as Temporal says.
fn is_running(now: &OrderNow) -> bool {
    let steps = now.timeline.entries.iter();
    let mut running = steps.filter(|entry| entry.outcome == Some(Outcome::Running));
    running.next().is_some()
}

/// A status, with how it bodes.
pub(super) fn badge(status: OrderStatus) -> Markup {
    let state = match status {
        OrderStatus::DeliveryConfirmed => StepState::Done,
        OrderStatus::Cancelled | OrderStatus::PaymentFailed => StepState::Failed,
        OrderStatus::Refunding => StepState::Retrying,
        OrderStatus::Pending => StepState::Waiting,
        _ => StepState::Running,
    };
    html! {
        span class={ "badge " (state.name()) } data-status=(status) { (status_words(status)) }
    }
}

pub(super) const fn status_words(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::Pending => "Taken",
        OrderStatus::PaymentProcessing => "Being charged",
        OrderStatus::PaymentComplete => "Paid",
        OrderStatus::CookingStarted => "In the oven",
        OrderStatus::CookingCompleted => "Cooked",
        OrderStatus::DeliveryStarted => "On its way",
        OrderStatus::DeliveryConfirmed => "Delivered",
        OrderStatus::PaymentFailed => "Payment failed",
        OrderStatus::Cancelled => "Cancelled",
        OrderStatus::Refunding => "Being taken back",
    }
}

pub(super) const fn money_words(state: MoneyState) -> &'static str {
    match state {
        MoneyState::NotCharged => "not charged",
        MoneyState::Charged => "charged",
        MoneyState::Refunded => "given back",
        MoneyState::RefundParked => "owed back to the customer",
    }
}

pub(super) const fn points_words(state: PointsState) -> &'static str {
    match state {
        PointsState::None => "none",
        PointsState::Awarded => "given",
        PointsState::Parked => "owed to the customer",
        PointsState::Reclaimed => "taken back",
        PointsState::ReclaimParked => "still to be taken back",
    }
}

/// What becomes of what is owed.
const fn owed_words(state: FailedTaskState) -> &'static str {
    match state {
        FailedTaskState::Parked => "an operator looks after it",
        FailedTaskState::Done => "settled",
        FailedTaskState::Discarded => "let go by an operator",
    }
}

/// What was ordered, in words.
pub(super) fn pizza(order: &OrderRecord) -> Markup {
    html! {
        (count(order.quantity, "pizza", "pizzas")) ", " (order.size) ", "
        bdi { (order.flavour.as_str()) }
    }
}

fn summary(site: &Site<'_>, now: &OrderNow, at_ms: i64) -> Markup {
    let order = &now.state.record;
    let repairs = site.leads_to_operators();
    html! {
        section.card data-part="summary" aria-label="The order" {
            p { (badge(order.status)) }
            @if let Some(reason) = &order.cancelled {
                p.wrong { bdi { (reason.message) } }
            }
            dl {
                dt { "Pizza" } dd { (pizza(order)) }
                dt { "Total" } dd { (money(order.total)) }
                @if let Some(reason) = order.discount.reason() {
                    dt { "Discount" } dd { (order.discount.percent()) "%. " (reason) }
                }
                dt { "Money" } dd data-money=(order.money) { (money_words(order.money)) }
                dt { "Points" } dd data-points=(order.points) { (points_words(order.points)) }
                dt { "Customer" } dd { bdi { (order.customer_id) } }
                dt { "Ordered" } dd { (ago(order.placed_at_ms, at_ms)) }
                dt { "Last change" } dd { (ago(order.updated_at_ms, at_ms)) }
                @for (at, task) in now.owed().iter().enumerate() {
                    dt id=[(at == 0).then_some("owed")] { "Owed" }
                    dd data-owed=(task.queue) {
                        @if repairs {
                            a href=(site.at(&format!("/operator/tasks/{}", task.task_id))) { (task.queue) }
                        } @else { (task.queue) }
                        ", " (owed_words(task.state))
                    }
                }
            }
        }
    }
}

fn actions(site: &Site<'_>, order: &OrderRecord) -> Markup {
    let id = order.order_id;
    let may_cancel = order.cancelled.is_none()
        && !order.status.is_final()
        && !matches!(
            order.status,
            OrderStatus::DeliveryStarted | OrderStatus::Refunding | OrderStatus::PaymentFailed
        );
    let may_amend = may_cancel
        && !matches!(
            order.status,
            OrderStatus::CookingStarted | OrderStatus::CookingCompleted
        );
    html! {
        div data-part="actions" {
            @if may_amend { (amend_form(site, order)) }
            @if may_cancel {
                form.card method="post" action=(site.at(&format!("/shop/orders/{id}/cancel"))) {
                    (site.form_token())
                    button.quiet #cancel data-confirm="Cancel this order?" { "Cancel the order" }
                    p.soft { "What was charged is given back." }
                }
            }
        }
    }
}

fn amend_form(site: &Site<'_>, order: &OrderRecord) -> Markup {
    let action = site.at(&format!("/shop/orders/{}/amend", order.order_id));
    html! {
        details.card #amend {
            summary { "Change the order" }
            form method="post" action=(action) {
                (site.form_token())
                label for="amend-flavour" { "Flavour" }
                input #amend-flavour name="flavour" value=(order.flavour.as_str()) required;
                label for="amend-size" { "Size" }
                (size_choice("amend-size", order.size))
                label for="amend-quantity" { "How many" }
                input #amend-quantity name="quantity" type="number" required
                    min="1" max=(Quantity::MAX) value=(order.quantity);
                button { "Change it" }
            }
            p.soft { "Until the kitchen accepts. A difference is charged, or given back." }
        }
    }
}

/// The sizes, one of them chosen.
pub(super) fn size_choice(id: &str, chosen: Size) -> Markup {
    html! {
        select id=(id) name="size" {
            @for size in Size::ALL {
                option value=(size) selected[size == chosen] { (size) }
            }
        }
    }
}

/// What the signs of the picture mean.
pub(super) fn legend() -> Markup {
    let told = [
        StepState::Running,
        StepState::Waiting,
        StepState::Retrying,
        StepState::Done,
        StepState::Failed,
        StepState::Parked,
        StepState::Undone,
    ];
    html! {
        p.soft aria-hidden="true" {
            @for state in told {
                span.sign { span class=(state.name()) { (state.glyph()) } " " (state.words()) } " "
            }
        }
    }
}

fn timeline(site: &Site<'_>, now: &OrderNow, at_ms: i64) -> Markup {
    let entries = &now.timeline.entries;
    let left_out = entries.len().saturating_sub(MOST_ENTRIES);
    // Programs get it with a key, which no link carries.
    let is_open = !site.app.gateway.keys.knows(Role::Customer);
    let whole = site.at(&format!("/orders/{}/timeline", now.state.record.order_id));
    html! {
        section.card data-part="timeline" aria-label="What happened" {
            h2 { "What happened" }
            @if now.timeline.sources.temporal == SourceState::Unavailable {
                p.soft { "Temporal does not answer right now: its steps are left out." }
            }
            @if left_out > 0 {
                p.soft {
                    "The first " (left_out) " entries are in the "
                    @if is_open { a href=(whole) { "whole list" } "." }
                    @else { "whole list: " code { "pizza status ID --timeline" } "." }
                }
            }
            ol.timeline {
                @for entry in entries.iter().skip(left_out) { (told(entry, at_ms)) }
            }
        }
    }
}

fn told(entry: &Entry, at_ms: i64) -> Markup {
    let tries = entry.attempts.filter(|tries| *tries > 1);
    let outcome = entry.outcome.and_then(outcome_words);
    let outcome = outcome.filter(|words| !entry.what.ends_with(words));
    html! {
        li data-kind=(entry.kind.as_str()) {
            bdi { (entry.what) }
            @if let Some(outcome) = outcome { ", " strong { (outcome) } }
            @if let Some(code) = &entry.detail.code { " (" (code) ")" }
            div.when {
                (ago(entry.at_ms, at_ms))
                @if let Some(ms) = entry.duration_ms { ", took " (took(ms)) }
                @if let Some(tries) = tries { ", " (tries) " tries" }
                @if let Some(reason) = &entry.detail.reason { ", “" bdi { (reason) } "”" }
            }
        }
    }
}

/// How a step ended; none where it ended well.
fn outcome_words(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Ok => None,
        Outcome::Cancelled => Some("called off"),
        other => Some(other.as_str()),
    }
}

/// `GET /shop/orders/{id}/live`: the order's page as it changes.
pub(super) async fn live(
    State(app): State<AppState>,
    Extension(closing): Extension<Closing>,
    Extension(client): Extension<Client>,
    visitor: Visitor,
    OrderIdInPath(id): OrderIdInPath,
) -> Result<Response, Problem> {
    let follower = Follower::new(&app, &client, visitor.clone(), id)?;
    // An order that is not there is refused, and not watched.
    let viewer = &follower.viewer;
    app.use_cases().get_order(viewer, id).await?;
    let states = stream::unfold(follower, async |mut follower| {
        let now = follower.next().await?;
        let drawn = follower.draw(&now);
        Some((drawn, follower))
    });
    Ok(stream_of(&app, closing, visitor, states))
}

/// Somebody who looks on while an order is under way.
pub(super) struct Follower {
    app: AppState,
    visitor: Visitor,
    viewer: Viewer,
    id: OrderId,
    /// When they began.
    pub(super) since_ms: i64,
    watcher: Watcher,
    /// How long until the next look; none before the first one.
    rest: Option<Duration>,
    is_over: bool,
    place: Place,
}

impl Follower {
    pub(super) fn new(
        app: &AppState,
        client: &Client,
        visitor: Visitor,
        id: OrderId,
    ) -> Result<Self, Problem> {
        Ok(Self {
            viewer: visitor.viewer(app)?,
            watcher: app.feed.watch(id),
            place: app.streams.place(client)?,
            app: app.clone(),
            visitor,
            id,
            since_ms: now_ms(),
            rest: None,
            is_over: false,
        })
    }

    /// Where the order is, once it may have changed; none after its end, or
    /// once its visitor has signed out. What cannot be read now is read later.
    pub(super) async fn next(&mut self) -> Option<OrderNow> {
        if self.is_over {
            return None;
        }
        if let Some(rest) = self.rest {
            tokio::select! {
                () = self.watcher.woken() => {}
                () = sleep(rest) => {}
            }
        }
        loop {
            match self.look().await {
                Ok(None) => return None,
                Ok(Some(now)) => {
                    let saga = saga(&now);
                    self.is_over = is_settled(&now, &saga);
                    let is_waiting = saga.is_parked() && !saga.is_under_way();
                    self.rest = Some(match is_waiting {
                        true => LOOK_AT_PARKED_EVERY,
                        false => LOOK_EVERY,
                    });
                    return Some(now);
                }
                Err(error) if error.may_pass() => sleep(LOOK_EVERY).await,
                Err(_) => return None,
            }
        }
    }

    /// The order, to whoever has not signed out meanwhile.
    async fn look(&self) -> Result<Option<OrderNow>, UseCaseError> {
        let _turn = self.place.turn_to_draw().await;
        if self.visitor.has_left(&self.app).await {
            return Ok(None);
        }
        let use_cases = self.app.use_cases();
        let now = use_cases.follow_order(&self.viewer, self.id).await?;
        Ok(Some(now))
    }

    fn draw(&self, now: &OrderNow) -> Markup {
        let site = self.visitor.site(&self.app);
        Drawing::of(&site, now, self.since_ms).all()
    }
}

/// `POST /shop/orders/{id}/cancel`.
pub(super) async fn cancel(
    State(app): State<AppState>,
    OrderIdInPath(id): OrderIdInPath,
    form: Submitted<Viewer>,
) -> Result<Response, Problem> {
    let cancelled = app.use_cases().cancel_order(&form.right, id).await;
    answered(&app, &form.visitor, id, cancelled.map(drop)).await
}

/// `POST /shop/orders/{id}/amend`.
pub(super) async fn amend(
    State(app): State<AppState>,
    OrderIdInPath(id): OrderIdInPath,
    form: Submitted<Viewer>,
) -> Result<Response, Problem> {
    let quantity = form.text("quantity").map(whole_number).transpose()?;
    let request = AmendOrder {
        flavour: form.text("flavour").map(str::to_owned),
        size: form.text("size").map(str::to_owned),
        quantity,
    };
    // To ask for the same again changes nothing, so it needs no key.
    let amended = app.use_cases().amend_order(&form.right, id, request, None);
    let amended = amended.await.map(drop);
    answered(&app, &form.visitor, id, amended).await
}

/// The number that a field's text is.
pub(super) fn whole_number(text: &str) -> Result<i128, Problem> {
    integer_in(text.trim()).ok_or_else(|| {
        let detail = "must be a whole number";
        Problem::new(ErrorCode::InvalidType, detail).field("quantity")
    })
}

/// Back to the order, which says itself what became of it, or with what was
/// wrong.
async fn answered(
    app: &App,
    visitor: &Visitor,
    id: OrderId,
    done: Result<(), UseCaseError>,
) -> Result<Response, Problem> {
    match done.map_err(Problem::from) {
        Ok(()) => {
            let order = format!("{}/orders/{id}", app.base_path());
            Ok(Redirect::to(&order).into_response())
        }
        Err(problem) if problem.code == ErrorCode::OrderNotFound => Err(problem),
        Err(problem) => shown(app, visitor, id, Some(problem)).await,
    }
}
