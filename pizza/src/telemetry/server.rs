//! The port of the metrics. Whoever reaches it may read them; it has no keys,
//! so it is for the network that the collector is in.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use http::{StatusCode, header};
use pizza_api::{Limits, Service};
use pizza_app::Lately;
use pizza_store::Store;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::polling::POLLING;

/// How long the store may take to prove that it can be written to.
const PROOF: Duration = Duration::from_secs(1);

/// Its limits. There are no keys here, so each address has its share: a
/// collector or two, and a health check.
fn limits() -> Limits {
    Limits {
        // A scrape that takes longer than its interval is lost anyway.
        connection_age: Duration::from_secs(120),
        grace: Duration::from_secs(1),
        streams_per_connection: 8,
        connections: 32,
        connections_per_address: 8,
        staff_connections: 0,
        ..Limits::default()
    }
}

/// The text format that Prometheus reads.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

struct Pages {
    render: Box<dyn Fn() -> String + Send + Sync>,
    /// Whether workers run here, which ask Temporal for tasks.
    works: bool,
    store: Store,
    /// Whether the last look at the store found that it takes what is written.
    takes_lately: Lately<bool>,
}

/// Serves until `shutdown`.
pub(super) async fn serve(
    listener: TcpListener,
    render: impl Fn() -> String + Send + Sync + 'static,
    works: bool,
    store: Store,
    shutdown: CancellationToken,
) {
    let pages = Arc::new(Pages {
        render: Box::new(render),
        works,
        store,
        takes_lately: Lately::default(),
    });
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(pages);
    Service::new(router, limits())
        .serve(listener, shutdown)
        .await;
}

async fn metrics(State(pages): State<Arc<Pages>>) -> Response {
    ([(header::CONTENT_TYPE, FORMAT)], (pages.render)()).into_response()
}

/// The process lives, and answers.
async fn healthz(State(pages): State<Arc<Pages>>) -> Response {
    answer(StatusCode::OK, "ok", pages.works)
}

/// Its workers get at their tasks, and its store takes what they write.
async fn readyz(State(pages): State<Arc<Pages>>) -> Response {
    let fault = if pages.works && !POLLING.now().is_well() {
        Some("not polling")
    } else if !pages.takes_lately.get(takes(&pages.store)).await {
        Some("the store takes nothing")
    } else {
        None
    };
    match fault {
        None => answer(StatusCode::OK, "ok", pages.works),
        Some(fault) => answer(StatusCode::SERVICE_UNAVAILABLE, fault, pages.works),
    }
}

/// Whether a store takes what is written, and in time. Why it does not is
/// logged: the port has no keys.
async fn takes(store: &Store) -> bool {
    let reason = match timeout(PROOF, store.prove()).await {
        Ok(Ok(())) => return true,
        Ok(Err(error)) => format!("{:#}", anyhow::Error::from(error)),
        Err(_) => format!("it took nothing within {PROOF:?}"),
    };
    tracing::warn!(store = reason, "the process is not ready");
    false
}

fn answer(status: StatusCode, word: &str, works: bool) -> Response {
    let body = if works {
        let polling = POLLING.now();
        json!({
            "status": word,
            "pollers": polling.pollers,
            "lastPollSeconds": polling.last_answer_seconds,
            "lastPollFailed": polling.is_failing,
        })
    } else {
        json!({ "status": word })
    };
    (status, Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpSocket, TcpStream};

    use super::*;

    const PROBE: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";

    /// A connection from this address, and the first bytes of its answer to a
    /// probe: none when it was closed.
    async fn probe(from: &str, server: std::net::SocketAddr) -> (TcpStream, Vec<u8>) {
        let socket = TcpSocket::new_v4().expect("a socket");
        let from = from.parse().expect("an address");
        socket.bind(from).expect("an address of this machine");
        let mut stream = socket.connect(server).await.expect("a connection");
        let _ = stream.write_all(PROBE).await;
        let mut answer = vec![0; 12];
        let read = stream.read(&mut answer);
        let read = timeout(Duration::from_secs(60), read).await;
        let length = read.expect("an answer in time").unwrap_or_default();
        answer.truncate(length);
        (stream, answer)
    }

    #[tokio::test]
    async fn an_address_that_holds_its_connections_does_not_keep_the_collector_out() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let server = listener.local_addr().expect("an address");
        let folder = tempfile::TempDir::new().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("pizza.db").display());
        let store = Store::open(&url).await.expect("a store");
        let shutdown = CancellationToken::new();
        tokio::spawn(serve(listener, String::new, false, store, shutdown));
        let mut held = Vec::new();
        for number in 0..40 {
            let (stream, answer) = probe("127.0.0.1:0", server).await;
            let expected: &[u8] = if number < 8 { b"HTTP/1.1 200" } else { b"" };
            assert_eq!(answer, expected, "connection {number}");
            held.push(stream);
        }
        let (_, answer) = probe("127.0.0.2:0", server).await;
        assert_eq!(answer, b"HTTP/1.1 200");
    }
}
