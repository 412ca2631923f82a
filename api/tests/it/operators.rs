//! Who may work on the failure queues, on every route that there is.

use std::time::Duration;

use pizza_app::keys::Keyring;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{OPERATOR_KEY, TestGateway, problem};

/// A route of the document, with what its address names filled in.
struct Route {
    method: String,
    path: String,
    operation: Value,
}

/// What needs an operator's key: all that is about failure queues.
fn is_operators(path: &str) -> bool {
    ["/failures", "/failure-queues"].iter().any(|root| {
        path.strip_prefix(root)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// What needs a kitchen's key.
fn is_kitchens(path: &str) -> bool {
    path.starts_with("/kitchen/")
}

fn routes() -> Vec<Route> {
    let document: Value = serde_json::from_str(&pizza_api::openapi_json()).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    let uuid = "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";
    paths
        .iter()
        .flat_map(|(path, methods)| {
            let path = path
                .replace(
                    "/failures/{id}",
                    &format!("/failures/failed-refund-payment-{uuid}"),
                )
                .replace("{id}", uuid)
                .replace("{bulkId}", uuid)
                .replace("{queue}", "refund-payment");
            let methods = methods.as_object().expect("methods").clone();
            methods.into_iter().map(move |(method, operation)| Route {
                method,
                path: path.clone(),
                operation,
            })
        })
        .collect()
}

fn operators_routes() -> Vec<Route> {
    let routes: Vec<_> = routes()
        .into_iter()
        .filter(|route| is_operators(&route.path))
        .collect();
    assert!(routes.len() >= 10, "{}", routes.len());
    routes
}

/// What shows an order, or places one: needs a customer's key, or an
/// operator's, where customers have keys.
fn is_customers(path: &str) -> bool {
    path.strip_prefix("/orders")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[test]
fn the_document_says_which_routes_need_a_key() {
    for Route {
        method,
        path,
        operation,
    } in routes()
    {
        let name = format!("{method} {path}");
        assert!(!path.contains('{'), "fill in what {name} names");
        let needs_key = is_operators(&path) || is_customers(&path) || is_kitchens(&path);
        let security = &operation["security"];
        let expected = if is_kitchens(&path) {
            json!([{ "kitchenKey": [] }])
        } else if is_operators(&path) {
            json!([{ "operatorKey": [] }])
        } else if is_customers(&path) {
            json!([{}, { "customerKey": [] }, { "operatorKey": [] }])
        } else {
            Value::Null
        };
        assert_eq!(*security, expected, "{name}");
        for status in ["401", "403"] {
            let answer = &operation["responses"][status];
            assert_eq!(answer.is_object(), needs_key, "{name}: {status}");
        }
    }
}

/// With the key the same calls are answered 503 or tell what is wrong with
/// the body: so none of these came as far as the body, or Temporal.
#[tokio::test]
async fn without_a_known_key_every_route_answers_401() {
    let gateway = TestGateway::start().await;
    let basic = format!("Basic {OPERATOR_KEY}");
    let longer = format!("Bearer {OPERATOR_KEY}x");
    for Route { method, path, .. } in operators_routes() {
        for authorization in [None, Some("Bearer"), Some(&basic), Some(&longer)] {
            for body in ["", "{", "{\"reason\":3}"] {
                let answer = gateway.call(&method, &path, authorization, body).await;
                let name = format!("{method} {path} {authorization:?} {body}");
                assert_eq!(answer.headers()["www-authenticate"], "Bearer", "{name}");
                let answer = problem(answer).await;
                assert_eq!(answer["status"], 401, "{name}");
                assert_eq!(answer["code"], "unauthenticated", "{name}");
                let told = answer.to_string();
                assert!(!told.contains(OPERATOR_KEY), "{told}");
            }
        }
    }
}

#[tokio::test]
async fn a_gateway_without_operators_answers_403() {
    let gateway = TestGateway::with(|gateway| gateway.keys = Keyring::default()).await;
    for Route { method, path, .. } in operators_routes() {
        for body in ["", "{"] {
            let answer = problem(gateway.operate(&method, &path, body).await).await;
            assert_eq!(answer["status"], 403, "{method} {path}");
            assert_eq!(answer["code"], "forbidden", "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_key_lets_in_and_other_routes_need_none() {
    let gateway = TestGateway::start().await;
    for Route { method, path, .. } in routes() {
        let answer = if is_operators(&path) {
            gateway.operate(&method, &path, "").await
        } else if is_kitchens(&path) {
            gateway.cook(&method, &path, "").await
        } else {
            gateway.call(&method, &path, None, "").await
        };
        let status = answer.status().as_u16();
        assert!(![401, 403].contains(&status), "{method} {path}: {status}");
    }
}

#[tokio::test]
async fn who_has_no_key_is_answered_before_the_body_has_come() {
    let gateway = TestGateway::start().await;
    let path = "/failures/failed-refund-payment-6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11/discard";
    let mut client = gateway.connect().await;
    client
        .send(format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
             content-length: 100\r\n\r\n{{"
        ))
        .await;
    // Long before the limit on a request's arrival.
    let answer = timeout(Duration::from_secs(3), client.first_line()).await;
    let line = answer.expect("an answer");
    assert!(line.starts_with("HTTP/1.1 401 "), "{line}");
}
