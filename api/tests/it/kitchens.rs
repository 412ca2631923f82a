//! The kitchen's door: whom it lets in, and what it takes.

use pizza_api::proto::kitchen_service_client::KitchenServiceClient;
use pizza_api::proto::{
    GetKitchenSimulationRequest, KitchenSimulation, ListTicketsRequest, SetKitchenSimulationRequest,
};
use pizza_app::keys::{KeyHash, Keyring, Role};
use serde_json::{Value, json};
use tonic::{Code, Request};

use crate::grpc::{channel, code};
use crate::support::{KITCHEN_KEY, OPERATOR_KEY, TestGateway, problem};

const TICKETS: &str = "/kitchen/tickets";
const SIMULATION: &str = "/kitchen/simulation";

const ROUTES: [(&str, &str); 4] = [
    ("get", TICKETS),
    (
        "post",
        "/kitchen/tickets/6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11/events",
    ),
    ("get", SIMULATION),
    ("put", SIMULATION),
];

async fn refusal(gateway: &TestGateway, authorization: Option<&str>) -> Vec<(u64, String)> {
    let mut refusals = Vec::new();
    for (method, path) in ROUTES {
        let answer = gateway.call(method, path, authorization, "{").await;
        let answer = problem(answer).await;
        let status = answer["status"].as_u64().expect("a status");
        refusals.push((status, answer["detail"].to_string()));
    }
    refusals
}

#[tokio::test]
async fn the_door_opens_to_kitchens_and_operators_alone() {
    let ben = "pizza_cust_of-the-tests";
    let gateway = TestGateway::with(|gateway| {
        let hash = KeyHash::of(ben);
        let added = gateway.keys.add_hash(Role::Customer, "ben", hash);
        added.expect("a key");
    })
    .await;
    let customer = format!("Bearer {ben}");
    for (authorization, expected) in [
        (None, 401),
        (Some("Bearer pizza_kitchen_of-another"), 401),
        (Some(customer.as_str()), 403),
    ] {
        for (status, detail) in refusal(&gateway, authorization).await {
            assert_eq!(status, expected, "{authorization:?}: {detail}");
        }
    }
    for key in [KITCHEN_KEY, OPERATOR_KEY] {
        let authorization = format!("Bearer {key}");
        for path in [TICKETS, SIMULATION] {
            let answer = gateway.call("get", path, Some(&authorization), "").await;
            assert_eq!(answer.status(), 200, "{path}");
        }
    }
}

#[tokio::test]
async fn a_gateway_without_kitchens_lets_nobody_in_and_says_how_to() {
    let gateway = TestGateway::with(|gateway| gateway.keys = Keyring::default()).await;
    let known = format!("Bearer {KITCHEN_KEY}");
    for authorization in [None, Some(known.as_str())] {
        for (status, detail) in refusal(&gateway, authorization).await {
            assert_eq!(status, 403, "{detail}");
            assert!(detail.contains("PIZZA_KITCHEN_KEYS"), "{detail}");
            assert!(detail.contains("pizza kitchen-key"), "{detail}");
        }
    }
}

#[tokio::test]
async fn an_empty_list_is_a_list_and_a_bad_page_is_refused_by_name() {
    let gateway = TestGateway::start().await;
    let answer = gateway.cook("get", TICKETS, "").await;
    let page: Value = answer.json().await.expect("JSON");
    assert_eq!(page, json!({ "tickets": [], "nextCursor": null }));
    for (query, status, code, field) in [
        ("limit=0", 422, "out-of-range", "limit"),
        ("limit=101", 422, "out-of-range", "limit"),
        ("limit=-1", 422, "out-of-range", "limit"),
        ("limit=x", 400, "invalid-type", "limit"),
        ("cursor=x", 422, "invalid-value", "cursor"),
        ("cursor=", 422, "invalid-value", "cursor"),
        ("flavour=plain", 422, "unknown-field", "flavour"),
    ] {
        let path = format!("{TICKETS}?{query}");
        let answer = problem(gateway.cook("get", &path, "").await).await;
        assert_eq!(answer["status"], status, "{query}");
        assert_eq!(answer["code"], code, "{query}");
        let named = answer["field"].as_str().unwrap_or_default();
        assert_eq!(named, field, "{query}");
    }
}

#[tokio::test]
async fn the_simulation_is_changed_as_a_whole_and_each_bad_value_is_named() {
    let gateway =
        TestGateway::with(|gateway| gateway.use_cases.settings.fault_injection = true).await;
    let get = async || -> Value {
        let answer = gateway.cook("get", SIMULATION, "").await;
        answer.json().await.expect("JSON")
    };
    let behaves = json!({
        "paused": false, "delaySeconds": 0.0, "loseRate": 0.0, "repeatRate": 0.0,
        "reorderRate": 0.0, "seed": 0,
    });
    assert_eq!(get().await, behaves);
    let wished = json!({
        "paused": true, "delaySeconds": 0.25, "loseRate": 0.05, "repeatRate": 0.1,
        "reorderRate": 1.0, "seed": i64::MAX,
    });
    let answer = gateway.cook("put", SIMULATION, &wished.to_string()).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.json::<Value>().await.expect("JSON"), wished);
    assert_eq!(get().await, wished);
    for (body, status, code, field) in [
        (r#"{"loseRate":1.1}"#, 422, "out-of-range", "loseRate"),
        (r#"{"repeatRate":-0.1}"#, 422, "out-of-range", "repeatRate"),
        (r#"{"reorderRate":"1"}"#, 400, "invalid-type", "reorderRate"),
        (
            r#"{"delaySeconds":3601}"#,
            422,
            "out-of-range",
            "delaySeconds",
        ),
        (r#"{"seed":-1}"#, 422, "out-of-range", "seed"),
        (
            r#"{"seed":9223372036854775808}"#,
            422,
            "out-of-range",
            "seed",
        ),
        (r#"{"seed":1.5}"#, 400, "invalid-type", "seed"),
        (r#"{"paused":null}"#, 400, "invalid-type", "paused"),
        (r#"{"speed":1}"#, 422, "unknown-field", "speed"),
    ] {
        let answer = problem(gateway.cook("put", SIMULATION, body).await).await;
        assert_eq!(answer["status"], status, "{body}");
        assert_eq!(answer["code"], code, "{body}");
        assert_eq!(answer["field"], field, "{body}");
    }
    assert_eq!(get().await, wished, "nothing of that was taken");
    gateway.cook("put", SIMULATION, "{}").await;
    assert_eq!(get().await, behaves);
}

#[tokio::test]
async fn without_fault_injection_a_kitchen_may_be_slow_but_not_unreliable() {
    let gateway = without_fault_injection().await;
    for rate in ["loseRate", "repeatRate", "reorderRate"] {
        let body = json!({ rate: 0.000_001 }).to_string();
        let answer = problem(gateway.cook("put", SIMULATION, &body).await).await;
        assert_eq!(answer["status"], 403, "{rate}");
        assert_eq!(answer["code"], "fault-injection-disabled", "{rate}");
    }
    let body = json!({ "paused": true, "delaySeconds": 3600, "seed": 7 }).to_string();
    let answer = gateway.cook("put", SIMULATION, &body).await;
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn the_same_holds_over_grpc() {
    let gateway = without_fault_injection().await;
    let mut kitchen = KitchenServiceClient::new(channel(&gateway).await);
    let refused = kitchen
        .list_tickets(ListTicketsRequest::default())
        .await
        .expect_err("there is no key");
    assert_eq!(
        (refused.code(), code(&refused)),
        (Code::Unauthenticated, "unauthenticated")
    );
    let page = kitchen
        .list_tickets(with_key(ListTicketsRequest::default()))
        .await
        .expect("a page")
        .into_inner();
    assert!(page.tickets.is_empty() && page.next_cursor.is_none());
    let too_many = ListTicketsRequest {
        limit: Some(0),
        cursor: None,
    };
    let refused = kitchen.list_tickets(with_key(too_many)).await;
    let refused = refused.expect_err("a page of nothing");
    assert_eq!(code(&refused), "out-of-range");

    let mut wished = KitchenSimulation {
        paused: true,
        delay_seconds: 1.5,
        seed: 7,
        ..KitchenSimulation::default()
    };
    let set = |simulation| {
        with_key(SetKitchenSimulationRequest {
            simulation: Some(simulation),
        })
    };
    let answer = kitchen.set_kitchen_simulation(set(wished)).await;
    assert_eq!(answer.expect("set").into_inner().simulation, Some(wished));
    let answer = kitchen
        .get_kitchen_simulation(with_key(GetKitchenSimulationRequest {}))
        .await;
    assert_eq!(answer.expect("told").into_inner().simulation, Some(wished));
    wished.lose_rate = 0.5;
    let refused = kitchen.set_kitchen_simulation(set(wished)).await;
    let refused = refused.expect_err("errors are not simulated here");
    assert_eq!(
        (refused.code(), code(&refused)),
        (Code::PermissionDenied, "fault-injection-disabled")
    );
    let nothing = with_key(SetKitchenSimulationRequest { simulation: None });
    let refused = kitchen.set_kitchen_simulation(nothing).await;
    assert_eq!(code(&refused.expect_err("nothing")), "missing-field");
}

fn with_key<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let key = format!("Bearer {KITCHEN_KEY}").parse().expect("metadata");
    request.metadata_mut().insert("authorization", key);
    request
}

async fn without_fault_injection() -> TestGateway {
    TestGateway::with(|gateway| gateway.use_cases.settings.fault_injection = false).await
}
