//! Who may do what to a parked task.

use serde_json::json;

use super::{failed_order, shown, task_id};
use crate::harness::{Setup, World};

#[tokio::test]
async fn without_an_operators_key_nothing_is_shown_and_nothing_changes() {
    let world = World::start(Setup::default()).await;
    let id = failed_order(&world, 3).await;
    let task = task_id("add-loyalty-points", &id);
    let nobody = world.gateway();
    let discard = json!({ "reason": "not mine to say" });
    let requests = || {
        let at = |path: &str| nobody.at(path);
        [
            nobody.client.get(at("/failures")),
            nobody.client.get(at(&format!("/failures/{task}"))),
            nobody.client.post(at(&format!("/failures/{task}/redrive"))),
            nobody
                .client
                .post(at(&format!("/failures/{task}/discard")))
                .json(&discard),
            nobody
                .client
                .put(at("/failure-queues/add-loyalty-points/policy"))
                .json(&json!({ "autoRedrive": null })),
            nobody
                .client
                .post(at("/failures/bulk"))
                .json(&json!({ "action": "redrive", "all": true })),
        ]
    };
    for request in requests() {
        let answer = nobody.send(request).await;
        assert_eq!(answer.status, 401, "{answer:?}");
        assert_eq!(answer.header("www-authenticate"), "Bearer", "{answer:?}");
        assert_eq!(answer.problem(), "unauthenticated");
    }
    for request in requests() {
        let answer = nobody.send(request.bearer_auth("pizza_op_wrong")).await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    let view = shown(&world, &task).await;
    assert_eq!(view["state"], "waiting", "{view}");
    assert_eq!(view["audit"], json!([]), "{view}");
    let refused = world
        .cli()
        .without("PIZZA_OPERATOR_KEY")
        .pizza(&["failures", "list"])
        .await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("PIZZA_OPERATOR_KEY"), "{refused:?}");
}
