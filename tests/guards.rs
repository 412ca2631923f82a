//! The gateway's guards, from the client's side of them.

use pizza_api::proto::PlaceOrderRequest;
use serde_json::json;
use tonic::Code;

use crate::harness::certificates::Authority;
use crate::harness::gateway::{Answer, Gateway};
use crate::harness::grpc::{Grpc, code_of};
use crate::harness::{SOON, Setup, World, eventually, folder};

async fn place(gateway: &Gateway, key: &str) -> Answer {
    let request = gateway.client.post(gateway.at("/orders"));
    let request = request.header("idempotency-key", key).json(&json!({}));
    gateway.send(request).await
}

#[tokio::test]
async fn what_came_too_early_does_not_exist_and_is_placed_later_under_its_key() {
    let authority = Authority::new();
    let secrets = folder::new("secrets");
    let pair = authority.issue().write(&secrets);
    let ca = secrets.join("ca.pem");
    std::fs::write(&ca, authority.certificate()).expect("a file");
    let told = |name: &str, value: String| (name.to_owned(), value);
    let world = World::start(Setup {
        variables: vec![told("PIZZA_CA_CERTIFICATE", ca.display().to_string())],
        gateway_variables: vec![
            told(
                "PIZZA_TLS_CERTIFICATE",
                pair.certificate.display().to_string(),
            ),
            told("PIZZA_TLS_KEY", pair.key.display().to_string()),
            told("PIZZA_ORDERS_PER_SECOND", "0.5".to_owned()),
            told("PIZZA_ORDERS_BURST", "1".to_owned()),
        ],
        ..Setup::default()
    })
    .await;
    assert!(world.gateway_url().starts_with("https://127.0.0.1:"));
    let gateway = Gateway::trusting(world.gateway_url(), &authority.certificate());

    // So that the two that count come at the same time.
    tokio::join!(gateway.get("/menu"), gateway.get("/menu"));
    let one = place(&gateway, "one");
    let (one, other) = tokio::join!(one, place(&gateway, "other"));
    let (placed, early, key) = if one.status == 201 {
        (one, other, "other")
    } else {
        (other, one, "one")
    };
    assert_eq!(placed.status, 201, "{placed:?}");
    let link = placed.json()["statusCheck"].clone();
    let orders = format!("{}/orders/", world.gateway_url());
    assert!(
        link.as_str().is_some_and(|it| it.starts_with(&orders)),
        "{link}"
    );
    assert_eq!(
        (early.status, early.problem()),
        (429, "rate-limited".to_owned())
    );
    let wait: u64 = early.header("retry-after").parse().expect("seconds");
    assert!((1..=2).contains(&wait), "{early:?}");

    let mut same = Vec::new();
    for _ in 0..2 {
        let order = eventually(SOON, "there is room for the same again", async || {
            let later = place(&gateway, key).await;
            (later.status == 201).then(|| later.json()["orderId"].clone())
        });
        same.push(order.await);
    }
    assert_eq!(same[0], same[1]);
    assert_ne!(same[0], placed.json()["orderId"]);

    let grpc = Grpc::connect_trusting(world.gateway_url(), &authority.certificate()).await;
    let mut ids = vec![placed.json()["orderId"].clone(), same.remove(0)];
    let early = loop {
        match grpc.place(PlaceOrderRequest::default()).await {
            Ok(placed) => ids.push(placed.order_id.into()),
            Err(early) => break early,
        }
    };
    assert_eq!(
        (early.code(), code_of(&early)),
        (Code::ResourceExhausted, "rate-limited")
    );

    let ordered = world.cli().pizza(&["order", "--json"]).await;
    assert_eq!(ordered.code, Some(0), "{ordered:?}");
    ids.push(ordered.json_lines()[0]["orderId"].clone());

    let stranger = world.cli().without("PIZZA_CA_CERTIFICATE");
    let refused = stranger.pizza(&["menu"]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.stderr.contains("PIZZA_CA_CERTIFICATE"),
        "{refused:?}"
    );
    for id in &ids {
        let id = id.as_str().expect("an id");
        gateway.until(id, "DeliveryConfirmed").await;
    }
    let booked = world.books().await.orders().await;
    assert_eq!(usize::try_from(booked).ok(), Some(ids.len()), "{ids:?}");
}

#[tokio::test]
async fn how_long_the_log_gets_is_not_in_a_strangers_hands() {
    let told = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let world = World::start(Setup {
        gateway_variables: vec![
            told("PIZZA_REQUESTS_PER_SECOND", "0.01"),
            told("PIZZA_REQUESTS_BURST", "5"),
        ],
        ..Setup::default()
    })
    .await;
    let stranger = Gateway::new(world.gateway_url());
    let mut refused = 0;
    while refused < 300 {
        let answer = stranger.get("/menu").await;
        refused += usize::from(answer.status == 429);
    }
    let log = || world.gateway.as_ref().expect("a gateway").stderr();
    eventually(SOON, "the refusals are told together", async || {
        log().contains("requests were refused").then_some(())
    })
    .await;
    let lines = log().lines().filter(|line| line.contains("/menu")).count();
    assert!((1..=5).contains(&lines), "{lines} lines: {}", log());
}
