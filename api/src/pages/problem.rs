//! Errors, for people.

use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::cookie::CookieJar;
use http::{HeaderMap, Method, header};
use maud::html;

use super::layout::{Page, Section};
use super::session::Visitor;
use crate::gateway::App;
use crate::problem::{ErrorCode, Problem};

/// The page for a problem, in the answer that carries it. Whoever lacks a key
/// is shown where to sign in, and comes back from there to `address`.
pub(crate) async fn finish(
    app: &App,
    cookies: &CookieJar,
    method: &Method,
    address: &str,
    problem: &Problem,
) -> Response {
    let visitor = visitor(app, cookies, problem.code).await;
    let site = visitor.site(app);
    if problem.code == ErrorCode::Unauthenticated && method == Method::GET {
        let next: String = url::form_urlencoded::byte_serialize(address.as_bytes()).collect();
        let sign_in = site.at(&format!("/sign-in?next={next}"));
        return Redirect::to(&sign_in).into_response();
    }
    let mut page = Page::new(
        problem.code.title(),
        Section::None,
        html! {
            h1 { (problem.code.title()) }
            p.lead {
                @if let Some(field) = &problem.field { bdi { (field) } ": " }
                (problem.detail)
            }
            p { (advice(problem.code)) }
            p.row {
                a.button href=(site.at("/")) { "Order a pizza" }
                a href=(site.at(&format!("/errors/{}", problem.code.as_str()))) {
                    "What " code { (problem.code.as_str()) } " means"
                }
            }
        },
    );
    page.status = problem.code.status();
    let mut response = site.show(page);
    retry_after(response.headers_mut(), problem);
    response
}

/// Whoever the page is for. A gateway that is in need, or is asked too often,
/// does not look.
async fn visitor(app: &App, cookies: &CookieJar, code: ErrorCode) -> Visitor {
    match code {
        ErrorCode::StoreUnavailable
        | ErrorCode::Overloaded
        | ErrorCode::RateLimited
        | ErrorCode::RequestTimeout => Visitor::default(),
        _ => Visitor::of(app, cookies).await.unwrap_or_default(),
    }
}

/// A page with a text as it is written.
pub(crate) async fn text_page(app: &App, cookies: &CookieJar, title: &str, text: &str) -> Response {
    // What an error means is told while the store is away, too.
    let visitor = Visitor::of(app, cookies).await.unwrap_or_default();
    let site = visitor.site(app);
    let main = html! { pre.text tabindex="0" { (text) } };
    site.show(Page::new(title, Section::None, main))
}

fn retry_after(headers: &mut HeaderMap, problem: &Problem) {
    if let Some(wait) = problem.retry_after {
        headers.insert(header::RETRY_AFTER, wait.as_secs().into());
    }
}

/// What a person can do about it.
fn advice(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::NotFound | ErrorCode::OrderNotFound => {
            "Look at the address again, or begin anew."
        }
        ErrorCode::Unauthenticated => "Sign in, then go back and send it once more.",
        ErrorCode::Forbidden => "Sign in with another key, or go back.",
        ErrorCode::TemporalUnavailable
        | ErrorCode::StoreUnavailable
        | ErrorCode::NotReady
        | ErrorCode::Overloaded
        | ErrorCode::RateLimited
        | ErrorCode::OrderUnattended
        | ErrorCode::RequestTimeout => {
            "This passes. Nothing is lost: load the page again in a moment."
        }
        ErrorCode::Internal => "The fault is ours. The operators' log has it.",
        _ => "Go back, change it, and try again.",
    }
}
