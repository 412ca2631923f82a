//! Somebody who has read nothing: `cargo run`, and the mouse.

use super::in_a_browser;
use crate::harness::process::Process;
use crate::harness::{LATER, SOON, eventually, folder};

#[tokio::test]
async fn a_newcomer_breaks_an_order_and_repairs_it_with_the_mouse_alone() {
    in_a_browser!(browser);
    let data = folder::new("dev-data");
    let data = data.to_str().expect("UTF-8");
    let mut arguments = vec!["dev", "--json", "--data", data];
    for port in ["--port", "--temporal-port", "--ui-port"] {
        arguments.extend([port, "0"]);
    }
    let mut dev = Process::pizza(&folder::new("dev"), "dev", &arguments, &[]);
    let announced = dev.announcement().await;
    let gateway = announced["gateway"].as_str().expect("a URL");

    browser.visit(gateway).await;
    browser.choose("#scenario", "refundPayment").await;
    browser.choose("#pace", "0").await;
    browser.click("#order button").await;
    browser.until_at("/orders/").await;
    let order = browser.path().await;
    eventually(LATER, "the refund is parked", async || {
        let picture = browser.picture().await;
        let shown = |step: &str| picture.get(step).map(String::as_str);
        let is_parked = shown("refundPayment") == Some("parked");
        (is_parked && shown("reclaimLoyaltyPoints") == Some("skipped")).then_some(())
    })
    .await;

    browser.click("nav a[href='/operator']").await;
    browser.until_at("/sign-in").await;
    browser.click("button[name=as][value=operator]").await;
    browser.until_at("/operator").await;
    // Temporal's list is a moment behind.
    browser.click("tr[data-queue=refund-payment] a").await;
    browser.until_at("/operator/tasks").await;
    eventually(SOON, "the task is listed", async || {
        browser.click("main form button").await;
        browser.has("tr[data-task]").await.then_some(())
    })
    .await;
    browser.click("tr[data-task] th a").await;
    browser.click("#redrive button").await;
    browser.until_it_says("Nothing is left to do.").await;

    browser.click(&format!("a[href='{order}']")).await;
    browser
        .until_pictured(&[("refundPayment", "done"), ("reclaimLoyaltyPoints", "done")])
        .await;
    browser.until_it_says("given back").await;
    let complaints = browser.complaints().await;
    assert!(complaints.is_empty(), "{complaints:?}");
}
