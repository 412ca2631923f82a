//! A gateway that gives prepared answers and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use url::Url;

/// A prepared answer: a status, headers, a body.
pub(crate) type Answer = (u16, Vec<(&'static str, String)>, Value);

/// What it was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("text"))
    }
}

#[derive(Default)]
struct Script {
    answers: VecDeque<Answer>,
    asked: Vec<Asked>,
}

/// The stub. Its last answer is repeated.
#[derive(Clone)]
pub(crate) struct Stub {
    pub(crate) url: Url,
    script: Arc<Mutex<Script>>,
}

impl Stub {
    pub(crate) async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        choose_cryptography();
        let script = Arc::new(Mutex::new(Script {
            answers: answers.into_iter().collect(),
            asked: Vec::new(),
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().fallback(answer).with_state(script.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            url: format!("http://{address}").parse().expect("a URL"),
            script,
        }
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.script.lock().expect("no panic").asked.clone()
    }
}

/// A client wants some, even where there is nothing to encrypt.
pub(crate) fn choose_cryptography() {
    // It is chosen once for all tests of a process.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

async fn answer(State(script): State<Arc<Mutex<Script>>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a body");
    let mut script = script.lock().expect("no panic");
    script.asked.push(Asked {
        line: format!("{} {}", head.method, head.uri),
        headers: head.headers,
        body,
    });
    let (status, headers, body) = match script.answers.len() {
        0 => (404, Vec::new(), Value::Null),
        1 => script.answers[0].clone(),
        _ => script.answers.pop_front().expect("an answer"),
    };
    let mut response = axum::Json(body).into_response();
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    for (name, value) in headers {
        response
            .headers_mut()
            .insert(name, value.parse().expect("a value"));
    }
    response
}
