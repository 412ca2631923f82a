//! What happens to every request, whichever door it takes.

use std::any::Any;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Version, header};
use tokio::time::timeout;
use tracing::Instrument;
use uuid::Uuid;

use crate::gateway::App;
use crate::problem::{ErrorCode, Problem};
use crate::{grpc, http as web};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest request id that is taken from a client, in characters.
const REQUEST_ID_LENGTH: usize = 64;

/// Puts the layers around both doors' routes.
pub(crate) fn around(routes: Router, app: &Arc<App>) -> Router {
    routes.layer(from_fn_with_state(Arc::clone(app), serve))
}

/// The address by which the client reached the gateway.
#[derive(Clone, Debug)]
pub(crate) struct ReachedAt(pub(crate) Authority);

/// Serves one request: names it, bounds it, answers it, logs it.
async fn serve(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let about = About::new(&request);
    if let Some(authority) = authority(&request) {
        request.extensions_mut().insert(ReachedAt(authority));
    }
    let span = tracing::info_span!("request", request_id = %about.id);
    async {
        let response = AssertUnwindSafe(bounded(&app, &about, request, next))
            .catch_unwind()
            .await
            .unwrap_or_else(|panic| panicked(&*panic));
        let response = about.finish(response, &app);
        about.log(&response, started);
        response
    }
    .instrument(span)
    .await
}

/// Answers a request whose client does not ask too often.
async fn bounded(app: &App, about: &About, request: Request, next: Next) -> Response {
    let gateway = &app.gateway;
    let address = gateway
        .proxies
        .client(request.extensions(), request.headers());
    if let Err(problem) = app.rates.admit(&request, &gateway.keys, address) {
        return problem.into_response();
    }
    let response = with_room(app, about, request, next).await;
    if lacks_a_key(&response)
        && let Err(problem) = app.rates.wrong_key(address)
    {
        return problem.into_response();
    }
    response
}

/// Whether a request was turned away for want of a known key.
fn lacks_a_key(response: &Response) -> bool {
    let problem = response.extensions().get::<Problem>();
    problem.is_some_and(|problem| problem.code == ErrorCode::Unauthenticated)
}

/// Answers a request if there is room for it, and within the time allowed.
async fn with_room(app: &App, about: &About, request: Request, next: Next) -> Response {
    let permit = app.requests.try_acquire();
    if permit.is_err() && !about.is_probe {
        let detail = "too many requests are under way; try again in a moment";
        return Problem::new(ErrorCode::Overloaded, detail).into_response();
    }
    let limit = app.gateway.limits.request;
    timeout(limit, next.run(request)).await.unwrap_or_else(|_| {
        let detail = format!(
            "the request was not complete within {} s",
            limit.as_secs_f64()
        );
        Problem::new(ErrorCode::RequestTimeout, detail).into_response()
    })
}

fn panicked(panic: &(dyn Any + Send)) -> Response {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    tracing::error!(panic = message, "a request panicked");
    Problem::new(
        ErrorCode::Internal,
        "the request met a fault of the gateway",
    )
    .into_response()
}

/// What is known of a request from its header alone.
struct About {
    id: RequestId,
    method: http::Method,
    version: Version,
    /// The path as it was asked for, still percent-encoded.
    path: String,
    /// The route that it matched; none when nothing is served there.
    route: Option<MatchedPath>,
    is_grpc: bool,
    /// Whether it asks only if the gateway is alive or ready.
    is_probe: bool,
}

impl About {
    fn new(request: &Request) -> Self {
        let path = request.uri().path();
        Self {
            id: RequestId::of(request.headers()),
            method: request.method().clone(),
            version: request.version(),
            path: path.to_owned(),
            route: request.extensions().get::<MatchedPath>().cloned(),
            is_grpc: grpc::is_grpc(request.headers()),
            is_probe: web::is_probe(path),
        }
    }

    /// Gives the answer its final form, and the headers that all have.
    fn finish(&self, response: Response, app: &App) -> Response {
        let mut response = if self.is_grpc {
            grpc::status::finish(response)
        } else {
            web::problem::finish(response, &app.error_pages(), &self.path, &self.id)
        };
        let headers = response.headers_mut();
        headers.insert(REQUEST_ID, self.id.0.clone());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        let cut_off = response.status() == http::StatusCode::REQUEST_TIMEOUT;
        if cut_off && self.version < Version::HTTP_2 {
            // The rest of the body is not worth waiting for.
            let headers = response.headers_mut();
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// One line for each request; nothing of what the customer sent.
    /// Whether it only asked whether there is anything new, as a kitchen does
    /// many times a second.
    fn is_poll(&self, response: &Response) -> bool {
        let route = self.route.as_ref().map_or("", MatchedPath::as_str);
        self.method == http::Method::GET && web::is_polled(route) && response.status().is_success()
    }

    fn log(&self, response: &Response, started: Instant) {
        let method = self.method.as_str();
        let route = self.route.as_ref().map_or("unmatched", MatchedPath::as_str);
        let status = response.status().as_u16();
        let latency_ms = (started.elapsed().as_secs_f64() * 10_000.0).round() / 10.0;
        let grpc_code = response
            .headers()
            .get(tonic::Status::GRPC_STATUS)
            .and_then(|code| code.to_str().ok());
        if self.is_probe || self.is_poll(response) {
            tracing::debug!(method, route, status, latency_ms, grpc_code, "request");
        } else {
            tracing::info!(method, route, status, latency_ms, grpc_code, "request");
        }
    }
}

/// What a request is called in logs and answers: the client's own name for
/// it, where that is fit to be logged, or a new one.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(REQUEST_ID).filter(|id| {
            let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
            let id = id.as_bytes();
            (1..=REQUEST_ID_LENGTH).contains(&id.len()) && id.iter().all(allowed)
        });
        Self(given.cloned().unwrap_or_else(Self::fresh))
    }

    fn fresh() -> HeaderValue {
        let id = Uuid::new_v4().to_string();
        HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("unknown"))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_str().unwrap_or_default())
    }
}

/// HTTP/2 says it in the address, HTTP/1.1 in a header. A name with a user in
/// it is not one that a link should be made of.
fn authority(request: &Request) -> Option<Authority> {
    request
        .uri()
        .authority()
        .cloned()
        .or_else(|| {
            let host = request.headers().get(header::HOST)?;
            Authority::try_from(host.as_bytes()).ok()
        })
        .filter(|authority| !authority.as_str().contains('@'))
}
