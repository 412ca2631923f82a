//! A task whose own input cannot be used.

use serde_json::json;

use super::shown;
use crate::harness::{Setup, World, failures::park};

#[tokio::test]
async fn a_poisoned_input_is_corrected_and_the_original_kept() {
    let world = World::start(Setup::default()).await;
    let id = world.gateway().place(json!({})).await;
    world.finished(&id).await;
    let key = format!("{id}/notifyCustomer");
    // The reason has to be an object.
    let poison = json!({
        "orderId": id, "customerId": "guest", "reason": "gone", "idempotencyKey": key,
        "simulation": { "errorOnStep": "none", "pace": 0 },
    });
    let task = park(&world, "notify-customer", &id, &poison).await;
    let path = format!("/failures/{task}/redrive");
    let redrive = async |body| {
        let answer = world.operator().post(&path, &body).await;
        (answer.status, answer)
    };

    let (status, answer) = redrive(json!({})).await;
    assert_eq!(status, 200, "{answer:?}");
    assert_eq!(answer.json()["outcome"], "failedAgain", "{answer:?}");

    let mut mended = poison.clone();
    mended["reason"] = json!({ "step": "prepareOrder", "code": "x", "message": "no dough" });
    let mut another_effect = mended.clone();
    another_effect["idempotencyKey"] = json!("another");
    let (status, answer) = redrive(json!({ "input": another_effect })).await;
    assert_eq!(status, 422, "{answer:?}");
    assert!(answer.text.contains("idempotencyKey"), "{answer:?}");
    let mut for_a_stranger = mended.clone();
    for_a_stranger["customerId"] = json!("mallory");
    let (status, answer) = redrive(json!({ "input": for_a_stranger })).await;
    assert_eq!(status, 422, "{answer:?}");
    assert!(answer.text.contains("customerId"), "{answer:?}");
    let (status, answer) = redrive(json!({ "input": poison })).await;
    assert_eq!(status, 400, "still poison: {answer:?}");
    assert_eq!(answer.json()["field"], "input.reason", "{answer:?}");

    let (status, answer) = redrive(json!({ "input": mended, "reason": "mended" })).await;
    assert_eq!(status, 200, "{answer:?}");
    assert_eq!(answer.json()["outcome"], "done", "{answer:?}");
    let view = shown(&world, &task).await;
    assert_eq!(view["input"]["json"], poison, "{view}");
    assert_eq!(view["correctedInput"]["json"], mended, "{view}");
    let account = world.books().await.account(&id).await;
    assert_eq!(account.notifications.len(), 1, "{account:?}");
}
