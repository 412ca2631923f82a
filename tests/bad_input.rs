//! What is wrong is refused, with a status and a code that say what, and
//! leaves no trace.

use pizza_api::proto::PlaceOrderRequest;
use pizza_api::proto::place_order_request::ErrorOnStep;
use reqwest::Method;
use serde_json::json;
use tonic::Code;

use crate::harness::gateway::Gateway;
use crate::harness::grpc::{Grpc, code_of};
use crate::harness::{Setup, World};

const JSON: &str = "application/json";
const NOBODY: &str = "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";

/// A request and its refusal.
struct Case {
    method: Method,
    path: String,
    media_type: Option<&'static str>,
    body: Vec<u8>,
    status: u16,
    code: &'static str,
}

/// `POST /orders` of a body that is refused.
fn order(body: impl Into<Vec<u8>>, status: u16, code: &'static str) -> Case {
    Case {
        method: Method::POST,
        path: "/orders".to_owned(),
        media_type: Some(JSON),
        body: body.into(),
        status,
        code,
    }
}

/// `POST /orders` of a body of another media type.
fn typed(media_type: Option<&'static str>, body: &str) -> Case {
    Case {
        media_type,
        ..order(body, 415, "unsupported-media-type")
    }
}

/// A request without a body.
fn bare(method: Method, path: impl Into<String>, status: u16, code: &'static str) -> Case {
    Case {
        method,
        path: path.into(),
        media_type: None,
        ..order("", status, code)
    }
}

/// A kitchen's report that is refused.
fn report(ticket: &str, body: &str, status: u16, code: &'static str) -> Case {
    Case {
        path: format!("/kitchen/tickets/{ticket}/events"),
        ..order(body, status, code)
    }
}

/// What cannot be read at all.
fn unreadable() -> Vec<Case> {
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!("{{\"flavour\":{open}{close}}}")
    };
    vec![
        order("{", 400, "invalid-json"),
        order("}", 400, "invalid-json"),
        order("nonsense", 400, "invalid-json"),
        order("[]", 400, "invalid-json"),
        order("null", 400, "invalid-json"),
        order("\"plain\"", 400, "invalid-json"),
        order("42", 400, "invalid-json"),
        order("{} {}", 400, "invalid-json"),
        order("{\"flavour\":\"plain\",}", 400, "invalid-json"),
        order("{'flavour':'plain'}", 400, "invalid-json"),
        order("{\"quantity\":NaN}", 400, "invalid-json"),
        order("{\"quantity\":01}", 400, "invalid-json"),
        order(b"{\"flavour\":\"\xff\xfe\"}".to_vec(), 400, "invalid-json"),
        order("{\"flavour\":\"\\ud800\"}", 400, "invalid-json"),
        order("\u{feff}{}", 400, "invalid-json"),
        order("{\"flavour\":\"a\nb\"}", 400, "invalid-json"),
        order(nested(4_000), 400, "invalid-json"),
        order(nested(5), 400, "invalid-type"),
        order("   ", 400, "invalid-json"),
        order(
            "{\"flavour\":\"plain\",\"flavour\":\"pineapple\"}",
            400,
            "duplicate-field",
        ),
    ]
}

/// Fields of another type than theirs.
fn mistyped() -> Vec<Case> {
    [
        "{\"flavour\":5}",
        "{\"flavour\":null}",
        "{\"flavour\":[\"plain\"]}",
        "{\"flavour\":{\"name\":\"plain\"}}",
        "{\"flavour\":true}",
        "{\"size\":3}",
        "{\"quantity\":\"2\"}",
        "{\"quantity\":1.5}",
        "{\"quantity\":null}",
        "{\"perStepDelaySeconds\":\"1\"}",
        "{\"perStepDelaySeconds\":[]}",
        "{\"errorOnStep\":true}",
        "{\"errorOnStep\":1.5}",
        "{\"errorOnStep\":[1]}",
        "{\"customerId\":7}",
    ]
    .into_iter()
    .map(|body| order(body, 400, "invalid-type"))
    .collect()
}

/// Values that are not allowed, and fields that are not there.
fn not_allowed() -> Vec<Case> {
    let long = |field: &str, text: &str| format!("{{\"{field}\":\"{}\"}}", text.repeat(65));
    let mut cases: Vec<Case> = [
        "{\"quantity\":0}",
        "{\"quantity\":-1}",
        "{\"quantity\":21}",
        "{\"quantity\":18446744073709551616}",
        "{\"quantity\":1e300}",
        "{\"perStepDelaySeconds\":-0.001}",
        "{\"perStepDelaySeconds\":3600.1}",
        "{\"perStepDelaySeconds\":1e308}",
        "{\"errorOnStep\":8}",
        "{\"errorOnStep\":-1}",
        "{\"errorOnStep\":99}",
        "{\"errorOnStep\":101}",
        "{\"errorOnStep\":9223372036854775808}",
    ]
    .into_iter()
    .map(|body| order(body, 422, "out-of-range"))
    .collect();
    let texts = [
        "{\"flavour\":\"\"}".to_owned(),
        "{\"flavour\":\"   \"}".to_owned(),
        "{\"flavour\":\"a\\u0000b\"}".to_owned(),
        "{\"flavour\":\"a\\nb\"}".to_owned(),
        long("flavour", "🍍"),
        "{\"size\":\"huge\"}".to_owned(),
        "{\"size\":\"Medium\"}".to_owned(),
        "{\"size\":\"\"}".to_owned(),
        "{\"errorOnStep\":\"\"}".to_owned(),
        "{\"errorOnStep\":\"notifyCustomer\"}".to_owned(),
        "{\"errorOnStep\":\"all\"}".to_owned(),
        "{\"errorOnStep\":\"0\"}".to_owned(),
        "{\"customerId\":\"\"}".to_owned(),
        "{\"customerId\":\"ann@example.org\"}".to_owned(),
        "{\"customerId\":\"a b\"}".to_owned(),
        "{\"customerId\":\"zoë\"}".to_owned(),
        long("customerId", "a"),
    ];
    cases.extend(texts.map(|body| order(body, 422, "invalid-value")));
    cases.extend(
        [
            "{\"Flavour\":\"plain\"}",
            "{\"price\":1}",
            "{\"__proto__\":{}}",
            "{\"\":1}",
            "{\"orderId\":\"6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11\"}",
        ]
        .map(|body| order(body, 422, "unknown-field")),
    );
    cases
}

/// Media types, sizes, addresses and methods.
fn misdirected() -> Vec<Case> {
    let too_large = format!("{{\"flavour\":\"{}\"}}", "a".repeat(16 * 1024));
    let mut cases = vec![
        typed(None, "{}"),
        typed(Some("text/plain"), "{}"),
        typed(Some("application/x-www-form-urlencoded"), "flavour=plain"),
        typed(Some("application/xml"), "<order/>"),
        typed(Some("application/json; charset=latin1"), "{}"),
        order(too_large, 413, "body-too-large"),
        order(vec![b' '; 200_000], 413, "body-too-large"),
        bare(Method::PUT, "/orders", 405, "method-not-allowed"),
        bare(Method::DELETE, "/orders", 405, "method-not-allowed"),
        bare(
            Method::PUT,
            format!("/orders/{NOBODY}"),
            405,
            "method-not-allowed",
        ),
        bare(
            Method::from_bytes(b"BREW").expect("a method"),
            "/orders",
            405,
            "method-not-allowed",
        ),
        bare(Method::POST, "/orders/", 404, "not-found"),
        bare(Method::GET, "/nowhere", 404, "not-found"),
        bare(Method::GET, "/orders//", 404, "not-found"),
        bare(
            Method::GET,
            format!("/orders/{NOBODY}"),
            404,
            "order-not-found",
        ),
    ];
    for id in [
        "1",
        "not-an-id",
        "6f1b6c1e3a0a4c558a550d9f6f0e9b11",
        "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b1g",
        "%7B6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11%7D",
        "%00",
        "..%2F..%2Fetc%2Fpasswd",
        "%F0%9F%8D%95",
        "%FF%FE",
        "' OR 1=1 --",
    ] {
        cases.push(bare(
            Method::GET,
            format!("/orders/{id}"),
            400,
            "invalid-order-id",
        ));
    }
    cases
}

/// At the kitchen's door.
fn reports() -> Vec<Case> {
    vec![
        report("7", "{\"event\":\"cooked\"}", 400, "invalid-order-id"),
        report(NOBODY, "{\"event\":\"cooked\"}", 404, "ticket-not-found"),
        report(NOBODY, "{\"event\":\"delivered\"}", 404, "ticket-not-found"),
        report(NOBODY, "{}", 422, "missing-field"),
        report(NOBODY, "", 422, "missing-field"),
        report(NOBODY, "{\"event\":\"burnt\"}", 422, "invalid-value"),
        report(NOBODY, "{\"event\":3}", 400, "invalid-type"),
        report(NOBODY, "{\"event\":null}", 400, "invalid-type"),
        report(
            NOBODY,
            "{\"event\":\"cooked\",\"at\":1}",
            422,
            "unknown-field",
        ),
        report(NOBODY, "cooked", 400, "invalid-json"),
    ]
}

#[tokio::test]
async fn bad_input_is_refused_by_name_and_leaves_no_trace() {
    let world = World::start(Setup::default()).await;
    let cases: Vec<Case> = [
        unreadable(),
        mistyped(),
        not_allowed(),
        misdirected(),
        reports(),
    ]
    .into_iter()
    .flatten()
    .collect();
    assert!(cases.len() >= 40, "only {} cases", cases.len());
    let gateway = world.cook();
    let mut wrong = Vec::new();
    for case in &cases {
        wrong.extend(difference(&gateway, case).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let client = Grpc::connect(world.gateway_url()).await;
    refuse_over_grpc(&client).await;
    assert_no_trace(&world).await;
}

/// Sends a case; says how its answer differs from what it has to be.
async fn difference(gateway: &Gateway, case: &Case) -> Option<String> {
    let mut request = gateway
        .client
        .request(case.method.clone(), gateway.at(&case.path))
        .body(case.body.clone());
    if let Some(media_type) = case.media_type {
        request = request.header("content-type", media_type);
    }
    let answer = gateway.send(request).await;
    let body = String::from_utf8_lossy(&case.body[..case.body.len().min(80)]).into_owned();
    let which = format!("{} {} {body}", case.method, case.path);
    let media_type = answer.header("content-type");
    if media_type != "application/problem+json" {
        return Some(format!("{which}: {media_type:?}, {answer:?}"));
    }
    let got = (answer.status, answer.problem());
    let same = got.0 == case.status && got.1 == case.code;
    (!same).then(|| {
        let (status, code) = (case.status, case.code);
        format!("{which}: {got:?} instead of ({status}, {code})")
    })
}

async fn refuse_over_grpc(client: &Grpc) {
    let plain = PlaceOrderRequest::default;
    let invalid = Code::InvalidArgument;
    let orders = [
        (
            invalid,
            "invalid-value",
            PlaceOrderRequest {
                flavour: Some(String::new()),
                ..plain()
            },
        ),
        (
            invalid,
            "invalid-value",
            PlaceOrderRequest {
                flavour: Some("a\0".into()),
                ..plain()
            },
        ),
        (
            invalid,
            "invalid-value",
            PlaceOrderRequest {
                customer_id: Some("a b".into()),
                ..plain()
            },
        ),
        (
            invalid,
            "invalid-value",
            PlaceOrderRequest {
                size: 77,
                ..plain()
            },
        ),
        (
            invalid,
            "out-of-range",
            PlaceOrderRequest {
                quantity: Some(0),
                ..plain()
            },
        ),
        (
            invalid,
            "out-of-range",
            PlaceOrderRequest {
                quantity: Some(u32::MAX),
                ..plain()
            },
        ),
        (
            invalid,
            "out-of-range",
            PlaceOrderRequest {
                per_step_delay_seconds: Some(f64::NAN),
                ..plain()
            },
        ),
        (
            invalid,
            "out-of-range",
            PlaceOrderRequest {
                per_step_delay_seconds: Some(f64::INFINITY),
                ..plain()
            },
        ),
        (invalid, "out-of-range", crate::harness::grpc::scenario(8)),
        (
            invalid,
            "invalid-value",
            PlaceOrderRequest {
                error_on_step: Some(ErrorOnStep::ErrorOnStepName("all".into())),
                ..plain()
            },
        ),
        (
            Code::ResourceExhausted,
            "body-too-large",
            PlaceOrderRequest {
                flavour: Some("a".repeat(20_000)),
                ..plain()
            },
        ),
    ];
    for (status, code, request) in orders {
        let shown = format!("{request:?}").chars().take(120).collect::<String>();
        let refusal = client.place(request).await.expect_err(&shown);
        assert_eq!(
            (refusal.code(), code_of(&refusal)),
            (status, code),
            "{shown}"
        );
    }
    for (status, code, id) in [
        (invalid, "invalid-order-id", "7"),
        (invalid, "invalid-order-id", ""),
        (Code::NotFound, "order-not-found", NOBODY),
    ] {
        let refusal = client.order(id).await.expect_err(id);
        assert_eq!((refusal.code(), code_of(&refusal)), (status, code), "{id}");
    }
    for (status, code, id, event) in [
        (invalid, "missing-field", NOBODY, 0),
        (invalid, "invalid-value", NOBODY, 9),
        (invalid, "invalid-order-id", "7", 1),
        (Code::NotFound, "ticket-not-found", NOBODY, 1),
    ] {
        let refusal = client.report(id, event).await.expect_err(id);
        assert_eq!(
            (refusal.code(), code_of(&refusal)),
            (status, code),
            "{id} {event}"
        );
    }
}

async fn assert_no_trace(world: &World) {
    assert_eq!(world.books().await.orders().await, 0);
    let cli = world.cli();
    let count = [
        "workflow",
        "count",
        "--query",
        "StartTime > '2000-01-01T00:00:00Z'",
    ];
    let counted = cli.temporal_json(&count).await;
    let none = counted["count"].is_null() || counted["count"] == json!("0");
    assert!(none, "{counted}");
    // The door was not damaged by all of that.
    let id = world.gateway().place(json!({})).await;
    world.gateway().until(&id, "DeliveryConfirmed").await;
}
