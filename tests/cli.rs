//! The clients on the command line: for people, and with `--json` for
//! programs. Data goes to stdout, the rest to stderr.

use serde_json::{Value, json};

use crate::harness::{SOON, World, eventually};

#[tokio::test]
async fn order_prints_the_link_and_status_shows_the_order() {
    let world = World::shared().await;
    let cli = world.cli();
    let arguments = [
        "order",
        "--flavour",
        "Hawaiian",
        "--size",
        "large",
        "--quantity",
        "2",
        "--customer",
        "c-7",
    ];
    let output = cli.pizza(&arguments).await;
    assert_eq!(output.code, Some(0), "{output:?}");
    let link = output.stdout.trim();
    assert!(
        link.starts_with(&format!("{}/orders/", world.gateway_url())),
        "{output:?}"
    );
    assert!(
        output.stderr.contains("Order created successfully"),
        "{output:?}"
    );
    let id = link.rsplit('/').next().expect("an id");
    world.gateway().until(id, "DeliveryConfirmed").await;

    let status = cli.ok(&["status", id]).await;
    for part in [
        id,
        "DeliveryConfirmed",
        "2 x Hawaiian, large",
        "24.00",
        "20%",
        "charged",
        "awarded",
    ] {
        assert!(status.contains(part), "{part:?} is not in:\n{status}");
    }
    let status: Value =
        serde_json::from_str(&cli.ok(&["status", id, "--json"]).await).expect("JSON");
    assert_eq!(status["orderId"], id);
    assert_eq!(status["total"], 2400);
    assert_eq!(status["cancelled"], Value::Null);
}

#[tokio::test]
async fn a_watched_order_is_followed_to_its_end_and_the_exit_code_tells_which() {
    let world = World::shared().await;
    let cli = world.cli();
    let arguments = ["order", "--watch", "--per-step-delay-seconds", "0.3"];
    let output = cli.pizza(&arguments).await;
    assert_eq!(output.code, Some(0), "{output:?}");
    for status in ["PaymentComplete", "CookingStarted", "DeliveryConfirmed"] {
        assert!(
            output.stderr.contains(status),
            "{status} was not told: {output:?}"
        );
    }
    assert!(output.stdout.contains("DeliveryConfirmed"), "{output:?}");

    let arguments = [
        "order",
        "--watch",
        "--json",
        "--error-on-step",
        "processPayment",
    ];
    let output = cli.pizza(&arguments).await;
    assert_eq!(output.code, Some(1), "{output:?}");
    let lines = output.json_lines();
    assert_eq!(lines.len(), 2, "{output:?}");
    assert_eq!(lines[0]["orderId"], lines[1]["orderId"]);
    assert_eq!(lines[1]["status"], "Cancelled");
    assert_eq!(lines[1]["cancelled"]["code"], "payment-declined");
}

#[tokio::test]
async fn failures_lists_the_queues_and_what_waits_in_them() {
    let world = World::shared().await;
    let cli = world.cli();
    let wish = json!({ "errorOnStep": 7, "customerId": "c-parked" });
    let id = world.gateway().place(wish).await;
    world.gateway().until_ended(&id).await;
    let arguments = [
        "failures",
        "--json",
        "--queue",
        "remove-loyalty-points",
        "--limit",
        "100",
    ];
    let page = eventually(SOON, "the parked task is listed", async || {
        let page: Value = serde_json::from_str(&cli.ok(&arguments).await).expect("JSON");
        let listed = page["failures"]
            .as_array()?
            .iter()
            .any(|task| task["orderId"] == *id);
        listed.then_some(page)
    })
    .await;
    let queues: Vec<&str> = page["queues"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|queue| queue["queue"].as_str().expect("a name"))
        .collect();
    for queue in [
        "add-loyalty-points",
        "refund-payment",
        "remove-loyalty-points",
        "notify-customer",
    ] {
        assert!(queues.contains(&queue), "{page}");
    }
    let task = page["failures"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|task| task["orderId"] == *id)
        .expect("the task");
    assert_eq!(
        task["id"],
        format!("failed-remove-loyalty-points-{id}"),
        "{task}"
    );
    assert_eq!(task["messageType"], "RemoveLoyaltyPointsFailed", "{task}");
    assert_eq!(task["queue"], "remove-loyalty-points", "{task}");
    assert_eq!(task["customerId"], "c-parked", "{task}");

    let shown = cli.ok(&["failures"]).await;
    for part in ["remove-loyalty-points", "notify-customer", "depth"] {
        assert!(shown.contains(part), "{part:?} is not in:\n{shown}");
    }
    let page: Value =
        serde_json::from_str(&cli.ok(&["failures", "--json", "--limit", "1"]).await).expect("JSON");
    assert_eq!(page["failures"].as_array().map(Vec::len), Some(1), "{page}");
}

#[tokio::test]
async fn an_error_names_its_code_and_goes_to_stderr_alone() {
    let world = World::shared().await;
    let cli = world.cli();
    let refused = cli.pizza(&["order", "--quantity", "21"]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert_eq!(refused.stdout, "");
    assert!(refused.stderr.contains("out-of-range"), "{refused:?}");

    let unknown = cli
        .pizza(&["status", "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11"])
        .await;
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    assert!(unknown.stderr.contains("order-not-found"), "{unknown:?}");

    let away = cli
        .pizza(&["order", "--gateway", "http://127.0.0.1:9"])
        .await;
    assert_eq!(away.code, Some(1), "{away:?}");
    assert!(away.stderr.contains("is it running"), "{away:?}");
    assert!(away.stderr.contains("--gateway"), "{away:?}");
}
