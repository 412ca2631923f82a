//! The clients on the command line: for people, and with `--json` for
//! programs. Data goes to stdout, the rest to stderr.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::process::{PIZZA, foreign_variables};
use crate::harness::{SOON, World, eventually};

#[test]
fn a_variable_that_is_no_text_is_named_and_its_value_never_repeated() {
    for (name, is_temporals) in [
        ("TEMPORAL_API_KEY", true),
        ("TEMPORAL_TLS_CLIENT_KEY_DATA", true),
        ("TEMPORAL_GRPC_META_AUTHORIZATION", true),
        ("ANOTHER_PASSWORD", false),
    ] {
        let mut pizza = Command::new(PIZZA);
        for foreign in foreign_variables() {
            pizza.env_remove(foreign);
        }
        pizza.args(["deploy", "check"]);
        pizza.env("TEMPORAL_ADDRESS", "127.0.0.1:1");
        pizza.env("TEMPORAL_DEPLOYMENT_NAME", "a-shop");
        pizza.env(name, OsStr::from_bytes(b"telltale\xff"));
        let output = pizza.output().expect("pizza runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{told}");
        assert!(
            !told.contains("telltale") && !told.contains("panicked"),
            "{told}"
        );
        assert_eq!(told.contains(name), is_temporals, "{told}");
    }
}

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
async fn failures_shows_the_queues_and_what_waits_in_them() {
    let world = World::shared().await;
    let cli = world.cli();
    let (order, task) = parked(&world, "c-parked").await;
    let arguments = ["failures", "list", "--customer", "c-parked"];
    let page = json_of(&cli.ok(&[&arguments[..], &["--json"]].concat()).await);
    let listed = &page["failures"][0];
    assert_eq!(listed["id"], *task, "{page}");
    assert_eq!(listed["orderId"], *order, "{page}");
    assert_eq!(listed["messageType"], "RemoveLoyaltyPointsFailed");
    assert_eq!(listed["queue"], "remove-loyalty-points");
    assert_eq!(listed["errorCode"], "reclaim-refused");
    assert_eq!(listed["state"], "waiting");
    assert!(cli.ok(&arguments).await.contains(&task));

    let queues = cli.ok(&["failures", "queues"]).await;
    for part in [
        "add-loyalty-points",
        "refund-payment",
        "remove-loyalty-points",
        "notify-customer",
        "depth",
        "off",
    ] {
        assert!(queues.contains(part), "{part:?} is not in:\n{queues}");
    }

    let shown = cli.ok(&["failures", "show", &task]).await;
    for part in [
        "12 points to be taken back from c-parked",
        "reclaim-refused",
        "a refusal",
        "reclaimLoyaltyPoints on the task queue",
        &format!("{order}/reclaimLoyaltyPoints"),
    ] {
        assert!(shown.contains(part), "{part:?} is not in:\n{shown}");
    }
    let status = cli.ok(&["status", &order]).await;
    let owed = format!("owed      remove-loyalty-points (parked): {task}");
    assert!(status.contains(&owed), "{owed:?} is not in:\n{status}");
}

#[tokio::test]
async fn failures_redrives_and_discards_and_the_exit_code_tells() {
    let world = World::shared().await;
    let cli = world.cli();
    let (order, task) = parked(&world, "c-redriven").await;
    let redriven = cli
        .pizza(&["failures", "redrive", &task, "--reason", "it is back"])
        .await;
    assert_eq!(redriven.code, Some(0), "{redriven:?}");
    assert_eq!(redriven.stdout, format!("{task}  done\n"));
    assert_eq!(world.gateway().order(&order).await["points"], "reclaimed");

    let again = cli.pizza(&["failures", "redrive", &task, "--json"]).await;
    assert_eq!(again.code, Some(3), "{again:?}");
    let line = &again.json_lines()[0];
    assert_eq!(line["verdict"], "skipped", "{line}");
    assert_eq!(line["code"], "failure-resolved", "{line}");
    let shown = json_of(&cli.ok(&["failures", "show", &task, "--json"]).await);
    assert_eq!(shown["audit"][0]["reason"], "it is back", "{shown}");
    assert_eq!(shown["audit"][0]["principal"], "journeys", "{shown}");

    let (_, task) = parked(&world, "c-discarded").await;
    let unexplained = cli.pizza(&["failures", "discard", &task]).await;
    assert_eq!(unexplained.code, Some(2), "{unexplained:?}");
    let arguments = ["failures", "discard", &task, "--reason", "a gift"];
    assert_eq!(cli.ok(&arguments).await, format!("{task}  discarded\n"));
    let unknown = "failed-refund-payment-6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";
    let unknown = cli.pizza(&["failures", "redrive", unknown]).await;
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    assert!(unknown.stderr.contains("failure-not-found"), "{unknown:?}");
}

#[tokio::test]
async fn a_bulk_operation_needs_a_yes_and_is_followed_to_its_end() {
    let world = World::shared().await;
    let cli = world.cli();
    let (_, task) = parked(&world, "c-bulk").await;
    let bulk = ["failures", "redrive", "--customer", "c-bulk"];
    let unasked = cli.pizza(&bulk).await;
    assert_eq!(unasked.code, Some(2), "{unasked:?}");
    assert!(unasked.stderr.contains("--yes"), "{unasked:?}");
    let dry = cli.ok(&[&bulk[..], &["--dry-run"]].concat()).await;
    assert!(
        dry.contains("1 tasks match") && dry.contains(&task),
        "{dry}"
    );

    let done = cli.ok(&[&bulk[..], &["--yes", "--json"]].concat()).await;
    let done = json_of(&done);
    assert_eq!(done["running"], false, "{done}");
    assert_eq!(done["done"], 1, "{done}");
    let id = done["bulkId"].as_str().expect("an id");
    assert!(cli.ok(&["failures", "bulk", id]).await.contains("1 done"));
}

#[tokio::test]
async fn without_an_operators_key_nothing_is_shown_and_the_way_to_one_is() {
    let world = World::shared().await;
    let cli = world.cli().without("PIZZA_OPERATOR_KEY");
    let keyless = cli.pizza(&["failures", "queues"]).await;
    assert_eq!(keyless.code, Some(1), "{keyless:?}");
    assert_eq!(keyless.stdout, "");
    for part in ["unauthenticated", "PIZZA_OPERATOR_KEY"] {
        assert!(keyless.stderr.contains(part), "{keyless:?}");
    }
    let arguments = ["failures", "queues", "--operator-key", "pizza_op_wrong"];
    let wrong = cli.pizza(&arguments).await;
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    assert!(!wrong.stderr.contains("pizza_op_wrong"), "{wrong:?}");
}

/// An order whose points could not be taken back, and its task, once that is
/// listed.
async fn parked(world: &World, customer: &str) -> (String, String) {
    let wish = json!({ "errorOnStep": 7, "customerId": customer });
    let order = world.gateway().place(wish).await;
    world.gateway().until_ended(&order).await;
    let task = format!("failed-remove-loyalty-points-{order}");
    let arguments = ["failures", "list", "--json", "--order", &order];
    eventually(SOON, "the parked task is listed", async || {
        world
            .cli()
            .ok(&arguments)
            .await
            .contains(&task)
            .then_some(())
    })
    .await;
    (order, task)
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
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
