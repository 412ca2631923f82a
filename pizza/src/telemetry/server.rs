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

/// The pause after a connection that could not be accepted.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(200);

/// The text format that Prometheus reads.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

struct Pages {
    render: Box<dyn Fn() -> String + Send + Sync>,
    /// Whether workers run here, which ask Temporal for tasks.
    works: bool,
}

/// Serves until `shutdown`.
pub(super) async fn serve(
    listener: TcpListener,
    render: impl Fn() -> String + Send + Sync + 'static,
    works: bool,
    shutdown: CancellationToken,
) {
    let pages = Arc::new(Pages {
        render: Box::new(render),
        works,
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
    answer(StatusCode::OK, pages.works)
}

/// And its workers get at their tasks.
async fn readyz(State(pages): State<Arc<Pages>>) -> Response {
    let status = if !pages.works || POLLING.now().is_well() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    answer(status, pages.works)
}

fn answer(status: StatusCode, works: bool) -> Response {
    let word = if status.is_success() {
        "ok"
    } else {
        "not polling"
    };
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
