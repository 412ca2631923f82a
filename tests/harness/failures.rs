//! Parked tasks that no order parked.

use serde_json::{Value, json};

use super::world::World;

/// Parks a task with this input by hand, and gives its id.
pub(crate) async fn park(world: &World, queue: &str, order: &str, input: &Value) -> String {
    let id = format!("failed-{queue}-{order}");
    let task = json!({
        "queue": queue,
        "messageType": "NotifyCustomerFailed",
        "subject": { "OrderId": order, "CustomerId": "guest" },
        "activityType": "notifyCustomer",
        "taskQueue": "orders",
        "policy": { "attempts": 6, "firstWaitMs": 1000, "backoff": 2.0, "longestWaitMs": 100_000 },
        "idempotencyKey": input["idempotencyKey"],
        "failure": {
            "code": "unknown", "message": "poisoned", "causes": [], "attempts": 1, "refused": false,
        },
        "firstAttemptAtMs": 1,
        "parkedAtMs": 1,
        "workflowId": format!("order-{order}"),
        "runId": "none",
        "recorder": "recordParkedTask",
    });
    let (task, input) = (task.to_string(), input.to_string());
    let mut arguments = vec!["workflow", "start", "--workflow-id", &id];
    arguments.extend(["--type", "FailedTask", "--task-queue", "failures"]);
    arguments.extend(["--input", &task, "--input", &input]);
    let queue = format!("FailureQueue=\"{queue}\"");
    let of_order = format!("OrderId=\"{order}\"");
    arguments.extend([
        "--search-attribute",
        &queue,
        "--search-attribute",
        &of_order,
    ]);
    world.cli().temporal(&arguments).await;
    id
}
