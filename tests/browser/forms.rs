//! What forms promise: they work without a script, nobody else can send them,
//! and what is typed into them is not lost.

use serde_json::json;
use thirtyfour::Key;

use super::{Browser, in_a_browser, shop_without_kitchen};
use crate::harness::world::{KITCHEN_KEY, OPERATOR_KEY};
use crate::harness::{LATER, World, eventually};

async fn cook_in(browser: &Browser, world: &World) {
    browser.visit(&world.gateway().at("/kitchen")).await;
    browser.until_at("/sign-in").await;
    browser.sign_in(KITCHEN_KEY).await;
    browser.until_at("/kitchen").await;
}

#[tokio::test]
async fn a_pizza_is_ordered_and_looked_after_without_any_script() {
    in_a_browser!(browser);
    browser.without_scripts().await;
    let world = World::shared().await;
    browser.visit(&world.gateway().at("/")).await;
    browser.fill("#flavour", "pineapple").await;
    browser.choose("#pace", "0").await;
    browser.click("#order button").await;
    browser.until_at("/orders/").await;
    let here = world.gateway().at(&browser.path().await);
    eventually(LATER, "the page, loaded anew, says the end", async || {
        browser.visit(&here).await;
        let picture = browser.picture().await;
        let is_there = picture.get("processOrder").is_some_and(|it| it == "done");
        is_there.then_some(())
    })
    .await;
    browser.until_it_says("Delivered").await;
    let requests = browser.traffic().await;
    let is_stream = |it: &String| it.ends_with("/live");
    assert!(!requests.iter().any(is_stream), "{requests:?}");
}

#[tokio::test]
async fn a_form_that_was_not_sent_from_its_own_page_does_nothing() {
    in_a_browser!(browser);
    let world = World::shared().await;
    let gateway = world.gateway();
    let id = gateway.place(json!({ "errorOnStep": 3 })).await;
    world.finished(&id).await;
    let task = format!("/operator/tasks/failed-add-loyalty-points-{id}");
    browser.visit(&gateway.at(&task)).await;
    browser.until_at("/sign-in").await;
    browser.sign_in(OPERATOR_KEY).await;
    browser.until_at(&task).await;

    browser.element("html[data-stream=open]").await;

    // Whoever cannot read the page does not know what its forms carry.
    let script = "document.querySelector('#discard [name=formToken]').remove()";
    browser.run(script, Vec::new()).await;
    browser.fill("#discard [name=reason]", "forged").await;
    browser.click_and_confirm("#discard button").await;
    browser
        .until_it_says("the form is not of this session")
        .await;

    // Another site has a form that leads here.
    let action = gateway.at(&format!("{task}/discard"));
    let forged = format!(
        "data:text/html,<form method=post action={action}>\
         <input name=reason value=forged><button>Win a pizza</button></form>"
    );
    browser.visit(&forged).await;
    browser.click("button").await;
    browser
        .until_it_says("the request was sent by a page of another site")
        .await;

    browser.visit(&gateway.at(&task)).await;
    browser
        .until_it_says("Nobody has done anything to it.")
        .await;
    let order = gateway.order(&id).await;
    assert_eq!(order["owed"][0]["state"], "parked", "{order}");
}

#[tokio::test]
async fn a_board_that_is_behind_says_so_and_moves_nothing_twice() {
    in_a_browser!(board);
    // Without its script it stays as it was loaded.
    board.without_scripts().await;
    let world = shop_without_kitchen().await;
    let gateway = world.gateway();
    let id = world.handed_over().await;
    let ticket = format!("[data-ticket='{id}']");
    cook_in(&board, &world).await;
    board
        .element(&format!("{ticket}[data-stage=received]"))
        .await;

    // Somebody else was quicker, with the same, and went on.
    gateway.report_taken(&id, "accepted").await;
    gateway.report_taken(&id, "cooked").await;
    board
        .click(&format!("{ticket} button[value=accepted]"))
        .await;
    board.element(&format!("{ticket}[data-stage=cooked]")).await;
    assert_eq!(gateway.order(&id).await["status"], "CookingCompleted");

    // Too late to reject.
    gateway.report_taken(&id, "pickedUp").await;
    gateway.report_taken(&id, "delivered").await;
    gateway.until(&id, "DeliveryConfirmed").await;
    board.click(&format!("{ticket} summary")).await;
    board
        .fill(&format!("{ticket} [name=reason]"), "burnt")
        .await;
    board
        .click(&format!("{ticket} button[value=rejected]"))
        .await;
    board.element("[role=alert]").await;
    assert!(!board.has(&ticket).await, "the board is as it was");
    let order = gateway.order(&id).await;
    assert_eq!(order["status"], "DeliveryConfirmed", "{order}");
    let account = world.books().await.account(&id).await;
    account.assert_legal();
}

#[tokio::test]
async fn what_a_cook_types_stays_while_the_board_moves() {
    in_a_browser!(board);
    let world = shop_without_kitchen().await;
    let gateway = world.gateway();
    let (typed_into, moving) = (world.handed_over().await, world.handed_over().await);
    cook_in(&board, &world).await;
    let ticket = format!("[data-ticket='{typed_into}']");
    let field = format!("{ticket} [name=reason]");
    board.click(&format!("{ticket} summary")).await;
    // With the cursor in the field, and, later, on the button below it.
    board.fill(&field, "the oven is cold").await;
    for (event, key) in [("accepted", None), ("cooked", Some(Key::Tab))] {
        if let Some(key) = key {
            let field = board.element(&field).await;
            field.send_keys(key + "").await.expect("a key");
        }
        gateway.report_taken(&moving, event).await;
        board
            .element(&format!("[data-ticket='{moving}'][data-stage={event}]"))
            .await;
        let script = "return document.querySelector(arguments[0]).value";
        let typed = board.run(script, vec![json!(field)]).await;
        assert_eq!(typed, "the oven is cold", "while {event} came");
    }
    board
        .click(&format!("{ticket} button[value=rejected]"))
        .await;
    let order = gateway.until_ended(&typed_into).await;
    let message = order["cancelled"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("the oven is cold"), "{order}");
}

#[tokio::test]
async fn whoever_goes_back_and_orders_again_gets_another_pizza() {
    in_a_browser!(browser);
    let world = World::shared().await;
    browser.visit(&world.gateway().at("/")).await;
    browser.click("#order button").await;
    browser.until_at("/orders/").await;
    let first = browser.path().await;
    browser.back().await;
    browser.fill("#quantity", "2").await;
    browser.click("#order button").await;
    browser.until_at("/orders/").await;
    browser.until_it_says("2 pizzas").await;
    assert_ne!(browser.path().await, first);
}

#[tokio::test]
async fn a_board_says_that_its_cook_has_signed_out_and_leads_back() {
    in_a_browser!(board);
    let world = shop_without_kitchen().await;
    cook_in(&board, &world).await;
    board.element("html[data-stream=open]").await;
    // In another tab.
    let script = "const formToken = document.querySelector('.who [name=formToken]').value; \
        return fetch('/sign-out', { method: 'POST', body: new URLSearchParams({ formToken }) }) \
        .then((answer) => answer.status)";
    assert_eq!(board.run(script, Vec::new()).await, 200);
    board.until_it_says("You are signed out").await;
    board.click("#signed-out a").await;
    board.until_at("/sign-in").await;
    board.sign_in(KITCHEN_KEY).await;
    board.until_at("/kitchen").await;
}
