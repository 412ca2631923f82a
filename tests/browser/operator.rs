//! What an operator sees and does.

use serde_json::json;

use super::in_a_browser;
use crate::harness::world::OPERATOR_KEY;
use crate::harness::{SOON, Setup, World, eventually};

#[tokio::test]
async fn an_operator_signs_in_redrives_one_task_and_lets_another_go() {
    in_a_browser!(browser);
    let world = World::start(Setup::default()).await;
    let gateway = world.gateway();
    let refund = gateway.place(json!({ "errorOnStep": 6 })).await;
    let points = gateway.place(json!({ "errorOnStep": 3 })).await;
    for id in [&refund, &points] {
        world.finished(id).await;
    }
    browser.visit(&gateway.at("/operator")).await;
    browser.until_at("/sign-in").await;
    browser.sign_in("pizza_op_wrong").await;
    browser.until_it_says("this key is not known here").await;
    browser.sign_in(OPERATOR_KEY).await;
    browser.until_at("/operator").await;
    browser.until_it_says("refund-payment").await;

    let task = |queue: &str, id: &str| gateway.at(&format!("/operator/tasks/failed-{queue}-{id}"));
    browser.visit(&task("refund-payment", &refund)).await;
    browser.element("html[data-stream=open]").await;
    browser.click("#redrive button").await;
    eventually(SOON, "the money is given back", async || {
        let order = gateway.order(&refund).await;
        (order["money"] == "refunded").then_some(())
    })
    .await;
    browser
        .visit(&gateway.at("/operator/tasks?queue=refund-payment"))
        .await;
    eventually(SOON, "the queue is empty", async || {
        browser
            .visit(&gateway.at("/operator/tasks?queue=refund-payment"))
            .await;
        (!browser.text().await.contains(&refund[..8])).then_some(())
    })
    .await;

    browser.visit(&task("add-loyalty-points", &points)).await;
    browser.element("html[data-stream=open]").await;
    let reason = "given by hand <script>alert(1)</script> 🍕 פיצה";
    browser.put("#discard [name=reason]", reason).await;
    browser.click_and_confirm("#discard button").await;
    browser.until_it_says(reason).await;
    let order = gateway.order(&points).await;
    assert_eq!(order["owed"][0]["state"], "discarded", "{order}");
    browser.visit(&gateway.at("/operator/audit")).await;
    browser.until_it_says(reason).await;

    browser.click(".who button").await;
    // A page that is visited earlier takes the place of the form on its way.
    eventually(SOON, "the form has led to the shop", async || {
        (browser.path().await == "/").then_some(())
    })
    .await;
    browser.visit(&gateway.at("/operator")).await;
    browser.until_at("/sign-in").await;
}

#[tokio::test]
async fn a_task_that_somebody_else_sees_to_says_so_while_one_looks_at_it() {
    in_a_browser!(browser);
    let world = World::shared().await;
    let gateway = world.gateway();
    let id = gateway.place(json!({ "errorOnStep": 3 })).await;
    world.finished(&id).await;
    let task = format!("failed-add-loyalty-points-{id}");
    let page = format!("/operator/tasks/{task}");
    browser
        .visit(&gateway.at(&format!("/sign-in?next={page}")))
        .await;
    browser.sign_in(OPERATOR_KEY).await;
    browser.until_at(&page).await;
    browser.element("html[data-stream=open]").await;
    // While a reason is being typed, its form stays.
    browser.fill("#discard [name=reason]", "in vain").await;
    world.operator().redrive(&task).await;
    browser.element("[data-part=trail] li").await;
    assert!(browser.has("#discard").await, "typed in vain");
    browser
        .run("document.activeElement.blur()", Vec::new())
        .await;
    browser.until_it_says("Nothing is left to do.").await;
    assert!(!browser.has("#redrive").await);
}
