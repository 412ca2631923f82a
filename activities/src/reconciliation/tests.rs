//! What is done for which order.

use pizza_domain::{
    CancelReason, MoneyState, Order, OrderId, OrderRequest, OrderStatus, PointsState, Prices,
    Recovery, Size, StageDeadlines, Step,
};
use pizza_store::{Account, FailedTaskRow, LedgerRow, OrderRecord, RecordRow, StandingRow};
use uuid::Uuid;

use super::verdict::{Outside, order_as_it_was, recovery_of, was_left_undone};

fn order() -> Order {
    let id = OrderId::from_uuid(Uuid::new_v4());
    let stages = StageDeadlines::all(std::time::Duration::from_secs(10));
    Order::accept(OrderRequest::default(), id, Prices::FIRST, stages, 7)
}

fn record(order: &Order, status: OrderStatus) -> OrderRecord {
    OrderRecord {
        order_id: order.order_id,
        customer_id: order.customer_id.clone(),
        flavour: order.flavour.clone(),
        size: order.size,
        quantity: order.quantity.get().into(),
        total: order.total.minor(),
        discount: order.discount,
        status,
        money: MoneyState::Charged,
        points: PointsState::Awarded,
        cancelled: None,
        version: 3,
        placed_at_ms: order.placed_at_ms,
        updated_at_ms: 8,
    }
}

#[test]
fn food_at_the_door_is_delivered_and_all_else_is_rolled_back() {
    let order = order();
    for status in OrderStatus::ALL {
        for at_the_door in [true, false] {
            let record = record(&order, *status);
            let recovery = recovery_of(Some(&record), Outside::Terminated, at_the_door);
            let delivered = match status {
                // An observer has seen it.
                OrderStatus::DeliveryConfirmed => true,
                // Its rollback was under way.
                OrderStatus::Cancelled | OrderStatus::Refunding | OrderStatus::PaymentFailed => {
                    false
                }
                _ => at_the_door,
            };
            let is_delivered = recovery == Recovery::Delivered;
            assert_eq!(is_delivered, delivered, "{status}, {at_the_door}");
        }
    }
}

#[test]
fn the_reason_says_how_it_was_ended_and_where_it_stood() {
    let order = order();
    let reason = |record: Option<&OrderRecord>, outside| match recovery_of(record, outside, false) {
        Recovery::RollBack(reason) => reason,
        Recovery::Delivered => panic!("delivered"),
    };
    let on_its_way = record(&order, OrderStatus::DeliveryStarted);
    let lost = reason(Some(&on_its_way), Outside::Lost);
    assert_eq!(
        (lost.step, lost.code.as_str()),
        (Step::ProcessOrder, "workflow-lost")
    );
    let unwritten = reason(None, Outside::TimedOut);
    let told = (unwritten.step, unwritten.code.as_str());
    assert_eq!(told, (Step::CreateOrder, "workflow-timed-out"));

    let mut cancelled = record(&order, OrderStatus::Cancelled);
    let own = CancelReason {
        step: Step::ProcessOrder,
        code: "kitchen-overdue".to_owned(),
        message: "late".to_owned(),
    };
    cancelled.cancelled = Some(own.clone());
    assert_eq!(reason(Some(&cancelled), Outside::Terminated), own);
}

#[test]
fn an_order_is_taken_up_as_its_record_has_it() {
    let accepted = order();
    let mut amended = record(&accepted, OrderStatus::PaymentComplete);
    amended.size = Size::Large;
    amended.total = 1500;
    let taken_up = order_as_it_was(Some(&amended), Some(accepted.clone())).expect("an order");
    assert_eq!((taken_up.size, taken_up.total.minor()), (Size::Large, 1500));
    assert_eq!(taken_up.stages, accepted.stages);
    assert_eq!(taken_up.simulation, accepted.simulation);

    let lost = order_as_it_was(Some(&amended), None).expect("an order");
    assert_eq!(lost.order_id, accepted.order_id);
    assert_eq!(lost.total.minor(), 1500);
    assert_eq!(
        order_as_it_was(None, Some(accepted.clone())),
        Some(accepted)
    );
    assert_eq!(order_as_it_was(None, None), None);
}

struct Books(Account);

impl Books {
    fn of(status: OrderStatus, money: MoneyState) -> Self {
        let standing = StandingRow {
            status: status.as_str().to_owned(),
            money: money.as_str().to_owned(),
            points: String::new(),
        };
        Self(Account {
            record: Some(RecordRow {
                standing,
                ..RecordRow::default()
            }),
            ..Account::default()
        })
    }

    fn paid(mut self, kind: &str) -> Self {
        self.0.payments.push(entry(kind));
        self
    }

    fn points(mut self, kind: &str) -> Self {
        self.0.points.push(entry(kind));
        self
    }

    fn task(mut self, queue: &str) -> Self {
        self.0.tasks.push(FailedTaskRow {
            task_id: String::new(),
            queue: queue.to_owned(),
            state: "parked".to_owned(),
            resolved_at_ms: None,
        });
        self
    }
}

fn entry(kind: &str) -> LedgerRow {
    LedgerRow {
        kind: kind.to_owned(),
        customer_id: String::new(),
        amount: 1,
        booked_at_ms: 0,
    }
}

#[test]
fn an_end_is_finished_when_its_books_are() {
    use MoneyState::{Charged, NotCharged, RefundParked, Refunded};
    use OrderStatus::{Cancelled, CookingStarted, DeliveryConfirmed};
    let charged = || Books::of(Cancelled, Charged).paid("charge").points("award");
    let refunded = || {
        Books::of(Cancelled, Refunded)
            .paid("charge")
            .paid("refund")
            .points("award")
    };
    let parked = || {
        Books::of(Cancelled, RefundParked)
            .paid("charge")
            .points("award")
    };
    let delivered = || Books::of(DeliveryConfirmed, Charged).paid("charge");
    for (what, books, was_told, expected) in [
        ("a charge is kept", charged(), true, true),
        ("points are kept", refunded(), true, true),
        ("taken back", refunded().points("reclaim"), true, false),
        ("nobody was told", refunded().points("reclaim"), false, true),
        (
            "owed",
            refunded().points("reclaim").task("notify-customer"),
            false,
            false,
        ),
        (
            "a refund is owed",
            parked().task("refund-payment"),
            true,
            false,
        ),
        (
            "a reclaim is owed",
            refunded().task("remove-loyalty-points"),
            true,
            false,
        ),
        (
            "never charged",
            Books::of(Cancelled, NotCharged),
            true,
            false,
        ),
        (
            "never charged, not told",
            Books::of(Cancelled, NotCharged),
            false,
            true,
        ),
        ("no points", delivered(), false, true),
        ("points", delivered().points("award"), false, false),
        (
            "points are owed",
            delivered().task("add-loyalty-points"),
            false,
            false,
        ),
        // A person's affair.
        (
            "both",
            Books::of(DeliveryConfirmed, Refunded).paid("refund"),
            false,
            false,
        ),
        (
            "without an end",
            Books::of(CookingStarted, Charged),
            false,
            false,
        ),
    ] {
        assert_eq!(was_left_undone(&books.0, was_told), expected, "{what}");
    }
    assert!(!was_left_undone(&Account::default(), false));
}
