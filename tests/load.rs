//! `pizza load` places what was planned, whatever happens to a gateway, and
//! tells what came of it.

use serde_json::{Value, json};

use crate::harness::cli::Output;
use crate::harness::{LATER, Setup, World, eventually, ports};

const ORDERS: u64 = 24;

/// Plain orders, and some of each kind that ends otherwise.
const MIX: &str = "none=6,2=1,3=1,4=1,cancel=1,amend=1";

fn report(output: &Output, code: i32) -> Value {
    assert_eq!(output.code, Some(code), "{output:?}");
    let lines = output.json_lines();
    let [report] = &lines[..] else {
        panic!("one document: {output:?}");
    };
    assert_eq!(report["ok"], code == 0, "{report}");
    report.clone()
}

#[tokio::test]
async fn open_and_closed_loops_place_the_same_orders_of_a_seed_and_each_ends_as_planned() {
    // However busy the machine is, the kitchen is in time.
    let world = World::start(Setup {
        kitchen_deadline_seconds: 120.0,
        ..Setup::default()
    })
    .await;
    let pid = format!("this test={}", std::process::id());
    let orders = ORDERS.to_string();
    let common = ["--orders", &orders, "--mix", MIX, "--seed", "7", "--json"];
    let common = [&common[..], &["--settle-seconds", "120"]].concat();
    let (open, closed) = (
        ["load", "--rate", "12", "--watch-pid", &pid],
        ["load", "--concurrency", "6", "--audit"],
    );
    let cli = world.cli();
    let (open, closed) = tokio::join!(
        async { report(&cli.pizza(&[&open[..], &common[..]].concat()).await, 0) },
        async { report(&cli.pizza(&[&closed[..], &common[..]].concat()).await, 0) },
    );
    for report in [&open, &closed] {
        for count in ["offered", "accepted", "ended"] {
            assert_eq!(report["orders"][count], ORDERS, "{report}");
        }
        for none in ["wrong", "unfinished", "failed", "refused", "overCap"] {
            assert_eq!(report["orders"][none], 0, "{report}");
        }
        let scenarios = report["scenarios"].as_object().expect("scenarios");
        assert!(scenarios.len() >= 4, "{report}");
        for of in scenarios.values() {
            assert_eq!(of["accepted"], of["asExpected"], "{report}");
        }
        let latency = &report["latencyMs"];
        let whole = latency["whole"]["count"].as_u64().expect("a count");
        let cancelled = latency["cancelled"]["count"].as_u64().expect("a count");
        // One was placed ahead of its time, to see whether errors are simulated.
        assert_eq!(whole + cancelled, ORDERS - 1, "{report}");
        for stage in ["accepted", "charged", "cooking", "delivered", "whole"] {
            let at = |share: &str| latency[stage][share].as_f64().expect("milliseconds");
            assert!(at("p50") > 0.0 && at("p50") <= at("p99"), "{report}");
            assert!(at("p99") <= at("max"), "{report}");
        }
        // How many changes come in time depends on the machine; but each order
        // ends as its change was answered. One that nobody answered may have
        // been made.
        let [taken, too_late] =
            ["taken", "tooLate"].map(|answer| report["changes"]["cancel"][answer].as_u64());
        let (taken, too_late) = (taken.unwrap_or(0), too_late.unwrap_or(0));
        let cancelled = report["ends"]["Cancelled (cancelled-by-customer)"].as_u64();
        let cancelled = cancelled.unwrap_or(0);
        let wanted = report["scenarios"]["cancel"]["accepted"].as_u64();
        let wanted = wanted.expect("some are to be cancelled");
        assert!(taken <= cancelled, "{report}");
        assert!(cancelled + too_late <= wanted, "{report}");
        let declined = report["ends"]["Cancelled (payment-declined)"].as_u64();
        assert_eq!(
            declined,
            report["scenarios"]["processPayment"]["accepted"].as_u64(),
            "{report}"
        );
    }
    let planned = |report: &Value| {
        let scenarios = report["scenarios"].as_object().expect("scenarios").clone();
        scenarios
            .into_iter()
            .map(|(name, of)| (name, of["accepted"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(planned(&open), planned(&closed));
    assert_eq!(open["audit"]["verdict"], "not audited", "{open}");
    assert_eq!(closed["audit"]["verdict"], "clean", "{closed}");
    assert_eq!(open["plan"]["loop"], "open", "{open}");
    assert_eq!(closed["plan"]["concurrency"], 6, "{closed}");
    let process = &open["processes"][0];
    assert_eq!(process["name"], "this test", "{open}");
    let resident = process["startKib"].as_u64().expect("KiB");
    assert!(resident > 1024, "{open}");
}

#[tokio::test]
async fn an_order_that_ends_otherwise_or_not_in_time_is_named_and_fails_the_load() {
    // Nobody cooks here.
    let world = World::shared_without_kitchen().await;
    let cli = world.cli();
    let wrong = ["load", "--concurrency", "2", "--orders", "2", "--json"];
    let unfinished = [
        "load",
        "--rate",
        "50",
        "--orders",
        "3",
        "--settle-seconds",
        "1",
        "--pace",
        "30",
        "--json",
    ];
    let (wrong, unfinished) = tokio::join!(cli.pizza(&wrong), cli.pizza(&unfinished));
    let wrong = report(&wrong, 1);
    assert_eq!(wrong["orders"]["wrong"], 2, "{wrong}");
    let first = &wrong["wrongEnds"][0];
    let id = first["orderId"].as_str().expect("an id");
    assert_eq!(world.gateway().order(id).await["status"], "Cancelled");
    let seen = first["seen"].as_str().expect("words");
    assert!(seen.contains("kitchen-overdue"), "{wrong}");

    let unfinished = report(&unfinished, 1);
    assert_eq!(unfinished["orders"]["unfinished"], 3, "{unfinished}");
    for order in unfinished["unfinished"].as_array().expect("orders") {
        let id = order["orderId"].as_str().expect("an id");
        let status = &world.gateway().order(id).await["status"];
        assert_ne!(status, "DeliveryConfirmed", "{unfinished}");
    }
}

#[tokio::test]
async fn a_load_goes_on_when_its_gateway_comes_back_and_no_order_is_placed_twice() {
    let mut world = World::start(Setup::default()).await;
    let arguments = [
        "load",
        "--concurrency",
        "4",
        "--duration",
        "10m",
        "--pace",
        "0.2",
        "--json",
    ];
    let mut load = world.run("load", &arguments);
    let mut books = world.books().await;
    eventually(LATER, "orders come in", async || {
        (books.orders().await >= 4).then_some(())
    })
    .await;
    world.gateway.take().expect("the gateway").kill();
    let before = books.orders().await;
    world.start_gateway_again().await;
    eventually(LATER, "orders come in again", async || {
        (books.orders().await >= before + 6).then_some(())
    })
    .await;
    load.interrupt();
    let status = load.wait(LATER).await;
    let report: Value = serde_json::from_str(&load.stdout()).expect("one document");
    assert_eq!(status.code(), Some(0), "{report}");
    assert_eq!(
        report["notes"],
        json!(["stopped before its time"]),
        "{report}"
    );
    assert_eq!(
        report["orders"]["accepted"],
        books.orders().await,
        "{report}"
    );
    assert_eq!(report["orders"]["ended"], report["orders"]["accepted"]);
    let generator = &report["generator"];
    let troubles = ["retries", "watchesCut"].map(|name| generator[name].as_u64());
    assert_ne!(troubles, [Some(0), Some(0)], "it was not cut off: {report}");
    world.assert_audit_clean().await;
}

#[tokio::test]
async fn without_a_gateway_there_is_no_load_and_the_error_says_why() {
    let world = World::shared().await;
    let away = format!("http://127.0.0.1:{}", ports::free());
    let arguments = ["load", "--gateway", &away, "--rate", "5", "--orders", "5"];
    let output = world.cli().pizza(&arguments).await;
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.stderr.contains("does not answer"), "{output:?}");
    assert_eq!(output.stdout, "", "{output:?}");
}
