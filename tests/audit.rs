//! `pizza audit` finds nothing where nothing is wrong, and everything that is.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use futures::stream::{self, StreamExt};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::audit::clean_summary;
use crate::harness::cli::Output;
use crate::harness::gateway::id_of;
use crate::harness::{SOON, Setup, World, eventually, ports};

#[tokio::test]
async fn a_shop_is_clean_while_it_is_open_and_when_all_has_ended() {
    let world = World::start(Setup::default()).await;
    let gateway = world.gateway();
    let open = Cell::new(true);
    let ordering = async {
        let mut ids = Vec::new();
        // As many as keep it busy, and leave the server to others too.
        while open.get() && ids.len() < 24 {
            let placed = gateway.placed(&json!({ "errorOnStep": 100 })).await;
            ids.extend(
                placed["orders"]
                    .as_array()
                    .expect("orders")
                    .iter()
                    .map(id_of),
            );
        }
        ids
    };
    // While they are begun, charged, cooked, refunded and parked.
    let auditing = async {
        for _ in 0..3 {
            clean_summary(&world.cli().pizza(&["audit", "--json"]).await);
        }
        open.set(false);
    };
    let (ids, ()) = tokio::join!(ordering, auditing);
    join_all(ids.iter().map(|id| world.finished(id))).await;

    // Of each eight orders three have a task parked.
    let parked = ids.len() * 3 / 8;
    // Temporal's lists are a moment behind.
    let summary = eventually(SOON, "everything is listed", async || {
        let summary = clean_summary(&world.cli().pizza(&["audit", "--json"]).await);
        (summary["workflows"] == ids.len() + parked).then_some(summary)
    })
    .await;
    assert_eq!(summary["orders"], ids.len(), "{summary}");
    assert_eq!(summary["tasks"], parked, "{summary}");
    assert_eq!(left_out(&summary), Vec::<&str>::new());

    let store_only = ["audit", "--json", "--store-only"];
    let summary = clean_summary(&world.cli().pizza(&store_only).await);
    assert_eq!(left_out(&summary), ["parked", "ended"]);

    let table = world.cli().ok(&["audit"]).await;
    for word in [
        "charge",
        "refund",
        "points",
        "parked",
        "ended",
        "statuses",
        "kitchen",
        "amendments",
        "notified",
    ] {
        assert!(table.contains(word), "{word} is not in:\n{table}");
    }
    assert!(table.contains(": clean"), "{table}");

    // It cannot be made: that is neither clean nor a violation.
    let mut cli = world.cli();
    let nobody = format!("127.0.0.1:{}", ports::free());
    cli.variables.push(("TEMPORAL_ADDRESS".to_owned(), nobody));
    let output = cli.pizza(&["audit", "--json"]).await;
    assert_eq!(output.code, Some(2), "{output:?}");
    assert_eq!(output.stdout, "", "{output:?}");
    assert!(output.stderr.contains("cannot be reached"), "{output:?}");
    let nothing = ["audit", "--database-url", "sqlite:no/such/pizza.db"];
    let output = world.cli().pizza(&nothing).await;
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.stderr.contains("there is no store"), "{output:?}");
}

#[tokio::test]
async fn a_shop_stays_clean_when_its_failure_queues_are_emptied() {
    let world = World::start(Setup::default()).await;
    let gateway = world.gateway();
    let mut ids = Vec::new();
    for number in [3, 6, 7, 3, 6, 7] {
        ids.push(gateway.place(json!({ "errorOnStep": number })).await);
    }
    join_all(ids.iter().map(|id| world.finished(id))).await;
    clean_summary(&world.cli().pizza(&["audit", "--json"]).await);
    // One of each is let go: what it owes stays in the accounts.
    for (queue, id) in [
        ("add-loyalty-points", &ids[0]),
        ("refund-payment", &ids[1]),
        ("remove-loyalty-points", &ids[2]),
    ] {
        let task = format!("failed-{queue}-{id}");
        let discard = ["failures", "discard", &task, "--reason", "written off"];
        world.cli().ok(&discard).await;
    }
    let redrive = ["failures", "redrive", "--all", "--yes"];
    world.cli().ok(&redrive).await;
    let summary = clean_summary(&world.cli().pizza(&["audit", "--json"]).await);
    assert_eq!(summary["tasks"], 6, "{summary}");
    for (id, money, points) in [
        (&ids[0], "charged", "parked"),
        (&ids[1], "refundParked", "awarded"),
        (&ids[2], "refunded", "reclaimParked"),
        (&ids[3], "charged", "awarded"),
        (&ids[4], "refunded", "reclaimed"),
        (&ids[5], "refunded", "reclaimed"),
    ] {
        let order = gateway.order(id).await;
        let stands = [&order["money"], &order["points"]];
        assert_eq!(stands, [money, points], "{order}");
    }
}

/// Something to go wrong with an order.
struct Plant {
    what: &'static str,
    /// How the order ends first: `errorOnStep`.
    scenario: u64,
    /// Whether the order is planted while it is under way.
    under_way: bool,
    /// What is done to its books; `{id}` is its id.
    books: &'static [&'static str],
    /// The workflow that is terminated.
    terminated: Option<&'static str>,
    /// What must be found, and nothing else.
    found: &'static [&'static str],
}

const fn books(
    what: &'static str,
    scenario: u64,
    books: &'static [&'static str],
    found: &'static [&'static str],
) -> Plant {
    Plant {
        what,
        scenario,
        under_way: false,
        books,
        terminated: None,
        found,
    }
}

/// The order as it now stands becomes a change.
const LOGGED: &str = "INSERT INTO order_changes (order_id, version, status, money, points, \
     changed_at_ms, flavour, size, quantity, total, discount_percent) \
     SELECT order_id, version, status, money, points, updated_at_ms, flavour, size, quantity, \
     total, discount_percent FROM orders WHERE order_id = '{id}'";

const PLANTS: &[Plant] = &[
    books("nothing", 0, &[], &[]),
    books("nothing, with a parked task", 6, &[], &[]),
    books(
        "a missing charge",
        0,
        &["DELETE FROM payments WHERE order_id = '{id}'"],
        &["charge"],
    ),
    books(
        "a wrong charge",
        0,
        &["UPDATE payments SET amount = amount + 1 WHERE order_id = '{id}'"],
        &["charge"],
    ),
    books(
        "a second charge",
        0,
        &[
            "INSERT INTO payments SELECT order_id, 'charge-2', customer_id, amount, \
           idempotency_key || '-2', booked_at_ms FROM payments WHERE order_id = '{id}'",
        ],
        &["charge"],
    ),
    books(
        "a charge that was declined",
        2,
        &["INSERT INTO payments VALUES ('{id}', 'charge', 'guest', 1200, '{id}/x', 0)"],
        &["charge", "refund"],
    ),
    books(
        "a refund of what was delivered",
        0,
        &["INSERT INTO payments VALUES ('{id}', 'refund', 'guest', 1200, '{id}/x', 0)"],
        &["refund"],
    ),
    books(
        "a missing refund",
        4,
        &["DELETE FROM payments WHERE order_id = '{id}' AND kind = 'refund'"],
        &["refund"],
    ),
    books(
        "a wrong refund",
        4,
        &["UPDATE payments SET amount = 1 WHERE order_id = '{id}' AND kind = 'refund'"],
        &["refund"],
    ),
    books(
        "a refund to a stranger",
        4,
        &[
            "UPDATE payments SET customer_id = 'mallory' WHERE order_id = '{id}' AND kind = 'refund'",
        ],
        &["refund"],
    ),
    books(
        "an award to a stranger",
        0,
        &["UPDATE loyalty_points SET customer_id = 'mallory' WHERE order_id = '{id}'"],
        &["points"],
    ),
    books(
        "a refund that is still owed",
        6,
        &["INSERT INTO payments VALUES ('{id}', 'refund', 'guest', 1200, '{id}/x', 0)"],
        &["refund"],
    ),
    books(
        "a refund without a charge",
        2,
        &["INSERT INTO payments VALUES ('{id}', 'refund', 'guest', 1200, '{id}/x', 0)"],
        &["refund"],
    ),
    books(
        "a wrong award",
        0,
        &["UPDATE loyalty_points SET points = points * 2 WHERE order_id = '{id}'"],
        &["points"],
    ),
    books(
        "a missing award",
        0,
        &["DELETE FROM loyalty_points WHERE order_id = '{id}'"],
        &["points"],
    ),
    books(
        "a missing reclaim",
        4,
        &["DELETE FROM loyalty_points WHERE order_id = '{id}' AND kind = 'reclaim'"],
        &["points"],
    ),
    books(
        "a reclaim from a delivered order",
        0,
        &["INSERT INTO loyalty_points VALUES ('{id}', 'reclaim', 'guest', -12, '{id}/x', 0)"],
        &["points"],
    ),
    books(
        "an award that still waits",
        3,
        &["INSERT INTO loyalty_points VALUES ('{id}', 'award', 'guest', 12, '{id}/x', 0)"],
        &["points"],
    ),
    books(
        "points that the record tells otherwise",
        0,
        &[
            "UPDATE orders SET points = 'reclaimed', version = version + 1 WHERE order_id = '{id}'",
            LOGGED,
        ],
        &["points"],
    ),
    books(
        "a task that was not booked",
        7,
        &["DELETE FROM failed_tasks WHERE order_id = '{id}'"],
        &["parked", "points"],
    ),
    books(
        "a task that was booked twice",
        7,
        &[
            "INSERT INTO failed_tasks SELECT task_id || '-2', order_id, customer_id, queue, \
           message_type, state, parked_at_ms, NULL, NULL, NULL FROM failed_tasks \
           WHERE order_id = '{id}'",
        ],
        &["parked"],
    ),
    books(
        "a task that was never parked",
        0,
        &[
            "INSERT INTO failed_tasks VALUES ('failed-notify-customer-{id}', '{id}', 'guest', \
           'notify-customer', 'NotifyCustomerFailed', 'parked', 0, NULL, NULL, NULL)",
        ],
        &["parked"],
    ),
    books(
        "a task that is done in the books alone",
        6,
        &["UPDATE failed_tasks SET state = 'done', resolved_at_ms = 0 WHERE order_id = '{id}'"],
        &["parked", "points", "refund"],
    ),
    books(
        "a task that is discarded in the books alone",
        7,
        &["UPDATE failed_tasks SET state = 'discarded' WHERE order_id = '{id}'"],
        &["parked"],
    ),
    Plant {
        what: "a task that is gone from Temporal",
        scenario: 6,
        under_way: false,
        books: &[],
        terminated: Some("failed-refund-payment-{id}"),
        found: &["parked"],
    },
    Plant {
        what: "an order that was given up half way",
        scenario: 0,
        under_way: true,
        books: &[],
        terminated: Some("order-{id}"),
        found: &["ended"],
    },
    Plant {
        what: "an order that is over and goes on",
        scenario: 0,
        under_way: true,
        books: &[
            "UPDATE orders SET status = 'Cancelled', version = version + 1, updated_at_ms = 0 \
             WHERE order_id = '{id}'",
            LOGGED,
        ],
        terminated: None,
        found: &["ended"],
    },
    Plant {
        what: "an order under way",
        scenario: 0,
        under_way: true,
        books: &[],
        terminated: None,
        found: &[],
    },
    books(
        "an order that the store forgot",
        0,
        &[
            "DELETE FROM order_changes WHERE order_id = '{id}'",
            "DELETE FROM orders WHERE order_id = '{id}'",
            "DELETE FROM payments WHERE order_id = '{id}'",
            "DELETE FROM loyalty_points WHERE order_id = '{id}'",
        ],
        &["ended", "kitchen"],
    ),
    books(
        "a delivery of what was refunded",
        5,
        &[
            "INSERT INTO kitchen_reports (order_id, event, taken_at_ms) \
             SELECT order_id, 'delivered', updated_at_ms FROM orders WHERE order_id = '{id}'",
        ],
        &["kitchen"],
    ),
    books(
        "a report after the end",
        0,
        &["UPDATE kitchen_reports SET taken_at_ms = taken_at_ms + 60000 WHERE order_id = '{id}'"],
        &["kitchen"],
    ),
    books(
        "a ticket that is left open",
        5,
        &["UPDATE kitchen_tickets SET stage = 'cooked' WHERE order_id = '{id}'"],
        &["kitchen"],
    ),
    books(
        "a delivery without a ticket",
        0,
        &["DELETE FROM kitchen_tickets WHERE order_id = '{id}'"],
        &["kitchen"],
    ),
    books(
        "a delivery without reports",
        0,
        &["DELETE FROM kitchen_reports WHERE order_id = '{id}'"],
        &["kitchen"],
    ),
    books(
        "a delivery that nobody accepted",
        0,
        &["DELETE FROM kitchen_reports WHERE order_id = '{id}' AND event = 'accepted'"],
        &["kitchen"],
    ),
    books(
        "a delivery that nobody cooked",
        0,
        &["DELETE FROM kitchen_reports WHERE order_id = '{id}' AND event = 'cooked'"],
        &["kitchen"],
    ),
    books(
        "a gap before a rollback",
        5,
        &[
            "INSERT INTO kitchen_reports (order_id, event, taken_at_ms) \
             SELECT order_id, 'pickedUp', updated_at_ms FROM orders WHERE order_id = '{id}'",
        ],
        &["kitchen"],
    ),
    books(
        "reports in another order",
        0,
        &[
            "UPDATE kitchen_reports SET taken_at_ms = taken_at_ms - 60000 \
           WHERE order_id = '{id}' AND event = 'delivered'",
        ],
        &["kitchen"],
    ),
    books(
        "a rejection of what the customer cancelled",
        5,
        &[
            "UPDATE orders SET cancel_code = 'cancelled-by-customer', \
             cancel_message = 'the customer cancelled the order' WHERE order_id = '{id}'",
            "UPDATE notifications SET message = \
             'processOrder failed: the customer cancelled the order (cancelled-by-customer)' \
             WHERE order_id = '{id}'",
            "INSERT INTO kitchen_reports (order_id, event, taken_at_ms) \
             SELECT order_id, 'rejected', updated_at_ms FROM orders WHERE order_id = '{id}'",
        ],
        &["kitchen"],
    ),
    books(
        "a second message to the customer",
        4,
        &[
            "INSERT INTO notifications SELECT order_id, 'orderDelayed', customer_id, message, \
             idempotency_key || '-2', sent_at_ms FROM notifications WHERE order_id = '{id}'",
        ],
        &["notified"],
    ),
    books(
        "another reason than the record's",
        4,
        &["UPDATE notifications SET message = 'no dough' WHERE order_id = '{id}'"],
        &["notified"],
    ),
    books(
        "an engine's text in what the customer reads",
        4,
        &[
            "UPDATE orders SET cancel_code = 'timeout', \
             cancel_message = 'activity StartToClose timeout' WHERE order_id = '{id}'",
            "UPDATE notifications SET message = \
             'prepareOrder failed: activity StartToClose timeout (timeout)' \
             WHERE order_id = '{id}'",
        ],
        &["notified"],
    ),
    Plant {
        what: "a customer who was told too early",
        scenario: 0,
        under_way: true,
        books: &["INSERT INTO notifications \
             (order_id, kind, customer_id, message, idempotency_key, sent_at_ms) \
             VALUES ('{id}', 'orderFailed', 'guest', 'sorry', '{id}/x', 0)"],
        terminated: None,
        found: &["notified"],
    },
    books(
        "a kitchen that cooked something else",
        0,
        &["UPDATE kitchen_tickets SET quantity = quantity + 1 WHERE order_id = '{id}'"],
        &["kitchen"],
    ),
    books(
        "an amendment that the record lacks",
        0,
        &["INSERT INTO amendments \
             (order_id, amendment, flavour, size, quantity, total, amended_at_ms) \
             SELECT order_id, 1, flavour, size, quantity + 1, total, 0 FROM orders \
             WHERE order_id = '{id}'"],
        &["amendments"],
    ),
    books(
        "a customer who was not told",
        4,
        &["DELETE FROM notifications WHERE order_id = '{id}'"],
        &["notified"],
    ),
    books(
        "a status that went backwards",
        0,
        &["UPDATE order_changes SET status = 'DeliveryStarted' \
           WHERE order_id = '{id}' AND version = 2"],
        &["statuses"],
    ),
    books(
        "money that went backwards",
        4,
        &["UPDATE order_changes SET money = 'refunded' WHERE order_id = '{id}' AND version = 2"],
        &["statuses"],
    ),
    books(
        "points that went backwards",
        4,
        &["UPDATE order_changes SET points = 'reclaimed' WHERE order_id = '{id}' AND version = 2"],
        &["statuses"],
    ),
    books(
        "a gap",
        0,
        &["DELETE FROM order_changes WHERE order_id = '{id}' AND version = 3"],
        &["statuses"],
    ),
    books(
        "a record that changed without a trace",
        0,
        &["UPDATE orders SET version = version + 1 WHERE order_id = '{id}'"],
        &["statuses"],
    ),
    books(
        "an unreadable record",
        0,
        &["UPDATE orders SET status = 'Teleported' WHERE order_id = '{id}'"],
        &["statuses"],
    ),
];

#[tokio::test]
async fn each_violation_is_found_and_named_with_its_order_and_nothing_else_is() {
    let world = World::start(Setup {
        gateway_flags: &["--max-step-delay-seconds", "600"],
        ..Setup::default()
    })
    .await;
    let orders: Vec<_> = stream::iter(PLANTS)
        .map(|plant| order_for(&world, plant))
        .buffered(8)
        .collect()
        .await;
    let mut ledger = world.books().await;
    for (plant, id) in PLANTS.iter().zip(&orders) {
        for statement in plant.books {
            ledger.falsify(&statement.replace("{id}", id)).await;
        }
        if let Some(workflow) = plant.terminated {
            let workflow = workflow.replace("{id}", id);
            world
                .cli()
                .temporal(&["workflow", "terminate", "--workflow-id", &workflow])
                .await;
        }
    }
    // Money of an order that nobody ever placed.
    let stranger = Uuid::new_v4();
    let charge = format!(
        "INSERT INTO payments VALUES ('{stranger}', 'charge', 'guest', 1200, '{stranger}', 0)"
    );
    ledger.falsify(&charge).await;

    let output = world.cli().pizza(&["audit", "--json"]).await;
    assert_eq!(output.code, Some(1), "{output:?}");
    let mut lines = output.json_lines();
    let summary = lines.pop().expect("a summary");
    assert_eq!(summary["clean"], false, "{summary}");
    assert_eq!(summary["violations"], lines.len(), "{summary}");
    let mut found = by_order(&lines);
    for (plant, id) in PLANTS.iter().zip(&orders) {
        let expected = plant.found.iter().map(|name| (*name).to_owned()).collect();
        let found = found.remove(id).unwrap_or_default();
        assert_eq!(found, expected, "{} ({id}): {lines:#?}", plant.what);
    }
    let charged = found.remove(&stranger.to_string());
    assert_eq!(charged, Some(BTreeSet::from(["charge".to_owned()])));
    assert_eq!(found, BTreeMap::new());

    assert_table(&world.cli().pizza(&["audit"]).await, &summary);
    let store_only = ["audit", "--json", "--store-only"];
    let output = world.cli().pizza(&store_only).await;
    assert_eq!(output.code, Some(1), "{output:?}");
    let names: BTreeSet<_> = by_order(&output.json_lines())
        .into_values()
        .flatten()
        .collect();
    let without_ended = [
        "amendments",
        "charge",
        "kitchen",
        "notified",
        "parked",
        "points",
        "refund",
        "statuses",
    ];
    assert!(
        names.iter().map(String::as_str).eq(without_ended),
        "{names:?}"
    );
}

/// The id of an order that is ready to be planted.
async fn order_for(world: &World, plant: &Plant) -> String {
    let gateway = world.gateway();
    if plant.under_way {
        // It stays Pending for longer than this takes.
        let id = gateway.place(json!({ "perStepDelaySeconds": 600 })).await;
        eventually(SOON, "the order is written", async || {
            let order = gateway.order(&id).await;
            (order["version"] == 1).then_some(())
        })
        .await;
        return id;
    }
    let id = gateway
        .place(json!({ "errorOnStep": plant.scenario }))
        .await;
    world.finished(&id).await;
    id
}

/// The broken invariants of each order.
fn by_order(lines: &[Value]) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for line in lines.iter().filter(|line| line["problem"].is_string()) {
        let names = found.entry(text(&line["orderId"])).or_default();
        names.insert(text(&line["invariant"]));
    }
    found
}

/// The table says the same to a person.
fn assert_table(output: &Output, summary: &Value) {
    assert_eq!(output.code, Some(1), "{output:?}");
    let verdict = format!("{} violations", summary["violations"]);
    assert!(output.stdout.contains(&verdict), "{output:?}");
}

/// The invariants that were not checked, or not wholly.
fn left_out(summary: &Value) -> Vec<&str> {
    let invariants = summary["invariants"].as_array().expect("a list");
    assert_eq!(invariants.len(), 9, "{summary}");
    invariants
        .iter()
        .filter(|invariant| invariant["leftOut"].is_string())
        .map(|invariant| invariant["invariant"].as_str().expect("a name"))
        .collect()
}
