use axum::body::{Body, to_bytes};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{Method, Request, StatusCode, header};
use payload_codec::{Cipher, Keys};
use pizza_app::keys::{KeyHash, Keyring, Role};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::access::LARGEST_BODY;
use super::*;

const KEY: &str = "pizza_op_an-example";
const UI: &str = "http://127.0.0.1:8233";
const ELSEWHERE: &str = "http://evil.example";

fn server(decode_only: bool) -> Router {
    server_with(decode_only, &limits())
}

fn server_with(decode_only: bool, limits: &Limits) -> Router {
    let line = "a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let mut operators = Keyring::default();
    for (role, name, key) in [
        (Role::Operator, "ann", KEY),
        (Role::Kitchen, "oven", "oven"),
    ] {
        operators
            .add_hash(role, name, KeyHash::of(key))
            .expect("a key");
    }
    router(App {
        cipher: Cipher::new(Keys::parse(line).expect("a key")),
        operators,
        ui_origins: vec![UI.parse().expect("an origin")],
        decode_only,
        sessions: None,
        exchanges: Exchanges::new(limits),
    })
}

struct Answer {
    status: StatusCode,
    headers: http::HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn payloads(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.body);
        serde_json::from_str(&self.body).expect("JSON")
    }
}

async fn ask(
    server: &Router,
    method: Method,
    path: &str,
    headers: &[(header::HeaderName, &str)],
    body: impl Into<Body>,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    let request = request.body(body.into()).expect("a request");
    let answer = server.clone().oneshot(request).await.expect("an answer");
    let (parts, body) = answer.into_parts();
    let body = to_bytes(body, LARGEST_BODY * 2).await.expect("a body");
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).expect("text"),
    }
}

fn bearer(key: &str) -> String {
    format!("Bearer {key}")
}

const JSON: (header::HeaderName, &str) = (header::CONTENT_TYPE, "application/json");

fn hawaiian() -> Value {
    let [encoding, data] = ["json/plain", "\"hawaiian\""].map(|text| BASE64_STANDARD.encode(text));
    json!({ "payloads": [{ "metadata": { "encoding": encoding }, "data": data }] })
}

async fn coded(server: &Router, path: &str, body: &Value) -> Answer {
    let key = bearer(KEY);
    let headers = [JSON, (header::AUTHORIZATION, key.as_str())];
    ask(server, Method::POST, path, &headers, body.to_string()).await
}

#[tokio::test]
async fn what_is_encoded_is_decoded_as_it_was() {
    let server = server(false);
    let encoded = coded(&server, "/encode", &hawaiian()).await.payloads();
    let payload = &encoded["payloads"][0];
    let encrypted = BASE64_STANDARD.encode("binary/encrypted");
    assert_eq!(payload["metadata"]["encoding"], encrypted);
    assert_ne!(encoded, hawaiian());
    let decoded = coded(&server, "/decode", &encoded).await;
    assert_eq!(decoded.payloads(), hawaiian());
    assert_eq!(decoded.header(header::CACHE_CONTROL), Some("no-store"));
    // What is not encrypted, and nothing at all.
    let plain = coded(&server, "/decode", &hawaiian()).await;
    assert_eq!(plain.payloads(), hawaiian());
    let none = coded(&server, "/decode", &json!({})).await.payloads();
    assert_eq!(none, json!({ "payloads": [] }));
}

#[tokio::test]
async fn only_an_operators_key_decodes() {
    let server = server(false);
    for authorization in [
        None,
        Some(""),
        Some(KEY),
        Some("Bearer oven"),
        Some("Bearer other"),
    ] {
        let mut headers = vec![JSON];
        headers.extend(authorization.map(|it| (header::AUTHORIZATION, it)));
        for path in ["/decode", "/encode"] {
            let body = hawaiian().to_string();
            let answer = ask(&server, Method::POST, path, &headers, body).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{authorization:?}");
            assert!(!answer.body.contains("oven"), "{}", answer.body);
        }
    }
    let alive = ask(&server, Method::GET, "/healthz", &[], "").await;
    assert_eq!(alive.status, StatusCode::OK);
}

#[tokio::test]
async fn a_page_of_the_ui_may_ask_and_any_other_may_not() {
    let server = server(false);
    let key = bearer(KEY);
    for (origin, status, shared) in [
        (UI, StatusCode::OK, Some(UI)),
        (ELSEWHERE, StatusCode::FORBIDDEN, None),
        ("http://127.0.0.1:8234", StatusCode::FORBIDDEN, None),
        ("https://127.0.0.1:8233", StatusCode::FORBIDDEN, None),
        ("null", StatusCode::FORBIDDEN, None),
    ] {
        let headers = [
            JSON,
            (header::AUTHORIZATION, key.as_str()),
            (header::ORIGIN, origin),
        ];
        let body = hawaiian().to_string();
        let answer = ask(&server, Method::POST, "/decode", &headers, body).await;
        assert_eq!(answer.status, status, "{origin}");
        assert_eq!(answer.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), shared);

        let preflight = ask(&server, Method::OPTIONS, "/decode", &headers[2..], "").await;
        assert_eq!(preflight.status.is_success(), shared.is_some(), "{origin}");
        assert_eq!(
            preflight.header(header::ACCESS_CONTROL_ALLOW_ORIGIN),
            shared
        );
        let credentials = preflight.header(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
        assert_eq!(credentials, shared.map(|_| "true"));
    }
}

#[tokio::test]
async fn bad_requests_are_told_what_is_wrong_and_nothing_of_what_they_sent() {
    let server = server(true);
    let answer = coded(&server, "/encode", &hawaiian()).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let lost = json!({ "payloads": [{
        "metadata": {
            "encoding": BASE64_STANDARD.encode("binary/encrypted"),
            "encryption-cipher": BASE64_STANDARD.encode("AES-256-GCM"),
            "encryption-key-id": BASE64_STANDARD.encode("2019"),
        },
        "data": "telltale",
    }]});
    let many = json!({ "payloads": vec![json!({}); 10_001] });
    let large = json!({ "payloads": [{ "data": "telltale".repeat(LARGEST_BODY / 8) }] });
    for (body, status, told) in [
        (lost, 422, "payload 0: no key has the id \"2019\""),
        (json!({ "payloads": ["telltale"] }), 422, "the body must be"),
        (
            json!({ "payloads": [{ "data": "telltale!" }] }),
            422,
            "the body must be",
        ),
        (many, 422, "payloads: must be no more than 10000"),
        (large, 413, "the body may have at most 8388608 bytes"),
    ] {
        let answer = coded(&server, "/decode", &body).await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
        assert!(answer.body.contains(told), "{}", answer.body);
        assert!(!answer.body.contains("telltale"), "{}", answer.body);
    }
    let key = bearer(KEY);
    let authorization = (header::AUTHORIZATION, key.as_str());
    let text = [authorization, (header::CONTENT_TYPE, "text/plain")];
    let answer = ask(&server, Method::POST, "/decode", &text, "{}").await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[test]
fn an_origin_has_no_path() {
    for good in [
        UI,
        "https://ui.example",
        "http://localhost:8233/",
        "http://[::1]:1",
    ] {
        assert!(good.parse::<Origin>().is_ok(), "{good}");
    }
    for bad in [
        "",
        "*",
        "null",
        "ui.example",
        "ftp://a",
        "http://a/b",
        "http://a?b",
        "http://u@a",
    ] {
        assert!(bad.parse::<Origin>().is_err(), "{bad}");
    }
}

/// Serves on an address of its own, until the test's runtime ends.
async fn listening(limits: Limits) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let service = Service::new(server_with(false, &limits), limits);
    tokio::spawn(service.serve(listener, CancellationToken::new()));
    address
}

/// What a client hears that says this, up to the end of its connection.
async fn heard(server: SocketAddr, said: &str) -> String {
    let mut stream = TcpStream::connect(server).await.expect("a connection");
    let _ = stream.write_all(said.as_bytes()).await;
    let mut heard = Vec::new();
    let end = stream.read_to_end(&mut heard);
    // A connection that is closed with something unread is reset.
    let _ = timeout(ENOUGH, end).await.expect("an end in time");
    String::from_utf8_lossy(&heard).into_owned()
}

/// A client that says this and then waits.
async fn waiting(server: SocketAddr, said: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    // What is not read stays with the server, and not here.
    socket.set_recv_buffer_size(4096).expect("a size");
    let mut stream = socket.connect(server).await.expect("a connection");
    let written = stream.write_all(said.as_bytes()).await;
    written.expect("a connection that is open");
    stream
}

const ENOUGH: Duration = Duration::from_secs(60);

/// A request for `/decode` with an operator's key.
fn decode(body: &str) -> String {
    let (length, key) = (body.len(), bearer(KEY));
    format!(
        "POST /decode HTTP/1.1\r\nhost: a\r\nauthorization: {key}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// A stranger's request for `/decode`.
const STRANGE: &str = "GET /decode HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn requests_of_strangers_whose_body_does_not_come_keep_nobody_out() {
    let server = listening(Limits {
        requests: 1,
        staff_requests: 1,
        ..limits()
    })
    .await;
    let held = decode("{\"payloads\": []}").replace("connection: close\r\n", "");
    let (held, _) = held.split_once("\r\n\r\n").expect("a header");
    let strange = format!("{held}\r\n\r\n").replace(KEY, "another");
    let mut strangers = Vec::new();
    for _ in 0..20 {
        let stranger = waiting(server, &strange).await;
        // No body is read before it is known who asks.
        let mut first = [0; 12];
        let mut seen = 0;
        while seen < first.len() {
            stranger.readable().await.expect("an answer");
            seen = stranger.peek(&mut first).await.expect("an answer");
        }
        assert_eq!(&first, b"HTTP/1.1 401");
        strangers.push(stranger);
    }
    // An operator at the same address is not the address's.
    let answer = heard(server, &decode("{}")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn an_address_with_too_many_connections_has_some_left_for_operators() {
    let server = listening(Limits {
        connections_per_address: 3,
        ..limits()
    })
    .await;
    let idle = STRANGE.replace("connection: close\r\n", "");
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(waiting(server, &idle).await);
    }
    let refused = heard(server, STRANGE).await;
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
    let answer = heard(server, &decode("{}")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let probe = STRANGE.replace("/decode", "/healthz");
    let answer = heard(server, &probe).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_given_up() {
    let server = listening(Limits {
        // As long as the answer is owed, its address has no other connection.
        connections_per_address: 1,
        staff_connections: 0,
        unread: Duration::from_millis(400),
        ..limits()
    })
    .await;
    let data = BASE64_STANDARD.encode(vec![0; 5 * 1024 * 1024]);
    let large = json!({ "payloads": [{ "data": data }] }).to_string();
    let unread = waiting(server, &decode(&large)).await;
    let mut first = [0; 12];
    unread.peek(&mut first).await.expect("an answer");
    assert_eq!(&first, b"HTTP/1.1 200");
    let refused = heard(server, &decode("{}")).await;
    assert!(!refused.starts_with("HTTP/1.1 200"), "{refused}");
    while !heard(server, &decode("{}"))
        .await
        .starts_with("HTTP/1.1 200")
    {}
    drop(unread);
}
