//! The gateway's guards, from the client's side of them.

use pizza_api::proto::PlaceOrderRequest;
use serde_json::{Value, json};
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

    let first = place(&gateway, "first").await;
    assert_eq!(first.status, 201, "{first:?}");
    let link = first.json()["statusCheck"]
        .as_str()
        .expect("a link")
        .to_owned();
    assert!(
        link.starts_with(&format!("{}/orders/", world.gateway_url())),
        "{link}"
    );

    let early = place(&gateway, "second").await;
    assert_eq!(
        (early.status, early.problem()),
        (429, "rate-limited".to_owned())
    );
    let wait: u64 = early.header("retry-after").parse().expect("seconds");
    assert!((1..=2).contains(&wait), "{early:?}");
    let listed: Value = gateway.get("/orders").await.json();
    assert!(
        listed["orders"].as_array().expect("a list").len() <= 1,
        "{listed}"
    );

    let second = eventually(SOON, "there is room for an order", async || {
        let later = place(&gateway, "second").await;
        (later.status == 201).then(|| later.json()["orderId"].clone())
    })
    .await;
    let again = eventually(SOON, "there is room for a repetition", async || {
        let again = place(&gateway, "second").await;
        (again.status == 201).then(|| again.json()["orderId"].clone())
    })
    .await;
    assert_eq!(again, second);

    let grpc = Grpc::connect_trusting(world.gateway_url(), &authority.certificate()).await;
    let early = grpc
        .place(PlaceOrderRequest::default())
        .await
        .expect_err("too early");
    assert_eq!(
        (early.code(), code_of(&early)),
        (Code::ResourceExhausted, "rate-limited")
    );

    let ordered = world.cli().pizza(&["order", "--watch"]).await;
    assert_eq!(ordered.code, Some(0), "{ordered:?}");
    assert!(ordered.stderr.contains("trying again in"), "{ordered:?}");

    let stranger = world.cli().without("PIZZA_CA_CERTIFICATE");
    let refused = stranger.pizza(&["menu"]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.stderr.contains("PIZZA_CA_CERTIFICATE"),
        "{refused:?}"
    );
    for id in [&first.json()["orderId"], &second] {
        gateway
            .until(id.as_str().expect("an id"), "DeliveryConfirmed")
            .await;
    }
    assert_eq!(world.books().await.orders().await, 3);
}
