//! Signing in with a key, and out.

use std::collections::HashMap;
use std::convert::Infallible;

use axum::extract::{FromRequestParts, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use http::request::Parts;
use http::{StatusCode, Uri};
use maud::{Markup, html};
use pizza_app::keys::{KeyHash, Principal, Role};
use pizza_contract::ErrorCode;

use super::form::Submitted;
use super::layout::{Page, Section, Site, role_name};
use super::session::{self, Visitor};
use crate::gateway::{App, AppState};
use crate::origin::is_from_this_machine;
use crate::problem::Problem;

pub(super) async fn page(
    State(app): State<AppState>,
    visitor: Visitor,
    developer: Developer,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let next = query.get("next").map(String::as_str);
    shown(&app, &visitor, developer, own_path(next), None)
}

fn shown(
    app: &App,
    visitor: &Visitor,
    Developer(is_developer): Developer,
    next: Option<&str>,
    problem: Option<&Problem>,
) -> Response {
    let site = visitor.site(app);
    let action = site.at("/sign-in");
    let mut page = Page::new(
        "Sign in",
        Section::None,
        html! {
            h1 { "Sign in" }
            @if is_developer {
                section.card {
                    h2 { "On this machine" }
                    p { "This gateway was started for development, by " code { "pizza dev" }
                        ". No key is needed." }
                    div.row {
                        @for role in [Role::Operator, Role::Kitchen] {
                            @if app.gateway.keys.knows(role) {
                                (as_developer(&site, &action, next, role))
                            }
                        }
                    }
                }
            }
            form.card method="post" action=(action) {
                (site.form_token())
                (next_field(next))
                h2 { "With a key" }
                @if let Some(problem) = problem {
                    p.wrong role="alert" #wrong { (problem.detail) }
                }
                label for="key" { "Key" }
                // For password managers, which keep a name with each secret.
                input type="text" name="username" value="key" autocomplete="username" hidden;
                input #key name="key" type="password" autocomplete="current-password" required
                    aria-describedby=[problem.map(|_| "wrong")]
                    aria-invalid=[problem.map(|_| "true")];
                button { "Sign in" }
            }
        },
    );
    if let Some(problem) = problem {
        page.status = problem.code.status();
    }
    site.show(page)
}

/// Where to go on from here, for the form to carry.
fn next_field(next: Option<&str>) -> Markup {
    html! { @if let Some(next) = next { input type="hidden" name="next" value=(next); } }
}

fn as_developer(site: &Site<'_>, action: &str, next: Option<&str>, role: Role) -> Markup {
    html! {
        form method="post" action=(action) {
            (site.form_token())
            (next_field(next))
            button name="as" value=(role_name(role)) { "Go on as " (role_name(role)) }
        }
    }
}

/// A path of this gateway; none for anything else, so that nobody is led
/// elsewhere by a link to ours.
fn own_path(next: Option<&str>) -> Option<&str> {
    next.filter(|next| {
        let is_path = next.starts_with('/') && !next.starts_with("//") && !next.contains('\\');
        is_path
            && next
                .parse::<Uri>()
                .is_ok_and(|uri| uri.authority().is_none())
    })
}

/// The page that a role begins with.
const fn home(role: Role) -> &'static str {
    match role {
        Role::Operator => "/operator",
        Role::Kitchen => "/kitchen",
        Role::Customer => "/",
    }
}

pub(super) async fn sign_in(
    State(app): State<AppState>,
    developer: Developer,
    cookies: CookieJar,
    form: Submitted<()>,
) -> Result<Response, Problem> {
    let next = own_path(form.text("next"));
    let known = match (form.text("as"), form.text("key")) {
        (Some(role), _) => developer.key(&app, role),
        (None, Some(key)) => {
            let hash = KeyHash::of(key.trim());
            let holder = app.gateway.keys.holder_by_hash(&hash);
            let known = holder.map(|holder| (hash, holder));
            known.ok_or("this key is not known here")
        }
        (None, None) => Err("a key is needed"),
    };
    let (hash, holder) = match known {
        Ok(known) => known,
        Err(detail) => {
            let problem = Problem::new(ErrorCode::Unauthenticated, detail);
            let mut response = shown(&app, &form.visitor, developer, next, Some(&problem));
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            // Counted as a wrong key, like any other.
            response.extensions_mut().insert(WrongKey);
            return Ok(response);
        }
    };
    let cookie = session::open(&app, &form.visitor, &hash, holder).await?;
    let next = next.unwrap_or(home(holder.role));
    let next = format!("{}{next}", app.base_path());
    Ok((cookies.add(cookie), Redirect::to(&next)).into_response())
}

/// Marks an answer to whoever showed a key that is not known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WrongKey;

/// Whether the request is one of whoever develops on this machine, who needs
/// no key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Developer(bool);

impl FromRequestParts<AppState> for Developer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Infallible> {
        let is_local = is_from_this_machine(&parts.extensions, &parts.headers);
        Ok(Self(app.gateway.development && is_local))
    }
}

impl Developer {
    /// The key that a role has here.
    fn key<'a>(self, app: &'a App, role: &str) -> Result<(KeyHash, &'a Principal), &'static str> {
        let Self(true) = self else {
            return Err(
                "this gateway is not for development, or you are not on its machine: a \
                        key is needed",
            );
        };
        let role = [Role::Operator, Role::Kitchen]
            .into_iter()
            .find(|known| role_name(*known) == role);
        let key = role.and_then(|role| app.gateway.keys.first(role));
        key.map(|(hash, holder)| (*hash, holder))
            .ok_or("nobody has such a key")
    }
}

pub(super) async fn sign_out(
    State(app): State<AppState>,
    cookies: CookieJar,
    form: Submitted<()>,
) -> Result<Response, Problem> {
    session::close(&app, &form.visitor).await?;
    let home = format!("{}/", app.base_path());
    Ok((cookies.add(session::no_cookie(&app)), Redirect::to(&home)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_signs_in_stays_here() {
        for own in ["/", "/operator", "/operator/tasks?queue=a%20b"] {
            assert_eq!(own_path(Some(own)), Some(own));
        }
        for other in [
            "",
            "operator",
            "//evil.example/",
            "/\\evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            "/\u{0}",
        ] {
            assert_eq!(own_path(Some(other)), None, "{other:?}");
        }
    }
}
