//! A redrive that fails, and one that comes too late.

use serde_json::json;

use super::{failed_order, redriven, shown, task_id};
use crate::harness::recording::record_if_wanted;
use crate::harness::{Setup, World};

#[tokio::test]
async fn a_redrive_that_fails_leaves_the_task_once_with_the_new_error() {
    let world = World::start(Setup::default()).await;
    let id = failed_order(&world, 6).await;
    let task = task_id("refund-payment", &id);
    let mut books = world.books().await;
    books.refuse("payments", "NEW.kind = 'refund'").await;

    let path = format!("/failures/{task}/redrive");
    let reason = json!({ "reason": "the provider says it is back" });
    let answer = world.operator().post(&path, &reason).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let failed = answer.json();
    assert_eq!(failed["outcome"], "failedAgain", "{failed}");
    assert_eq!(failed["state"], "waiting", "{failed}");
    assert_eq!(failed["error"]["code"], "store-unavailable", "{failed}");
    let view = shown(&world, &task).await;
    assert_eq!(view["attempts"], 7, "one more than the order's six: {view}");
    assert_eq!(view["redrives"].as_array().map(Vec::len), Some(1), "{view}");
    assert_eq!(view["audit"][0]["outcome"], "failedAgain", "{view}");
    let owed = world.gateway().order(&id).await;
    assert_eq!(owed["money"], "refundParked", "{owed}");
    assert_eq!(owed["owed"].as_array().map(Vec::len), Some(1), "{owed}");

    books.accept("payments").await;
    redriven(&world, &task).await;
    world.final_history(&task).await;
    record_if_wanted(&world, "failed-again.failed-task", &task).await;
    let too_late = world.operator().post(&path, &json!({})).await;
    assert_eq!(too_late.status, 409, "{too_late:?}");
    assert_eq!(too_late.problem(), "failure-resolved");
    let discard = format!("/failures/{task}/discard");
    let too_late = world.operator().post(&discard, &reason).await;
    assert_eq!(too_late.problem(), "failure-resolved");
    let account = books.account(&id).await;
    assert_eq!(account.payment_kinds(), ["charge", "refund"]);
}

#[tokio::test]
async fn an_award_that_was_parked_before_the_rollback_is_never_given() {
    let world = World::start(Setup {
        kitchen: false,
        kitchen_deadline_seconds: 3.0,
        ..Setup::default()
    })
    .await;
    // Nobody cooks, so an order whose award is parked is rolled back later.
    let id = failed_order(&world, 3).await;
    let order = world.gateway().order(&id).await;
    assert_eq!(order["status"], "Cancelled", "{order}");
    assert_eq!(order["money"], "refunded", "{order}");
    assert_eq!(order["points"], "parked", "{order}");

    record_if_wanted(&world, "called-off.order", &format!("order-{id}")).await;
    redriven(&world, &task_id("add-loyalty-points", &id)).await;
    let account = world.books().await.account(&id).await;
    assert_eq!(account.points_left(), 0, "{account:?}");
    let order = world.gateway().order(&id).await;
    assert_eq!(order["points"], "reclaimed", "{order}");
}
