//! Several operators at one task.

use futures::future::join_all;
use serde_json::json;

use super::{failed_order, shown, task_id};
use crate::harness::World;

#[tokio::test]
async fn of_eight_redrives_at_once_one_has_an_effect_and_the_others_are_told() {
    let world = World::shared().await;
    let id = failed_order(&world, 6).await;
    let task = task_id("refund-payment", &id);
    let path = format!("/failures/{task}/redrive");
    let gateway = world.operator();
    let body = json!({});
    let answers = join_all((0..8).map(|_| gateway.post(&path, &body))).await;
    let (taken, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(taken.len(), 1, "{answers:?}");
    for answer in refused {
        assert_eq!(answer.status, 409, "{answer:?}");
        let code = answer.problem();
        assert!(
            code == "failure-busy" || code == "failure-resolved",
            "{answer:?}"
        );
    }
    let account = world.books().await.account(&id).await;
    assert_eq!(account.payment_kinds(), ["charge", "refund"]);
    let view = shown(&world, &task).await;
    assert_eq!(view["redrives"].as_array().map(Vec::len), Some(1), "{view}");
}

#[tokio::test]
async fn a_redrive_sent_again_under_its_key_is_answered_and_not_repeated() {
    let world = World::shared().await;
    let id = failed_order(&world, 7).await;
    let task = task_id("remove-loyalty-points", &id);
    let path = format!("/failures/{task}/redrive");
    for _ in 0..2 {
        let gateway = world.operator();
        let request = gateway
            .client
            .post(gateway.at(&path))
            .header("idempotency-key", "click-1")
            .json(&json!({}));
        let answer = gateway.send(request).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["outcome"], "done", "{answer:?}");
    }
    let view = shown(&world, &task).await;
    assert_eq!(view["audit"].as_array().map(Vec::len), Some(1), "{view}");
    assert_eq!(view["audit"][0]["requestId"], "click-1", "{view}");
}
