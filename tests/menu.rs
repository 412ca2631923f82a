//! What is sold, and at which prices.

use std::fs;

use serde_json::{Value, json};

use crate::harness::gateway::id_of;
use crate::harness::{Setup, World, folder};

#[tokio::test]
async fn the_menu_is_shown_and_what_is_not_on_it_has_the_custom_price() {
    let world = World::shared().await;
    let gateway = world.gateway();
    let menu = gateway.get("/menu").await.json();
    let flavours = menu["flavours"].as_array().expect("flavours");
    let plain = flavours.iter().find(|it| it["flavour"] == "plain");
    let prices = json!({ "small": 900, "medium": 1200, "large": 1500 });
    assert_eq!(plain.expect("plain")["prices"], prices, "{menu}");
    let cli = world.cli();
    let printed: Value = serde_json::from_str(&cli.ok(&["menu", "--json"]).await).expect("JSON");
    assert_eq!(printed, menu);
    let shown = cli.ok(&["menu"]).await;
    for part in ["hawaiian", "12.00", "20%", "any other"] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }

    let id = gateway.place(json!({ "flavour": "gravel" })).await;
    let order = gateway.until(&id, "DeliveryConfirmed").await;
    assert_eq!(order["total"], menu["custom"]["medium"], "{order}");
    let account = world.books().await.account(&id).await;
    assert_eq!(account.payments, [("charge".to_owned(), 1300)]);
}

#[tokio::test]
async fn an_order_keeps_the_price_that_it_was_accepted_at() {
    let file = folder::new("menu").join("menu.toml");
    let write = |price: i64| {
        let prices = format!("small = 1\nmedium = {price}\nlarge = 9\n");
        let menu =
            format!("[custom]\n{prices}[[items]]\nflavour = \"Soup\"\n[items.prices]\n{prices}");
        fs::write(&file, menu).expect("a file");
    };
    write(1111);
    let path = file.to_str().expect("UTF-8").to_owned();
    let mut world = World::found(Setup {
        gateway_variables: vec![("PIZZA_MENU".to_owned(), path)],
        ..Setup::default()
    })
    .await;
    world.start_gateway().await;
    let wish = json!({ "flavour": "soup" });
    let under_a_key = |world: &World| {
        let gateway = world.gateway();
        let request = gateway.client.post(gateway.at("/orders"));
        let request = request.header("idempotency-key", "soup").json(&wish);
        async move { id_of(&gateway.send(request).await.json()) }
    };
    let old = under_a_key(&world).await;

    // Dearer before any worker has taken the order up.
    world.gateway.take().expect("the gateway").kill();
    write(2222);
    world.start_gateway().await;
    assert_eq!(under_a_key(&world).await, old);
    world.start_worker();
    world.start_kitchen();
    let new = world.gateway().place(wish.clone()).await;
    for (id, total) in [(old, 1111), (new, 2222)] {
        let order = world.gateway().until(&id, "DeliveryConfirmed").await;
        assert_eq!(order["total"], total, "{order}");
        let account = world.books().await.account(&id).await;
        assert_eq!(account.payments, [("charge".to_owned(), total)]);
    }
}

/// At which prices the menu lists what was asked for, nobody asked for.
#[tokio::test]
async fn an_amendment_is_the_same_request_whatever_the_menu_says_by_now() {
    let file = folder::new("menu").join("menu.toml");
    let write = |price: i64| {
        let prices = format!("small = 1\nmedium = {price}\nlarge = 9\n");
        fs::write(&file, format!("[custom]\n{prices}")).expect("a file");
    };
    write(1111);
    let path = file.to_str().expect("UTF-8").to_owned();
    let mut world = World::found(Setup {
        kitchen: false,
        kitchen_deadline_seconds: 60.0,
        gateway_variables: vec![("PIZZA_MENU".to_owned(), path)],
        ..Setup::default()
    })
    .await;
    world.start_gateway().await;
    world.start_worker();
    let id = world.handed_over().await;
    let amend = async |world: &World, flavour: &str| {
        let gateway = world.gateway();
        let url = gateway.at(&format!("/orders/{id}"));
        let request = gateway.client.patch(url).header("idempotency-key", "soup");
        let request = request.json(&json!({ "flavour": flavour, "quantity": 2 }));
        gateway.send(request).await
    };
    let first = amend(&world, "soup").await;
    assert_eq!(first.json()["difference"], 1111, "{first:?}");

    world.gateway.take().expect("the gateway").kill();
    write(2222);
    world.start_gateway().await;
    let again = amend(&world, "soup").await;
    assert_eq!(again.status, 200, "{again:?}");
    assert_eq!(again.json()["difference"], 1111, "{again:?}");
    assert_eq!(again.json()["order"]["total"], 2222, "{again:?}");
    let other = amend(&world, "stew").await;
    assert_eq!(other.problem(), "idempotency-key-reused", "{other:?}");
    for event in ["accepted", "cooked", "pickedUp", "delivered"] {
        world.gateway().report_taken(&id, event).await;
    }
    world.finished(&id).await;
    // While Temporal keeps the order's history, it is answered as before.
    let late = amend(&world, "soup").await;
    assert_eq!(late.status, 200, "{late:?}");
    assert_eq!(late.json()["difference"], 1111, "{late:?}");
    let account = world.books().await.account(&id).await;
    assert_eq!(account.payments, [("charge".to_owned(), 1111)]);
}
