//! Each queue's task, over HTTP, on the command line and with Temporal's own.

use serde_json::json;

use super::{failed_order, redriven, shown, task_id};
use crate::harness::recording::record_if_wanted;
use crate::harness::{LATER, SOON, Setup, World, eventually};

#[tokio::test]
async fn a_refund_redriven_over_http_is_followed_by_the_reclaim_that_was_left_undone() {
    let world = World::shared().await;
    let id = failed_order(&world, 6).await;
    let task = task_id("refund-payment", &id);
    let before = world.gateway().order(&id).await;
    assert_eq!(before["money"], "refundParked", "{before}");
    assert_eq!(before["points"], "awarded", "{before}");
    assert_eq!(before["owed"][0]["taskId"], task.as_str(), "{before}");
    assert_eq!(before["owed"][0]["state"], "parked", "{before}");

    redriven(&world, &task).await;
    world.final_history(&task).await;
    record_if_wanted(&world, "redriven.failed-task", &task).await;

    let after = world.gateway().order(&id).await;
    assert_eq!(after["money"], "refunded", "{after}");
    assert_eq!(after["points"], "reclaimed", "{after}");
    assert_eq!(after["status"], "Cancelled", "{after}");
    assert_eq!(after["owed"], json!([]), "{after}");
    let account = world.books().await.account(&id).await;
    account.assert_legal();
    assert_eq!(account.payment_kinds(), ["charge", "refund"]);
    assert_eq!(account.points_left(), 0, "{account:?}");
    let task = shown(&world, &task).await;
    assert_eq!(task["state"], "done", "{task}");
    assert_eq!(task["attempts"], 7, "{task}");
    let audit = &task["audit"][0];
    assert_eq!(audit["principal"], "journeys", "{task}");
    assert_eq!(audit["action"], "redrive", "{task}");
    assert_eq!(audit["outcome"], "done", "{task}");
}

#[tokio::test]
async fn an_award_that_is_redriven_is_given_and_one_that_is_discarded_stays_owed() {
    let world = World::shared().await;
    let (given, owed) = tokio::join!(failed_order(&world, 3), failed_order(&world, 3));
    redriven(&world, &task_id("add-loyalty-points", &given)).await;
    let order = world.gateway().order(&given).await;
    assert_eq!(order["points"], "awarded", "{order}");
    let account = world.books().await.account(&given).await;
    assert_eq!(account.points, [("award".to_owned(), 12)]);

    let task = task_id("add-loyalty-points", &owed);
    let reason = json!({ "reason": "the customer has left" });
    let operator = world.operator();
    let discarded = operator
        .post(&format!("/failures/{task}/discard"), &reason)
        .await;
    assert_eq!(discarded.status, 200);
    let order = world.gateway().order(&owed).await;
    assert_eq!(order["points"], "parked", "{order}");
    assert_eq!(order["owed"][0]["state"], "discarded", "{order}");
    let account = world.books().await.account(&owed).await;
    assert!(account.points.is_empty(), "{account:?}");
    world.final_history(&task).await;
    record_if_wanted(&world, "discarded.failed-task", &task).await;
    let task = shown(&world, &task).await;
    assert_eq!(task["state"], "discarded", "{task}");
    assert_eq!(task["audit"][0]["reason"], "the customer has left");
}

#[tokio::test]
async fn a_reclaim_is_redriven_on_the_command_line_and_with_the_temporal_cli() {
    let world = World::shared().await;
    let (one, other) = tokio::join!(failed_order(&world, 7), failed_order(&world, 7));
    let task = task_id("remove-loyalty-points", &one);
    let line = world.cli().ok(&["failures", "show", &task, "--json"]).await;
    let task_json: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(task_json["state"], "waiting", "{task_json}");
    world.cli().ok(&["failures", "redrive", &task]).await;
    let order = world.gateway().order(&one).await;
    assert_eq!(order["points"], "reclaimed", "{order}");

    let task = task_id("remove-loyalty-points", &other);
    let update = [
        "workflow",
        "update",
        "execute",
        "--workflow-id",
        &task,
        "--name",
        "redrive",
        "--input",
        r#"{"principal":"alice","reason":"by hand"}"#,
    ];
    let answer = world.cli().temporal(&update).await;
    assert!(answer.contains("done"), "{answer}");
    let order = world.gateway().order(&other).await;
    assert_eq!(order["points"], "reclaimed", "{order}");
    let task = shown(&world, &task).await;
    assert_eq!(task["audit"][0]["principal"], "alice", "{task}");
    assert_eq!(task["audit"][0]["reason"], "by hand", "{task}");
}

#[tokio::test]
async fn a_customer_who_could_not_be_told_is_told_by_a_redrive() {
    let world = World::start(Setup::default()).await;
    let mut books = world.books().await;
    books.refuse("notifications", "").await;
    let id = world.gateway().place(json!({ "errorOnStep": 2 })).await;
    world.gateway().until_ended(&id).await;
    let task = task_id("notify-customer", &id);
    // Six attempts with waits of 1 to 16 s between them.
    let what = "the notification is parked";
    let parked = eventually(LATER, what, async || {
        let answer = world.operator().get(&format!("/failures/{task}")).await;
        (answer.status == 200).then(|| answer.json())
    })
    .await;
    assert_eq!(parked["attempts"], 6, "{parked}");
    assert_eq!(parked["error"]["code"], "store-unavailable", "{parked}");
    let ended = world.final_history(&format!("order-{id}")).await;
    assert_eq!(ended.end(), "FAILED", "its end is the same");

    books.accept("notifications").await;
    redriven(&world, &task).await;
    let account = books.account(&id).await;
    assert_eq!(account.notifications.len(), 1, "{account:?}");
    eventually(SOON, "the queue is empty", async || {
        let queues = world.operator().get("/failure-queues").await.json();
        let mut queues = queues["queues"].as_array()?.iter();
        queues.all(|queue| queue["depth"] == 0).then_some(())
    })
    .await;
}
