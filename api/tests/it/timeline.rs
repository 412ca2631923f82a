//! What happened to an order, with Temporal away.

use pizza_api::proto::order_service_client::OrderServiceClient;
use pizza_api::proto::{GetTimelineRequest, TimelineKind, TimelineSourceState};
use pizza_app::keys::{KeyHash, Role};
use serde_json::{Value, json};
use sqlx::{Connection, Executor};
use tonic::Code;

use crate::grpc::channel;
use crate::support::{KITCHEN_KEY, OPERATOR_KEY, TestGateway, problem};

const ORDER: &str = "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";

/// An order as workers write it.
async fn write_order(gateway: &TestGateway) {
    let mut store = sqlx::SqliteConnection::connect(&gateway.store_url)
        .await
        .expect("the store");
    for statement in [
        "INSERT INTO orders (order_id, customer_id, flavour, size, quantity, total, \
         discount_percent, status, money, points, version, placed_at_ms, updated_at_ms) VALUES \
         ('ID', 'ben', 'plain', 'medium', 1, 1200, 0, 'PaymentComplete', 'charged', 'none', 2, \
         1763810000123, 1763810001000)",
        "INSERT INTO order_changes (order_id, version, status, money, points, changed_at_ms) \
         VALUES ('ID', 1, 'Pending', 'notCharged', 'none', 1763810000200)",
        "INSERT INTO order_changes (order_id, version, status, money, points, changed_at_ms) \
         VALUES ('ID', 2, 'PaymentComplete', 'charged', 'none', 1763810001000)",
        "INSERT INTO payments VALUES ('ID', 'charge', 'ben', 1200, 'ID/processPayment', \
         1763810000900)",
    ] {
        let statement = statement.replace("ID", ORDER);
        store
            .execute(sqlx::AssertSqlSafe(statement))
            .await
            .expect("a row");
    }
}

fn path() -> String {
    format!("/orders/{ORDER}/timeline")
}

#[tokio::test]
async fn the_store_tells_alone_and_says_so() {
    let gateway = TestGateway::start().await;
    write_order(&gateway).await;
    let answer = gateway.get(&path()).await;
    assert_eq!(answer.status(), 200);
    let entry = |at: &str, kind: &str, what: &str, detail: Value| {
        json!({
            "at": at, "kind": kind, "source": "store", "what": what, "detail": detail,
        })
    };
    let pizza = json!({ "flavour": "plain", "size": "medium", "quantity": 1, "total": 1200 });
    assert_eq!(
        answer.json::<Value>().await.expect("JSON"),
        json!({
            "orderId": ORDER,
            "placedAt": "2025-11-22T11:13:20.123Z",
            "sources": { "store": "read", "temporal": "unavailable" },
            "truncated": false,
            "entries": [
                entry("2025-11-22T11:13:20.123Z", "placed", "1 x plain, medium: 12.00", pizza),
                entry("2025-11-22T11:13:20.200Z", "status", "Pending",
                    json!({ "version": 1, "status": "Pending" })),
                entry("2025-11-22T11:13:20.900Z", "payment", "charge 12.00",
                    json!({ "entry": "charge", "amount": 1200 })),
                entry("2025-11-22T11:13:21.000Z", "status", "PaymentComplete, money charged",
                    json!({ "version": 2, "status": "PaymentComplete", "money": "charged" })),
            ],
        })
    );

    let mut orders = OrderServiceClient::new(channel(&gateway).await);
    let request = GetTimelineRequest {
        order_id: ORDER.to_owned(),
    };
    let told = orders.get_timeline(request).await.expect("an answer");
    let told = told.into_inner();
    assert_eq!(told.store(), TimelineSourceState::Read);
    assert_eq!(told.temporal(), TimelineSourceState::Unavailable);
    let kinds: Vec<_> = told.entries.iter().map(|entry| entry.kind()).collect();
    let expected = [
        TimelineKind::Placed,
        TimelineKind::Status,
        TimelineKind::Payment,
        TimelineKind::Status,
    ];
    assert_eq!(kinds, expected);
    let charge = told.entries[2].detail.clone().expect("detail");
    assert_eq!(charge.amount, Some(1200));
}

#[tokio::test]
async fn the_order_of_another_customer_has_no_timeline() {
    let gateway = TestGateway::with(|gateway| {
        for name in ["ben", "eve"] {
            let hash = KeyHash::of(name);
            let added = gateway.keys.add_hash(Role::Customer, name, hash);
            added.expect("a key");
        }
    })
    .await;
    write_order(&gateway).await;
    let ask = async |key: Option<&str>| {
        let key = key.map(|key| format!("Bearer {key}"));
        gateway.call("get", &path(), key.as_deref(), "").await
    };
    assert_eq!(ask(Some("ben")).await.status(), 200);
    // Temporal, which is away, is asked as for an order that is not there:
    // neither the answer nor its time tells that there is one.
    let answer = problem(ask(Some("eve")).await).await;
    assert_eq!(answer["code"], "temporal-unavailable");
    let answer = problem(ask(None).await).await;
    assert_eq!(answer["code"], "unauthenticated");

    let mut orders = OrderServiceClient::new(channel(&gateway).await);
    let mut request = tonic::Request::new(GetTimelineRequest {
        order_id: ORDER.to_owned(),
    });
    let key = "Bearer eve".parse().expect("a value");
    request.metadata_mut().insert("authorization", key);
    let refused = orders.get_timeline(request).await.expect_err("refused");
    assert_eq!(refused.code(), Code::Unavailable);
}

/// In an open shop, where everybody sees every order.
#[tokio::test]
async fn only_an_operator_is_told_which_operator_did_what_and_why() {
    let gateway = TestGateway::start().await;
    write_order(&gateway).await;
    let mut store = sqlx::SqliteConnection::connect(&gateway.store_url)
        .await
        .expect("the store");
    let task = format!(
        "INSERT INTO failed_tasks VALUES ('failed-refund-payment-{ORDER}', '{ORDER}', 'ben', \
         'refund-payment', 'RefundPaymentFailed', 'discarded', 1763810002000, 1763810003000, \
         'olga-of-the-office', 'he shouted at me')"
    );
    let written = store.execute(sqlx::AssertSqlSafe(task)).await;
    written.expect("a row");
    let told = async |path: &str, accept: &str, key: Option<&str>| {
        let mut request = gateway.http.get(gateway.url(path)).header("accept", accept);
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{path}");
        answer.text().await.expect("text")
    };
    let order = format!("/orders/{ORDER}");
    for (path, accept) in [
        (path(), "application/json"),
        (order.clone(), "application/json"),
        (order, "text/html"),
        ("/orders".to_owned(), "application/json"),
    ] {
        for key in [None, Some(KITCHEN_KEY), Some("not-known")] {
            let told = told(&path, accept, key).await;
            for hidden in ["olga", "shouted"] {
                assert!(!told.contains(hidden), "{path} {accept} {key:?}: {told}");
            }
        }
    }
    let whole = told(&path(), "application/json", Some(OPERATOR_KEY)).await;
    for shown in ["olga-of-the-office", "he shouted at me"] {
        assert!(whole.contains(shown), "{whole}");
    }

    let mut orders = OrderServiceClient::new(channel(&gateway).await);
    for (key, is_told) in [(None, false), (Some(OPERATOR_KEY), true)] {
        let mut request = tonic::Request::new(GetTimelineRequest {
            order_id: ORDER.to_owned(),
        });
        if let Some(key) = key {
            let key = format!("Bearer {key}").parse().expect("a value");
            request.metadata_mut().insert("authorization", key);
        }
        let told = orders.get_timeline(request).await.expect("an answer");
        let told = format!("{:?}", told.into_inner());
        assert_eq!(told.contains("olga"), is_told, "{told}");
        assert_eq!(told.contains("shouted"), is_told, "{told}");
    }
}

#[tokio::test]
async fn what_is_no_id_is_refused() {
    let gateway = TestGateway::start().await;
    let answer = problem(gateway.get("/orders/7/timeline").await).await;
    assert_eq!(answer["code"], "invalid-order-id");
    assert_eq!(answer["status"], 400);
}
