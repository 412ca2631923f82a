//! Lines that programs read, and that name nobody.

use serde_json::{Value, json};

use super::Told;

/// What must stand in no line: who orders, what, why it was refused, and the
/// keys of everybody.
const SECRETS: [&str; 6] = [
    "secret-ann",
    "Secret Sauce",
    "no more secret sauce",
    "secret-key",
    crate::harness::world::OPERATOR_KEY,
    crate::harness::world::KITCHEN_KEY,
];

#[tokio::test]
async fn every_line_is_json_says_what_it_belongs_to_and_names_nobody() {
    let told = Told::world().await;
    let gateway = told.gateway();
    let order = json!({ "customerId": "secret-ann", "flavour": "Secret Sauce" });
    let place = |order: &Value| {
        let request = gateway.client.post(gateway.at("/orders")).json(order);
        gateway.send(request.header("idempotency-key", "secret-key"))
    };
    let delivered = place(&order).await.json()["orderId"]
        .as_str()
        .expect("an id")
        .to_owned();
    told.ticket_is_there(&delivered).await;
    assert_eq!(gateway.cancel(&delivered).await.status, 200);
    let mut failing = order.clone();
    failing["errorOnStep"] = "addLoyaltyPoints".into();
    let parked = gateway.place(failing).await;
    let rejected = gateway.place(order).await;
    told.ticket_is_there(&rejected).await;
    let report = json!({ "event": "rejected", "reason": "no more secret sauce" });
    assert_eq!(gateway.report_all(&rejected, &report).await.status, 200);
    told.finished(&rejected).await;
    told.finished(&parked).await;

    let processes = [told.gateway.as_ref(), told.worker.as_ref()];
    for process in processes.into_iter().flatten() {
        let text = process.stderr();
        for secret in SECRETS {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        for line in text.lines() {
            let line: Value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            for field in ["timestamp", "level", "target", "message"] {
                assert!(line[field].is_string(), "{field}: {line}");
            }
        }
    }
    let text = told.gateway.as_ref().expect("a gateway").stderr();
    for (id, method) in [
        (&delivered, "DELETE"),
        (&parked, "POST"),
        (&rejected, "POST"),
    ] {
        let line = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find(|line| line["order_id"] == id.as_str() && line["method"] == method)
            .unwrap_or_else(|| panic!("no {method} of {id} in {text}"));
        assert_eq!(line["workflow_id"], format!("order-{id}"), "{line}");
        assert_eq!(line["trace_id"].as_str().map(str::len), Some(32), "{line}");
        assert_eq!(line["span_id"].as_str().map(str::len), Some(16), "{line}");
        assert!(line["request_id"].is_string(), "{line}");
        assert!(
            line["status"].is_u64() && line["latency_ms"].is_number(),
            "{line}"
        );
    }
}
