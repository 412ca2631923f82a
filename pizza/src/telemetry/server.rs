//! The port of the metrics. Whoever reaches it may read them; it has no keys,
//! so it is for the network that the collector is in.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use http::{StatusCode, header};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use pizza_activities::store::Store;
use pizza_api::Lately;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::polling::POLLING;

/// Connections at once; a collector or two, and a health check.
const CONNECTIONS: usize = 32;

/// The longest that a connection may be open, from its first byte to its
/// last: a scrape that takes longer than its interval is lost anyway.
const CONNECTION_AGE: Duration = Duration::from_secs(120);

/// The longest that a client may take for a request's header.
const HEADER: Duration = Duration::from_secs(5);

/// How long the store may take to prove that it can be written to.
const PROOF: Duration = Duration::from_secs(1);

/// The pause after a connection that could not be accepted.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(200);

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
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let accepting = async {
        // Never closed, so there is always a place some time.
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            let Ok((stream, _)) = listener.accept().await else {
                sleep(ACCEPT_BACKOFF).await;
                continue;
            };
            let connection = connection(stream, router.clone());
            tokio::spawn(async move {
                // An error here is the client's, which went away.
                let _ = timeout(CONNECTION_AGE, connection).await;
                drop(place);
            });
        }
    };
    shutdown.run_until_cancelled(accepting).await;
}

async fn connection(stream: TcpStream, router: Router) {
    let mut protocol = Builder::new(TokioExecutor::new());
    protocol
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER);
    let service = service_fn(move |request| {
        let answer = router.clone().oneshot(request);
        async move { Ok::<_, Infallible>(answer.await.unwrap_or_else(|never| match never {})) }
    });
    let _ = protocol
        .serve_connection(TokioIo::new(stream), service)
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
