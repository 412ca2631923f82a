//! Draws an order in the saga: from top to bottom, as wide as a phone.

use maud::{Markup, html};
use pizza_domain::{OrderStatus, Step};
use pizza_workflows::steps::{Part, STEPS, StepSpec};

use super::{Saga, ShownStep, State, words};
use crate::pages::text::{beginning, said_left};

/// The drawing's width, in units of which a phone has about as many.
const WIDTH: i32 = 360;

/// The most that fits into a box's line, in characters.
const LINE: usize = 24;

/// From the top of a box to the top of the next one below it.
const ROW: i32 = 76;

/// How much higher the box of the kitchen's wait is: it lists the stages.
const STAGES: i32 = 74;

/// A box.
#[derive(Clone, Copy)]
struct Place {
    x: i32,
    y: i32,
    width: i32,
    height: i32,
}

impl Place {
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

/// A column of boxes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lane {
    /// The steps that every order takes.
    Middle,
    /// The loyalty branch, and below it the rollback.
    Left,
    /// The kitchen.
    Right,
}

impl Lane {
    const fn of(part: Part) -> Self {
        match part {
            Part::Order => Self::Middle,
            Part::Loyalty | Part::Rollback => Self::Left,
            Part::Fulfilment => Self::Right,
        }
    }

    const fn box_at(self, y: i32, height: i32) -> Place {
        let x = match self {
            Self::Middle => 102,
            Self::Left => 12,
            Self::Right => 192,
        };
        Place {
            x,
            y,
            width: 156,
            height,
        }
    }
}

/// Where everything stands: each step below those of its lane that come before.
struct Layout {
    places: [Place; STEPS.len()],
    delivered: Place,
    cancelled: Place,
    height: i32,
}

impl Layout {
    fn new() -> Self {
        let middle = STEPS.into_iter().filter(|it| it.part == Part::Order);
        let below_middle = 8 + ROW * i32::try_from(middle.count()).unwrap_or_default();
        let (mut middle, mut left, mut right) = (8, below_middle, below_middle);
        let mut rollback_has_begun = false;
        let places = STEPS.map(|spec| {
            let lane = Lane::of(spec.part);
            let next = match lane {
                Lane::Middle => &mut middle,
                Lane::Left => &mut left,
                Lane::Right => &mut right,
            };
            if spec.part == Part::Rollback && !rollback_has_begun {
                rollback_has_begun = true;
                // Room for the ways that lead here.
                *next += 26;
            }
            let more = i32::from(spec.step == Step::ProcessOrder) * STAGES;
            let place = lane.box_at(*next, 50 + more);
            *next += ROW + more;
            place
        });
        let ends = left.max(right);
        Self {
            places,
            delivered: Lane::Right.box_at(ends, 40),
            cancelled: Lane::Left.box_at(ends, 40),
            height: ends + 50,
        }
    }

    const fn of(&self, step: Step) -> Place {
        self.places[step as usize]
    }
}

/// The order in the saga, for eyes, and as a list for everybody else.
pub(in crate::pages) fn draw(saga: &Saga, now_ms: i64) -> Markup {
    let layout = &Layout::new();
    html! {
        svg.picture viewBox=(format!("0 0 {WIDTH} {}", layout.height)) aria-hidden="true" focusable="false" {
            (ways(saga, layout))
            @for part in &saga.parts { (drawn(saga, part, layout.of(part.step), now_ms)) }
            (end(saga, OrderStatus::DeliveryConfirmed, layout.delivered, "Delivered"))
            (end(saga, OrderStatus::Cancelled, layout.cancelled, "Cancelled"))
        }
        ol.hidden aria-label="The steps of the order" {
            @for part in &saga.parts {
                li data-step=(part.step) data-state=(part.state.name()) {
                    (StepSpec::of(part.step).label) ": " (part.state.words())
                    @if !part.note.is_empty() { ", " (part.note) }
                }
                @if part.step == Step::ProcessOrder {
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

fn drawn(saga: &Saga, part: &ShownStep, place: Place, now_ms: i64) -> Markup {
    let step = part.step;
    let (left, line) = (place.x + 10, place.y + 20);
    html! {
        g class=(part.state.name()) {
            title { (StepSpec::of(step).label) ": " (part.state.words()) " " (part.note) }
            (frame(place))
            text.title x=(left) y=(line) { (StepSpec::of(step).label) }
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
fn note(part: &ShownStep, now_ms: i64) -> Markup {
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
fn ways(saga: &Saga, layout: &Layout) -> Markup {
    let state = |step| saga.part(step).map_or(State::Ahead, |part| part.state);
    let reached = |step| !matches!(state(step), State::Ahead | State::Skipped);
    let failed = |step| matches!(state(step), State::Failed | State::Parked);
    let mut ways = Vec::new();
    for spec in STEPS {
        let to = layout.of(spec.step);
        for before in spec.follows() {
            let is_taken = reached(spec.step) && reached(before.step) && !failed(before.step);
            ways.push((down(layout.of(before.step), to), "", is_taken));
        }
        for before in spec.follows_failure_of() {
            let is_taken = reached(spec.step) && failed(before.step);
            let way = around(Lane::of(before.part), layout.of(before.step), to);
            ways.push((way, "rollback", is_taken));
        }
    }
    let ends = [
        (
            Step::ProcessOrder,
            layout.delivered,
            OrderStatus::DeliveryConfirmed,
        ),
        (
            Step::NotifyCustomer,
            layout.cancelled,
            OrderStatus::Cancelled,
        ),
    ];
    for (before, to, status) in ends {
        ways.push((down(layout.of(before), to), "", saga.status == status));
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
fn around(lane: Lane, from: Place, to: Place) -> String {
    let (start, end) = (from.half_way_down(), to.half_way_down());
    match lane {
        // Between the two columns.
        Lane::Right => format!("M{} {start}H180V{end}H{}", from.x, to.right()),
        // Along the left edge, past the steps that are not needed.
        Lane::Middle => format!("M{} {start}H4V{end}H{}", from.x, to.x),
        Lane::Left => format!("M{} {start}H174V{end}H{}", from.right(), to.right()),
    }
}
