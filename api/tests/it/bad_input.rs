//! What clients get wrong, and what they are told.

use crate::support::{TestGateway, problem};

const ORDER: &str = "/orders/6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";
const EVENTS: &str = "/kitchen/tickets/6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11/events";

/// Bodies of `POST /orders`: status, code and field.
const BODIES: &[(&[u8], u16, &str, Option<&str>)] = &[
    (b"{", 400, "invalid-json", None),
    (b" ", 400, "invalid-json", None),
    (b"[]", 400, "invalid-json", None),
    (b"null", 400, "invalid-json", None),
    (b"3", 400, "invalid-json", None),
    (b"\"plain\"", 400, "invalid-json", None),
    (b"{}{}", 400, "invalid-json", None),
    (b"{\"flavour\":}", 400, "invalid-json", None),
    (b"{'flavour':'plain'}", 400, "invalid-json", None),
    (b"{\"flavour\":\"a\",}", 400, "invalid-json", None),
    (b"\xef\xbb\xbf{}", 400, "invalid-json", None),
    (b"{\"flavour\":\"\xff\"}", 400, "invalid-json", None),
    (b"{\"flavour\":\"\\ud800\"}", 400, "invalid-json", None),
    (b"{\"flavour\":\"a\x01b\"}", 400, "invalid-json", None),
    (b"{\"quantity\":1e999}", 400, "invalid-json", None),
    (b"{\"quantity\":01}", 400, "invalid-json", None),
    (b"{\"perStepDelaySeconds\":NaN}", 400, "invalid-json", None),
    (b"{\"flavour\":null}", 400, "invalid-type", Some("flavour")),
    (b"{\"flavour\":3}", 400, "invalid-type", Some("flavour")),
    (
        b"{\"flavour\":[\"a\"]}",
        400,
        "invalid-type",
        Some("flavour"),
    ),
    (b"{\"size\":{}}", 400, "invalid-type", Some("size")),
    (
        b"{\"customerId\":true}",
        400,
        "invalid-type",
        Some("customerId"),
    ),
    (
        b"{\"quantity\":\"3\"}",
        400,
        "invalid-type",
        Some("quantity"),
    ),
    (b"{\"quantity\":1.5}", 400, "invalid-type", Some("quantity")),
    (
        b"{\"quantity\":1e-1}",
        400,
        "invalid-type",
        Some("quantity"),
    ),
    (
        b"{\"quantity\":null}",
        400,
        "invalid-type",
        Some("quantity"),
    ),
    (
        b"{\"perStepDelaySeconds\":\"1\"}",
        400,
        "invalid-type",
        Some("perStepDelaySeconds"),
    ),
    (
        b"{\"errorOnStep\":3.5}",
        400,
        "invalid-type",
        Some("errorOnStep"),
    ),
    (
        b"{\"errorOnStep\":false}",
        400,
        "invalid-type",
        Some("errorOnStep"),
    ),
    (
        b"{\"errorOnStep\":null}",
        400,
        "invalid-type",
        Some("errorOnStep"),
    ),
    (
        b"{\"flavour\":\"a\",\"flavour\":\"b\"}",
        400,
        "duplicate-field",
        Some("flavour"),
    ),
    (b"{\"price\":1}", 422, "unknown-field", Some("price")),
    (
        b"{\"Flavour\":\"a\"}",
        422,
        "unknown-field",
        Some("Flavour"),
    ),
    (
        b"{\"__proto__\":{}}",
        422,
        "unknown-field",
        Some("__proto__"),
    ),
    (b"{\"flavour\":\"\"}", 422, "invalid-value", Some("flavour")),
    // A mark without a letter, and what is assigned to nothing.
    (
        b"{\"flavour\":\"\\u0301\"}",
        422,
        "invalid-value",
        Some("flavour"),
    ),
    (
        b"{\"flavour\":\"\\ue000\"}",
        422,
        "invalid-value",
        Some("flavour"),
    ),
    (
        b"{\"flavour\":\"  \"}",
        422,
        "invalid-value",
        Some("flavour"),
    ),
    (
        b"{\"flavour\":\"a\\u0000b\"}",
        422,
        "invalid-value",
        Some("flavour"),
    ),
    (b"{\"size\":\"Large\"}", 422, "invalid-value", Some("size")),
    (
        b"{\"customerId\":\"ann@example.org\"}",
        422,
        "invalid-value",
        Some("customerId"),
    ),
    (
        b"{\"customerId\":\"\"}",
        422,
        "invalid-value",
        Some("customerId"),
    ),
    (
        b"{\"errorOnStep\":\"3\"}",
        422,
        "invalid-value",
        Some("errorOnStep"),
    ),
    (
        b"{\"errorOnStep\":\"all\"}",
        422,
        "invalid-value",
        Some("errorOnStep"),
    ),
    (
        b"{\"errorOnStep\":\"notifyCustomer\"}",
        422,
        "invalid-value",
        Some("errorOnStep"),
    ),
    (
        b"{\"errorOnStep\":8}",
        422,
        "out-of-range",
        Some("errorOnStep"),
    ),
    (
        b"{\"errorOnStep\":-1}",
        422,
        "out-of-range",
        Some("errorOnStep"),
    ),
    (
        b"{\"errorOnStep\":99999999999999999999}",
        422,
        "out-of-range",
        Some("errorOnStep"),
    ),
    (b"{\"quantity\":0}", 422, "out-of-range", Some("quantity")),
    (b"{\"quantity\":21}", 422, "out-of-range", Some("quantity")),
    (b"{\"quantity\":-1}", 422, "out-of-range", Some("quantity")),
    (
        b"{\"quantity\":21.0}",
        422,
        "out-of-range",
        Some("quantity"),
    ),
    (
        b"{\"quantity\":9007199254740993.0}",
        422,
        "out-of-range",
        Some("quantity"),
    ),
    (
        b"{\"quantity\":4294967297}",
        422,
        "out-of-range",
        Some("quantity"),
    ),
    (
        b"{\"perStepDelaySeconds\":-0.1}",
        422,
        "out-of-range",
        Some("perStepDelaySeconds"),
    ),
    (
        b"{\"perStepDelaySeconds\":3601}",
        422,
        "out-of-range",
        Some("perStepDelaySeconds"),
    ),
    (
        b"{\"perStepDelaySeconds\":1e300}",
        422,
        "out-of-range",
        Some("perStepDelaySeconds"),
    ),
];

#[tokio::test]
async fn bad_orders_are_refused_with_their_code_and_field() {
    let gateway = TestGateway::start().await;
    for (body, status, code, field) in BODIES {
        let text = String::from_utf8_lossy(body);
        let answer = problem(gateway.post("/orders", *body).await).await;
        assert_eq!(answer["status"], *status, "{text}: {answer}");
        assert_eq!(answer["code"], *code, "{text}: {answer}");
        assert_eq!(answer["field"].as_str(), *field, "{text}: {answer}");
    }
}

#[tokio::test]
async fn deep_and_large_bodies_are_refused() {
    let gateway = TestGateway::start().await;
    let deep = format!("{{\"flavour\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    let long = format!("{{\"flavour\":\"{}\"}}", "é".repeat(65));
    let large = format!("{{\"flavour\":\"{}\"}}", "a".repeat(16 * 1024));
    let huge = vec![b' '; 4 * 1024 * 1024];
    for (body, status, code) in [
        (deep.into_bytes(), 400, "invalid-json"),
        (long.into_bytes(), 422, "invalid-value"),
        (large.into_bytes(), 413, "body-too-large"),
    ] {
        let answer = problem(gateway.post("/orders", body).await).await;
        assert_eq!(
            (&answer["status"], &answer["code"]),
            (&status.into(), &code.into())
        );
    }
    // A client that sends megabytes may be cut off before it reads.
    let sent = gateway
        .http
        .post(gateway.url("/orders"))
        .body(huge)
        .send()
        .await;
    assert!(sent.is_err() || sent.is_ok_and(|answer| answer.status() == 413));
}

#[tokio::test]
async fn a_body_must_be_declared_as_json() {
    let gateway = TestGateway::start().await;
    for media_type in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("application/json; charset=utf-16"),
        Some("multipart/form-data; boundary=x"),
    ] {
        let mut request = gateway.http.post(gateway.url("/orders")).body("{}");
        if let Some(media_type) = media_type {
            request = request.header("content-type", media_type);
        }
        let answer = problem(request.send().await.expect("an answer")).await;
        assert_eq!(answer["code"], "unsupported-media-type", "{media_type:?}");
        assert_eq!(answer["status"], 415);
    }
    let compressed = gateway
        .http
        .post(gateway.url("/orders"))
        .header("content-type", "application/json")
        .header("content-encoding", "gzip")
        .body("{}");
    let answer = problem(compressed.send().await.expect("an answer")).await;
    assert_eq!(answer["code"], "unsupported-media-type");
}

/// What gets as far as Temporal, which is away here.
#[tokio::test]
async fn good_orders_get_as_far_as_temporal() {
    let gateway = TestGateway::start().await;
    for body in [
        "",
        "{}",
        "{\"flavour\":\"🍍\",\"size\":\"large\",\"quantity\":20,\"customerId\":\"a.b_c-1\"}",
        "{\"perStepDelaySeconds\":0.5,\"errorOnStep\":7}",
        "{\"quantity\":1.0}",
        "{\"quantity\":2e1,\"errorOnStep\":10E-1}",
        "{\"quantity\":20.000,\"errorOnStep\":-0.0}",
        "{\"errorOnStep\":\"reclaimLoyaltyPoints\"}",
    ] {
        let answer = problem(gateway.post("/orders", body).await).await;
        assert_eq!(answer["code"], "temporal-unavailable", "{body}");
    }
    for media_type in [
        "application/json; charset=utf-8",
        "application/vnd.pizza+json",
    ] {
        let request = gateway.http.post(gateway.url("/orders")).body("{}");
        let request = request.header("content-type", media_type);
        let answer = problem(request.send().await.expect("an answer")).await;
        assert_eq!(answer["code"], "temporal-unavailable", "{media_type}");
    }
    let empty_form = gateway
        .http
        .post(gateway.url("/orders"))
        .header("content-type", "application/x-www-form-urlencoded");
    let answer = problem(empty_form.send().await.expect("an answer")).await;
    assert_eq!(answer["code"], "temporal-unavailable");
}

#[tokio::test]
async fn bad_ids_and_addresses_are_refused() {
    let gateway = TestGateway::start().await;
    for (path, status, code) in [
        ("/orders/1", 400, "invalid-order-id"),
        (
            "/orders/6f1b6c1e3a0a4c558a550d9f6f0e9b11",
            400,
            "invalid-order-id",
        ),
        ("/orders/%ff%fe", 400, "invalid-order-id"),
        ("/orders/a%00b", 400, "invalid-order-id"),
        ("/orders/..%2f..%2fetc%2fpasswd", 400, "invalid-order-id"),
        ("/orders/", 404, "not-found"),
        ("/nothing", 404, "not-found"),
        ("/orders/a/b", 404, "not-found"),
        (EVENTS, 405, "method-not-allowed"),
        (
            "/cloud_pizza.v1.OrderService/GetOrder",
            415,
            "unsupported-media-type",
        ),
    ] {
        let answer = problem(gateway.get(path).await).await;
        assert_eq!(
            (&answer["status"], &answer["code"]),
            (&status.into(), &code.into()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_methods_that_are_served_are_told() {
    let gateway = TestGateway::start().await;
    for (path, allowed) in [
        ("/orders", "POST,GET,HEAD"),
        (ORDER, "GET,HEAD,DELETE,PATCH"),
        ("/healthz", "GET,HEAD"),
    ] {
        let request = gateway.http.put(gateway.url(path));
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 405, "{path}");
        assert_eq!(answer.headers()["allow"], allowed, "{path}");
        assert_eq!(problem(answer).await["code"], "method-not-allowed");
    }
}

#[tokio::test]
async fn bad_kitchen_reports_are_refused() {
    let gateway = TestGateway::start().await;
    for (body, status, code) in [
        ("", 422, "missing-field"),
        ("{}", 422, "missing-field"),
        ("{\"event\":null}", 400, "invalid-type"),
        ("{\"event\":1}", 400, "invalid-type"),
        ("{\"event\":\"Cooked\"}", 422, "invalid-value"),
        (
            "{\"event\":\"cooked\",\"by\":\"ann\"}",
            422,
            "unknown-field",
        ),
        (
            "{\"event\":\"cooked\",\"reason\":\"no dough\"}",
            422,
            "invalid-value",
        ),
        (
            "{\"event\":\"rejected\",\"reason\":\"\"}",
            422,
            "invalid-value",
        ),
        (
            "{\"event\":\"rejected\",\"reason\":\"\\u0301\"}",
            422,
            "invalid-value",
        ),
        (
            "{\"event\":\"cooked\",\"reportId\":\"a b\"}",
            422,
            "invalid-value",
        ),
        ("[\"cooked\"]", 400, "invalid-json"),
    ] {
        let answer = problem(gateway.cook("post", EVENTS, body).await).await;
        assert_eq!(
            (&answer["status"], &answer["code"]),
            (&status.into(), &code.into()),
            "{body}"
        );
    }
    let bad_id = "/kitchen/tickets/7/events";
    let answer = gateway.cook("post", bad_id, "{\"event\":\"cooked\"}").await;
    let answer = problem(answer).await;
    assert_eq!(answer["code"], "invalid-order-id");
}

#[tokio::test]
async fn a_request_keeps_its_own_name_if_that_can_be_logged() {
    let gateway = TestGateway::start().await;
    let named = async |name: &str| {
        let request = gateway.http.get(gateway.url("/healthz"));
        let answer = request
            .header("x-request-id", name)
            .send()
            .await
            .expect("an answer");
        answer.headers()["x-request-id"]
            .to_str()
            .expect("text")
            .to_owned()
    };
    assert_eq!(named("my-request_1.2").await, "my-request_1.2");
    for bad in ["", "a b", "a;b", &"a".repeat(65)] {
        assert_eq!(named(bad).await.len(), 36, "{bad}");
    }
}
