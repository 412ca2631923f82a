use axum::body::{Body, to_bytes};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{Method, Request, StatusCode, header};
use payload_codec::Keys;
use pizza_api::{KeyHash, Role};
use serde_json::Value;
use tower::ServiceExt;

use super::*;

const KEY: &str = "pizza_op_an-example";
const UI: &str = "http://127.0.0.1:8233";
const ELSEWHERE: &str = "http://evil.example";

fn server(decode_only: bool) -> Router {
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
        sessions: Sessions::new(false),
        places: Semaphore::new(AT_ONCE),
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
async fn a_browser_that_signed_in_decodes_from_the_ui_alone_until_it_signs_out() {
    let server = server(false);
    let form = (header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let host = (header::HOST, "127.0.0.1:8088");
    let own = (header::ORIGIN, "http://127.0.0.1:8088");
    let page = ask(&server, Method::GET, "/sign-in", &[], "").await;
    assert!(page.body.contains("<form"), "{}", page.body);

    let entered = format!("key={KEY}");
    let post = async |path: &str, headers: &[_], body: &str| {
        ask(&server, Method::POST, path, headers, body.to_owned()).await
    };
    let wrong = post(
        "/sign-in",
        &[form.clone(), host.clone(), own.clone()],
        "key=oven",
    )
    .await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    let foreign = [form.clone(), host.clone(), (header::ORIGIN, ELSEWHERE)];
    let foreign = post("/sign-in", &foreign, &entered).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    let signed_in = post("/sign-in", &[form, host.clone(), own.clone()], &entered).await;
    assert_eq!(signed_in.status, StatusCode::OK, "{}", signed_in.body);
    let cookie = signed_in
        .header(header::SET_COOKIE)
        .expect("a cookie")
        .to_owned();
    for part in ["HttpOnly", "SameSite=Strict"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let (session, _) = cookie.split_once(';').expect("attributes");

    let body = hawaiian().to_string();
    let with = |origin: Option<&'static str>| {
        let mut headers = vec![JSON, (header::COOKIE, session)];
        headers.extend(origin.map(|origin| (header::ORIGIN, origin)));
        headers
    };
    assert_eq!(
        post("/decode", &with(Some(UI)), &body).await.payloads(),
        hawaiian()
    );
    let foreign = post("/decode", &with(Some(ELSEWHERE)), &body).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    let no_page = post("/decode", &with(None), &body).await;
    assert_eq!(no_page.status, StatusCode::UNAUTHORIZED);

    let headers = [host, own, (header::COOKIE, session)];
    let signed_out = post("/sign-out", &headers, "").await;
    assert_eq!(signed_out.status, StatusCode::OK);
    let after = post("/decode", &with(Some(UI)), &body).await;
    assert_eq!(after.status, StatusCode::UNAUTHORIZED);
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
        (large, 413, "no larger than 8 MiB"),
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
