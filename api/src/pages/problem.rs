//! Errors, for people.

use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::cookie::CookieJar;
use http::{HeaderMap, Method, header};
use maud::{Markup, html};
use pizza_contract::ErrorCode;

use super::layout::{Page, Section};
use super::session::Visitor;
use crate::gateway::App;
use crate::problem::Problem;

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
    let title = problem.code.title();
    let next: String = url::form_urlencoded::byte_serialize(address.as_bytes()).collect();
    let sign_in = site.at(&format!("/sign-in?next={next}"));
    let lacks_a_key = problem.code == ErrorCode::Unauthenticated;
    // Whoever is signed in already would come back here for ever.
    if lacks_a_key && method == Method::GET && visitor.principal().is_none() {
        return Redirect::to(&sign_in).into_response();
    }
    let mut page = Page::new(
        title,
        Section::None,
        html! {
            h1 { (title) }
            @if lacks_a_key && visitor.principal().is_none() {
                p.lead { "You are not signed in, or not any more." }
            } @else if !problem.detail.eq_ignore_ascii_case(title) {
                p.lead { (detail(problem, as_it_is)) }
            }
            p { (advice(problem.code)) }
            p.row {
                @if lacks_a_key { a.button href=(sign_in) { "Sign in" } }
                @else { a.button href=(site.at("/")) { "Order a pizza" } }
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

/// A problem in a sentence, its field called as the form calls it.
pub(super) fn sentence(problem: &Problem, label_of: fn(&str) -> &str) -> Markup {
    let title = problem.code.title();
    html! {
        (title)
        @if !problem.detail.eq_ignore_ascii_case(title) { ": " (detail(problem, label_of)) }
    }
}

/// The same without the kind of problem that it is.
pub(super) fn detail(problem: &Problem, label_of: fn(&str) -> &str) -> Markup {
    let detail = problem.detail.as_str();
    let field = problem.field.as_deref();
    // Many details begin with their field's own name.
    let rest = field.and_then(|field| detail.strip_prefix(field)?.strip_prefix(' '));
    html! {
        @if let Some(field) = field { bdi { (label_of(field)) } " " }
        bdi { (rest.unwrap_or(detail)) }
    }
}

/// The field's own name.
pub(super) fn as_it_is(field: &str) -> &str {
    field
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
        ErrorCode::MisdirectedRequest => "Ask for it by the gateway's own address.",
        ErrorCode::CrossSiteRequest => "Send it from a page of this shop.",
        ErrorCode::Unauthenticated => "Sign in, then go back and send it once more.",
        ErrorCode::Forbidden => "Go back and load the page again, or sign in with another key.",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_once_and_its_field_as_people_know_it() {
        let label = |_: &str| "The size";
        let told = |problem: Problem| sentence(&problem, label).into_string();
        let size = Problem::new(ErrorCode::InvalidValue, "size must be small").field("size");
        let expected = "A value is not allowed: <bdi>The size</bdi> <bdi>must be small</bdi>";
        assert_eq!(told(size), expected);
        let other = Problem::new(ErrorCode::InvalidType, "must be a number").field("size");
        assert!(told(other).ends_with("<bdi>The size</bdi> <bdi>must be a number</bdi>"));
        let bare = Problem::new(ErrorCode::KitchenReportLate, "the order is already over");
        assert_eq!(told(bare), "The order is already over");
    }
}
