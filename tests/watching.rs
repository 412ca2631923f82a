//! Those who watch an order are told each change once and in order, however
//! often they have to begin again.

use std::pin::Pin;

use futures::StreamExt;
use pizza_api::proto::order_service_client::OrderServiceClient;
use pizza_api::proto::{OrderChange, WatchOrderRequest};
use serde_json::{Value, json};
use sse_stream::SseStream;
use tokio::time::timeout;
use tonic::{Code, Status};

use crate::harness::gateway::Gateway;
use crate::harness::grpc::{Grpc, code_of};
use crate::harness::proxy::Proxy;
use crate::harness::{LATER, SOON, Setup, World, eventually};

const NOBODY: &str = "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";

/// Events, as they come.
struct Events(Pin<Box<SseStream<reqwest::Body>>>);

impl Events {
    /// Watches an order, as one who saw `after` last.
    async fn of(gateway: &Gateway, id: &str, after: i64) -> Self {
        let request = gateway
            .client
            .get(gateway.at(&format!("/orders/{id}/events")));
        let request = request.timeout(LATER).header("last-event-id", after);
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        Self(Box::pin(SseStream::new(response.into())))
    }

    /// The next event: its id and its data; none at the end.
    async fn next(&mut self) -> Option<(i64, Value)> {
        let event = timeout(LATER, self.0.next()).await.expect("an event")?;
        let event = event.expect("an event");
        let id = event.id.expect("an id").parse().expect("a number");
        let data = serde_json::from_str(&event.data.expect("data")).expect("JSON");
        Some((id, data))
    }

    /// All of them, up to the end.
    async fn all(mut self) -> Vec<(i64, Value)> {
        let mut all = Vec::new();
        while let Some(event) = self.next().await {
            all.push(event);
        }
        all
    }
}

#[tokio::test]
async fn each_change_is_told_once_and_in_order_over_http_and_over_grpc() {
    let world = World::shared().await;
    let gateway = world.gateway();
    let id = gateway.place(json!({ "perStepDelaySeconds": 0.2 })).await;
    let client = Grpc::connect(world.gateway_url()).await;
    let (events, changes) = tokio::join!(
        async { Events::of(&gateway, &id, 0).await.all().await },
        changes(&client, &id, None),
    );
    let changes = changes.expect("the changes");

    let told: Vec<i64> = events.iter().map(|(id, _)| *id).collect();
    let number = i64::try_from(told.len()).expect("a few");
    assert_eq!(told, (1..=number).collect::<Vec<_>>());
    let versions: Vec<i64> = changes.iter().map(|change| change.version).collect();
    assert_eq!(versions, told);
    let account = world.books().await.account(&id).await;
    for (((_, event), change), booked) in events.iter().zip(&changes).zip(&account.changes) {
        assert_eq!(event["version"], booked.version);
        assert_eq!(event["status"], booked.status.as_str(), "{event}");
        let status = format!(
            "ORDER_STATUS_{}",
            event["status"].as_str().expect("text").to_uppercase()
        );
        assert_eq!(
            change.status().as_str_name().replace('_', ""),
            status.replace('_', "")
        );
    }
    let (_, last) = events.last().expect("an event");
    assert_eq!(last["status"], "DeliveryConfirmed");
    let finals = events
        .iter()
        .filter(|(_, data)| data["status"] == "DeliveryConfirmed");
    assert_eq!(finals.count(), 1);

    for after in 0..number {
        let rest = Events::of(&gateway, &id, after).await.all().await;
        let heard: Vec<_> = events
            .iter()
            .filter(|(id, _)| *id > after)
            .cloned()
            .collect();
        assert_eq!(rest, heard, "after {after}");
    }
    let over = gateway
        .client
        .get(gateway.at(&format!("/orders/{id}/events")));
    let over = gateway.send(over.header("last-event-id", number)).await;
    assert_eq!((over.status, over.text.as_str()), (204, ""));
    let over = self::changes(&client, &id, Some(number)).await;
    assert_eq!(over.expect("an end"), []);
}

#[tokio::test]
async fn one_who_is_cut_off_goes_on_where_it_was() {
    let world = World::shared().await;
    let gateway = world.gateway();
    let order = json!({ "perStepDelaySeconds": 0.1, "errorOnStep": "prepareOrder" });
    let id = gateway.place(order).await;
    let mut heard = Vec::new();
    let mut after = 0;
    // Each hangs up after two events.
    while heard
        .last()
        .is_none_or(|(_, data): &(i64, Value)| data["status"] != "Cancelled")
    {
        let mut events = Events::of(&gateway, &id, after).await;
        for _ in 0..2 {
            let Some(event) = events.next().await else {
                break;
            };
            after = event.0;
            heard.push(event);
        }
    }
    assert_eq!(heard, Events::of(&gateway, &id, 0).await.all().await);
    let (_, last) = heard.last().expect("an event");
    assert_eq!(last["cancelled"]["code"], "kitchen-refused", "{last}");
    assert!(
        heard
            .iter()
            .all(|(_, data)| { data["cancelled"].is_null() || data["status"] == "Cancelled" })
    );
}

#[tokio::test]
async fn what_cannot_be_watched_is_refused_with_its_reason() {
    let world = World::shared().await;
    let gateway = world.gateway();
    let unknown = gateway.get(&format!("/orders/{NOBODY}/events")).await;
    assert_eq!(
        (unknown.status, unknown.problem().as_str()),
        (404, "order-not-found")
    );
    let bad = gateway
        .client
        .get(gateway.at(&format!("/orders/{NOBODY}/events")));
    let bad = gateway.send(bad.header("last-event-id", "seven")).await;
    assert_eq!(
        (bad.status, bad.problem().as_str()),
        (400, "invalid-request")
    );
    assert_eq!(bad.json()["field"], "Last-Event-ID");

    let client = Grpc::connect(world.gateway_url()).await;
    let unknown = changes(&client, NOBODY, None).await.expect_err("refused");
    assert_eq!(
        (unknown.code(), code_of(&unknown)),
        (Code::NotFound, "order-not-found")
    );
    let bad = changes(&client, NOBODY, Some(-1))
        .await
        .expect_err("refused");
    assert_eq!(
        (bad.code(), code_of(&bad)),
        (Code::InvalidArgument, "out-of-range")
    );
}

/// From before any worker has written the order, through the death of the
/// gateway, to its age when nobody is left who could change it.
#[tokio::test]
async fn an_order_is_watched_through_whatever_goes_away() {
    let mut world = World::found(Setup {
        kitchen_deadline_seconds: 60.0,
        ..Setup::default()
    })
    .await;
    world.start_gateway().await;
    let gateway = world.gateway();
    let early = gateway.place(json!({})).await;
    let mut events = Events::of(&gateway, &early, 0).await;
    world.start_worker();
    world.start_kitchen();
    let (first, data) = events.next().await.expect("a change");
    assert_eq!((first, &data["status"]), (1, &json!("Pending")));
    let rest = events.all().await;
    assert_eq!(
        rest.last().expect("an event").1["status"],
        "DeliveryConfirmed"
    );

    let cli = world.cli();
    let arguments = [
        "order",
        "--watch",
        "--customer",
        "c-watch",
        "--per-step-delay-seconds",
        "0.5",
    ];
    let (output, ()) = tokio::join!(cli.pizza(&arguments), async {
        eventually(SOON, "the order is charged", async || {
            let page = gateway.get("/orders?customerId=c-watch").await.json();
            (page["orders"][0]["money"] == "charged").then_some(())
        })
        .await;
        world.gateway.take().expect("the gateway").kill();
        // Nobody answers until the order's pause is over.
        let mut books = world.books().await;
        eventually(SOON, "the kitchen has both tickets", async || {
            let tickets = books.number("SELECT count(*) FROM kitchen_tickets").await;
            (tickets == 2).then_some(())
        })
        .await;
        world.start_gateway_again().await;
    });
    assert_eq!(output.code, Some(0), "{output:?}");
    for status in [
        "Pending",
        "PaymentComplete",
        "CookingStarted",
        "DeliveryStarted",
        "DeliveryConfirmed",
    ] {
        let told = output
            .stderr
            .lines()
            .filter(|line| line.ends_with(&format!("  {status}")));
        assert_eq!(told.count(), 1, "{status}: {output:?}");
    }
    assert!(output.stderr.contains("trying again"), "{output:?}");

    let proxy = Proxy::start(world.temporal()).await;
    world.gateway.take().expect("the gateway").kill();
    world.start_gateway_on(&proxy.address()).await;
    world.worker.take().expect("the worker").kill();
    proxy.hold_answers();
    let gateway = world.gateway();
    let look = async || {
        let answer = gateway.get(&format!("/orders/{early}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let seconds = answer.json()["ageSeconds"].as_f64().expect("a number");
        let whole: f64 = answer.header("age").parse().expect("seconds");
        assert!(whole <= seconds && seconds < whole + 1.0, "{answer:?}");
        seconds
    };
    let young = look().await;
    eventually(SOON, "the answer is older", async || {
        (look().await > young + 1.0).then_some(())
    })
    .await;
}

/// The changes of an order after a version, up to the end.
async fn changes(
    client: &Grpc,
    id: &str,
    after_version: Option<i64>,
) -> Result<Vec<OrderChange>, Status> {
    let request = WatchOrderRequest {
        order_id: id.to_owned(),
        after_version,
    };
    let mut orders = OrderServiceClient::new(client.channel.clone());
    let mut stream = orders.watch_order(request).await?.into_inner();
    let mut changes = Vec::new();
    while let Some(message) = timeout(LATER, stream.message()).await.expect("in time")? {
        changes.push(message.change.expect("a change"));
    }
    Ok(changes)
}
