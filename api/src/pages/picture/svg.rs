//! Draws an order in the saga: from top to bottom, as wide as a phone.

use maud::{Markup, html};
use pizza_domain::{OrderStatus, Step};
use pizza_workflows::saga::STATIONS;

use super::{Part, Saga, State, title, words};
use crate::pages::text::{beginning, said_left};

/// The drawing's size, in units of which a phone has about as many.
const WIDTH: i32 = 360;
const HEIGHT: i32 = 540;

/// The most that fits into a box's line, in characters.
const LINE: usize = 24;

/// A box.
#[derive(Clone, Copy)]
struct Place {
    x: i32,
    y: i32,
    width: i32,
    height: i32,
}

impl Place {
    const fn new(x: i32, y: i32, height: i32) -> Self {
        Self {
            x,
            y,
            width: 156,
            height,
        }
    }

    /// The steps that every order takes stand in the middle, the loyalty
    /// branch and the way back to the left, the kitchen to the right.
    const fn of(step: Step) -> Self {
        match step {
            Step::CreateOrder => Self::new(102, 8, 50),
            Step::ProcessPayment => Self::new(102, 84, 50),
            Step::AddLoyaltyPoints => Self::new(12, 160, 50),
            Step::PrepareOrder => Self::new(192, 160, 50),
            Step::ProcessOrder => Self::new(192, 236, 124),
            Step::RefundPayment => Self::new(12, 262, 50),
            Step::ReclaimLoyaltyPoints => Self::new(12, 338, 50),
            Step::NotifyCustomer => Self::new(12, 414, 50),
        }
    }

    const fn middle(self) -> i32 {
        self.x + self.width / 2
    }

    const fn bottom(self) -> i32 {
        self.y + self.height
    }

    const fn right(self) -> i32 {
        self.x + self.width
    }

    const fn half_way_down(self) -> i32 {
        self.y + self.height / 2
    }
}

const DELIVERED: Place = Place::new(192, 490, 40);
const CANCELLED: Place = Place::new(12, 490, 40);

/// The order in the saga, for eyes, and as a list for everybody else.
pub(in crate::pages) fn draw(saga: &Saga, now_ms: i64) -> Markup {
    html! {
        svg.picture viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) aria-hidden="true" focusable="false" {
            (ways(saga))
            @for part in &saga.parts { (drawn(saga, part, now_ms)) }
            (end(saga, OrderStatus::DeliveryConfirmed, DELIVERED, "Delivered"))
            (end(saga, OrderStatus::Cancelled, CANCELLED, "Cancelled"))
        }
        ol.hidden aria-label="The steps of the order" {
            @for part in &saga.parts {
                li data-step=(part.station.step) data-state=(part.state.name()) {
                    (title(part.station.step)) ": " (part.state.words())
                    @if !part.note.is_empty() { ", " (part.note) }
                }
                @if part.station.step == Step::ProcessOrder {
                    @for stage in &saga.stages {
                        li data-stage=(stage.report) data-state=(stage.state.name()) {
                            (words(stage.report)) ": " (stage.state.words())
                        }
                    }
                }
            }
        }
    }
}

fn drawn(saga: &Saga, part: &Part, now_ms: i64) -> Markup {
    let step = part.station.step;
    let place = Place::of(step);
    let (left, line) = (place.x + 10, place.y + 20);
    html! {
        g class=(part.state.name()) {
            title { (title(step)) ": " (part.state.words()) " " (part.note) }
            (frame(place))
            text.title x=(left) y=(line) { (title(step)) }
            text.glyph x=(place.right() - 8) y=(line) { (part.state.glyph()) }
            text.note x=(left) y=(line + 18) { (note(part, now_ms)) }
            @if step == Step::ProcessOrder {
                @for (row, stage) in (0..).zip(&saga.stages) {
                    text.stage x=(left) y=(line + 38 + 17 * row) {
                        (stage.state.glyph()) " " (words(stage.report))
                    }
                }
            }
        }
    }
}

fn frame(place: Place) -> Markup {
    let Place {
        x,
        y,
        width,
        height,
    } = place;
    html! { rect x=(x) y=(y) width=(width) height=(height) rx="8" {} }
}

/// What is said of a step: its own words, and how long until it goes on.
fn note(part: &Part, now_ms: i64) -> Markup {
    let note = match part.note.as_str() {
        "" => part.state.words(),
        note => note,
    };
    html! {
        @match part.until_ms {
            Some(until_ms) => {
                (beginning(note, LINE - 9)) ", "
                tspan data-until=(until_ms) { (said_left(until_ms - now_ms)) }
            },
            None => (beginning(note, LINE)),
        }
    }
}

fn end(saga: &Saga, status: OrderStatus, place: Place, name: &str) -> Markup {
    let state = match saga.status {
        reached if reached == status => State::Done,
        other if other.is_final() => State::Skipped,
        _ => State::Ahead,
    };
    // A cancelled order came to its end, and not to the one that was wanted.
    let state = match state {
        State::Done if status == OrderStatus::Cancelled => State::Failed,
        state => state,
    };
    html! {
        g class=(state.name()) {
            (frame(place))
            text.title x=(place.x + 10) y=(place.y + 25) { (name) }
            @if !matches!(state, State::Ahead | State::Skipped) {
                text.glyph x=(place.right() - 8) y=(place.y + 25) { (state.glyph()) }
            }
        }
    }
}

/// The ways between the boxes.
fn ways(saga: &Saga) -> Markup {
    let state = |step| saga.part(step).map_or(State::Ahead, |part| part.state);
    let reached = |step| !matches!(state(step), State::Ahead | State::Skipped);
    let failed = |step| matches!(state(step), State::Failed | State::Parked);
    let mut ways = Vec::new();
    for station in &STATIONS {
        let to = Place::of(station.step);
        for &before in station.follows {
            let is_taken = reached(station.step) && reached(before) && !failed(before);
            ways.push((down(Place::of(before), to), "", is_taken));
        }
        for &before in station.follows_failure_of {
            let is_taken = reached(station.step) && failed(before);
            let way = around(before, station.step);
            ways.push((way, "rollback", is_taken));
        }
    }
    let ends = [
        (
            Step::ProcessOrder,
            DELIVERED,
            OrderStatus::DeliveryConfirmed,
        ),
        (Step::NotifyCustomer, CANCELLED, OrderStatus::Cancelled),
    ];
    for (before, to, status) in ends {
        ways.push((down(Place::of(before), to), "", saga.status == status));
    }
    // The ways that were taken lie on top of those that were not.
    ways.sort_by_key(|(.., is_taken)| *is_taken);
    html! {
        @for (way, kind, is_taken) in ways {
            path class={ (kind) @if is_taken { " taken" } } d=(way) {}
        }
    }
}

/// From the foot of a box to the head of one below it.
fn down(from: Place, to: Place) -> String {
    let turn = to.y - 13;
    format!(
        "M{} {}V{turn}H{}V{}",
        from.middle(),
        from.bottom(),
        to.middle(),
        to.y
    )
}

/// From the side of a box to the side of the one that its failure leads to.
fn around(failed: Step, next: Step) -> String {
    let (from, to) = (Place::of(failed), Place::of(next));
    let (start, end) = (from.half_way_down(), to.half_way_down());
    match failed {
        // Between the two columns.
        Step::PrepareOrder | Step::ProcessOrder => {
            format!("M{} {start}H180V{end}H{}", from.x, to.right())
        }
        // Along the left edge, past the steps that are not needed.
        Step::CreateOrder | Step::ProcessPayment => {
            format!("M{} {start}H4V{end}H{}", from.x, to.x)
        }
        _ => format!("M{} {start}H174V{end}H{}", from.right(), to.right()),
    }
}
