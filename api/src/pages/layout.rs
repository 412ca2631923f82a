//! What all pages have in common.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use pizza_app::keys::Role;
use pizza_store::now_ms;

use super::assets::{SCRIPT_NAME, STYLE};
use super::form::TOKEN;
use super::session::Visitor;
use crate::gateway::App;

/// The icon in the browser's tab: within the page, since a file of its own
/// would be another request.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath d='M8 15 1 3q7-4 14 0z' fill='%23d9822b'/%3E%3Ccircle cx='6' cy='5.5' r='1.4' fill='%23a82a2a'/%3E%3Ccircle cx='10' cy='6' r='1.4' fill='%23a82a2a'/%3E%3C/svg%3E";

/// A part of the shop, as the bar at the top lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Shop,
    Kitchen,
    Operator,
    /// In none of them.
    None,
}

/// The gateway and its visitor, which every page is drawn for.
#[derive(Clone, Copy)]
pub(super) struct Site<'a> {
    pub(super) app: &'a App,
    pub(super) visitor: &'a Visitor,
}

/// A page, as far as it differs from others.
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) title: String,
    pub(super) section: Section,
    /// Where the page's stream is, if what it shows may change.
    pub(super) live: Option<String>,
    pub(super) main: Markup,
}

impl Page {
    pub(super) fn new(title: impl Into<String>, section: Section, main: Markup) -> Self {
        Self {
            status: StatusCode::OK,
            title: title.into(),
            section,
            live: None,
            main,
        }
    }
}

impl Site<'_> {
    /// The address of a path of ours, also behind a proxy that serves the
    /// gateway under a path of its own.
    pub(super) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.app.base_path())
    }

    /// What every form has to carry.
    pub(super) fn form_token(&self) -> Markup {
        html! {
            @if let Some(token) = self.visitor.form_token() {
                input type="hidden" name=(TOKEN) value=(token);
            }
        }
    }

    /// Whether its visitor may see the operators' pages, or has but to say so.
    pub(super) fn leads_to_operators(&self) -> bool {
        self.app.gateway.development || self.visitor.operator(self.app).is_ok()
    }

    /// The page's answer.
    pub(super) fn show(&self, page: Page) -> Response {
        let status = page.status;
        (status, self.draw(page)).into_response()
    }

    fn draw(&self, page: Page) -> Markup {
        let Page {
            title,
            section,
            live,
            main,
            ..
        } = page;
        html! {
            (DOCTYPE)
            html lang="en" data-now=(now_ms()) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) " · cloud-pizza" }
                    link rel="icon" href=(ICON);
                    style { (PreEscaped(STYLE)) }
                    script src=(self.at(&format!("/assets/{}", *SCRIPT_NAME))) defer {}
                }
                body {
                    a.skip href="#main" { "Skip to the content" }
                    (self.bar(section))
                    main #main data-live=[live] {
                        p #connection role="status" hidden {
                            "The connection was lost. Trying again …"
                        }
                        p #paused role="status" hidden {
                            "This page is paused, because several other windows of this shop are \
                             open. Click it to continue."
                        }
                        p #signed-out role="alert" hidden {
                            "You are signed out, and this page is not kept up to date any more. "
                            a data-sign-in href=(self.at("/sign-in")) { "Sign in again" }
                        }
                        (main)
                    }
                }
            }
        }
    }

    fn bar(&self, current: Section) -> Markup {
        let link = |section, path: &str, name: &str| {
            let current = (section == current).then_some("page");
            html! { a href=(self.at(path)) aria-current=[current] { (name) } }
        };
        html! {
            header.bar {
                nav aria-label="Parts of the shop" {
                    (link(Section::Shop, "/", "Order"))
                    (link(Section::Kitchen, "/kitchen", "Kitchen"))
                    (link(Section::Operator, "/operator", "Operator"))
                }
                @match self.visitor.principal() {
                    Some(principal) => form.who method="post" action=(self.at("/sign-out")) {
                        (self.form_token())
                        span { (role_name(principal.role)) " " bdi { (principal.name) } }
                        button.quiet { "Sign out" }
                    },
                    None => a.who data-sign-in href=(self.at("/sign-in")) { "Sign in" },
                }
            }
        }
    }
}

pub(super) const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Operator => "operator",
        Role::Customer => "customer",
        Role::Kitchen => "kitchen",
    }
}
