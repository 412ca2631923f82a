//! What happens to every request, whichever door it takes.

use std::any::Any;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::cookie::CookieJar;
use futures::FutureExt;
use http::{HeaderMap, HeaderValue, Method, Version, header};
use metrics::{counter, histogram};
use pizza_app::keys::Principal;
use pizza_contract::ErrorCode;
use pizza_store::meters::{self, Present};
use tracing::field::Empty;
use tracing::{Instrument, Span};

use crate::client::Client;
use crate::connection::{ExchangePlace, LastAnswer, Serves};
use crate::extract::bearer;
use crate::gateway::{App, AppState};
use crate::problem::Problem;
use crate::refusals::Refusal;
use crate::request::{ArrivedAt, REQUEST_ID, RequestId};
use crate::{grpc, http as web, origin, pages, routes, trace};

/// Puts the layers around both doors' routes.
pub(crate) fn around(routes: Router, app: &AppState) -> Router {
    routes.layer(from_fn_with_state(app.clone(), serve))
}

/// Serves one request: names it, bounds it, answers it, measures and logs it.
async fn serve(State(app): State<AppState>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    request.extensions_mut().insert(ArrivedAt(started));
    let about = About::new(&app, &request);
    let _under_way = Present::of(meters::REQUESTS_IN_FLIGHT);
    let span = about.span();
    trace::go_on(&span, request.headers());
    async {
        let response = AssertUnwindSafe(bounded(&app, &about, request, next))
            .catch_unwind()
            .await
            .unwrap_or_else(|panic| panicked(&*panic));
        let is_overload = has_problem(&response, ErrorCode::Overloaded);
        let response = about.finish(response, &app).await;
        about.measure(&response, started);
        let refusal = about.refusal(&response, is_overload);
        if let Some(refusal) = refusal {
            app.refusals.count(refusal);
        }
        about.log(&response, started, refusal.is_some());
        response
    }
    .instrument(span)
    .await
}

/// Answers a request that no page of another site sent, and whose client does
/// not ask too often, nor hold too much at once.
async fn bounded(app: &App, about: &About, mut request: Request, next: Next) -> Response {
    if let Err(problem) = origin::admit(app, &mut request) {
        return problem.into_response();
    }
    let client = &about.client;
    let is_for_staff = about.is_probe || client.is_staff();
    if let Some(problem) = about.serves.refusal(client, is_for_staff) {
        return problem.into_response();
    }
    if let Err(problem) = app.rates.admit(&request, client) {
        return problem.into_response();
    }
    let exchange = match app.exchanges.begin(client, is_for_staff) {
        Ok(exchange) => exchange,
        Err(problem) => return problem.into_response(),
    };
    request.extensions_mut().insert(client.clone());
    let is_refused_unread = routes::is_for_staff(&about.path) && !client.has_known_key();
    let body_bytes = (!is_refused_unread).then_some(app.gateway.limits.body_bytes);
    let needs_room = (!about.is_probe).then_some(client);
    let answer = app.exchanges.answer(request, needs_room, body_bytes, next);
    let mut response = answer.await.unwrap_or_else(Problem::into_response);
    if lacks_a_key(&response)
        && let Err(problem) = app.rates.wrong_key(&Client::at(about.client_address))
    {
        response = problem.into_response();
    }
    if !is_stream(about, &response) {
        response.extensions_mut().insert(exchange);
    }
    response
}

/// Whether an answer goes on for as long as its client likes. Those have
/// places of their own ([`crate::streams`]).
fn is_stream(about: &About, response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
        || about.is_grpc && routes::answers_stream(&about.path)
}

/// Whether a request was turned away for want of a known key.
fn lacks_a_key(response: &Response) -> bool {
    has_problem(response, ErrorCode::Unauthenticated)
        || response.extensions().get::<pages::WrongKey>().is_some()
}

/// Whether an answer carries a problem of this kind.
fn has_problem(response: &Response, code: ErrorCode) -> bool {
    let problem = response.extensions().get::<Problem>();
    problem.is_some_and(|problem| problem.code == code)
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
    /// Where it came from.
    client_address: IpAddr,
    /// Who it is counted for.
    client: Client,
    method: Method,
    version: Version,
    /// The path as it was asked for, still percent-encoded.
    path: String,
    /// The same with its query, for whoever comes back after signing in.
    address: String,
    /// The route that it matched; none when nothing is served there.
    route: Option<MatchedPath>,
    is_grpc: bool,
    /// Whether a browser asks, which shows pages.
    wants_page: bool,
    /// What a browser says of who uses it.
    cookies: CookieJar,
    /// Whether it asks only if the gateway is alive or ready.
    is_probe: bool,
    /// Whose requests its connection serves.
    serves: Serves,
}

/// The holder of the key that a request shows, or of that which its session was
/// opened with. It takes no look into the store, so that finding out costs no
/// more than a refusal.
fn holder<'a>(app: &'a App, headers: &HeaderMap) -> Option<&'a Principal> {
    let keys = &app.gateway.keys;
    bearer(headers)
        .and_then(|key| keys.holder(key))
        .or_else(|| pages::session_holder(app, headers))
}

impl About {
    fn new(app: &App, request: &Request) -> Self {
        let path = request.uri().path();
        let proxies = &app.gateway.proxies;
        let address = proxies.client(request.extensions(), request.headers());
        Self {
            id: RequestId::of(request.headers()),
            client_address: address,
            client: Client::of(holder(app, request.headers()), address),
            method: request.method().clone(),
            version: request.version(),
            path: path.to_owned(),
            address: request
                .uri()
                .path_and_query()
                .map_or_else(|| path.to_owned(), ToString::to_string),
            route: request.extensions().get::<MatchedPath>().cloned(),
            is_grpc: routes::is_grpc(request.headers()),
            wants_page: pages::wants_page(request.headers()),
            cookies: CookieJar::from_headers(request.headers()),
            is_probe: routes::is_http_probe(path) || routes::is_grpc_probe(path),
            serves: Serves::of(request),
        }
    }

    /// Its span. Whoever only asks whether there is anything new, as probes
    /// and kitchens do many times a second, leaves no trace.
    fn span(&self) -> Span {
        let (method, route) = (self.known_method(), self.route());
        let name = if self.is_grpc {
            route.trim_start_matches('/').to_owned()
        } else {
            format!("{method} {route}")
        };
        macro_rules! span {
            ($level:ident) => {
                tracing::$level!(
                    "request",
                    otel.name = name,
                    otel.kind = "server",
                    otel.status_code = Empty,
                    http.request.method = method,
                    http.route = route,
                    http.response.status_code = Empty,
                    rpc.response.status_code = Empty,
                    request_id = %self.id,
                    order_id = Empty,
                )
            };
        }
        if self.is_probe || self.asks_for_news() {
            span!(debug_span)
        } else {
            span!(info_span)
        }
    }

    /// The route, of which there are few whatever clients ask for.
    fn route(&self) -> &str {
        self.route.as_ref().map_or("unmatched", MatchedPath::as_str)
    }

    /// The method, where it is one that the standard knows.
    fn known_method(&self) -> &'static str {
        const KNOWN: [&str; 9] = [
            "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE",
        ];
        let method = self.method.as_str();
        KNOWN
            .into_iter()
            .find(|known| *known == method)
            .unwrap_or("_OTHER")
    }

    /// Counts the request, and tells its span how it was answered.
    fn measure(&self, response: &Response, started: Instant) {
        let seconds = started.elapsed();
        let span = Span::current();
        let status = response.status();
        if self.is_grpc {
            let code = grpc::status::code(response.headers());
            let (service, method) = self.call(code);
            span.record("otel.name", format!("{service}/{method}"));
            span.record("rpc.response.status_code", format!("{code:?}"));
            let labels = [
                ("service", service.to_owned()),
                ("method", method.to_owned()),
            ];
            histogram!(meters::GRPC_REQUEST_SECONDS.name, &labels).record(seconds);
            let [service, method] = labels;
            let labels = [service, method, ("code", format!("{code:?}"))];
            counter!(meters::GRPC_REQUESTS.name, &labels).increment(1);
        } else {
            span.record("http.response.status_code", status.as_u16());
            let route = self.route().to_owned();
            let labels = [("route", route), ("method", self.known_method().to_owned())];
            histogram!(meters::HTTP_REQUEST_SECONDS.name, &labels).record(seconds);
            let [route, method] = labels;
            let labels = [route, method, ("code", status.as_str().to_owned())];
            counter!(meters::HTTP_REQUESTS.name, &labels).increment(1);
        }
        if status.is_server_error() {
            span.record("otel.status_code", "ERROR");
        }
    }

    /// Service and method of a call. The path of one that nobody serves is
    /// the client's invention.
    fn call(&self, code: tonic::Code) -> (&str, &str) {
        let path = self.path.trim_start_matches('/');
        match path.split_once('/') {
            Some(call) if self.route.is_some() && code != tonic::Code::Unimplemented => call,
            Some((service, _)) if self.route.is_some() => (service, "unknown"),
            _ => ("unmatched", "unknown"),
        }
    }

    /// Gives the answer its final form, and the headers that all have.
    async fn finish(&self, mut response: Response, app: &App) -> Response {
        let exchange = response.extensions_mut().remove::<ExchangePlace>();
        let mut response = if self.is_grpc {
            grpc::status::finish(response)
        } else {
            match web::problem::carried(&mut response) {
                Some(problem) if self.wants_page => {
                    let cookies = &self.cookies;
                    pages::finish(app, cookies, &self.method, &self.address, &problem).await
                }
                Some(problem) => {
                    let pages = app.error_pages();
                    web::problem::finish(response, &problem, &pages, &self.path, &self.id)
                }
                None => response,
            }
        };
        pages::protect(response.headers_mut());
        origin::insist_on_tls(app, response.headers_mut());
        let headers = response.headers_mut();
        headers.insert(REQUEST_ID, self.id.0.clone());
        if headers.get(header::CACHE_CONTROL) != Some(&pages::FOR_GOOD) {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        trace::tell(headers);
        let status = response.status();
        if self.serves.ends_with(status, self.version, self.is_probe) {
            response.extensions_mut().insert(LastAnswer);
        }
        if let Some(exchange) = exchange {
            response.extensions_mut().insert(exchange);
        }
        response
    }

    /// Whether it only asks whether there is anything new, as a kitchen does
    /// many times a second.
    fn asks_for_news(&self) -> bool {
        self.method == Method::GET && routes::is_polled(self.route())
    }

    /// How the request was refused, if that is told together with others.
    fn refusal(&self, response: &Response, is_overload: bool) -> Option<Refusal> {
        match self.is_grpc {
            true => Refusal::of_grpc(&self.client, grpc::status::code(response.headers())),
            false => Refusal::of_http(&self.client, response.status(), is_overload),
        }
    }

    /// One line for each request; nothing of what the customer sent. Whoever
    /// looks closely sees those, too, that are told together.
    fn log(&self, response: &Response, started: Instant, is_told_together: bool) {
        let (method, route) = (self.known_method(), self.route());
        let status = response.status().as_u16();
        let latency_ms = (started.elapsed().as_secs_f64() * 10_000.0).round() / 10.0;
        let grpc_code = response
            .headers()
            .get(tonic::Status::GRPC_STATUS)
            .and_then(|code| code.to_str().ok());
        let is_routine = self.asks_for_news() && response.status().is_success();
        if self.is_probe || is_routine || is_told_together {
            tracing::debug!(method, route, status, latency_ms, grpc_code, "request");
        } else {
            tracing::info!(method, route, status, latency_ms, grpc_code, "request");
        }
    }
}
