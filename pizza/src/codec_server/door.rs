//! Who is let in.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use pizza_api::{Role, bearer};
use url::Url;

use super::App;

/// How long a request may take, its body included.
const DEADLINE: Duration = Duration::from_secs(15);

/// How long a browser may remember what it may send, in seconds.
const PREFLIGHT_AGE: &str = "600";

/// Where a page comes from: scheme, host and port.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Origin(String);

impl FromStr for Origin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str =
            "must be an origin, http or https with a host and maybe a port and no path";
        let url: Url = text.parse().map_err(|_| EXPECTED)?;
        let origin = url.origin().ascii_serialization();
        let is_web = matches!(url.scheme(), "http" | "https");
        if is_web && text.trim_end_matches('/').eq_ignore_ascii_case(&origin) {
            Ok(Self(origin))
        } else {
            Err(EXPECTED)
        }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether all these pages come over TLS: then so does the session's cookie.
pub(super) fn is_https(origins: &[Origin]) -> bool {
    !origins.is_empty() && origins.iter().all(|origin| origin.0.starts_with("https:"))
}

/// Who asks; in the extensions of a request that was let in.
#[derive(Clone)]
pub(super) struct Operator(pub(super) String);

/// An answer in words. The CLI shows them.
pub(super) fn refusal(status: StatusCode, why: impl Into<String>) -> Response {
    (status, why.into()).into_response()
}

/// Bounds a request in time and number, and gives its answer what all have.
pub(super) async fn bounded(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let Ok(_place) = app.places.try_acquire() else {
        let mut busy = refusal(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once");
        let soon = HeaderValue::from_static("1");
        busy.headers_mut().insert(header::RETRY_AFTER, soon);
        return busy;
    };
    let answer = tokio::time::timeout(DEADLINE, next.run(request)).await;
    let mut answer = answer.unwrap_or_else(|_| {
        refusal(
            StatusCode::REQUEST_TIMEOUT,
            "the request was not complete in time",
        )
    });
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
    let answer = match operator(&app, request.headers(), origin.is_some()) {
        Ok(operator) => {
            request.extensions_mut().insert(operator);
            next.run(request).await
        }
        Err(why) => refusal(StatusCode::UNAUTHORIZED, why),
    };
    shared_with(origin, answer)
}

/// The UI's origin that a request comes from; none for a program's.
fn origin(headers: &HeaderMap, allowed: &[Origin]) -> Result<Option<HeaderValue>, &'static str> {
    let mut given = headers.get_all(header::ORIGIN).iter();
    match (given.next(), given.next()) {
        (None, _) => Ok(None),
        (Some(origin), None) if allowed.iter().any(|known| known.0.as_bytes() == origin) => {
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
fn operator(app: &App, headers: &HeaderMap, is_page: bool) -> Result<Operator, &'static str> {
    if headers.contains_key(header::AUTHORIZATION) {
        return bearer(headers)
            .and_then(|key| app.operators.holder(key))
            .filter(|holder| holder.role == Role::Operator)
            .map(|holder| Operator(holder.name.clone()))
            .ok_or("this is no operator's key, as `Authorization: Bearer <key>`");
    }
    let session = is_page.then(|| app.sessions.operator(headers)).flatten();
    session.map(Operator).ok_or(
        "an operator's key is needed, as `Authorization: Bearer <key>`; with a browser, sign in \
         at /sign-in first",
    )
}
