//! A kitchen that loses reports, repeats them, and makes them in the wrong
//! order: every order ends, and the books are right.

use std::time::Instant;

use futures::stream::{self, StreamExt};
use serde_json::{Value, json};

use crate::harness::{Setup, World};

const ORDERS: usize = 500;

/// As many as keep a dev server busy.
const AT_ONCE: usize = 16;

/// What the kitchen's mishaps follow from, together with the orders' ids.
const SEED: u64 = 20_261_122;

#[tokio::test]
async fn five_hundred_orders_of_an_unreliable_kitchen_end_with_clean_books() {
    let mut world = World::start(Setup {
        kitchen: false,
        kitchen_deadline_seconds: 2.5,
        ..Setup::default()
    })
    .await;
    let simulation = json!({
        "loseRate": 0.03, "repeatRate": 0.2, "reorderRate": 0.2, "seed": SEED,
    });
    let answer = world.cook().put("/kitchen/simulation", &simulation).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    world.start_kitchen();
    let gateway = world.gateway();
    let started = Instant::now();
    let ends: Vec<Value> = stream::iter(0..ORDERS)
        .map(async |_| {
            let id = gateway.place(json!({})).await;
            gateway.watched_to_its_end(&id).await
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let took = started.elapsed();
    let of = |status: &str| ends.iter().filter(|end| end["status"] == status).count();
    let (delivered, cancelled) = (of("DeliveryConfirmed"), of("Cancelled"));
    println!(
        "seed {SEED}: {delivered} of {ORDERS} orders delivered, {cancelled} cancelled, in {:.1} s",
        took.as_secs_f32()
    );
    assert_eq!(delivered + cancelled, ORDERS);
    assert!(delivered > 0 && cancelled > 0, "{delivered} {cancelled}");
    for end in &ends {
        if end["status"] == "Cancelled" {
            assert_eq!(end["cancelled"]["code"], "kitchen-overdue", "{end}");
        }
    }
    let output = world.cli().pizza(&["audit", "--json"]).await;
    assert_eq!(output.code, Some(0), "seed {SEED}: {output:?}");
    let lines = output.json_lines();
    assert_eq!(lines.len(), 1, "only a summary: {output:?}");
    assert_eq!(lines[0]["orders"], ORDERS, "{output:?}");
    let page = world.cook().get("/kitchen/tickets").await.json();
    assert_eq!(page["tickets"], json!([]));
}
