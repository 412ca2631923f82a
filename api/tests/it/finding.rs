//! Lists of orders: what they leave out, and how they go on.

use serde_json::{Value, json};

use crate::shop::{Shop, Written, id};
use crate::support::{TestGateway, problem};

/// 2025-11-22T11:13:20Z.
const START_MS: i64 = 1_763_810_000_000;

async fn shop(gateway: &TestGateway) -> Shop {
    let mut shop = Shop::of(gateway).await;
    let orders = [
        ("ann", "Hawaiian", "DeliveryConfirmed", ""),
        ("ann", "plain", "Cancelled", "processPayment"),
        ("ben", "HAWAIIAN", "Cancelled", "prepareOrder"),
        ("ben", "Ānanas", "DeliveryConfirmed", ""),
        ("ben", "100% _", "Pending", ""),
    ];
    for (number, (customer, flavour, status, cancel_step)) in (0..).zip(orders) {
        let order = Written {
            id: &id(number),
            customer,
            flavour,
            status,
            cancel_step,
            placed_at_ms: START_MS + i64::from(number) * 1000,
        };
        shop.order(order).await;
    }
    for (order, queue, state) in [
        (0, "add-loyalty-points", "parked"),
        (2, "refund-payment", "discarded"),
        (3, "add-loyalty-points", "done"),
    ] {
        shop.execute(&format!(
            "INSERT INTO failed_tasks (task_id, order_id, customer_id, queue, message_type, \
             state, parked_at_ms) VALUES ('{queue}-{order}', '{}', 'x', '{queue}', 'x', \
             '{state}', 1)",
            id(order)
        ))
        .await;
    }
    shop
}

async fn listed(gateway: &TestGateway, query: &str) -> Value {
    let answer = gateway.get(&format!("/orders?{query}")).await;
    assert_eq!(answer.status(), 200, "{query}");
    answer.json().await.expect("JSON")
}

/// The numbers of the orders on a page.
fn numbers(page: &Value) -> Vec<u32> {
    let orders = page["orders"].as_array().expect("orders").iter();
    orders
        .map(|order| {
            let id = order["orderId"].as_str().expect("an id");
            u32::from_str_radix(&id[24..], 16).expect("a number")
        })
        .collect()
}

#[tokio::test]
async fn filters_leave_out_what_does_not_pass_all_of_them() {
    let gateway = TestGateway::start().await;
    let _shop = shop(&gateway).await;
    for (query, expected) in [
        ("", &[4, 3, 2, 1, 0][..]),
        ("status=Cancelled", &[2, 1]),
        ("customerId=ann", &[1, 0]),
        ("customerId=nobody", &[]),
        ("flavour=hawaiian", &[2, 0]),
        ("flavour=%20Hawaiian%20", &[2, 0]),
        ("flavour=hawai", &[]),
        ("flavour=%C4%80NANAS", &[3]),
        ("flavour=%EF%BC%B0lain", &[1]),
        // No pattern, whatever it looks like.
        ("flavour=%25", &[]),
        ("flavour=100%25%20_", &[4]),
        ("placedAfter=2025-11-22T11:13:22Z", &[4, 3]),
        ("placedAfter=2025-11-22T12:13:21.999%2B01:00", &[4, 3, 2]),
        ("placedBefore=2025-11-22t11:13:21z", &[0]),
        ("placedBefore=9999-12-31T23:59:59Z&customerId=ann", &[1, 0]),
        ("placedBefore=2025-11-22T11:13:21.0001Z", &[1, 0]),
        ("failedStep=prepareOrder", &[2]),
        ("failedStep=addLoyaltyPoints", &[0]),
        ("failedStep=refundPayment", &[2]),
        ("failedStep=createOrder", &[]),
        ("status=Cancelled&flavour=hawaiian&customerId=ben", &[2]),
        ("status=Cancelled&flavour=hawaiian&customerId=ann", &[]),
    ] {
        let page = listed(&gateway, query).await;
        assert_eq!(numbers(&page), expected, "{query}");
        assert_eq!(page["nextCursor"], Value::Null, "{query}");
    }
    // However it is written.
    for limit in ["1", "1.0", "10e-1"] {
        let page = listed(&gateway, &format!("limit={limit}")).await;
        assert_eq!(numbers(&page), [4], "{limit}");
    }
    let first = listed(&gateway, "limit=1&customerId=ann").await["orders"][0].clone();
    assert_eq!(
        first,
        json!({
            "orderId": id(1), "customerId": "ann", "status": "Cancelled", "flavour": "plain",
            "size": "large", "quantity": 2, "total": 3000, "discountApplied": "0%",
            "discountReason": null, "money": "notCharged", "points": "none", "version": 1,
            "cancelled": {
                "step": "processPayment", "code": "no-luck", "message": "it did not work",
            },
            "placedAt": "2025-11-22T11:13:21Z", "updatedAt": "2025-11-22T11:13:21Z",
        })
    );
}

#[tokio::test]
async fn what_is_no_filter_is_named() {
    let gateway = TestGateway::start().await;
    for (query, code, field) in [
        ("status=eaten", "invalid-value", "status"),
        ("customerId=a%20b", "invalid-value", "customerId"),
        ("flavour=", "invalid-value", "flavour"),
        ("placedAfter=yesterday", "invalid-value", "placedAfter"),
        (
            "placedBefore=2025-11-22T11:13:20",
            "invalid-value",
            "placedBefore",
        ),
        (
            "placedAfter=2025-11-22T11:13Z",
            "invalid-value",
            "placedAfter",
        ),
        (
            "placedAfter=2025-11-22T11:13:20,5Z",
            "invalid-value",
            "placedAfter",
        ),
        (
            "placedBefore=2025-11-22T11:13:20%2B24:00",
            "invalid-value",
            "placedBefore",
        ),
        (
            "placedBefore=2025-11-22T11:13:60Z",
            "invalid-value",
            "placedBefore",
        ),
        // A + that was not written as %2B is a space.
        (
            "placedAfter=2025-11-22T11:13:20+01:00",
            "invalid-value",
            "placedAfter",
        ),
        ("flavour=%E2%80%8B", "invalid-value", "flavour"),
        ("failedStep=7", "invalid-value", "failedStep"),
        ("limit=0", "out-of-range", "limit"),
        ("limit=101", "out-of-range", "limit"),
        ("limit=101.0", "out-of-range", "limit"),
        ("flavour=%CC%81", "invalid-value", "flavour"),
        ("cursor=x", "invalid-value", "cursor"),
    ] {
        let answer = problem(gateway.get(&format!("/orders?{query}")).await).await;
        assert_eq!(
            (&answer["code"], &answer["field"]),
            (&json!(code), &json!(field)),
            "{query}"
        );
        assert_eq!(answer["status"], 422, "{query}");
    }
    for (query, code, field) in [
        ("colour=red", "unknown-field", "colour"),
        ("limit=ten", "invalid-type", "limit"),
        ("limit=1.5", "invalid-type", "limit"),
        ("limit=1&limit=2", "duplicate-field", "limit"),
    ] {
        let answer = problem(gateway.get(&format!("/orders?{query}")).await).await;
        assert_eq!(answer["code"], code, "{query}");
        assert_eq!(answer["field"], field, "{query}");
    }
}

#[tokio::test]
async fn pages_follow_each_other_and_newcomers_shift_none() {
    let gateway = TestGateway::start().await;
    let mut shop = shop(&gateway).await;
    // Placed at the same time as others, so that the id decides.
    for number in 10..13 {
        let order = Written {
            id: &id(number),
            placed_at_ms: START_MS + 2000,
            ..Written::default()
        };
        shop.order(order).await;
    }
    let mut seen = Vec::new();
    let mut query = "limit=2".to_owned();
    for newcomer in 20.. {
        let page = listed(&gateway, &query).await;
        seen.extend(numbers(&page));
        let Some(cursor) = page["nextCursor"].as_str() else {
            break;
        };
        query = format!("limit=2&cursor={cursor}");
        let newcomer = id(newcomer);
        shop.order(Written {
            id: &newcomer,
            ..Written::default()
        })
        .await;
        let other_list = gateway
            .get(&format!("/orders?status=Pending&cursor={cursor}"))
            .await;
        assert_eq!(problem(other_list).await["field"], "cursor");
    }
    assert_eq!(seen, [4, 3, 12, 11, 10, 2, 1, 0]);
}

#[tokio::test]
async fn an_answer_says_how_old_it_is() {
    let gateway = TestGateway::start().await;
    let mut shop = shop(&gateway).await;
    let look = async |number| {
        let answer = gateway.get(&format!("/orders/{}", id(number))).await;
        let header = answer.headers()["age"].to_str().expect("text").to_owned();
        let body: Value = answer.json().await.expect("JSON");
        (
            header.parse::<u64>().expect("seconds"),
            body["ageSeconds"].as_f64().expect("a number"),
        )
    };
    let (header, body) = look(0).await;
    assert!(header > 1_000_000 && body >= header as f64 && body < header as f64 + 1.0);
    assert!(look(0).await.1 >= body, "it does not get younger");
    let ahead = pizza_store::now_ms() + 60_000;
    shop.change_at(&id(1), "Cancelled", ahead).await;
    assert_eq!(look(1).await, (0, 0.0), "another clock is ahead");
}
