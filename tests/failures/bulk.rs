//! Many tasks at once.

use futures::{StreamExt, stream};
use serde_json::{Value, json};

use super::failed_order;
use crate::harness::recording::record_if_wanted;
use crate::harness::{LATER, SOON, Setup, World, eventually};

const TASKS: usize = 300;

#[tokio::test]
async fn three_hundred_tasks_are_redriven_once_each_though_the_worker_is_killed() {
    let mut world = World::start(Setup::default()).await;
    let ids: Vec<String> = stream::iter(0..TASKS)
        .map(|_| failed_order(&world, 7))
        .buffer_unordered(16)
        .collect()
        .await;
    until_depth(&world, TASKS).await;
    let mut books = world.books().await;
    // Five of them fail again.
    let stubborn: Vec<String> = ids[..5].iter().map(|id| format!("'{id}'")).collect();
    let which = format!(
        "NEW.kind = 'reclaim' AND NEW.order_id IN ({})",
        stubborn.join(", ")
    );
    books.refuse("loyalty_points", &which).await;

    let filter = json!({
        "action": "redrive", "queue": "remove-loyalty-points", "ratePerSecond": 50,
        "reason": "the programme is back",
    });
    let mut dry = filter.clone();
    dry["dryRun"] = json!(true);
    let answer = world.operator().post("/failures/bulk", &dry).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["matching"], TASKS, "{answer:?}");
    assert_eq!(reclaims(&mut books).await, 0, "a dry run does nothing");

    let answer = world.operator().post("/failures/bulk", &filter).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let path = answer.header("location").to_owned();
    eventually(LATER, "some are through", async || {
        (reclaims(&mut books).await >= 40).then_some(())
    })
    .await;
    world.worker.take().expect("the worker").kill();
    let at_the_kill = reclaims(&mut books).await;
    assert!(at_the_kill < 290, "it was too late for the kill");
    world.start_worker();

    let summary = eventually(LATER, "the operation ends", async || {
        let answer = world.operator().get(&path).await;
        // While there is no worker nobody can tell.
        let progress = (answer.status == 200).then(|| answer.json())?;
        (progress["running"] == false).then_some(progress)
    })
    .await;
    assert_eq!(sum(&summary), TASKS as u64, "{summary}");
    assert_eq!(summary["matching"], TASKS, "{summary}");
    assert_eq!(
        summary["done"].as_u64(),
        Some(TASKS as u64 - 5),
        "{summary}"
    );
    assert_eq!(summary["failedAgain"], 5, "{summary}");
    assert_eq!(
        summary["problems"].as_array().map(Vec::len),
        Some(5),
        "{summary}"
    );
    assert_eq!(reclaims(&mut books).await, TASKS as i64 - 5);
    let bulk = summary["bulkId"].as_str().expect("an id");
    record_if_wanted(&world, "bulk.failure-bulk", &format!("failure-bulk-{bulk}")).await;
    until_depth(&world, 5).await;

    books.accept("loyalty_points").await;
    let by_error = [
        "failures",
        "redrive",
        "--error-code",
        "store-unavailable",
        "--yes",
        "--json",
    ];
    let output = world.cli().pizza(&by_error).await;
    assert_eq!(output.code, Some(0), "{output:?}");
    until_depth(&world, 0).await;
    assert_eq!(reclaims(&mut books).await, TASKS as i64);
}

async fn reclaims(books: &mut crate::harness::books::Books) -> i64 {
    let query = "SELECT count(*) FROM loyalty_points WHERE kind = 'reclaim'";
    books.number(query).await
}

/// How many tasks the summary accounts for.
fn sum(summary: &Value) -> u64 {
    ["done", "failedAgain", "discarded", "skipped", "unanswered"]
        .iter()
        .filter_map(|name| summary[name].as_u64())
        .sum()
}

async fn until_depth(world: &World, depth: usize) {
    let what = format!("{depth} tasks wait");
    eventually(SOON, &what, async || {
        let queues = world.operator().get("/failure-queues").await.json();
        let mut queues = queues["queues"].as_array()?.iter();
        let queue = queues.find(|queue| queue["queue"] == "remove-loyalty-points")?;
        (queue["depth"] == depth).then_some(())
    })
    .await;
}

#[tokio::test]
async fn many_are_discarded_with_a_reason_and_stay_owed() {
    let world = World::start(Setup::default()).await;
    let ids: Vec<String> = stream::iter(0..6)
        .map(|_| failed_order(&world, 3))
        .buffer_unordered(6)
        .collect()
        .await;
    let without_reason = json!({ "action": "discard", "all": true });
    let answer = world
        .operator()
        .post("/failures/bulk", &without_reason)
        .await;
    assert_eq!(answer.status, 422, "{answer:?}");
    assert!(answer.text.contains("reason"), "{answer:?}");
    let nothing_named = json!({ "action": "redrive" });
    let answer = world
        .operator()
        .post("/failures/bulk", &nothing_named)
        .await;
    assert_eq!(answer.status, 422, "{answer:?}");

    let what = "all six are discarded";
    eventually(SOON, what, async || {
        // Once more until the list, a moment behind, has shown all.
        let discard = [
            "failures",
            "discard",
            "--queue",
            "add-loyalty-points",
            "--reason",
            "the programme is closed",
            "--yes",
        ];
        let output = world.cli().pizza(&discard).await;
        assert_eq!(output.code, Some(0), "{output:?}");
        for id in &ids {
            let order = world.gateway().order(id).await;
            (order["owed"][0]["state"] == "discarded").then_some(())?;
        }
        Some(())
    })
    .await;
}
