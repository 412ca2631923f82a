//! Redrives that nobody asks for.

use futures::future::join_all;
use serde_json::json;

use super::{failed_order, shown, task_id};
use crate::harness::history::History;
use crate::harness::recording::{record_if_wanted, write_if_wanted};
use crate::harness::{LATER, SOON, Setup, World, eventually};

const QUEUE: &str = "add-loyalty-points";

#[tokio::test]
async fn automatic_redrive_reaches_tasks_that_are_parked_and_those_to_come() {
    let world = World::start(Setup::default()).await;
    let parked = join_all((0..3).map(|_| failed_order(&world, 3))).await;
    let mut books = world.books().await;
    books.refuse("loyalty_points", "").await;
    // A list of tasks is a moment behind.
    eventually(SOON, "three wait", async || {
        let queues = world.operator().get("/failure-queues").await.json();
        let mut queues = queues["queues"].as_array()?.iter();
        let queue = queues.find(|queue| queue["queue"] == QUEUE)?;
        (queue["depth"] == 3).then_some(())
    })
    .await;

    let path = format!("/failure-queues/{QUEUE}/policy");
    let policy = json!({
        "autoRedrive": {
            "firstWaitSeconds": 0.2, "backoff": 1, "longestWaitSeconds": 0.2,
            "maxAttempts": 1000, "maxAgeSeconds": 3600,
        },
        "reason": "the programme is shaky today",
    });
    let answer = world.operator().put(&path, &policy).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let tasks: Vec<_> = parked.iter().map(|id| task_id(QUEUE, id)).collect();
    for task in &tasks {
        eventually(LATER, "it is redriven by itself", async || {
            let view = shown(&world, task).await;
            let last = view["redrives"].as_array()?.last()?.clone();
            (last["automatic"] == true && last["outcome"] == "failedAgain").then_some(())
        })
        .await;
    }
    let (first, next) = until_continued(&world, &tasks[0]).await;
    let view = shown(&world, &tasks[0]).await;
    let redrives = view["redrives"].as_array().map_or(0, Vec::len) as u64;
    let all = redrives + view["earlierRedrives"].as_u64().unwrap_or_default();
    assert_eq!(view["attempts"].as_u64(), Some(1 + all), "{view}");
    write_if_wanted("continued.failed-task", &first);
    write_if_wanted("continued-next.failed-task", &next);

    books.accept("loyalty_points").await;
    let to_come = failed_order(&world, 3).await;
    for id in parked.iter().chain([&to_come]) {
        let what = format!("the award of {id} is given by itself");
        eventually(LATER, &what, async || {
            let order = world.gateway().order(id).await;
            (order["points"] == "awarded").then_some(())
        })
        .await;
        let account = books.account(id).await;
        assert_eq!(account.points, [("award".to_owned(), 12)]);
    }
    let view = shown(&world, &tasks[0]).await;
    let audit = &view["audit"][0];
    assert_eq!(audit["action"], "setPolicy", "{view}");
    assert_eq!(audit["principal"], "journeys", "{view}");

    let off = json!({ "autoRedrive": null, "reason": "it holds" });
    let answer = world.operator().put(&path, &off).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let policy = world.operator().get(&path).await.json();
    assert_eq!(policy["version"], 2, "{policy}");
    assert_eq!(policy["autoRedrive"], json!(null), "{policy}");
    assert_eq!(policy["changes"][1]["reason"], "it holds", "{policy}");
    let queue = format!("failure-queue-{QUEUE}");
    record_if_wanted(&world, "policy.failure-queue", &queue).await;
    let waits = failed_order(&world, 3).await;
    let view = shown(&world, &task_id(QUEUE, &waits)).await;
    assert_eq!(view["autoRedrive"], json!(null), "{view}");
    assert_eq!(view["nextRedriveAt"], json!(null), "{view}");
}

/// Waits until a task has continued as new, and gives the histories of its
/// first run and of the one that goes on.
async fn until_continued(world: &World, task: &str) -> (History, History) {
    let show = ["workflow", "describe", "--workflow-id", task];
    // After as many redrives as its history holds.
    let first = eventually(LATER, "it continues as new", async || {
        let described = world.cli().temporal_json(&show).await;
        let info = &described["workflowExecutionInfo"];
        let first = info["firstRunId"].as_str()?;
        (info["execution"]["runId"] != first).then(|| first.to_owned())
    })
    .await;
    let first = [
        "workflow",
        "show",
        "--workflow-id",
        task,
        "--run-id",
        &first,
    ];
    let first = History::of(world.cli().temporal_json(&first).await);
    assert_eq!(first.end(), "CONTINUED_AS_NEW");
    (first, world.history(task).await)
}
