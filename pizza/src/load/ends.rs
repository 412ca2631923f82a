//! How an order should end.

use pizza_contract::Order;

use super::plan::{Planned, Scenario};
use super::report::WrongEnd;

use crate::client::scenarios::expected;
use crate::client::status::with_code;

/// What was answered to the change that a customer asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// None was asked for.
    Nothing,
    /// It was made.
    Taken,
    /// It came too late.
    TooLate,
    /// There was no answer.
    Unanswered,
}

/// How the order should have ended; none when it has.
pub(super) fn wrong_end(planned: &Planned, asked: Asked, order: &Order) -> Option<WrongEnd> {
    let mut parked: Vec<_> = order
        .owed
        .iter()
        .map(|it| it.message_type.as_str())
        .collect();
    parked.sort_unstable();
    let (status, money, points) = (&order.status, &order.money, &order.points);
    let seen = end(status, money, points, order.quantity, &parked);
    let right = right_ends(planned, asked);
    (!right.contains(&seen)).then(|| WrongEnd {
        order_id: order.order_id,
        scenario: planned.scenario.name(),
        has_right_status: right
            .iter()
            .any(|end| end.split(',').next() == Some(status)),
        expected: right.join(" or "),
        seen: with_code(&seen, order.cancelled.as_ref()),
    })
}

fn right_ends(planned: &Planned, asked: Asked) -> Vec<String> {
    let scenario = match planned.scenario {
        Scenario::Fails(scenario) => scenario,
        Scenario::Cancel | Scenario::Amend => Default::default(),
    };
    let quantity = planned.quantity.into();
    let as_planned = |quantity| {
        let it = expected(scenario);
        let parked: Vec<_> = it.parked.iter().map(String::as_str).collect();
        end(&it.status, &it.money, &it.points, quantity, &parked)
    };
    let changed = match planned.scenario {
        Scenario::Fails(_) => Vec::new(),
        Scenario::Amend => vec![as_planned(planned.amended_quantity().into())],
        // It was charged, and given points, or was not yet.
        Scenario::Cancel => [
            ("notCharged", "none"),
            ("refunded", "none"),
            ("refunded", "reclaimed"),
        ]
        .map(|(money, points)| end("Cancelled", money, points, quantity, &[]))
        .into(),
    };
    match asked {
        Asked::Taken => changed,
        Asked::Nothing | Asked::TooLate => vec![as_planned(quantity)],
        Asked::Unanswered => [changed, vec![as_planned(quantity)]].concat(),
    }
}

/// An end in words, as far as it is compared.
fn end(status: &str, money: &str, points: &str, quantity: i64, parked: &[&str]) -> String {
    let parked = match parked {
        [] => String::new(),
        parked => format!(", {}", parked.join(" ")),
    };
    format!("{status}, {money}, points {points}, {quantity} pizzas{parked}")
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
    fn each_scenario_and_each_answer_to_a_change_has_its_ends_and_no_other() {
        use Scenario::{Amend, Cancel, Fails};
        let ends = [
            order("DeliveryConfirmed", "charged", "awarded", 2, &[]),
            order("DeliveryConfirmed", "charged", "awarded", 3, &[]),
            order("Cancelled", "notCharged", "none", 2, &[]),
            order("Cancelled", "refunded", "reclaimed", 2, &[]),
            order(
                "Cancelled",
                "refundParked",
                "awarded",
                2,
                &["RefundPaymentFailed"],
            ),
        ];
        let fails = |number| Fails(ErrorOnStep::from_number(number).expect("a scenario"));
        for (scenario, asked, right) in [
            (fails(0), Asked::Nothing, &[0][..]),
            (fails(2), Asked::Nothing, &[2]),
            (fails(4), Asked::Nothing, &[3]),
            (fails(5), Asked::Nothing, &[3]),
            (fails(6), Asked::Nothing, &[4]),
            (Amend, Asked::Taken, &[1]),
            (Amend, Asked::TooLate, &[0]),
            (Amend, Asked::Unanswered, &[0, 1]),
            (Cancel, Asked::Taken, &[2, 3]),
            (Cancel, Asked::TooLate, &[0]),
            (Cancel, Asked::Unanswered, &[0, 2, 3]),
        ] {
            for (index, end) in ends.iter().enumerate() {
                let wrong = wrong_end(&planned(scenario), asked, end);
                assert_eq!(
                    wrong.is_none(),
                    right.contains(&index),
                    "{scenario:?} {wrong:?}"
                );
            }
        }
        let wrong = wrong_end(&planned(Cancel), Asked::TooLate, &ends[4]).expect("a difference");
        assert!(
            wrong.expected.starts_with("DeliveryConfirmed, charged"),
            "{wrong:?}"
        );
        assert!(wrong.seen.contains("RefundPaymentFailed"), "{wrong:?}");
        assert!(!wrong.has_right_status, "{wrong:?}");
        // What differs besides the status may still be written.
        let wrong = wrong_end(&planned(Amend), Asked::TooLate, &ends[1]).expect("a difference");
        assert!(wrong.has_right_status, "{wrong:?}");
    }
}
