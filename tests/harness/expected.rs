//! The end of each scenario, as the specification's table has it.

use pizza_domain::ErrorOnStep;
use pizza_domain::OrderStatus::{self, *};
use pizza_workflows::steps::ExpectedEnd;
use serde_json::{Value, json};

use super::books::Account;

/// How an order of a scenario has to end.
#[derive(Debug)]
pub(crate) struct Expected {
    /// `errorOnStep` as a number.
    pub(crate) number: u64,
    /// `errorOnStep` as a name.
    pub(crate) name: &'static str,
    /// Step, code and message.
    pub(crate) cancelled: Option<[&'static str; 3]>,
    pub(crate) parked: Option<Parked>,
    /// The kinds in the payment provider's ledger.
    payments: &'static [&'static str],
    /// The kinds in the loyalty programme's ledger.
    awards: &'static [&'static str],
    /// The statuses that the order goes through.
    way: &'static [OrderStatus],
}

/// What has to wait in a failure queue.
#[derive(Debug)]
pub(crate) struct Parked {
    pub(crate) message_type: &'static str,
    pub(crate) queue: &'static str,
    /// The step, and its activity.
    pub(crate) step: &'static str,
    pub(crate) task_queue: &'static str,
    pub(crate) code: &'static str,
    pub(crate) attempts: u64,
}

const DELIVERED: &[OrderStatus] = &[
    Pending,
    PaymentProcessing,
    PaymentComplete,
    CookingStarted,
    CookingCompleted,
    DeliveryStarted,
    DeliveryConfirmed,
];

const REFUSED_BY_THE_KITCHEN: &[OrderStatus] = &[
    Pending,
    PaymentProcessing,
    PaymentComplete,
    Refunding,
    Cancelled,
];

const KITCHEN_REFUSED: Option<[&str; 3]> = Some([
    "prepareOrder",
    "kitchen-refused",
    "the kitchen refused the order",
]);

/// The eight scenarios, by their numbers.
pub(crate) const SCENARIOS: [Expected; 8] = [
    Expected {
        number: 0,
        name: "none",
        cancelled: None,
        parked: None,
        payments: &["charge"],
        awards: &["award"],
        way: DELIVERED,
    },
    Expected {
        number: 1,
        name: "createOrder",
        cancelled: Some([
            "createOrder",
            "order-not-created",
            "the order could not be created",
        ]),
        parked: None,
        payments: &[],
        awards: &[],
        way: &[Pending, Cancelled],
    },
    Expected {
        number: 2,
        name: "processPayment",
        cancelled: Some([
            "processPayment",
            "payment-declined",
            "the payment was declined",
        ]),
        parked: None,
        payments: &[],
        awards: &[],
        way: &[Pending, PaymentProcessing, PaymentFailed, Cancelled],
    },
    Expected {
        number: 3,
        name: "addLoyaltyPoints",
        cancelled: None,
        parked: Some(Parked {
            message_type: "AddLoyaltyPointsFailed",
            queue: "add-loyalty-points",
            step: "addLoyaltyPoints",
            task_queue: "loyalty",
            code: "points-refused",
            attempts: 1,
        }),
        payments: &["charge"],
        awards: &[],
        way: DELIVERED,
    },
    Expected {
        number: 4,
        name: "prepareOrder",
        cancelled: KITCHEN_REFUSED,
        parked: None,
        payments: &["charge", "refund"],
        awards: &["award", "reclaim"],
        way: REFUSED_BY_THE_KITCHEN,
    },
    Expected {
        number: 5,
        name: "processOrder",
        cancelled: Some([
            "processOrder",
            "kitchen-overdue",
            "the kitchen did not report accepted within 10 s",
        ]),
        parked: None,
        payments: &["charge", "refund"],
        awards: &["award", "reclaim"],
        way: &[
            Pending,
            PaymentProcessing,
            PaymentComplete,
            Refunding,
            Cancelled,
        ],
    },
    Expected {
        number: 6,
        name: "refundPayment",
        cancelled: KITCHEN_REFUSED,
        parked: Some(Parked {
            message_type: "RefundPaymentFailed",
            queue: "refund-payment",
            step: "refundPayment",
            task_queue: "orders",
            code: "refund-failed",
            attempts: 6,
        }),
        payments: &["charge"],
        awards: &["award"],
        way: REFUSED_BY_THE_KITCHEN,
    },
    Expected {
        number: 7,
        name: "reclaimLoyaltyPoints",
        cancelled: KITCHEN_REFUSED,
        parked: Some(Parked {
            message_type: "RemoveLoyaltyPointsFailed",
            queue: "remove-loyalty-points",
            step: "reclaimLoyaltyPoints",
            task_queue: "orders",
            code: "reclaim-refused",
            attempts: 1,
        }),
        payments: &["charge", "refund"],
        awards: &["award"],
        way: REFUSED_BY_THE_KITCHEN,
    },
];

impl Expected {
    /// The end that the specification's table has.
    pub(crate) fn end(&self) -> ExpectedEnd {
        let scenario = ErrorOnStep::from_number(self.number).expect("a scenario");
        ExpectedEnd::of(scenario)
    }

    /// The last status.
    pub(crate) fn status(&self) -> &'static str {
        self.end().status.as_str()
    }

    /// Checks an order as the gateway shows it.
    pub(crate) fn assert_order(&self, order: &Value) {
        let seen = json!({
            "status": order["status"],
            "money": order["money"],
            "points": order["points"],
            "cancelled": order["cancelled"],
        });
        let cancelled = self
            .cancelled
            .map(|[step, code, message]| json!({ "step": step, "code": code, "message": message }));
        let expected = json!({
            "status": self.status(),
            "money": self.end().money.as_str(),
            "points": self.end().points.as_str(),
            "cancelled": cancelled,
        });
        assert_eq!(seen, expected, "scenario {}: {order}", self.number);
    }

    /// Checks the books on an order of this total, in minor units.
    pub(crate) fn assert_account(&self, account: &Account, total: i64) {
        let which = format!("scenario {}: {account:?}", self.number);
        account.assert_legal();
        assert_eq!(account.way(), self.way, "{which}");
        assert_eq!(account.payment_kinds(), self.payments, "{which}");
        assert!(
            account.payments.iter().all(|(_, amount)| *amount == total),
            "{which}"
        );
        assert_eq!(account.points_kinds(), self.awards, "{which}");
        let left = if self.awards == ["award"] {
            total / 100
        } else {
            0
        };
        assert_eq!(account.points_left(), left, "{which}");
        let told = usize::from(self.cancelled.is_some());
        assert_eq!(account.notifications.len(), told, "{which}");
        if let Some([step, code, _]) = self.cancelled {
            let message = &account.notifications[0];
            assert!(message.contains(step) && message.contains(code), "{which}");
        }
    }
}
