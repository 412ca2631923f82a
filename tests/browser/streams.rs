//! How a page stays up to date.

use serde_json::json;

use super::in_a_browser;
use crate::harness::proxy::Proxy;
use crate::harness::{A_MINUTE, SOON, Setup, World, eventually};

/// The longest that the first answer of a page may be, in bytes.
const FIRST_ANSWER: usize = 50_000;

#[tokio::test]
async fn a_stream_that_is_cut_is_opened_again_and_nothing_is_missed() {
    in_a_browser!(browser);
    let world = World::start(Setup {
        kitchen: false,
        kitchen_deadline_seconds: 60.0,
        ..Setup::default()
    })
    .await;
    let gateway = world.gateway();
    let id = gateway.place_accepted(json!({})).await;
    let target = gateway.at("").replace("http://", "");
    let proxy = Proxy::start(&target).await;
    let through = proxy.address();
    browser
        .visit(&format!("http://{through}/orders/{id}"))
        .await;
    browser.until_pictured(&[("cooked", "waiting")]).await;
    proxy.cut();
    browser.until_it_says("The connection was lost").await;
    gateway.report_taken(&id, "cooked").await;
    proxy.go_on();
    browser.until_pictured(&[("cooked", "done")]).await;
    eventually(
        SOON,
        "the page says no more that it is cut off",
        async || {
            let text = browser.text().await;
            (!text.contains("The connection was lost")).then_some(())
        },
    )
    .await;
}

#[tokio::test]
async fn a_page_holds_one_stream_and_asks_for_nothing_else() {
    in_a_browser!(browser);
    let world = World::shared_without_kitchen().await;
    let gateway = world.gateway();
    let id = gateway.place_accepted(json!({})).await;
    let path = format!("/orders/{id}");
    let page = gateway.client.get(gateway.at(&path));
    let page = gateway.send(page.header("accept", "text/html")).await;
    assert!(page.text.len() < FIRST_ANSWER, "{} bytes", page.text.len());
    browser.visit(&gateway.at(&path)).await;
    browser.until_pictured(&[("cooked", "waiting")]).await;
    // The kitchen's deadline passes, which changes the page many times.
    browser.until_pictured(&[("processOrder", "failed")]).await;
    eventually(A_MINUTE, "the stream is at its end", async || {
        browser.has("html[data-stream=ended]").await.then_some(())
    })
    .await;
    let script = "return performance.getEntriesByType('resource').map((it) => \
        new URL(it.name).pathname.replace(/[0-9a-f-]{16,}/, '*'))";
    let asked = browser.run(script, Vec::new()).await;
    let stream = "/shop/orders/*/live";
    assert_eq!(asked, json!(["/assets/app-*.js", stream]), "{asked}");
}
