//! Where a browser's session begins and ends.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderMap, StatusCode, Uri, header};
use serde::Deserialize;

use super::access::refusal;
use super::app::App;

/// The largest form, in bytes.
pub(super) const LARGEST_FORM: usize = 4 * 1024;

const PAGE: &str = "<!doctype html>
<html lang=\"en\"><meta charset=\"utf-8\"><title>Codec server</title>
<h1>Codec server</h1>
<form method=\"post\" action=\"/sign-in\">
<p><label>Operator's key <input type=\"password\" name=\"key\" autocomplete=\"off\" required></label>
<button>Sign in</button></p></form>
<form method=\"post\" action=\"/sign-out\"><button>Sign out</button></form>
";

const SIGNED_IN: &str = "<!doctype html>
<html lang=\"en\"><meta charset=\"utf-8\"><title>Codec server</title>
<p>You are signed in for eight hours: the Temporal UI shows what is encrypted.</p>
";

const SIGNED_OUT: &str = "<!doctype html>
<html lang=\"en\"><meta charset=\"utf-8\"><title>Codec server</title>
<p>You are signed out.</p>
";

/// What is entered. No `Debug`: it is a key.
#[derive(Deserialize)]
pub(super) struct Entered {
    key: String,
}

pub(super) async fn page() -> Response {
    // Nothing of it comes from elsewhere, nobody may put it into a frame.
    let policy = "default-src 'none'; form-action 'self'; frame-ancestors 'none'";
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(PAGE)).into_response()
}

/// Begins a session.
pub(super) async fn begin(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Form(entered): Form<Entered>,
) -> Response {
    if !is_own_page(&headers) {
        return foreign();
    }
    let Some(operator) = app.operator(entered.key.trim()) else {
        return refusal(StatusCode::UNAUTHORIZED, "this is no operator's key");
    };
    let Some(cookie) = app.sessions.begin(operator.clone()) else {
        return refusal(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many sessions are open",
        );
    };
    tracing::info!(operator, "signed in");
    ([(header::SET_COOKIE, cookie)], Html(SIGNED_IN)).into_response()
}

/// Ends the browser's session.
pub(super) async fn end(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    if !is_own_page(&headers) {
        return foreign();
    }
    let mut answer = Html(SIGNED_OUT).into_response();
    if let Some(cookie) = app.sessions.end(&headers) {
        answer.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    answer
}

fn foreign() -> Response {
    refusal(
        StatusCode::FORBIDDEN,
        "this form is not of this server's page",
    )
}

/// Whether a form was sent from this server's own page, as far as the browser
/// tells.
fn is_own_page(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let origin = origin.to_str().ok().and_then(|it| it.parse::<Uri>().ok());
    let origin = origin.as_ref().and_then(Uri::authority);
    let host = headers.get(header::HOST).and_then(|it| it.to_str().ok());
    origin.is_some_and(|origin| Some(origin.as_str()) == host)
}
