//! The rules, on accounts that are right and on accounts that are not.

use std::collections::BTreeSet;
use std::time::Duration;

use pizza_domain::{KitchenReport, OrderStatus};
use pizza_store::{
    Account, AdjustmentRow, AmendmentRow, CancelRow, ChangeRow, ContentRow, FailedTaskRow,
    LedgerRow, NotificationRow, RecordRow, ReportRow, StandingRow, TicketRow,
};

use super::invariant::Invariant;
use super::persisting;
use super::rules::{
    InTemporal, OrderWorkflow, Violation, needs_temporal, violations_in_temporal, violations_of,
};

const ID: &str = "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";

/// An hour after everything below.
const NOW_MS: i64 = 3_600_000;

/// An order of 12.00 on its way; each step is a status with money and points.
struct Way(Account);

impl Way {
    fn of(steps: &[(&str, &str, &str)]) -> Self {
        let standing = |(status, money, points): &(&str, &str, &str)| StandingRow {
            status: (*status).to_owned(),
            money: (*money).to_owned(),
            points: (*points).to_owned(),
        };
        let changes: Vec<ChangeRow> = (1..)
            .zip(steps)
            .map(|(version, step)| ChangeRow {
                version,
                standing: standing(step),
                has_content: true,
                changed_at_ms: 0,
            })
            .collect();
        let last = changes.last().expect("a step").clone();
        let is_cancelled = last.standing.status == "Cancelled";
        let way = Self(Account {
            order_id: ID.to_owned(),
            record: Some(RecordRow {
                standing: last.standing,
                customer_id: "guest".to_owned(),
                content: content(1),
                total: 1200,
                cancelled: None,
                version: last.version,
                updated_at_ms: 0,
            }),
            changes,
            ..Account::default()
        });
        let way = way.reported(steps, is_cancelled);
        if is_cancelled {
            way.because("kitchen-refused", "the kitchen refused the order")
        } else {
            way
        }
    }

    /// The kitchen's ticket and its reports, as the statuses tell of them.
    fn reported(self, steps: &[(&str, &str, &str)], is_cancelled: bool) -> Self {
        let reports = steps.iter().filter_map(|(status, ..)| {
            let status: OrderStatus = status.parse().ok()?;
            KitchenReport::that_brings_to(status)
        });
        let Some(last) = reports.max() else {
            return self;
        };
        let stage = if is_cancelled {
            "withdrawn"
        } else {
            last.as_str()
        };
        let taken = KitchenReport::WAY.map(KitchenReport::as_str);
        let taken: Vec<_> = taken.into_iter().take(last as usize + 1).collect();
        self.ticket(stage, &taken)
    }

    /// Cancelled for this reason, of which the customer was told.
    fn because(mut self, code: &str, message: &str) -> Self {
        let row = CancelRow {
            step: "processOrder".to_owned(),
            code: code.to_owned(),
            message: message.to_owned(),
        };
        self.0.record.as_mut().expect("a record").cancelled = Some(row);
        self.0.notified = vec![notification(&format!(
            "processOrder failed: {message} ({code})"
        ))];
        self
    }

    fn paid(mut self, kind: &str, amount: i64) -> Self {
        let kind = kind.to_owned();
        self.0.payments.push(LedgerRow {
            kind,
            customer_id: "guest".to_owned(),
            amount,
            booked_at_ms: 0,
        });
        self
    }

    fn points(mut self, kind: &str, amount: i64) -> Self {
        let kind = kind.to_owned();
        self.0.points.push(LedgerRow {
            kind,
            customer_id: "guest".to_owned(),
            amount,
            booked_at_ms: 0,
        });
        self
    }

    /// What an amendment moved; nothing of points when there are none.
    fn adjusted(mut self, amendment: i64, kind: &str, amount: i64, points: i64) -> Self {
        let row = |kind: &str, amount| AdjustmentRow {
            amendment,
            entry: LedgerRow {
                kind: kind.to_owned(),
                customer_id: "guest".to_owned(),
                amount,
                booked_at_ms: 0,
            },
        };
        self.0.payment_adjustments.push(row(kind, amount));
        if points != 0 {
            self.0.points_adjustments.push(row("adjust", points));
        }
        self
    }

    /// A ticket at this stage, with the reports that were taken on it an instant
    /// after the order's start.
    fn ticket(mut self, stage: &str, reports: &[&str]) -> Self {
        self.0.ticket = Some(TicketRow {
            stage: stage.to_owned(),
            content: content(1),
        });
        self.0.reports = reports
            .iter()
            .map(|event| ReportRow {
                event: (*event).to_owned(),
                reason: None,
                taken_at_ms: 0,
            })
            .collect();
        self
    }

    /// An amendment to what the order is, at this price.
    fn amended(mut self, amendment: i64, total: i64) -> Self {
        self.0.amendments.push(AmendmentRow {
            amendment,
            content: content(1),
            total,
        });
        self
    }

    fn task(mut self, queue: &str, state: &str) -> Self {
        self.0.tasks.push(FailedTaskRow {
            task_id: task_id(queue),
            queue: queue.to_owned(),
            state: state.to_owned(),
            resolved_at_ms: (state != "parked").then_some(0),
        });
        self
    }
}

fn notification(message: &str) -> NotificationRow {
    NotificationRow {
        kind: "orderFailed".to_owned(),
        customer_id: "guest".to_owned(),
        message: message.to_owned(),
    }
}

fn content(quantity: i64) -> ContentRow {
    ContentRow {
        flavour: "margherita".to_owned(),
        size: "medium".to_owned(),
        quantity,
    }
}

fn task_id(queue: &str) -> String {
    format!("failed-{queue}-{ID}")
}

const BEGUN: (&str, &str, &str) = ("Pending", "notCharged", "none");
const CHARGED: (&str, &str, &str) = ("PaymentComplete", "charged", "none");
const REWARDED: (&str, &str, &str) = ("PaymentComplete", "charged", "awarded");

fn delivered() -> Way {
    Way::of(&[
        BEGUN,
        CHARGED,
        ("CookingStarted", "charged", "none"),
        ("CookingStarted", "charged", "awarded"),
        ("DeliveryConfirmed", "charged", "awarded"),
    ])
    .paid("charge", 1200)
    .points("award", 12)
}

fn delivered_without_points() -> Way {
    Way::of(&[
        BEGUN,
        CHARGED,
        ("CookingStarted", "charged", "parked"),
        ("DeliveryConfirmed", "charged", "parked"),
    ])
    .paid("charge", 1200)
    .task("add-loyalty-points", "parked")
}

fn declined() -> Way {
    Way::of(&[
        BEGUN,
        ("PaymentProcessing", "notCharged", "none"),
        ("PaymentFailed", "notCharged", "none"),
        ("Cancelled", "notCharged", "none"),
    ])
}

fn rolled_back() -> Way {
    Way::of(&[
        BEGUN,
        REWARDED,
        ("Refunding", "charged", "awarded"),
        ("Refunding", "refunded", "awarded"),
        ("Refunding", "refunded", "reclaimed"),
        ("Cancelled", "refunded", "reclaimed"),
    ])
    .paid("charge", 1200)
    .paid("refund", 1200)
    .points("award", 12)
    .points("reclaim", -12)
}

fn refund_owed(state: &str) -> Way {
    Way::of(&[
        BEGUN,
        REWARDED,
        ("Refunding", "refundParked", "awarded"),
        ("Cancelled", "refundParked", "awarded"),
    ])
    .paid("charge", 1200)
    .points("award", 12)
    .task("refund-payment", state)
}

fn reclaim_owed(state: &str) -> Way {
    Way::of(&[
        BEGUN,
        REWARDED,
        ("Refunding", "refunded", "awarded"),
        ("Refunding", "refunded", "reclaimParked"),
        ("Cancelled", "refunded", "reclaimParked"),
    ])
    .paid("charge", 1200)
    .paid("refund", 1200)
    .points("award", 12)
    .task("remove-loyalty-points", state)
}

/// Temporal, with just what an account says that it has.
fn temporal_of(account: &Account) -> InTemporal {
    let is_final = account.record.as_ref().is_some_and(|record| {
        ["DeliveryConfirmed", "Cancelled"].contains(&record.standing.status.as_str())
    });
    InTemporal {
        order: Some(OrderWorkflow {
            running: !is_final,
            started_at_ms: 0,
        }),
        branches: BTreeSet::new(),
        tasks: account
            .tasks
            .iter()
            .filter(|task| task.state == "parked")
            .map(|task| task.task_id.clone())
            .collect(),
    }
}

/// What both sides find.
fn found(account: &Account, temporal: &InTemporal) -> Vec<Violation> {
    let mut found = violations_of(account, Some(temporal), NOW_MS);
    found.extend(violations_in_temporal(account, temporal, NOW_MS));
    found
}

fn invariants(found: &[Violation]) -> BTreeSet<Invariant> {
    found.iter().map(|violation| violation.invariant).collect()
}

/// The account breaks this invariant, and no other.
fn assert_breaks(invariant: Invariant, what: &str, account: &Account) {
    let found = found(account, &temporal_of(account));
    assert_eq!(
        invariants(&found),
        BTreeSet::from([invariant]),
        "{what}: {found:#?}"
    );
    assert!(
        found.iter().all(|violation| violation.order_id == ID),
        "{what}: {found:#?}"
    );
}

fn assert_clean(what: &str, account: &Account) {
    let found = found(account, &temporal_of(account));
    assert_eq!(found, [], "{what}");
    let alone = violations_of(account, None, NOW_MS);
    assert_eq!(alone, [], "{what}, by the store alone");
}

#[test]
fn every_way_that_an_order_can_end_is_clean() {
    let uncreated = Way::of(&[BEGUN, ("Cancelled", "notCharged", "none")]);
    let redriven = Way::of(&[
        BEGUN,
        REWARDED,
        ("Refunding", "refundParked", "awarded"),
        ("Cancelled", "refundParked", "awarded"),
        ("Cancelled", "refunded", "awarded"),
        ("Cancelled", "refunded", "reclaimed"),
    ])
    .paid("charge", 1200)
    .paid("refund", 1200)
    .points("award", 12)
    .points("reclaim", -12)
    .task("refund-payment", "done");
    let given_late = Way::of(&[
        BEGUN,
        CHARGED,
        ("CookingStarted", "charged", "parked"),
        ("DeliveryConfirmed", "charged", "parked"),
        ("DeliveryConfirmed", "charged", "awarded"),
    ])
    .paid("charge", 1200)
    .points("award", 12)
    .task("add-loyalty-points", "done");
    // The award waited when the order was rolled back, and was called off.
    let called_off = Way::of(&[
        BEGUN,
        CHARGED,
        ("CookingStarted", "charged", "parked"),
        ("Refunding", "charged", "parked"),
        ("Refunding", "refunded", "parked"),
        ("Cancelled", "refunded", "parked"),
    ])
    .paid("charge", 1200)
    .paid("refund", 1200)
    .points("void", 0)
    .task("add-loyalty-points", "parked");
    // Nobody knows whether it was charged; the provider did not answer.
    let unknown = |state: &str| {
        Way::of(&[
            BEGUN,
            ("PaymentProcessing", "notCharged", "none"),
            ("Refunding", "refundParked", "none"),
            ("Cancelled", "refundParked", "none"),
        ])
        .task("refund-payment", state)
    };
    let both_owed = Way::of(&[
        BEGUN,
        CHARGED,
        ("CookingStarted", "charged", "parked"),
        ("Refunding", "refunded", "parked"),
        ("Refunding", "refunded", "reclaimParked"),
        ("Cancelled", "refunded", "reclaimParked"),
    ])
    .paid("charge", 1200)
    .paid("refund", 1200)
    .task("add-loyalty-points", "parked")
    .task("remove-loyalty-points", "parked");
    for (what, way) in [
        ("delivered", delivered()),
        ("delivered, points parked", delivered_without_points()),
        ("delivered, points given late", given_late),
        ("not created", uncreated),
        ("declined", declined()),
        ("rolled back", rolled_back()),
        ("refund parked", refund_owed("parked")),
        ("refund discarded", refund_owed("discarded")),
        ("refund redriven", redriven),
        ("reclaim parked", reclaim_owed("parked")),
        ("reclaim discarded", reclaim_owed("discarded")),
        ("award called off", called_off),
        ("refund parked, charge unknown", unknown("parked")),
        (
            "refund done, nothing charged",
            unknown("done").paid("void", 1200),
        ),
        ("award and reclaim parked", both_owed),
        (
            "customer not told",
            declined().task("notify-customer", "parked"),
        ),
    ] {
        assert_clean(what, &way.0);
    }
}

#[test]
fn an_order_under_way_is_clean_at_each_moment() {
    for (what, way) in [
        ("begun", Way::of(&[BEGUN])),
        (
            "charged, not yet recorded",
            Way::of(&[BEGUN, ("PaymentProcessing", "notCharged", "none")]).paid("charge", 1200),
        ),
        (
            "awarded, not yet recorded",
            Way::of(&[BEGUN, CHARGED])
                .paid("charge", 1200)
                .points("award", 12),
        ),
        (
            "refunded, not yet recorded",
            Way::of(&[BEGUN, REWARDED, ("Refunding", "charged", "awarded")])
                .paid("charge", 1200)
                .paid("refund", 1200)
                .points("award", 12),
        ),
        (
            "reclaimed, not yet recorded",
            Way::of(&[BEGUN, REWARDED, ("Refunding", "refunded", "awarded")])
                .paid("charge", 1200)
                .paid("refund", 1200)
                .points("award", 12)
                .points("reclaim", -12),
        ),
    ] {
        assert!(needs_temporal(&way.0), "{what}");
        assert_clean(what, &way.0);
    }
}

#[test]
fn the_points_of_a_delivered_order_may_still_be_tried_for() {
    let mut way = Way::of(&[BEGUN, CHARGED, ("DeliveryConfirmed", "charged", "none")])
        .paid("charge", 1200)
        .0;
    assert!(needs_temporal(&way));
    assert_breaks(Invariant::Points, "its workflow has ended", &way);
    let temporal = InTemporal {
        order: Some(OrderWorkflow {
            running: true,
            started_at_ms: 0,
        }),
        ..InTemporal::default()
    };
    assert_eq!(violations_of(&way, Some(&temporal), NOW_MS), []);
    // Without Temporal, the time that it has had decides.
    assert_eq!(violations_of(&way, None, NOW_MS).len(), 1);
    let record = way.record.as_mut().expect("a record");
    record.updated_at_ms = NOW_MS - 1000;
    assert_eq!(violations_of(&way, None, NOW_MS), []);
}

#[test]
fn a_wrong_charge_is_found() {
    use Invariant::Charge;
    let mut missing = delivered().0;
    missing.payments.clear();
    assert_breaks(Charge, "missing", &missing);
    let mut wrong = delivered().0;
    wrong.payments[0].amount = 1199;
    assert_breaks(Charge, "wrong amount", &wrong);
    assert_breaks(Charge, "second", &delivered().paid("charge-2", 1200).0);
    let void = delivered().paid("void", 1200).0;
    assert_breaks(Charge, "called off and charged", &void);
    // The money is also kept, without being owed to anybody.
    let unpaid = declined().paid("charge", 1200).0;
    let found = found(&unpaid, &temporal_of(&unpaid));
    assert!(invariants(&found).contains(&Charge), "{found:?}");
    let mut strange = delivered().0;
    strange.record = None;
    strange.changes.clear();
    strange.points.clear();
    (strange.ticket, strange.reports) = (None, Vec::new());
    assert_eq!(
        invariants(&violations_of(&strange, None, NOW_MS)),
        [Charge].into()
    );
}

#[test]
fn a_wrong_refund_is_found() {
    use Invariant::Refund;
    let mut missing = rolled_back().0;
    missing.payments.retain(|entry| entry.kind == "charge");
    assert_breaks(Refund, "missing", &missing);
    let forgotten = Way::of(&[BEGUN, CHARGED, ("Cancelled", "charged", "none")]);
    assert_breaks(Refund, "forgotten", &forgotten.paid("charge", 1200).0);
    let mut wrong = rolled_back().0;
    wrong.payments[1].amount = 1100;
    assert_breaks(Refund, "wrong amount", &wrong);
    assert_breaks(Refund, "of delivered", &delivered().paid("refund", 1200).0);
    assert_breaks(
        Refund,
        "without a charge",
        &declined().paid("refund", 1200).0,
    );
    assert_breaks(
        Refund,
        "given and owed",
        &rolled_back().task("refund-payment", "parked").0,
    );
    assert_breaks(
        Refund,
        "given and still owed by a discarded task",
        &refund_owed("discarded").paid("refund", 1200).0,
    );
}

#[test]
fn wrong_points_are_found() {
    use Invariant::Points;
    let mut wrong = delivered().0;
    wrong.points[0].amount = 24;
    assert_breaks(Points, "wrong award", &wrong);
    let mut missing = delivered().0;
    missing.points.clear();
    assert_breaks(Points, "missing award", &missing);
    let taken = delivered().points("reclaim", -12).0;
    assert_breaks(Points, "taken from a delivered order", &taken);
    let twice = delivered().points("bonus", 12).0;
    assert_breaks(Points, "given twice", &twice);
    let mut kept = rolled_back().0;
    kept.points.pop();
    assert_breaks(Points, "not taken back", &kept);
    let mut less = rolled_back().0;
    less.points[1].amount = -10;
    assert_breaks(Points, "not all taken back", &less);
    let refunding = Way::of(&[BEGUN, REWARDED, ("Refunding", "refunded", "awarded")])
        .paid("charge", 1200)
        .paid("refund", 1200)
        .points("award", 12);
    let cancelled = Way::of(&[
        BEGUN,
        REWARDED,
        ("Refunding", "refunded", "awarded"),
        ("Cancelled", "refunded", "awarded"),
    ])
    .paid("charge", 1200)
    .paid("refund", 1200)
    .points("award", 12);
    assert_breaks(Points, "forgotten", &cancelled.0);
    assert_breaks(
        Points,
        "not all taken back, and under way",
        &refunding.points("reclaim", -10).0,
    );
    assert_breaks(
        Points,
        "taken back without an award",
        &declined().points("reclaim", -12).0,
    );
    assert_breaks(
        Points,
        "given while a task waits to give them",
        &delivered_without_points().points("award", 12).0,
    );
    assert_breaks(
        Points,
        "given after they were called off",
        &delivered().points("void", 0).0,
    );
}

#[test]
fn a_task_that_is_not_parked_exactly_once_is_found() {
    use Invariant::Parked;
    let mut missing = delivered_without_points().0;
    missing.tasks.clear();
    let alone = violations_of(&missing, None, NOW_MS);
    assert!(invariants(&alone).contains(&Parked), "{alone:?}");
    let mut missing = reclaim_owed("parked").0;
    missing.tasks[0].state = "done".to_owned();
    let found_by_rules = found(&missing, &temporal_of(&missing));
    assert!(
        invariants(&found_by_rules).contains(&Parked),
        "{found_by_rules:?}"
    );
    let mut twice = reclaim_owed("parked").0;
    let mut other = twice.tasks[0].clone();
    other.task_id.push_str("-again");
    twice.tasks.push(other);
    assert_breaks(Parked, "twice", &twice);
    let extra = delivered().task("notify-customer", "lost").0;
    assert_breaks(Parked, "unknown state", &extra);
    let unsaid = declined().task("add-loyalty-points", "parked").0;
    assert_breaks(Parked, "not in the record", &unsaid);
}

#[test]
fn books_and_temporal_have_the_same_tasks() {
    let account = refund_owed("parked").0;
    let nothing = InTemporal::default();
    let missing = found(&account, &nothing);
    assert_eq!(invariants(&missing), [Invariant::Parked].into());
    assert!(missing[0].problem.contains(&task_id("refund-payment")));

    let account = declined().0;
    let mut temporal = temporal_of(&account);
    temporal.tasks.insert(task_id("notify-customer"));
    assert_eq!(
        invariants(&found(&account, &temporal)),
        [Invariant::Parked].into()
    );
    // A moment later it is booked.
    temporal.order = Some(OrderWorkflow {
        running: true,
        started_at_ms: 0,
    });
    let booking = violations_in_temporal(&account, &temporal, 1000);
    assert_eq!(booking, []);

    for state in ["done", "discarded"] {
        let account = declined().task("notify-customer", state).0;
        let mut temporal = temporal_of(&account);
        assert_eq!(found(&account, &temporal), []);
        temporal.tasks.insert(task_id("notify-customer"));
        assert_eq!(
            invariants(&found(&account, &temporal)),
            [Invariant::Parked].into()
        );
    }
}

#[test]
fn a_redrive_has_the_time_that_it_takes() {
    // What it was to do is done, and the task is about to be closed.
    for (what, way) in [
        ("refund", refund_owed("parked").paid("refund", 1200)),
        ("award", delivered_without_points().points("award", 12)),
        ("reclaim", reclaim_owed("parked").points("reclaim", -12)),
    ] {
        let account = way.0;
        let temporal = temporal_of(&account);
        assert_eq!(violations_of(&account, Some(&temporal), 1000), [], "{what}");
        let late = violations_of(&account, Some(&temporal), NOW_MS);
        assert_ne!(late, [], "{what}");
    }
    // The refund's task is done, and goes on with the points.
    let account = Way::of(&[
        BEGUN,
        REWARDED,
        ("Refunding", "refundParked", "awarded"),
        ("Cancelled", "refundParked", "awarded"),
        ("Cancelled", "refunded", "awarded"),
    ])
    .paid("charge", 1200)
    .paid("refund", 1200)
    .points("award", 12)
    .task("refund-payment", "done")
    .0;
    let over = temporal_of(&account);
    let mut following = over.clone();
    following.tasks.insert(task_id("refund-payment"));
    let found_at = |temporal: &InTemporal, now_ms| {
        let mut found = violations_of(&account, Some(temporal), now_ms);
        found.extend(violations_in_temporal(&account, temporal, now_ms));
        invariants(&found)
    };
    assert_eq!(found_at(&following, 1000), [].into());
    assert_eq!(found_at(&over, 1000), [Invariant::Points].into());
    let too_long = [Invariant::Points, Invariant::Parked];
    assert_eq!(found_at(&following, NOW_MS), too_long.into());
}

#[test]
fn an_order_that_neither_ended_nor_runs_is_found() {
    let ended = |account: &Account, running: Option<bool>, now_ms| {
        let temporal = InTemporal {
            order: running.map(|running| OrderWorkflow {
                running,
                started_at_ms: 0,
            }),
            ..InTemporal::default()
        };
        let mut found = violations_of(account, Some(&temporal), now_ms);
        found.extend(violations_in_temporal(account, &temporal, now_ms));
        assert!(found.len() <= 1, "{found:?}");
        found
            .iter()
            .any(|found| found.invariant == Invariant::Ended)
    };
    let under_way = Way::of(&[BEGUN, CHARGED]).paid("charge", 1200).0;
    assert!(!ended(&under_way, Some(true), NOW_MS));
    assert!(ended(&under_way, Some(false), NOW_MS));
    assert!(ended(&under_way, None, NOW_MS));
    let over = declined().0;
    assert!(!ended(&over, Some(false), NOW_MS));
    // Temporal forgets what ended long ago.
    assert!(!ended(&over, None, NOW_MS));
    assert!(!ended(&over, Some(true), 1000));
    assert!(ended(&over, Some(true), NOW_MS));
    let unknown = Account {
        order_id: ID.to_owned(),
        ..Account::default()
    };
    assert!(!ended(&unknown, Some(true), 1000));
    assert!(ended(&unknown, Some(true), NOW_MS));
    assert!(ended(&unknown, Some(false), 1000));
}

#[test]
fn a_way_that_is_not_legal_is_found() {
    use Invariant::Statuses;
    let mut backwards = delivered().0;
    backwards.changes.swap(2, 4);
    for (version, change) in (1..).zip(&mut backwards.changes) {
        change.version = version;
    }
    let last = backwards.changes[4].standing.clone();
    backwards.record.as_mut().expect("a record").standing = last;
    let found = violations_of(&backwards, None, NOW_MS);
    assert!(invariants(&found).contains(&Statuses), "{found:?}");

    let mut gap = delivered().0;
    gap.changes.remove(2);
    assert_breaks(Statuses, "a gap", &gap);
    let mut behind = delivered().0;
    behind.record.as_mut().expect("a record").version += 1;
    assert_breaks(Statuses, "a change without a trace", &behind);
    let mut other = delivered().0;
    other.changes[4].standing.status = "DeliveryStarted".to_owned();
    assert_breaks(Statuses, "the record differs", &other);
    let mut money = rolled_back().0;
    money.changes[4].standing.money = "charged".to_owned();
    assert_breaks(Statuses, "money back and forth", &money);
    let mut points = rolled_back().0;
    points.changes[3].standing.points = "reclaimed".to_owned();
    points.changes[4].standing.points = "awarded".to_owned();
    assert_breaks(Statuses, "points back and forth", &points);
    let mut late = delivered().0;
    late.changes[0].standing.status = "PaymentProcessing".to_owned();
    assert_breaks(Statuses, "a late beginning", &late);
    let mut unreadable = delivered().0;
    unreadable.record.as_mut().expect("a record").standing.money = "stolen".to_owned();
    assert_breaks(Statuses, "unreadable", &unreadable);
}

#[tokio::test]
async fn only_what_every_look_shows_is_reported() {
    let violation = |order: &str, problem: &str| Violation {
        invariant: Invariant::Charge,
        order_id: order.to_owned(),
        problem: problem.to_owned(),
    };
    let (lasting, passing) = (violation("a", "lasts"), violation("b", "passes"));
    let moving = |stage: usize| violation("c", &format!("stage {stage}"));
    let suspects = vec![lasting.clone(), passing.clone(), moving(0), lasting.clone()];
    let mut looks = Vec::new();
    let look = async |ids: Vec<String>| {
        looks.push(ids.join(" "));
        let stage = looks.len();
        let mut seen = vec![lasting.clone(), moving(stage)];
        if stage == 1 {
            seen.push(passing.clone());
        }
        Ok(seen)
    };
    let waits = [Duration::ZERO; 3];
    let found = persisting(suspects, &waits, look).await.expect("looked");
    assert_eq!(found, std::slice::from_ref(&lasting));
    assert_eq!(looks, ["a b c", "a b", "a"]);
    let nothing = async |_| panic!("there is nothing to look at");
    let found = persisting(Vec::new(), &waits, nothing)
        .await
        .expect("looked");
    assert_eq!(found, []);
}

/// A delivered order that was amended from 12.00 to 15.00, and then to 9.00.
fn amended() -> Way {
    let mut way = delivered();
    way.0.record.as_mut().expect("a record").total = 900;
    way.adjusted(1, "charge", 300, 3)
        .adjusted(2, "refund", 600, -6)
        .amended(1, 1500)
        .amended(2, 900)
}

#[test]
fn an_amended_order_is_clean_when_the_differences_add_up() {
    assert_clean("amended", &amended().0);
    let mut back = amended()
        .adjusted(2, "void", 600, 0)
        .adjusted(1, "void", 300, 0);
    back.0.record.as_mut().expect("a record").total = 1200;
    back.0.points_adjustments.clear();
    back.0.amendments.clear();
    assert_clean("amended in vain", &back.0);
    let mut taken_back = rolled_back().adjusted(1, "charge", 300, 3).amended(1, 1500);
    taken_back.0.record.as_mut().expect("a record").total = 1500;
    taken_back.0.payments[1].amount = 1500;
    taken_back.0.points[1].amount = -15;
    assert_clean("amended and rolled back", &taken_back.0);
}

#[test]
fn a_difference_that_does_not_add_up_is_found() {
    let charge = |change: fn(&mut Account)| {
        let mut way = amended().0;
        change(&mut way);
        way
    };
    let missing = charge(|account| drop(account.payment_adjustments.remove(1)));
    assert_breaks(Invariant::Charge, "missing", &missing);
    let strange = charge(|account| account.payment_adjustments[0].entry.kind = "tip".to_owned());
    assert_breaks(Invariant::Charge, "strange", &strange);
    let points = charge(|account| account.points_adjustments[0].entry.amount = 4);
    assert_breaks(Invariant::Points, "points", &points);
    let kept = rolled_back().adjusted(1, "charge", 300, 3);
    let mut kept = kept.amended(1, 1500).0;
    kept.record.as_mut().expect("a record").total = 1500;
    let found = found(&kept, &temporal_of(&kept));
    assert_eq!(
        invariants(&found),
        [Invariant::Refund, Invariant::Points].into()
    );
}

const WAY: [&str; 4] = ["accepted", "cooked", "pickedUp", "delivered"];

#[test]
fn a_kitchen_that_tells_of_the_same_end_is_clean() {
    let rejected = rolled_back().ticket("withdrawn", &["rejected"]);
    for (what, way) in [
        ("delivered", delivered().ticket("delivered", &WAY)),
        ("rolled back", rolled_back().ticket("withdrawn", &WAY[..2])),
        ("never handed over", rolled_back()),
        (
            "rejected, and ended from outside",
            rejected.because("workflow-terminated", "the order's workflow was terminated"),
        ),
        (
            "rejected without a word",
            rolled_back()
                .ticket("withdrawn", &["rejected"])
                .because("kitchen-rejected", "the kitchen gave no reason"),
        ),
        (
            "ended from outside, a report not written",
            rolled_back()
                .ticket("withdrawn", &["accepted", "pickedUp"])
                .because("fulfilment-ended", "it was stopped"),
        ),
    ] {
        assert_clean(what, &way.0);
    }
    // Of before there were reports in the books.
    let mut older = delivered().ticket("delivered", &[]).0;
    older.may_lack_acceptance = true;
    for change in &mut older.changes {
        change.has_content = false;
    }
    assert_clean("of before there were reports", &older);
    let mut unaccepted = delivered().ticket("delivered", &WAY[1..]).0;
    assert_breaks(Invariant::Kitchen, "not accepted", &unaccepted);
    unaccepted.may_lack_acceptance = true;
    assert_clean("from a gateway of before kitchens accepted", &unaccepted);
}

#[test]
fn a_ticket_or_a_report_that_is_missing_is_found() {
    use Invariant::Kitchen;
    let mut without_ticket = delivered().0;
    without_ticket.ticket = None;
    assert_breaks(Kitchen, "no ticket", &without_ticket);
    let mut without_ticket = rolled_back().ticket("withdrawn", &WAY[..1]).0;
    without_ticket.ticket = None;
    assert_breaks(
        Kitchen,
        "no ticket of what was reported on",
        &without_ticket,
    );
    let overdue = rolled_back().because("kitchen-overdue", "it kept silent");
    assert_breaks(Kitchen, "no ticket of what was waited for", &overdue.0);
    let none = delivered().ticket("delivered", &[]);
    assert_breaks(Kitchen, "no report", &none.0);
    for missing in WAY {
        let reports: Vec<_> = WAY.into_iter().filter(|it| *it != missing).collect();
        let gap = delivered().ticket("delivered", &reports);
        assert_breaks(Kitchen, missing, &gap.0);
    }
    let gap = rolled_back().ticket("withdrawn", &[WAY[0], WAY[2]]);
    assert_breaks(Kitchen, "a gap before the rollback", &gap.0);
    let under_way = Way::of(&[BEGUN, CHARGED, ("CookingStarted", "charged", "none")])
        .paid("charge", 1200)
        .ticket("accepted", &[]);
    assert_breaks(Kitchen, "not reported, and under way", &under_way.0);
}

#[test]
fn reports_in_an_order_that_cannot_be_are_found() {
    let mut way = delivered().0;
    // Its status was written with the report.
    way.reports[0].taken_at_ms = 1_001;
    assert_breaks(Invariant::Kitchen, "accepted after it was cooked", &way);
    way.reports[0].taken_at_ms = 1_000;
    assert_clean("by another clock", &way);
    // Overtaken: the status says that it was written late.
    way.reports[1].taken_at_ms = 5_000;
    assert_clean("cooked, and written late", &way);
}

#[test]
fn a_rejection_of_what_the_customer_cancelled_or_of_nothing_is_found() {
    use Invariant::Kitchen;
    let by_customer = rolled_back()
        .ticket("withdrawn", &["rejected"])
        .because("cancelled-by-customer", "the customer cancelled the order");
    assert_breaks(Kitchen, "cancelled and rejected", &by_customer.0);
    let rejected = |reports: &[&str]| {
        let way = rolled_back().ticket("withdrawn", reports);
        way.because("kitchen-rejected", "no dough").0
    };
    assert_breaks(Kitchen, "rejected by nobody", &rejected(&[]));
    let mut for_a_reason = rejected(&["rejected"]);
    for_a_reason.reports[0].reason = Some("no dough".to_owned());
    assert_clean("rejected", &for_a_reason);
    for_a_reason.reports[0].reason = Some("no cheese".to_owned());
    assert_breaks(Kitchen, "for another reason", &for_a_reason);
}

#[test]
fn a_kitchen_that_tells_of_another_end_is_found() {
    use Invariant::Kitchen;
    for (what, way) in [
        (
            "delivered and refunded",
            rolled_back().ticket("withdrawn", &WAY),
        ),
        ("left open", rolled_back().ticket("cooked", &WAY[..2])),
        ("received for good", rolled_back().ticket("received", &[])),
        (
            "refunded, ticket delivered",
            rolled_back().ticket("delivered", &[]),
        ),
        ("delivered and open", delivered().ticket("pickedUp", &WAY)),
        (
            "delivered and withdrawn",
            delivered().ticket("withdrawn", &WAY),
        ),
        (
            "delivered unreported",
            delivered().ticket("delivered", &WAY[..3]),
        ),
        (
            "delivered and rejected",
            delivered().ticket("delivered", &[&WAY[..], &["rejected"]].concat()),
        ),
    ] {
        assert_breaks(Kitchen, what, &way.0);
    }
    let mut late = delivered().ticket("delivered", &WAY).0;
    late.reports[3].taken_at_ms = 10_001;
    assert_breaks(Kitchen, "reported after the end", &late);
    late.reports[3].taken_at_ms = 10_000;
    assert_clean("on its way to the books as it ended", &late);
    let mut other = delivered().ticket("delivered", &WAY).0;
    other.ticket.as_mut().expect("a ticket").content.quantity = 2;
    assert_breaks(Kitchen, "cooked something else", &other);
    let mut stray = delivered().ticket("received", &[]).0;
    (stray.record, stray.changes) = (None, Vec::new());
    (stray.payments, stray.points) = (Vec::new(), Vec::new());
    assert_eq!(
        invariants(&violations_of(&stray, None, NOW_MS)),
        [Kitchen].into()
    );
}

#[test]
fn an_amendment_that_was_made_by_half_is_found() {
    use Invariant::Amendments;
    let whole = delivered().adjusted(1, "refund", 0, 0).amended(1, 1200);
    assert_clean("whole", &whole.0);
    let lost = delivered().adjusted(2, "refund", 0, 0).amended(1, 1200);
    assert_breaks(Amendments, "moved money and was not made", &lost.0);
    let void = delivered()
        .adjusted(2, "refund", 0, 0)
        .adjusted(2, "void", 0, 0);
    assert_clean("taken back", &void.0);
    let mut other = delivered().amended(1, 1200).0;
    other.amendments[0].content.quantity = 2;
    assert_breaks(Amendments, "the order is something else", &other);
}

#[test]
fn a_customer_who_was_told_wrongly_or_not_at_all_is_found() {
    use Invariant::Notified;
    let mut untold = rolled_back().0;
    untold.notified.clear();
    assert!(needs_temporal(&untold));
    assert_breaks(Notified, "not told", &untold);
    let running = InTemporal {
        order: Some(OrderWorkflow {
            running: true,
            started_at_ms: 0,
        }),
        ..InTemporal::default()
    };
    assert_eq!(violations_of(&untold, Some(&running), NOW_MS), []);
    let mut wrong = delivered().0;
    wrong.notified.push(notification("sorry"));
    assert_breaks(Notified, "told of a cancellation that was none", &wrong);
    let mut early = Way::of(&[BEGUN, CHARGED]).paid("charge", 1200).0;
    early.notified.push(notification("sorry"));
    assert_breaks(Notified, "told while it is under way", &early);
    let mut stranger = rolled_back().0;
    stranger.notified[0].customer_id = "mallory".to_owned();
    assert_breaks(Notified, "a stranger was told", &stranger);
    let mut twice = rolled_back().0;
    let mut second = twice.notified[0].clone();
    second.kind = "orderDelayed".to_owned();
    twice.notified.push(second);
    assert_breaks(Notified, "told of something else too", &twice);
    let mut other = rolled_back().0;
    other.notified[0].message = "processOrder failed: no dough (no-dough)".to_owned();
    assert_breaks(Notified, "told another reason", &other);
}

#[test]
fn a_customer_who_was_told_what_an_engine_says_is_found() {
    let told = |code: &str, message: &str| {
        rolled_back()
            .because(code, message)
            .ticket("withdrawn", &["rejected"])
            .0
    };
    for (code, message) in [
        ("timeout", "activity StartToClose timeout"),
        ("store-unavailable", "the books are closed"),
        ("fulfilment-not-started", "cause: WorkflowAlreadyExists"),
        (
            "fulfilment-not-started",
            "Workflow execution already started",
        ),
        ("card-refused", "error returned from database: locked"),
        ("card-refused", "it panicked"),
    ] {
        assert_breaks(Invariant::Notified, message, &told(code, message));
    }
    for (code, message) in [
        ("timeout", "a service that the order needs did not answer"),
        (
            "kitchen-overdue",
            "the kitchen did not report pickedUp within 2.5 s",
        ),
        ("card-refused", "Card declined: call your bank"),
        ("cancelled-by-operator", "the database is moved tonight"),
        ("kitchen-rejected", "an error in the dough"),
        ("workflow-timed-out", "the order's workflow timed out"),
    ] {
        assert_clean(message, &told(code, message));
    }
}

#[test]
fn a_branch_that_outlives_its_order_is_found() {
    let way = delivered().0;
    let mut temporal = temporal_of(&way);
    temporal.branches.insert(format!("order-{ID}-fulfilment"));
    let found = violations_in_temporal(&way, &temporal, NOW_MS);
    assert_eq!(invariants(&found), [Invariant::Ended].into(), "{found:?}");
    // A loyalty branch may take a while after the delivery.
    assert_eq!(violations_in_temporal(&way, &temporal, 1000), []);
}
