//! Who may use the codec server, and how much each client may hold.

use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use failure_queue::error_chain;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use pizza_api::{Client, LastAnswer, Problem, Serves, bearer};
use pizza_app::keys::Principal;

use super::app::App;
use super::origin::Origin;

/// Where probes ask.
pub(super) const HEALTH: &str = "/healthz";

/// The largest body, in bytes. A page of a history has up to 4 MiB, which
/// base64 makes a third more.
pub(super) const LARGEST_BODY: usize = 8 * 1024 * 1024;

/// How long a browser may remember what it may send, in seconds.
const PREFLIGHT_AGE: &str = "600";

/// Who asks; in the extensions of a request that was let in.
#[derive(Clone)]
pub(super) struct Operator(pub(super) String);

/// An answer in words. The CLI shows them.
pub(super) fn refusal(status: StatusCode, why: impl Into<String>) -> Response {
    (status, why.into()).into_response()
}

/// An answer to what the server has no room or no time for.
fn problem(problem: Problem) -> Response {
    let mut answer = refusal(problem.code.status(), problem.detail);
    if let Some(wait) = problem.retry_after {
        let seconds = HeaderValue::from(wait.as_secs().max(1));
        answer.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    answer
}

/// Bounds what each client holds, and gives its answer what all have.
pub(super) async fn bounded(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let client = client(&app, &request);
    let is_probe = request.uri().path() == HEALTH;
    let is_for_staff = is_probe || client.is_staff();
    let (serves, version) = (Serves::of(&request), request.version());
    let exchange = match serves.refusal(&client, is_for_staff) {
        Some(refused) => Err(refused),
        None => app.exchanges.begin(&client, is_for_staff),
    };
    let mut answer = match exchange {
        Ok(exchange) => {
            request.extensions_mut().insert(client);
            let mut answer = next.run(request).await;
            answer.extensions_mut().insert(exchange);
            answer
        }
        Err(refused) => problem(refused),
    };
    if serves.ends_with(answer.status(), version, is_probe) {
        answer.extensions_mut().insert(LastAnswer);
    }
    let headers = answer.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::VARY, "Origin"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// Who asks: an operator, wherever they are, or an address.
fn client(app: &App, request: &Request) -> Client {
    let headers = request.headers();
    let operator = match headers.contains_key(header::AUTHORIZATION) {
        true => bearer(headers).and_then(|key| app.operator(key)),
        false => app.counted_as(headers),
    };
    operator.map_or_else(|| Client::at_peer(request), |it| Client::Holder(it.clone()))
}

/// Answers a request once its body is there, if there is room for it, and
/// within the time allowed.
pub(super) async fn with_room(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    request: Request,
    next: Next,
) -> Response {
    let answer = app
        .exchanges
        .answer(request, Some(&client), Some(LARGEST_BODY), next);
    answer.await.unwrap_or_else(problem)
}

/// Lets operators alone through, and from pages of the UI alone. A program has
/// no origin.
pub(super) async fn operators_only(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let origin = match origin(request.headers(), &app.ui_origins) {
        Ok(origin) => origin,
        Err(why) => return refusal(StatusCode::FORBIDDEN, why),
    };
    if request.method() == Method::OPTIONS {
        return preflight(origin);
    }
    let answer = match operator(&app, request.headers(), origin.is_some()).await {
        Ok(operator) => {
            request.extensions_mut().insert(operator);
            next.run(request).await
        }
        Err(refused) => refused,
    };
    shared_with(origin, answer)
}

/// The UI's origin that a request comes from; none for a program's.
fn origin(headers: &HeaderMap, allowed: &[Origin]) -> Result<Option<HeaderValue>, &'static str> {
    let mut given = headers.get_all(header::ORIGIN).iter();
    match (given.next(), given.next()) {
        (None, _) => Ok(None),
        (Some(origin), None) if allowed.iter().any(|known| known.is(origin)) => {
            Ok(Some(origin.clone()))
        }
        _ => Err("pages of this origin are not served; --ui-origin names those that are"),
    }
}

/// Tells a browser what a page may send.
fn preflight(origin: Option<HeaderValue>) -> Response {
    let mut answer = StatusCode::NO_CONTENT.into_response();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST"),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization,content-type,x-namespace",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE),
    ] {
        answer
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    shared_with(origin, answer)
}

/// Lets a page of this origin read the answer.
fn shared_with(origin: Option<HeaderValue>, mut answer: Response) -> Response {
    if let Some(origin) = origin {
        let headers = answer.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let allowed = HeaderValue::from_static("true");
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, allowed);
    }
    answer
}

/// Who asks. A session counts for a page of the UI alone: a browser sends its
/// cookie with whatever any page makes it ask.
async fn operator(app: &App, headers: &HeaderMap, is_page: bool) -> Result<Operator, Response> {
    let unauthorized = |why: &'static str| refusal(StatusCode::UNAUTHORIZED, why);
    let operator = |holder: &Principal| Operator(holder.name.clone());
    if headers.contains_key(header::AUTHORIZATION) {
        let holder = bearer(headers).and_then(|key| app.operator(key));
        return holder.map(operator).ok_or_else(|| {
            unauthorized("this is no operator's key, as `Authorization: Bearer <key>`")
        });
    }
    let session = match is_page {
        true => app.signed_in(headers).await,
        false => Ok(None),
    };
    match session {
        Ok(Some(holder)) => Ok(operator(holder)),
        Ok(None) if is_page => Err(unauthorized(
            "an operator's key is needed, as `Authorization: Bearer <key>`; with a browser, sign \
             in at the gateway first",
        )),
        Ok(None) => Err(unauthorized(
            "an operator's key is needed, as `Authorization: Bearer <key>`",
        )),
        Err(error) => {
            tracing::warn!(
                error = error_chain(&error),
                "a session could not be looked up"
            );
            let why = "whether this browser is signed in cannot be told: the store is unavailable";
            Err(refusal(StatusCode::SERVICE_UNAVAILABLE, why))
        }
    }
}
