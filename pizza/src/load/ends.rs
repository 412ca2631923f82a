//! How an order should end.

use pizza_contract::Order;

use super::mix::Scenario;
use super::plan::Planned;
use super::tally::WrongEnd;

use crate::client::scenarios::expected;
use crate::client::status::with_code;

/// What was said to the change that a customer asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// None was asked for.
    Nothing,
    /// Yes.
    Taken,
    /// It came too late.
    TooLate,
    /// Nobody said.
    Unanswered,
}

/// An end, as far as it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
struct End {
    status: String,
    money: String,
    points: String,
    parked: Vec<String>,
    quantity: i64,
}

/// How the order should have ended; none when it has.
pub(super) fn wrong_end(planned: &Planned, asked: Asked, order: &Order) -> Option<WrongEnd> {
    let seen = End::of(order);
    let right = right_ends(planned, asked);
    if right.contains(&seen) {
        return None;
    }
    let right: Vec<_> = right.iter().map(End::in_words).collect();
    Some(WrongEnd {
        order_id: order.order_id,
        scenario: planned.scenario.name(),
        expected: right.join(" or "),
        seen: with_code(&seen.in_words(), order.cancelled.as_ref()),
    })
}

/// Whether the order's status is that of a right end: what differs besides may
/// still be written.
pub(super) fn has_right_status(planned: &Planned, asked: Asked, order: &Order) -> bool {
    let right = right_ends(planned, asked);
    right.iter().any(|end| end.status == order.status)
}

fn right_ends(planned: &Planned, asked: Asked) -> Vec<End> {
    let quantity = i64::from(planned.quantity);
    let scenario = match planned.scenario {
        Scenario::Fails(scenario) => scenario,
        Scenario::Cancel | Scenario::Amend => Default::default(),
    };
    let end = expected(scenario);
    let as_planned = End {
        status: end.status,
        money: end.money,
        points: end.points,
        parked: end.parked,
        quantity,
    };
    let changed = match planned.scenario {
        Scenario::Fails(_) => return vec![as_planned],
        Scenario::Amend => vec![End {
            quantity: i64::from(planned.amended_quantity()),
            ..as_planned.clone()
        }],
        Scenario::Cancel => cancelled(quantity),
    };
    match asked {
        Asked::Taken => changed,
        Asked::Nothing | Asked::TooLate => vec![as_planned],
        Asked::Unanswered => [changed, vec![as_planned]].concat(),
    }
}

/// A cancelled order was charged, and given points, or was not yet.
fn cancelled(quantity: i64) -> Vec<End> {
    [
        ("notCharged", "none"),
        ("refunded", "none"),
        ("refunded", "reclaimed"),
    ]
    .map(|(money, points)| End {
        status: "Cancelled".to_owned(),
        money: money.to_owned(),
        points: points.to_owned(),
        parked: Vec::new(),
        quantity,
    })
    .into()
}

impl End {
    fn of(order: &Order) -> Self {
        let mut parked: Vec<_> = order
            .owed
            .iter()
            .map(|owed| owed.message_type.clone())
            .collect();
        parked.sort();
        Self {
            status: order.status.to_string(),
            money: order.money.to_string(),
            points: order.points.to_string(),
            parked,
            quantity: order.quantity,
        }
    }

    fn in_words(&self) -> String {
        let parked = match self.parked.as_slice() {
            [] => String::new(),
            parked => format!(", {}", parked.join(" ")),
        };
        format!(
            "{}, {}, points {}, {} pizzas{parked}",
            self.status, self.money, self.points, self.quantity
        )
    }
}

#[cfg(test)]
mod tests {
    use pizza_contract::PlaceOrder;
    use pizza_domain::ErrorOnStep;
    use serde_json::json;

    use super::*;

    fn planned(scenario: Scenario) -> Planned {
        Planned {
            number: 0,
            scenario,
            quantity: 2,
            body: PlaceOrder::default(),
            key: String::new(),
        }
    }

    fn order(status: &str, money: &str, points: &str, quantity: u32, owed: &[&str]) -> Order {
        let owed: Vec<_> = owed
            .iter()
            .map(|it| json!({ "queue": "q", "messageType": it, "taskId": "t", "state": "parked" }))
            .collect();
        serde_json::from_value(json!({
            "orderId": "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11", "status": status,
            "flavour": "plain", "size": "medium", "quantity": quantity, "total": 1,
            "discountApplied": "0%", "money": money, "points": points, "owed": owed, "version": 7,
        }))
        .expect("an order")
    }

    #[test]
    fn each_scenario_has_its_end_and_no_other() {
        let delivered = order("DeliveryConfirmed", "charged", "awarded", 2, &[]);
        let declined = order("Cancelled", "notCharged", "none", 2, &[]);
        let refunded = order("Cancelled", "refunded", "reclaimed", 2, &[]);
        let parked = order(
            "Cancelled",
            "refundParked",
            "awarded",
            2,
            &["RefundPaymentFailed"],
        );
        let ends = [&delivered, &declined, &refunded, &parked];
        for (number, right) in [(0, 0), (2, 1), (4, 2), (5, 2), (6, 3)] {
            let scenario = ErrorOnStep::from_number(number).expect("a scenario");
            let planned = planned(Scenario::Fails(scenario));
            for (index, end) in ends.into_iter().enumerate() {
                let wrong = wrong_end(&planned, Asked::Nothing, end);
                assert_eq!(wrong.is_none(), index == right, "{number}: {wrong:?}");
            }
        }
        let wrong = wrong_end(&planned(Scenario::Cancel), Asked::TooLate, &parked);
        let wrong = wrong.expect("a difference");
        assert!(
            wrong.expected.starts_with("DeliveryConfirmed, charged"),
            "{wrong:?}"
        );
        assert!(wrong.seen.contains("RefundPaymentFailed"), "{wrong:?}");
    }

    #[test]
    fn a_change_ends_as_its_answer_said() {
        let delivered = order("DeliveryConfirmed", "charged", "awarded", 2, &[]);
        let amended = order("DeliveryConfirmed", "charged", "awarded", 3, &[]);
        let refunded = order("Cancelled", "refunded", "none", 2, &[]);
        let is_right = |scenario, asked, end| wrong_end(&planned(scenario), asked, end).is_none();
        for (scenario, asked, right) in [
            (Scenario::Amend, Asked::Taken, vec![&amended]),
            (Scenario::Amend, Asked::TooLate, vec![&delivered]),
            (
                Scenario::Amend,
                Asked::Unanswered,
                vec![&amended, &delivered],
            ),
            (Scenario::Cancel, Asked::Taken, vec![&refunded]),
            (Scenario::Cancel, Asked::TooLate, vec![&delivered]),
            (
                Scenario::Cancel,
                Asked::Unanswered,
                vec![&refunded, &delivered],
            ),
        ] {
            for end in [&delivered, &amended, &refunded] {
                let expected = right.iter().any(|it| std::ptr::eq(*it, end));
                assert_eq!(
                    is_right(scenario, asked, end),
                    expected,
                    "{scenario:?} {asked:?}"
                );
            }
        }
    }
}
