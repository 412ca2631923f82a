//! How the pages look, and whether everybody can use them.

use std::path::{Path, PathBuf};

use serde_json::json;
use temporal_dev_server::pinned_wheel::{FetchOptions, Wheel, cache_dir, fetch};

use super::{Browser, FIRST_ANSWER, in_a_browser};
use crate::harness::world::OPERATOR_KEY;
use crate::harness::{Setup, World};

/// Says where the cache is.
const CACHE: &str = "PIZZA_CACHE_DIR";

/// The rules of axe-core 4.12.1, which scan a page for what keeps people out.
const AXE: Wheel<'_> = Wheel {
    name: "axe-playwright-python-0.1.8",
    requirements: "axe-playwright-python==0.1.8 \
--hash=sha256:fdd263c998388f1a8e67cad02677e612d946248bd44d163be5e8650ea31f95f8
",
    built_for: None,
    megabytes: 1,
    programs: &[],
};

const AXE_SCRIPT: &str = "axe_playwright_python/axe.min.js";

/// What a scan finds: the rules that are broken in a way that matters, with
/// the elements that break them.
const SCAN: &str = "return axe.run().then((found) => found.violations\
    .filter((it) => ['serious', 'critical'].includes(it.impact))\
    .map((it) => [it.id, it.nodes.map((node) => node.html.slice(0, 200))]))";

/// What makes a page wider than its screen, if it is.
const BEYOND: &str = "const { scrollWidth, clientWidth } = document.documentElement;\
    return scrollWidth <= clientWidth ? [] : [`${scrollWidth} pixels`,\
    ...[...document.querySelectorAll('body *')]\
    .filter((it) => it.getBoundingClientRect().right > clientWidth)\
    .map((it) => it.outerHTML.slice(0, 120))]";

/// A screen: its name, size in pixels, and colours.
const SCREENS: [(&str, u32, u32, &str); 3] = [
    ("light", 1100, 1400, "light"),
    ("dark", 1100, 1400, "dark"),
    ("phone", 390, 1800, "light"),
];

fn screenshots() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../screenshots");
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

async fn axe() -> String {
    let options = FetchOptions {
        quiet: true,
        ..FetchOptions::new(cache_dir(CACHE, "cloud-pizza"), CACHE)
    };
    let folder = fetch(&AXE, &options).await.expect("the rules");
    std::fs::read_to_string(folder.join(AXE_SCRIPT)).expect("the rules")
}

/// Scans a page on each screen, keeps how it looks, and gives what is wrong
/// with it.
async fn look_at(browser: &Browser, axe: &str, name: &str, url: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (screen, width, height, scheme) in SCREENS {
        let mut add = |what: String| wrong.push(format!("{name} on a {screen} screen: {what}"));
        browser.screen(width, height, scheme).await;
        browser.visit(url).await;
        browser.element("main h1, main pre").await;
        browser
            .keep(&screenshots().join(format!("{name}-{screen}.png")))
            .await;
        for complaint in browser.complaints().await {
            add(complaint);
        }
        let size = "return performance.getEntriesByType('navigation')[0].decodedBodySize";
        let size = browser.run(size, Vec::new()).await;
        if size.as_u64().is_none_or(|size| size >= FIRST_ANSWER) {
            add(format!("the first answer has {size} bytes"));
        }
        let beyond = browser.run(BEYOND, Vec::new()).await;
        if beyond != json!([]) {
            add(format!("wider than the screen: {beyond}"));
        }
        browser.run(axe, Vec::new()).await;
        let found = browser.run(SCAN, Vec::new()).await;
        if found != json!([]) {
            add(format!("not for everybody: {found}"));
        }
    }
    wrong
}

/// Lets one task go, and has an operation run again what there is of nobody;
/// gives where that is told.
async fn settle_others(world: &World) -> String {
    let points = world.gateway().place(json!({ "errorOnStep": 3 })).await;
    world.finished(&points).await;
    let operator = world.operator();
    let discard = format!("/failures/failed-add-loyalty-points-{points}/discard");
    let reason = json!({ "reason": "given by hand" });
    let answer = operator.post(&discard, &reason).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let redrive = json!({ "action": "redrive", "customerId": "nobody" });
    let answer = operator.post("/failures/bulk", &redrive).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let told = answer.header("location");
    told.replace("/failures/bulk", "/operator/bulk")
}

#[tokio::test]
async fn every_page_can_be_used_by_everybody_on_every_screen() {
    in_a_browser!(browser);
    let world = World::start(Setup {
        kitchen_deadline_seconds: 120.0,
        ..Setup::default()
    })
    .await;
    let gateway = world.gateway();
    let axe = axe().await;
    let mut wrong = Vec::new();
    let delivered = gateway.place(json!({ "flavour": "hawaiian" })).await;
    let broken = gateway.place(json!({ "errorOnStep": 6 })).await;
    for id in [&delivered, &broken] {
        gateway.until_ended(id).await;
    }
    world.finished(&broken).await;
    let task = format!("/operator/tasks/failed-refund-payment-{broken}");
    let many = settle_others(&world).await;
    for (name, path) in [
        ("shop", "/".to_owned()),
        ("order", format!("/orders/{delivered}")),
        ("order-broken", format!("/orders/{broken}")),
        (
            "side-by-side",
            format!("/shop/scenarios?orders={delivered}.{broken}"),
        ),
        ("not-found", "/nonsense".to_owned()),
        ("error", "/errors/order-cooking".to_owned()),
        ("sign-in", "/sign-in".to_owned()),
    ] {
        wrong.extend(look_at(&browser, &axe, name, &gateway.at(&path)).await);
    }
    browser.visit(&gateway.at("/sign-in?next=/operator")).await;
    browser.sign_in(OPERATOR_KEY).await;
    browser.until_at("/operator").await;
    // An order in flight, and the kitchen's board with it: the simulated
    // kitchen leaves those alone whose fifth step is to fail.
    let left_alone = json!({ "flavour": "hawaiian", "quantity": 2, "errorOnStep": 5 });
    let cooking = gateway.place(left_alone.clone()).await;
    let new = gateway.place(left_alone).await;
    for id in [&cooking, &new] {
        world.ticket_is_there(id).await;
    }
    gateway.report_taken(&cooking, "accepted").await;
    gateway.until(&cooking, "CookingStarted").await;
    for (name, path) in [
        ("order-under-way", format!("/orders/{cooking}")),
        ("kitchen", "/kitchen".to_owned()),
        ("operator", "/operator".to_owned()),
        (
            "operator-tasks",
            "/operator/tasks?queue=refund-payment".to_owned(),
        ),
        ("operator-task", task),
        (
            "operator-queue",
            "/operator/queues/refund-payment".to_owned(),
        ),
        (
            "operator-bulk",
            "/operator/bulk?action=redrive&queue=refund-payment".to_owned(),
        ),
        ("operator-orders", "/operator/orders".to_owned()),
        ("operator-many", many),
        ("operator-audit", "/operator/audit".to_owned()),
    ] {
        wrong.extend(look_at(&browser, &axe, name, &gateway.at(&path)).await);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
