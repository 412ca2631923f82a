//! What a customer sees and does.

use std::collections::BTreeMap;

use serde_json::json;

use super::{in_a_browser, shop_without_kitchen};
use crate::harness::{SOON, Setup, World, eventually};

/// What the picture of each scenario shows at its end: the steps in their
/// order, `createOrder` to `notifyCustomer`.
const PICTURES: [(&str, [&str; 8]); 8] = [
    (
        "none",
        [
            "done", "done", "done", "done", "done", "skipped", "skipped", "skipped",
        ],
    ),
    (
        "createOrder",
        [
            "failed", "skipped", "skipped", "skipped", "skipped", "skipped", "skipped", "done",
        ],
    ),
    (
        "processPayment",
        [
            "done", "failed", "skipped", "skipped", "skipped", "skipped", "skipped", "done",
        ],
    ),
    (
        "addLoyaltyPoints",
        [
            "done", "done", "parked", "done", "done", "skipped", "skipped", "skipped",
        ],
    ),
    (
        "prepareOrder",
        [
            "done", "undone", "undone", "failed", "skipped", "done", "done", "done",
        ],
    ),
    (
        "processOrder",
        [
            "done", "undone", "undone", "done", "failed", "done", "done", "done",
        ],
    ),
    (
        "refundPayment",
        [
            "done", "done", "done", "failed", "skipped", "parked", "skipped", "done",
        ],
    ),
    (
        "reclaimLoyaltyPoints",
        [
            "done", "undone", "done", "failed", "skipped", "done", "parked", "done",
        ],
    ),
];

const STEPS: [&str; 8] = [
    "createOrder",
    "processPayment",
    "addLoyaltyPoints",
    "prepareOrder",
    "processOrder",
    "refundPayment",
    "reclaimLoyaltyPoints",
    "notifyCustomer",
];

#[tokio::test]
async fn a_pizza_is_ordered_with_the_mouse_and_its_picture_changes_until_it_is_there() {
    in_a_browser!(browser);
    let world = World::shared().await;
    let gateway = world.gateway();
    browser.visit(&gateway.at("/")).await;
    browser.fill("#flavour", "hawaiian").await;
    browser.until_it_says("20% off").await;
    browser.fill("#quantity", "2").await;
    browser.until_it_says("Total 19.20").await;
    browser.click("#order button").await;
    browser.until_at("/orders/").await;
    let id = browser.path().await.replace("/orders/", "");
    let mut seen: Vec<BTreeMap<String, String>> = Vec::new();
    eventually(SOON, "the pizza is there", async || {
        let picture = browser.picture().await;
        let is_there = picture.get("processOrder").is_some_and(|it| it == "done");
        if seen.last() != Some(&picture) {
            seen.push(picture);
        }
        is_there.then_some(())
    })
    .await;
    // Charged, cooked, picked up and delivered, each while somebody looked on.
    assert!(seen.len() >= 4, "{seen:?}");
    for (step, on_its_way) in [("processPayment", "ahead"), ("processOrder", "waiting")] {
        let was = seen.iter().any(|it| it[step] == on_its_way);
        assert!(was, "{step} was never {on_its_way}: {seen:?}");
    }
    browser.until_it_says("Delivered").await;
    let order = gateway.order(&id).await;
    assert_eq!(order["total"], 1920, "{order}");
    assert_eq!(order["status"], "DeliveryConfirmed");
    eventually(SOON, "the stream is at its end", async || {
        browser.has("html[data-stream=ended]").await.then_some(())
    })
    .await;
}

#[tokio::test]
async fn all_eight_ways_are_shown_side_by_side_and_each_has_its_picture() {
    in_a_browser!(browser);
    let world = World::shared().await;
    let gateway = world.gateway();
    browser.visit(&gateway.at("/")).await;
    browser.choose("#scenario", "ALL").await;
    browser.choose("#pace", "0").await;
    browser.click("#order button").await;
    browser.until_at("/shop/scenarios").await;
    browser
        .until_it_says("What goes wrong: the refund fails as well")
        .await;
    let script = format!(
        "return [...document.querySelectorAll('[data-part^=order-]')].map((it) => \
         {}.map((step) => it.querySelector(`li[data-step=${{step}}]`)?.dataset.state))",
        json!(STEPS)
    );
    let expected = json!(PICTURES.map(|(_, states)| states));
    eventually(SOON, "each of the eight has its picture", async || {
        let shown = browser.run(&script, Vec::new()).await;
        (shown == expected).then_some(())
    })
    .await;
    // Each alone says the same, and loaded anew.
    let links =
        "return [...document.querySelectorAll('[data-part^=order-] h2 a')].map((it) => it.href)";
    let links = browser.run(links, Vec::new()).await;
    let links: Vec<String> = serde_json::from_value(links).expect("links");
    for (link, (name, states)) in links.iter().zip(PICTURES) {
        browser.visit(link).await;
        let picture = browser.picture().await;
        let shown = STEPS.map(|step| picture[step].as_str());
        assert_eq!(shown, states, "{name}");
    }
}

#[tokio::test]
async fn the_link_of_an_order_is_a_page_to_a_browser_and_json_to_a_program() {
    in_a_browser!(browser);
    let world = World::shared().await;
    let gateway = world.gateway();
    let placed = gateway.placed(&json!({ "flavour": "margherita" })).await;
    let link = placed["statusCheck"].as_str().expect("a link");
    browser.visit(link).await;
    browser.until_it_says("margherita").await;
    assert!(browser.has("svg.picture").await);
    let program = reqwest::get(link).await.expect("an answer");
    assert_eq!(program.headers()["content-type"], "application/json");
    let missing = gateway.at("/orders/6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11");
    browser.visit(&missing).await;
    browser.until_it_says("What order-not-found means").await;
    browser.visit(&gateway.at("/no-such-page")).await;
    browser.until_it_says("Order a pizza").await;
}

#[tokio::test]
async fn an_order_is_changed_and_cancelled_in_its_page() {
    in_a_browser!(browser);
    let world = shop_without_kitchen().await;
    let gateway = world.gateway();
    let id = gateway.place(json!({ "perStepDelaySeconds": 2 })).await;
    browser.visit(&gateway.at(&format!("/orders/{id}"))).await;
    browser.click("#amend summary").await;
    browser.fill("#amend-quantity", "3").await;
    browser.click("#amend form button").await;
    browser.until_it_says("3 pizzas").await;
    browser.click_and_confirm("#cancel").await;
    browser.until_it_says("Cancelled").await;
    let order = gateway.until_ended(&id).await;
    assert_eq!(order["quantity"], 3, "{order}");
    assert_eq!(order["cancelled"]["code"], "cancelled-by-customer");
    eventually(SOON, "nothing is left to cancel", async || {
        (!browser.has("#cancel").await).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_people_type_is_shown_as_they_typed_it() {
    in_a_browser!(browser);
    let world = World::start(Setup::default()).await;
    let gateway = world.gateway();
    for text in [
        "<img src=x onerror=alert(1)>",
        "🍕🌶️ ﷽",
        "\u{5e4}\u{5d9}\u{5e6}\u{5d4} & \"two\"",
    ] {
        browser.visit(&gateway.at("/")).await;
        browser.put("#flavour", text).await;
        browser.click("#order button").await;
        browser.until_at("/orders/").await;
        browser.until_it_says(text).await;
        assert!(!browser.has("main img").await, "{text} became markup");
    }
}
