//! What a kitchen sees and does.

use serde_json::json;

use super::{Browser, in_a_browser, shop_without_kitchen};
use crate::harness::world::KITCHEN_KEY;
use crate::harness::{SOON, eventually};

async fn stage(browser: &Browser, id: &str) -> Option<String> {
    let script = "return document.querySelector(`[data-ticket='${arguments[0]}']`)?.dataset.stage";
    let stage = browser.run(script, vec![json!(id)]).await;
    stage.as_str().map(str::to_owned)
}

async fn until_stage(browser: &Browser, id: &str, expected: Option<&str>) {
    let what = format!("the ticket is at {expected:?}");
    eventually(SOON, &what, async || {
        let stage = stage(browser, id).await;
        (stage.as_deref() == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn two_boards_bring_an_order_to_the_door_together() {
    in_a_browser!(one);
    in_a_browser!(other);
    let world = shop_without_kitchen().await;
    let gateway = world.gateway();
    for board in [&one, &other] {
        board.visit(&gateway.at("/kitchen")).await;
        board.until_at("/sign-in").await;
        board.sign_in(KITCHEN_KEY).await;
        board.until_it_says("Nothing to cook").await;
    }
    let id = gateway.place(json!({})).await;
    let next = format!("[data-ticket='{id}'] button[name=event]");
    for (board, beside, stage) in [
        (&one, &other, Some("accepted")),
        (&other, &one, Some("cooked")),
        (&one, &other, Some("pickedUp")),
        (&other, &one, None),
    ] {
        board.click(&next).await;
        until_stage(board, &id, stage).await;
        until_stage(beside, &id, stage).await;
    }
    gateway.until(&id, "DeliveryConfirmed").await;
    let rejected = gateway.place(json!({})).await;
    let reject = format!("[data-ticket='{rejected}'] details");
    one.click(&format!("{reject} summary")).await;
    let reason = "no more <b>dough</b>";
    one.fill(&format!("{reject} input[name=reason]"), reason)
        .await;
    one.click(&format!("{reject} form button")).await;
    let order = gateway.until_ended(&rejected).await;
    assert_eq!(order["cancelled"]["code"], "kitchen-rejected", "{order}");
    let path = gateway.at(&format!("/orders/{rejected}"));
    one.visit(&path).await;
    one.until_it_says(reason).await;
}
