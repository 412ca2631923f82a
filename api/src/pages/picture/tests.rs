//! What is drawn of an order, by what is known of it.

use std::collections::{BTreeMap, BTreeSet};

use pizza_domain::{CancelReason, Discount, Flavour, OrderId, Size};
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;

fn order(status: OrderStatus, money: MoneyState, points: PointsState) -> OrderRecord {
    OrderRecord {
        order_id: OrderId::from_uuid(Uuid::from_u128(7)),
        customer_id: "ann".parse().expect("an id"),
        flavour: Flavour::default(),
        size: Size::Medium,
        quantity: 1,
        total: 1200,
        discount: Discount::of_percent(0),
        status,
        money,
        points,
        cancelled: None,
        version: 4,
        placed_at_ms: 0,
        updated_at_ms: 0,
    }
}

fn cancelled(step: Step, code: &str, money: MoneyState, points: PointsState) -> OrderRecord {
    OrderRecord {
        cancelled: Some(CancelReason {
            step,
            code: code.to_owned(),
            message: String::new(),
        }),
        ..order(OrderStatus::Cancelled, money, points)
    }
}

fn timeline(entries: Vec<Value>) -> Timeline {
    let timeline = json!({
        "orderId": null, "placedAt": null, "truncated": false,
        "sources": { "store": "read", "temporal": "read" },
        "entries": entries,
    });
    serde_json::from_value(timeline).expect("a timeline")
}

fn step(activity: &str, outcome: &str) -> Value {
    json!({
        "at": "2026-11-22T12:00:00Z", "kind": "step", "source": "temporal", "what": activity,
        "outcome": outcome, "durationMs": 12, "attempts": 1,
        "detail": { "activity": activity, "workflowId": "order-7", "code": "a-code" },
    })
}

fn wait(what: &str, for_ms: u64) -> Value {
    json!({
        "at": "1970-01-01T00:00:01Z", "kind": "wait", "source": "temporal", "what": what,
        "outcome": "running", "detail": { "forMs": for_ms },
    })
}

fn report(event: &str) -> Value {
    json!({
        "at": "2026-11-22T12:00:00Z", "kind": "report", "source": "store", "what": event,
        "detail": { "event": event },
    })
}

fn task(queue: &str, state: &str) -> Value {
    json!({
        "at": "2026-11-22T12:00:00Z", "kind": "parkedTask", "source": "store", "what": queue,
        "detail": { "queue": queue, "state": state, "code": "refund-refused" },
    })
}

fn saga(order: &OrderRecord, entries: Vec<Value>, pending: &[PendingStep]) -> Saga {
    Saga::of(&Known {
        order,
        timeline: &timeline(entries),
        pending,
        due_at_ms: Some(9_000),
    })
}

fn states(saga: &Saga) -> BTreeMap<&'static str, &'static str> {
    let parts = saga.parts.iter();
    parts
        .map(|part| (part.step.as_str(), part.state.name()))
        .collect()
}

#[track_caller]
fn assert_states(saga: &Saga, expected: [(Step, State); 8]) {
    let expected = expected.map(|(step, state)| (step.as_str(), state.name()));
    let states = states(saga);
    for (step, state) in expected {
        assert_eq!(states.get(step), Some(&state), "{step}: {states:?}");
    }
}

const UNDER_WAY: (OrderStatus, MoneyState, PointsState) = (
    OrderStatus::PaymentProcessing,
    MoneyState::NotCharged,
    PointsState::None,
);

#[test]
fn every_state_has_a_name_a_sign_and_words_of_its_own() {
    let told = State::ALL.map(|it| (it.name(), it.glyph(), it.words()));
    for texts in [
        told.map(|(name, ..)| name),
        told.map(|(_, glyph, _)| glyph),
        told.map(|(.., words)| words),
    ] {
        let different: BTreeSet<_> = texts.into_iter().collect();
        assert_eq!(different.len(), State::ALL.len());
    }
}

#[test]
fn a_step_that_is_tried_again_says_how_often_it_failed_and_when_it_goes_on() {
    let (status, money, points) = UNDER_WAY;
    let order = order(status, money, points);
    let entries = || {
        let mut running = step("processPayment", "running");
        running["attempts"] = Value::Null;
        vec![step("createOrder", "ok"), running]
    };
    let payment = |saga: &Saga| saga.part(Step::ProcessPayment).expect("a part").clone();
    let first = payment(&saga(&order, entries(), &[]));
    assert_eq!((first.state, first.note.as_str()), (State::Running, ""));
    let pending = PendingStep {
        activity: "processPayment".to_owned(),
        attempt: 3,
        next_at_ms: Some(5_000),
    };
    let third = payment(&saga(&order, entries(), &[pending]));
    assert_eq!(third.state, State::Retrying);
    assert_eq!(third.note, "2 tries failed");
    assert_eq!(third.until_ms, Some(5_000));
    let mut waiting = entries();
    waiting.push(wait("processPayment: wait before retry", 2_000));
    let second = payment(&saga(&order, waiting, &[]));
    assert_eq!(second.state, State::Retrying);
    assert_eq!(second.until_ms, Some(3_000));
}

#[test]
fn what_was_given_and_taken_back_is_shown_as_such() {
    let order = cancelled(
        Step::PrepareOrder,
        "kitchen-refused",
        MoneyState::Refunded,
        PointsState::Reclaimed,
    );
    let entries = vec![
        step("createOrder", "ok"),
        step("processPayment", "ok"),
        step("addLoyaltyPoints", "ok"),
        step("prepareOrder", "refused"),
        step("refundPayment", "ok"),
        step("reclaimLoyaltyPoints", "ok"),
        step("notifyCustomer", "ok"),
    ];
    assert_states(
        &saga(&order, entries, &[]),
        [
            (Step::CreateOrder, State::Done),
            (Step::ProcessPayment, State::Undone),
            (Step::AddLoyaltyPoints, State::Undone),
            (Step::PrepareOrder, State::Failed),
            (Step::ProcessOrder, State::Skipped),
            (Step::RefundPayment, State::Done),
            (Step::ReclaimLoyaltyPoints, State::Done),
            (Step::NotifyCustomer, State::Done),
        ],
    );
}

#[test]
fn points_that_wait_for_the_refund_are_not_said_to_be_kept() {
    let note = |money, points, entry| {
        let order = cancelled(Step::PrepareOrder, "kitchen-refused", money, points);
        let saga = saga(&order, vec![entry], &[]);
        let reclaim = saga.part(Step::ReclaimLoyaltyPoints).expect("a part");
        assert_eq!(reclaim.state, State::Skipped);
        reclaim.note.clone()
    };
    let parked = || task("refund-payment", "parked");
    let owed = MoneyState::RefundParked;
    assert_eq!(
        note(owed, PointsState::Awarded, parked()),
        "after the refund"
    );
    assert_eq!(note(owed, PointsState::None, parked()), "");
    let refunded = step("refundPayment", "ok");
    assert_eq!(note(MoneyState::Refunded, PointsState::None, refunded), "");
}

#[test]
fn what_a_customer_called_off_did_not_fail() {
    let order = cancelled(
        Step::ProcessPayment,
        CANCELLED_BY_CUSTOMER,
        MoneyState::NotCharged,
        PointsState::None,
    );
    let entries = vec![
        step("createOrder", "ok"),
        step("refundPayment", "ok"),
        step("reclaimLoyaltyPoints", "ok"),
    ];
    let saga = saga(&order, entries, &[]);
    let part = |step| {
        let part = saga.part(step).expect("a part");
        (part.state, part.note.as_str())
    };
    assert_eq!(part(Step::ProcessPayment), (State::Skipped, "called off"));
    let nothing = (State::Done, "nothing to give back");
    assert_eq!(part(Step::RefundPayment), nothing);
    let nothing = (State::Done, "nothing to take back");
    assert_eq!(part(Step::ReclaimLoyaltyPoints), nothing);
}

#[test]
fn a_parked_step_says_so_until_an_operator_settles_it() {
    let order = cancelled(
        Step::PrepareOrder,
        "kitchen-refused",
        MoneyState::RefundParked,
        PointsState::Awarded,
    );
    let with = |more: Vec<Value>| {
        let mut entries = vec![
            step("processPayment", "ok"),
            step("refundPayment", "failed"),
        ];
        entries.extend(more);
        let saga = saga(&order, entries, &[]);
        saga.part(Step::RefundPayment).expect("a part").clone()
    };
    let parked = task("refund-payment", "parked");
    let waiting = with(vec![parked.clone()]);
    assert_eq!(waiting.state, State::Parked);
    assert_eq!(waiting.note, "refund-refused");
    let mut redrive = step("refundPayment", "running");
    redrive["detail"]["workflowId"] = json!("failed-refund-payment-7");
    let redriven = with(vec![parked.clone(), redrive]);
    assert_eq!(redriven.state, State::Retrying);
    let done = with(vec![parked.clone(), task("refund-payment", "done")]);
    assert_eq!(done.state, State::Done);
    let discarded = with(vec![parked, task("refund-payment", "discarded")]);
    assert_eq!(discarded.state, State::Failed);
    assert!(discarded.note.contains("still owed"), "{}", discarded.note);
}

#[test]
fn the_kitchens_next_report_is_waited_for_until_it_is_due() {
    let order = order(
        OrderStatus::CookingStarted,
        MoneyState::Charged,
        PointsState::Awarded,
    );
    let entries = vec![step("prepareOrder", "ok"), report("accepted")];
    let saga = saga(&order, entries, &[]);
    let stages: Vec<_> = saga
        .stages
        .iter()
        .map(|it| (it.state, it.until_ms))
        .collect();
    assert_eq!(
        stages,
        [
            (State::Done, None),
            (State::Waiting, Some(9_000)),
            (State::Ahead, None),
            (State::Ahead, None),
        ]
    );
    let waiting = saga.part(Step::ProcessOrder).expect("a part");
    assert_eq!(waiting.state, State::Waiting);
    assert_eq!(waiting.note, "until cooked");
    assert_eq!(waiting.until_ms, Some(9_000));
    assert!(saga.is_under_way());
}

#[test]
fn while_temporal_is_away_the_books_tell_what_they_know() {
    let delivered = order(
        OrderStatus::DeliveryConfirmed,
        MoneyState::Charged,
        PointsState::Parked,
    );
    assert_states(
        &saga(&delivered, Vec::new(), &[]),
        [
            (Step::CreateOrder, State::Done),
            (Step::ProcessPayment, State::Done),
            (Step::AddLoyaltyPoints, State::Parked),
            (Step::PrepareOrder, State::Done),
            (Step::ProcessOrder, State::Done),
            (Step::RefundPayment, State::Skipped),
            (Step::ReclaimLoyaltyPoints, State::Skipped),
            (Step::NotifyCustomer, State::Skipped),
        ],
    );
    let declined = cancelled(
        Step::ProcessPayment,
        "payment-declined",
        MoneyState::NotCharged,
        PointsState::None,
    );
    let saga = saga(&declined, Vec::new(), &[]);
    assert_eq!(states(&saga)["processPayment"], "failed");
    assert_eq!(states(&saga)["refundPayment"], "skipped");
}

#[test]
fn the_picture_is_a_list_to_whoever_does_not_see_it() {
    let (status, money, points) = UNDER_WAY;
    let order = order(status, money, points);
    let saga = saga(&order, vec![step("createOrder", "ok")], &[]);
    let drawn = draw(&saga, 0).into_string();
    assert!(drawn.contains("aria-hidden=\"true\""), "{drawn}");
    for step in Step::ALL {
        let item = format!("<li data-step=\"{step}\" data-state=\"");
        assert!(drawn.contains(&item), "{item} is not in {drawn}");
    }
    let done = "<li data-step=\"createOrder\" data-state=\"done\">Take the order: done, 12 ms</li>";
    assert!(drawn.contains(done), "{drawn}");
}
