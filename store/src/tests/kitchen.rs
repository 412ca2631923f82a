//! The kitchen's list of tickets.

use pizza_domain::KitchenReport::{self, Accepted, Cooked, Delivered, PickedUp, Rejected};
use pizza_domain::{KitchenSimulation, OrderId, OrderStatus};
use pizza_workflows::steps::{RecordedReport, StatusChange, Ticket};

use super::super::test_databases::{TestEngine, database, on_each_engine};
use super::super::{OpenTicket, Store};
use super::{order, ticket};

/// A ticket that has to be accepted within this time.
fn within(accept_within_ms: u64) -> Ticket {
    Ticket {
        accept_within_ms: Some(accept_within_ms),
        ..ticket(&order())
    }
}

fn recorded(order_id: OrderId, report: KitchenReport, due_at_ms: Option<i64>) -> RecordedReport {
    RecordedReport {
        order_id,
        report,
        report_id: format!("{order_id}/{report}").parse().ok(),
        reason: None,
        due_at_ms,
    }
}

async fn open(store: &Store) -> Vec<OpenTicket> {
    store.open_tickets(None, 100).await.expect("answered")
}

async fn open_tickets_are_listed_the_most_urgent_first_and_page_by_page(engine: TestEngine) {
    let store = &database(engine).await.store;
    let mut tickets = Vec::new();
    for within_ms in [60_000, 20_000, 40_000] {
        let ticket = within(within_ms);
        store
            .book_ticket(&ticket, within_ms == 20_000)
            .await
            .expect("booked");
        tickets.push(ticket);
    }
    let listed = open(store).await;
    let ids: Vec<_> = listed.iter().map(|ticket| ticket.order_id).collect();
    let expected = [1, 2, 0].map(|index: usize| tickets[index].order_id);
    assert_eq!(ids, expected);
    assert!(listed[0].silent && !listed[1].silent);
    let first = &listed[0];
    assert_eq!((first.last, first.flavour.as_str()), (None, "plain"));
    assert_eq!(first.stage_since_ms, first.received_at_ms);
    assert_eq!(first.due_at_ms, Some(first.received_at_ms + 20_000));

    let mut paged = Vec::new();
    let mut after = None;
    while let [ticket] = &store.open_tickets(after, 1).await.expect("answered")[..] {
        after = Some(ticket.place);
        paged.push(ticket.clone());
    }
    assert_eq!(paged, listed);
}

async fn a_ticket_goes_forward_with_each_report_and_leaves_the_list_at_its_end(engine: TestEngine) {
    let store = &database(engine).await.store;
    let ticket = within(10_000);
    let id = ticket.order_id;
    store.book_ticket(&ticket, false).await.expect("booked");
    for (number, report) in (1..).zip([Accepted, Cooked, PickedUp]) {
        let report = recorded(id, report, Some(number));
        // Twice, as an activity may run.
        for _ in 0..2 {
            store.record_report(&report).await.expect("recorded");
        }
        store.book_ticket(&ticket, false).await.expect("again");
        let [listed] = &open(store).await[..] else {
            panic!("not one ticket");
        };
        assert_eq!(
            (listed.last, listed.due_at_ms),
            (Some(report.report), Some(number))
        );
        assert!(listed.stage_since_ms >= listed.received_at_ms);
    }
    // One that is written late does not turn it back.
    let late = recorded(id, Accepted, Some(99));
    store.record_report(&late).await.expect("recorded");
    assert_eq!(open(store).await[0].last, Some(PickedUp));
    store
        .record_report(&recorded(id, Delivered, None))
        .await
        .expect("recorded");
    assert_eq!(open(store).await, []);
    store.withdraw_ticket(id).await.expect("nothing to do");
    assert!(store.has_ticket(id).await.expect("answered"));
    let reports = store.kitchen_reports(id).await.expect("answered");
    assert_eq!(reports.len(), 4);
}

async fn a_ticket_that_is_withdrawn_or_rejected_is_not_listed_and_stays_so(engine: TestEngine) {
    let store = &database(engine).await.store;
    let (withdrawn, rejected) = (within(10_000), within(10_000));
    for ticket in [&withdrawn, &rejected] {
        store.book_ticket(ticket, false).await.expect("booked");
    }
    store
        .withdraw_ticket(withdrawn.order_id)
        .await
        .expect("withdrawn");
    let mut report = recorded(rejected.order_id, Rejected, None);
    report.reason = "no dough".to_owned().try_into().ok();
    store.record_report(&report).await.expect("recorded");
    assert_eq!(open(store).await, []);
    for ticket in [&withdrawn, &rejected] {
        let late = recorded(ticket.order_id, Cooked, Some(1));
        store.record_report(&late).await.expect("recorded");
    }
    assert_eq!(open(store).await, []);
    let reports = store
        .kitchen_reports(rejected.order_id)
        .await
        .expect("answered");
    let kept = reports
        .iter()
        .find(|kept| kept.report == Rejected)
        .expect("kept");
    assert_eq!(
        (&kept.report_id, &kept.reason),
        (&report.report_id, &report.reason)
    );
}

async fn a_ticket_that_arrives_after_it_was_withdrawn_is_not_worked_on(engine: TestEngine) {
    let store = &database(engine).await.store;
    let order = order();
    store.create_order(&order).await.expect("created");
    let late = Ticket {
        accept_within_ms: Some(10_000),
        ..ticket(&order)
    };
    store
        .withdraw_ticket(order.order_id)
        .await
        .expect("withdrawn");
    assert!(!store.book_ticket(&late, false).await.expect("answered"));
    assert_eq!(open(store).await, []);
    let other = within(10_000);
    for _ in 0..2 {
        assert!(store.book_ticket(&other, false).await.expect("answered"));
    }
}

async fn the_ticket_of_a_delivered_order_is_delivered_whatever_was_on_it(engine: TestEngine) {
    let store = &database(engine).await.store;
    for (end, expected) in [
        (OrderStatus::DeliveryConfirmed, "delivered"),
        // What an observer has seen stays, and so does its ticket.
        (OrderStatus::Cancelled, "withdrawn"),
    ] {
        let order = order();
        let id = order.order_id;
        store.create_order(&order).await.expect("created");
        store
            .book_ticket(&ticket(&order), false)
            .await
            .expect("booked");
        store.withdraw_ticket(id).await.expect("withdrawn");
        store.change_order(id, end).await.expect("changed");
        let confirmed = StatusChange {
            order_id: id,
            status: OrderStatus::DeliveryConfirmed,
            report: None,
        };
        store.set_order_status(&confirmed).await.expect("written");
        let accounts = store
            .accounts(vec![id.to_string()])
            .await
            .expect("answered");
        let stands = accounts[0].ticket.as_ref().expect("a ticket");
        assert_eq!(stands.stage, expected);
    }
}

async fn a_report_that_overtakes_the_hand_over_counts(engine: TestEngine) {
    let store = &database(engine).await.store;
    let early = within(10_000);
    let accepted = recorded(early.order_id, Accepted, Some(1));
    store.record_report(&accepted).await.expect("recorded");
    assert!(!store.has_ticket(early.order_id).await.expect("answered"));
    store.book_ticket(&early, false).await.expect("booked");
    assert_eq!(open(store).await[0].last, Some(Accepted));

    // The kitchen of an order of before never says that it accepted.
    let before = Ticket {
        accept_within_ms: None,
        ..within(1)
    };
    store.book_ticket(&before, false).await.expect("booked");
    let listed = open(store).await;
    assert_eq!(
        listed[0].order_id, before.order_id,
        "nobody knows how urgent it is"
    );
    assert_eq!(
        (listed[0].last, listed[0].due_at_ms),
        (Some(Accepted), None)
    );
}

async fn the_kitchens_simulation_is_kept(engine: TestEngine) {
    let store = &database(engine).await.store;
    let kept = async || store.kitchen_simulation().await.expect("answered");
    assert_eq!(kept().await, KitchenSimulation::default());
    let unreliable = KitchenSimulation {
        paused: true,
        delay_ms: 250,
        lose_ppm: 1,
        repeat_ppm: 2,
        reorder_ppm: 3,
        seed: KitchenSimulation::MAX_SEED,
    };
    for simulation in [unreliable, KitchenSimulation::default(), unreliable] {
        let set = store.set_kitchen_simulation(&simulation).await;
        set.expect("answered");
        assert_eq!(kept().await, simulation);
    }
}

on_each_engine!(
    open_tickets_are_listed_the_most_urgent_first_and_page_by_page,
    a_ticket_goes_forward_with_each_report_and_leaves_the_list_at_its_end,
    a_ticket_that_is_withdrawn_or_rejected_is_not_listed_and_stays_so,
    a_ticket_that_arrives_after_it_was_withdrawn_is_not_worked_on,
    the_ticket_of_a_delivered_order_is_delivered_whatever_was_on_it,
    a_report_that_overtakes_the_hand_over_counts,
    the_kitchens_simulation_is_kept,
);
