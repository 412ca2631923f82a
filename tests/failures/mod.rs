//! What becomes of a step that failed for good: seen, run again, let go, and
//! accounted for.

mod again;
mod at_once;
mod automatic;
mod bulk;
mod crashes;
mod doors;
mod keys;
mod poison;

use serde_json::{Value, json};

use crate::harness::world::World;

/// Places an order whose step fails, waits for its end, and gives its id.
async fn failed_order(world: &World, error_on_step: u32) -> String {
    let id = world
        .gateway()
        .place(json!({ "errorOnStep": error_on_step }))
        .await;
    world.finished(&id).await;
    id
}

/// The task of an order in a queue.
fn task_id(queue: &str, order: &str) -> String {
    format!("failed-{queue}-{order}")
}

/// Redrives a task, which has to succeed.
async fn redriven(world: &World, task: &str) -> Value {
    world.operator().redrive(task).await
}

/// Shows a task.
async fn shown(world: &World, task: &str) -> Value {
    let operator = world.operator();
    let request = operator
        .client
        .get(operator.at(&format!("/failures/{task}")));
    let answer = operator.send_until_answered(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}
