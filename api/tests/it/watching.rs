//! What those who watch an order are told, and when they are not.

use std::pin::Pin;
use std::time::Duration;

use futures::StreamExt;
use pizza_api::Limits;
use pizza_app::keys::{KeyHash, Role};
use pizza_store::now_ms;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use sse_stream::SseStream;
use tokio::time::{Instant, timeout};

use crate::shop::{Shop, Written, id};
use crate::support::{TestGateway, problem};

/// Longer than anything here takes; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Events as they come.
pub(crate) struct Events(Pin<Box<SseStream<reqwest::Body>>>);

impl Events {
    /// Watches an order, as one who saw `after` last.
    pub(crate) async fn of(gateway: &TestGateway, order: &str, after: Option<&str>) -> Self {
        let response = watch(gateway, order, after).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self(Box::pin(SseStream::new(response.into())))
    }

    /// The next event's id and data; none at the end.
    pub(crate) async fn next(&mut self) -> Option<(i64, Value)> {
        let event = timeout(PATIENCE, self.0.next()).await.expect("in time")?;
        let event = event.expect("an event");
        assert_eq!(event.event.as_deref(), Some("change"));
        let id = event.id.expect("an id").parse().expect("a number");
        let data: Value = serde_json::from_str(&event.data.expect("data")).expect("JSON");
        assert_eq!(data["version"], id);
        Some((id, data))
    }

    /// The ids up to the end.
    async fn ids(&mut self) -> Vec<i64> {
        let mut ids = Vec::new();
        while let Some((id, _)) = self.next().await {
            ids.push(id);
        }
        ids
    }
}

async fn watch(gateway: &TestGateway, order: &str, after: Option<&str>) -> Response {
    let request = gateway
        .http
        .get(gateway.url(&format!("/orders/{order}/events")));
    let request = match after {
        Some(id) => request.header("last-event-id", id),
        None => request,
    };
    request.send().await.expect("an answer")
}

#[tokio::test]
async fn each_change_is_told_once_in_order_until_the_final_one() {
    let gateway = TestGateway::start().await;
    let mut shop = Shop::of(&gateway).await;
    let order = Written::default();
    let id = order.id;
    shop.order(order).await;
    let mut events = Events::of(&gateway, id, None).await;
    let (first, data) = events.next().await.expect("the first change");
    assert_eq!(first, 1);
    assert!(data["changedAt"].is_string(), "{data}");
    let mut data = data;
    data.as_object_mut().expect("an object").remove("changedAt");
    assert_eq!(
        data,
        json!({
            "orderId": id, "version": 1, "status": "Pending", "money": "notCharged",
            "points": "none", "flavour": "plain", "size": "large", "quantity": 2,
            "total": 3000, "discountApplied": "0%", "cancelled": null,
        })
    );
    for (version, status) in [(2, "PaymentProcessing"), (3, "PaymentComplete")] {
        shop.change(id, status).await;
        let (told, data) = events.next().await.expect("a change");
        assert_eq!((told, &data["status"]), (version, &json!(status)));
    }
    // At once: the stream still tells each, and nothing beyond the end.
    for status in ["Refunding", "Cancelled", "Cancelled"] {
        shop.change(id, status).await;
    }
    assert_eq!(events.ids().await, [4, 5]);

    let mut resumed = Events::of(&gateway, id, Some("2")).await;
    assert_eq!(resumed.ids().await, [3, 4, 5]);
    for over in ["5", "6", "700"] {
        assert_eq!(
            watch(&gateway, id, Some(over)).await.status(),
            204,
            "{over}"
        );
    }
}

#[tokio::test]
async fn a_cancelled_order_says_why_and_a_change_of_before_what_it_was() {
    let gateway = TestGateway::start().await;
    let mut shop = Shop::of(&gateway).await;
    let order = Written {
        cancel_step: "prepareOrder",
        ..Written::default()
    };
    let id = order.id;
    shop.order(order).await;
    shop.change(id, "Cancelled").await;
    shop.execute("UPDATE order_changes SET flavour = NULL, size = NULL, quantity = NULL, total = NULL, discount_percent = NULL")
        .await;
    let mut events = Events::of(&gateway, id, None).await;
    let (_, pending) = events.next().await.expect("a change");
    assert_eq!(pending["cancelled"], Value::Null);
    assert_eq!(
        (&pending["flavour"], &pending["total"]),
        (&json!("plain"), &json!(3000))
    );
    let (_, cancelled) = events.next().await.expect("a change");
    let why = json!({ "step": "prepareOrder", "code": "no-luck", "message": "it did not work" });
    assert_eq!(cancelled["cancelled"], why);
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn one_who_saw_more_than_there_is_waits_for_what_comes_after() {
    let gateway = TestGateway::start().await;
    let mut shop = Shop::of(&gateway).await;
    let id = id(1);
    shop.order(Written {
        id: &id,
        ..Written::default()
    })
    .await;
    let mut ahead = Events::of(&gateway, &id, Some("3")).await;
    let mut beyond = Events::of(&gateway, &id, Some("900")).await;
    for status in [
        "PaymentProcessing",
        "PaymentComplete",
        "CookingStarted",
        "DeliveryConfirmed",
    ] {
        shop.change(&id, status).await;
    }
    assert_eq!(ahead.ids().await, [4, 5]);
    assert_eq!(beyond.ids().await, [0_i64; 0]);
}

#[tokio::test]
async fn an_event_id_that_is_none_is_named() {
    let gateway = TestGateway::start().await;
    for bad in ["", "seven", "-1", "1.5", "99999999999999999999"] {
        let answer = problem(watch(&gateway, &id(1), Some(bad)).await).await;
        assert_eq!(answer["status"], 400, "{answer}");
        assert_eq!(answer["field"], "Last-Event-ID", "{answer}");
    }
    let twice = gateway
        .http
        .get(gateway.url(&format!("/orders/{}/events", id(1))))
        .header("last-event-id", "1")
        .header("last-event-id", "2");
    let answer = problem(twice.send().await.expect("an answer")).await;
    assert_eq!(answer["code"], "duplicate-field");
    let answer = problem(watch(&gateway, "7", None).await).await;
    assert_eq!(answer["code"], "invalid-order-id");
    let answer = problem(watch(&gateway, &id(1), None).await).await;
    assert_eq!(answer["code"], "temporal-unavailable", "nobody can tell");
}

#[tokio::test]
async fn another_customers_order_is_not_there() {
    let gateway = TestGateway::with(|gateway| {
        for (role, name) in [(Role::Customer, "ann-b"), (Role::Customer, "ben")] {
            let added = gateway.keys.add_hash(role, name, KeyHash::of(name));
            added.expect("a key");
        }
    })
    .await;
    let mut shop = Shop::of(&gateway).await;
    let order = Written {
        customer: "ben",
        ..Written::default()
    };
    let path = format!("/orders/{}/events", order.id);
    shop.order(order).await;
    let call = async |key: &str| {
        gateway
            .call("get", &path, Some(&format!("Bearer {key}")), "")
            .await
    };
    // As of one that is not there, nobody can tell while Temporal is away.
    let hers = problem(call("ann-b").await).await;
    assert_eq!(hers["code"], "temporal-unavailable");
    assert_eq!(call("ben").await.status(), 200);
    assert_eq!(
        problem(gateway.get(&path).await).await["code"],
        "unauthenticated"
    );

    let mine = gateway
        .call("get", "/orders", Some("Bearer ann-b"), "")
        .await;
    let mine: Value = mine.json().await.expect("JSON");
    assert_eq!(mine, json!({ "orders": [], "nextCursor": null }));
    for path in ["/orders", "/orders?customerId=ben"] {
        let his = gateway.call("get", path, Some("Bearer ben"), "").await;
        let his: Value = his.json().await.expect("JSON");
        assert_eq!(his["orders"].as_array().expect("orders").len(), 1, "{his}");
    }
    let other = "/orders?customerId=ben";
    let other = gateway.call("get", other, Some("Bearer ann-b"), "").await;
    let other: Value = other.json().await.expect("JSON");
    assert_eq!(other["orders"], json!([]));
}

#[tokio::test]
async fn a_change_is_told_although_its_clock_was_behind() {
    let gateway = TestGateway::start().await;
    let mut shop = Shop::of(&gateway).await;
    let (late, wrong) = (id(1), id(2));
    for id in [&late, &wrong] {
        shop.order(Written {
            id,
            ..Written::default()
        })
        .await;
    }
    let mut late_events = Events::of(&gateway, &late, Some("1")).await;
    let mut wrong_events = Events::of(&gateway, &wrong, Some("1")).await;
    // Somebody else's change comes first, so that these are behind.
    shop.order(Written {
        id: &id(3),
        ..Written::default()
    })
    .await;
    let mut third = Events::of(&gateway, &id(3), Some("1")).await;
    shop.change(&id(3), "PaymentProcessing").await;
    assert_eq!(third.next().await.map(|(id, _)| id), Some(2));

    let began = Instant::now();
    shop.change_at(&late, "PaymentProcessing", now_ms() - 3_000)
        .await;
    assert_eq!(late_events.next().await.map(|(id, _)| id), Some(2));
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    shop.change_at(&wrong, "PaymentProcessing", now_ms() - 3_600_000)
        .await;
    assert_eq!(wrong_events.next().await.map(|(id, _)| id), Some(2));
}

#[tokio::test]
async fn a_store_that_goes_away_and_comes_back_costs_a_watcher_nothing() {
    let gateway = TestGateway::start().await;
    let mut shop = Shop::of(&gateway).await;
    let id = id(1);
    shop.order(Written {
        id: &id,
        ..Written::default()
    })
    .await;
    let mut events = Events::of(&gateway, &id, None).await;
    assert_eq!(events.next().await.map(|(id, _)| id), Some(1));
    shop.execute("ALTER TABLE order_changes RENAME TO away")
        .await;
    let refused = problem(watch(&gateway, &id, None).await).await;
    assert_eq!(refused["code"], "store-unavailable");
    assert!(
        timeout(Duration::from_millis(300), events.0.next())
            .await
            .is_err()
    );
    shop.execute("ALTER TABLE away RENAME TO order_changes")
        .await;
    shop.change(&id, "PaymentProcessing").await;
    shop.change(&id, "Cancelled").await;
    assert_eq!(events.ids().await, [2, 3]);
}

#[tokio::test]
async fn a_stream_on_which_nothing_happens_says_that_it_is_alive() {
    let limits = Limits {
        keep_alive: Duration::from_millis(100),
        ..Limits::default()
    };
    let gateway = TestGateway::with_limits(limits).await;
    let mut shop = Shop::of(&gateway).await;
    let order = Written::default();
    let id = order.id;
    shop.order(order).await;
    let mut response = watch(&gateway, id, Some("1")).await;
    for _ in 0..2 {
        let said = timeout(PATIENCE, response.chunk()).await.expect("in time");
        let said = said.expect("a chunk").expect("a chunk");
        assert!(said.starts_with(b":"), "{said:?}");
    }
}

#[tokio::test]
async fn watchers_take_the_places_of_watchers_alone() {
    let limits = Limits {
        watchers: 2,
        requests: 1,
        ..Limits::default()
    };
    let gateway = TestGateway::with_limits(limits).await;
    let mut shop = Shop::of(&gateway).await;
    let order = Written::default();
    let id = order.id;
    shop.order(order).await;
    let first = Events::of(&gateway, id, None).await;
    let _second = Events::of(&gateway, id, None).await;
    assert_eq!(gateway.get(&format!("/orders/{id}")).await.status(), 200);
    let refused = problem(watch(&gateway, id, None).await).await;
    assert_eq!(refused["code"], "overloaded");
    drop(first);
    let until = Instant::now() + PATIENCE;
    while watch(&gateway, id, None).await.status() != StatusCode::OK {
        assert!(Instant::now() < until, "the place is not free again");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_shutdown_ends_streams_at_once_and_so_does_a_connections_age() {
    let limits = Limits {
        grace: Duration::from_secs(5),
        ..Limits::default()
    };
    let gateway = TestGateway::with_limits(limits.clone()).await;
    let mut shop = Shop::of(&gateway).await;
    let order = Written::default();
    let id = order.id;
    shop.order(order).await;
    let mut events = Events::of(&gateway, id, None).await;
    assert_eq!(events.next().await.map(|(id, _)| id), Some(1));
    let stopped_after = gateway.stop().await;
    assert!(stopped_after < limits.grace, "{stopped_after:?}");
    assert!(events.next().await.is_none(), "it ends as it should");

    let limits = Limits {
        connection_age: Duration::from_millis(300),
        grace: Duration::from_secs(30),
        ..Limits::default()
    };
    let gateway = TestGateway::with_limits(limits).await;
    let mut shop = Shop::of(&gateway).await;
    shop.order(Written::default()).await;
    let mut events = Events::of(&gateway, id, None).await;
    assert_eq!(events.ids().await, [1]);
}
