//! Answers are as the OpenAPI document describes them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::gateway::{Gateway, id_of};
use crate::harness::openapi::Document;
use crate::harness::{LATER, Setup, World, eventually};

/// A gateway whose answers are held against its document.
struct Held {
    gateway: Gateway,
    document: Document,
}

impl Held {
    /// Asks for an operation of what belongs to `id`; the answer has to be as
    /// described. None where it is no JSON: a stream.
    async fn ask(&self, name: &str, id: &str, body: Option<Value>) -> Option<(u16, Value)> {
        let operations = self.document.operations();
        let operation = operations.iter().find(|it| it.name == name).expect(name);
        let url = self.gateway.at(&operation.path(id));
        let mut request = self.gateway.client.request(operation.method.clone(), url);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = self.gateway.send(request).await;
        let media_type = answer.header("content-type");
        if media_type == "text/event-stream" || answer.status == 204 {
            return None;
        }
        let body = answer.json();
        let described = self
            .document
            .describes(operation, answer.status, media_type, &body);
        if let Err(difference) = described {
            panic!("{difference}");
        }
        Some((answer.status, body))
    }

    /// The same; it has to be done.
    async fn done(&self, name: &str, id: &str, body: Value) -> Value {
        let (status, answer) = self.ask(name, id, Some(body)).await.expect("JSON");
        assert!((200..300).contains(&status), "{name}: {status} {answer}");
        answer
    }
}

#[tokio::test]
async fn every_answer_is_as_the_openapi_document_describes_it() {
    // It changes what a shared one is about: policies, the kitchen.
    let world = World::start(Setup::default()).await;
    let gateway = world.operator();
    let document = Document(gateway.get("/openapi.json").await.json());
    let held = Held { gateway, document };

    let all = held
        .done("POST /orders", "", json!({ "errorOnStep": "ALL" }))
        .await;
    let plain = held
        .done("POST /orders", "", json!({ "flavour": "hawaiian" }))
        .await;
    let paced = json!({ "perStepDelaySeconds": 20 });
    let changed = id_of(&held.done("POST /orders", "", paced).await);
    let amendment = json!({ "quantity": 2 });
    held.done("PATCH /orders/{id}", &changed, amendment).await;
    let cancelled = held.ask("DELETE /orders/{id}", &changed, None).await;
    assert_eq!(cancelled.expect("JSON").0, 200);

    let orders = all["orders"].as_array().expect("orders");
    let mut ids = vec![id_of(&plain), changed];
    ids.extend(orders.iter().map(id_of));
    for id in &ids {
        world.finished(id).await;
    }
    // What is asked without a change, of orders that ended in each way, and of
    // what is not there.
    ids.push("6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11".to_owned());
    ids.push("no-id".to_owned());
    for id in &ids {
        for operation in held.document.operations() {
            if operation.method == Method::GET {
                held.ask(&operation.name, id, None).await;
            }
        }
        let late = json!({ "event": "accepted" });
        held.ask("POST /kitchen/tickets/{id}/events", id, Some(late))
            .await;
        held.ask("PATCH /orders/{id}", id, Some(json!({ "quantity": 3 })))
            .await;
        held.ask("DELETE /orders/{id}", id, None).await;
    }

    let unrefunded = orders
        .iter()
        .find(|order| order["errorOnStep"] == "refundPayment")
        .map(id_of)
        .expect("an order whose refund failed");
    eventually(LATER, "the task is parked", async || {
        let answer = held.ask("GET /failures/{id}", &unrefunded, None).await;
        (answer?.0 == 200).then_some(())
    })
    .await;
    let policy = json!({ "autoRedrive": {
        "firstWaitSeconds": 2_592_000, "backoff": 1, "longestWaitSeconds": 2_592_000,
        "maxAttempts": 1, "maxAgeSeconds": 315_360_000,
    } });
    let policy_of = "PUT /failure-queues/{queue}/policy";
    held.done(policy_of, "", policy).await;
    held.ask("GET /failures/{id}", &unrefunded, None).await;
    held.done(policy_of, "", json!({ "autoRedrive": null }))
        .await;
    held.ask("GET /failure-queues/{queue}/policy", "", None)
        .await;
    let only_this = json!({ "action": "redrive", "orderId": unrefunded, "dryRun": true });
    held.done("POST /failures/bulk", "", only_this).await;
    let only_this = json!({ "action": "redrive", "orderId": unrefunded });
    let bulk = held.done("POST /failures/bulk", "", only_this).await;
    let bulk = bulk["bulkId"].as_str().expect("an id");
    eventually(LATER, "the operation ends", async || {
        let progress = held.ask("GET /failures/bulk/{bulkId}", bulk, None).await;
        (progress?.1["running"] == false).then_some(())
    })
    .await;
    held.ask("POST /failures/bulk/{bulkId}/stop", bulk, None)
        .await;
    held.ask("POST /failures/{id}/redrive", &unrefunded, Some(json!({})))
        .await;
    let reason = json!({ "reason": "paid by hand" });
    held.ask("POST /failures/{id}/discard", &unrefunded, Some(reason))
        .await;
    held.ask("GET /failures/{id}", &unrefunded, None).await;
    held.done("PUT /kitchen/simulation", "", json!({ "seed": 0 }))
        .await;
}
