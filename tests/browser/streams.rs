//! How a page stays up to date.

use serde_json::json;

use super::{Browser, FIRST_ANSWER, in_a_browser, shop_without_kitchen};
use crate::harness::proxy::Proxy;
use crate::harness::world::KITCHEN_KEY;
use crate::harness::{LATER, SOON, World, eventually};

/// How long a page is watched while nothing changes.
const QUIET_MS: i64 = 8_000;

#[tokio::test]
async fn a_stream_that_is_cut_is_opened_again_and_nothing_is_missed() {
    in_a_browser!(browser);
    let world = shop_without_kitchen().await;
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
    let size = u64::try_from(page.text.len()).expect("a size");
    assert!(size < FIRST_ANSWER, "{size} bytes");
    browser.visit(&gateway.at(&path)).await;
    browser.until_pictured(&[("cooked", "waiting")]).await;
    // The kitchen's deadline passes, which changes the page many times.
    browser.until_pictured(&[("processOrder", "failed")]).await;
    eventually(LATER, "the stream is at its end", async || {
        browser.has("html[data-stream=ended]").await.then_some(())
    })
    .await;
    let requests = requests_of(&browser.traffic().await);
    let stream = "GET /shop/orders/*/live";
    assert_eq!(requests, ["GET /orders/*", "GET /assets/*", stream]);
}

#[tokio::test]
async fn while_nothing_changes_a_page_neither_asks_nor_is_told() {
    in_a_browser!(browser);
    let world = shop_without_kitchen().await;
    let id = world.handed_over().await;
    let gateway = world.gateway();
    browser.visit(&gateway.at(&format!("/orders/{id}"))).await;
    browser.until_pictured(&[("accepted", "waiting")]).await;
    let order = ["GET /orders/*", "GET /assets/*", "GET /shop/orders/*/live"];
    stays_quiet(&browser, order).await;
    let other = world.handed_over().await;
    let both = format!("/shop/scenarios?orders={id}.{other}");
    browser.visit(&gateway.at(&both)).await;
    let scenarios = [
        "GET /shop/scenarios",
        "GET /assets/*",
        "GET /shop/scenarios/live",
    ];
    stays_quiet(&browser, scenarios).await;
    browser.visit(&gateway.at("/sign-in?next=/kitchen")).await;
    browser.sign_in(KITCHEN_KEY).await;
    browser.until_at("/kitchen").await;
    let board = ["GET /kitchen", "GET /assets/*", "GET /kitchen/live"];
    stays_quiet(&browser, board).await;
}

#[tokio::test]
async fn only_the_tab_in_front_holds_a_stream_and_a_seventh_tab_loads() {
    in_a_browser!(browser);
    let world = shop_without_kitchen().await;
    let gateway = world.gateway();
    let id = gateway.place_accepted(json!({})).await;
    let page = gateway.at(&format!("/orders/{id}"));
    visit_seven_times(&browser, &page, Browser::visit_in_a_new_tab).await;
    for tab in 0..6 {
        browser.turn_to_tab(tab, false).await;
        holds(&browser, "hidden").await;
    }
    gateway.report_taken(&id, "cooked").await;
    let cooked = [("cooked", "done")];
    browser.turn_to_tab(6, false).await;
    browser.until_pictured(&cooked).await;
    browser.turn_to_tab(0, false).await;
    assert_eq!(browser.picture().await["cooked"], "waiting");
    browser.turn_to_tab(0, true).await;
    browser.until_pictured(&cooked).await;
    holds(&browser, "open").await;
    browser.turn_to_tab(6, false).await;
    holds(&browser, "hidden").await;
}

#[tokio::test]
async fn of_many_windows_in_view_those_used_last_hold_a_stream() {
    in_a_browser!(browser);
    let world = shop_without_kitchen().await;
    let gateway = world.gateway();
    let id = gateway.place_accepted(json!({})).await;
    let page = gateway.at(&format!("/orders/{id}"));
    visit_seven_times(&browser, &page, Browser::visit_in_a_new_window).await;
    for (window, state) in ["paused", "paused", "paused", "open", "open", "open", "open"]
        .into_iter()
        .enumerate()
    {
        browser.turn_to_tab(window, false).await;
        holds(&browser, state).await;
    }
    browser.turn_to_tab(0, false).await;
    browser.until_it_says("This page is paused").await;
    browser.click("#paused").await;
    holds(&browser, "open").await;
    browser.turn_to_tab(3, false).await;
    holds(&browser, "paused").await;
}

/// Visits a page seven times, each in a tab or a window of its own, which then
/// holds a stream.
async fn visit_seven_times(browser: &Browser, page: &str, anew: impl AsyncFn(&Browser, &str)) {
    browser.visit(page).await;
    holds(browser, "open").await;
    for _ in 1..7 {
        anew(browser, page).await;
        holds(browser, "open").await;
    }
}

/// Waits until the page's stream stands like this: `open`, `hidden` or
/// `paused`.
async fn holds(browser: &Browser, state: &str) {
    let css = format!("html[data-stream={state}]");
    eventually(SOON, &css, async || browser.has(&css).await.then_some(())).await;
}

/// Waits until a page has its stream and shows what that tells at first, and
/// then for a while in which the page's own clock goes on and nothing else.
async fn stays_quiet(browser: &Browser, requests: [&str; 3]) {
    eventually(SOON, "the page holds its stream", async || {
        browser.has("html[data-stream=open]").await.then_some(())
    })
    .await;
    let mut asked = requests_of(&browser.traffic().await);
    let script = "return Date.now()";
    let began = browser.run(script, Vec::new()).await.as_i64();
    eventually(SOON, "the page's clock goes on", async || {
        let now = browser.run(script, Vec::new()).await.as_i64();
        (now? - began? > QUIET_MS).then_some(())
    })
    .await;
    let traffic = browser.traffic().await;
    asked.extend(requests_of(&traffic));
    assert!(asked.ends_with(&requests.map(str::to_owned)), "{asked:?}");
    // What was still on its way when the window began.
    let told = traffic.len() - requests_of(&traffic).len();
    assert!(told <= 2, "{told} events: {traffic:?}");
    assert!(browser.has("html[data-stream=open]").await);
}

/// What was asked for, without what streams told.
fn requests_of(traffic: &[String]) -> Vec<String> {
    let asked = traffic.iter().filter(|it| *it != "event");
    asked.cloned().collect()
}
