//! What all pages of the operators share: who may look, the frame around what
//! they show, tables and lists.

use std::collections::HashMap;

use axum::extract::{FromRequest, FromRequestParts, Request};
use http::request::Parts;
use maud::{Markup, html};
use pizza_app::access::Operator;

use super::super::form::Submitted;
use super::super::layout::{Page, Section, Site};
use super::super::problem::{as_it_is, sentence};
use super::super::session::Visitor;
use crate::gateway::{App, AppState};
use crate::problem::Problem;

/// The failure queues.
pub(super) const QUEUES: &str = "/operator";
/// The parked tasks.
pub(super) const TASKS: &str = "/operator/tasks";
/// Operations on many tasks.
pub(super) const BULK: &str = "/operator/bulk";
/// The orders.
pub(super) const ORDERS: &str = "/operator/orders";
/// What was done about failures.
pub(super) const AUDIT: &str = "/operator/audit";

/// An operator who looks at a page. A handler that takes one first is reached
/// by operators alone, before anything else of the request is looked at.
pub(super) struct Operating {
    pub(super) visitor: Visitor,
}

impl FromRequestParts<AppState> for Operating {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Problem> {
        let visitor = Visitor::from_request_parts(parts, app).await?;
        visitor.operator(app)?;
        Ok(Self { visitor })
    }
}

impl Operating {
    pub(super) fn site<'a>(&'a self, app: &'a App) -> Site<'a> {
        self.visitor.site(app)
    }
}

/// A form that an operator sent.
pub(super) struct OperatorForm {
    pub(super) form: Submitted<Operator>,
    /// The name that goes into audit trails.
    pub(super) principal: String,
}

impl FromRequest<AppState> for OperatorForm {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, Problem> {
        let form: Submitted<Operator> = Submitted::from_request(request, app).await?;
        let principal = form.right.name.clone();
        Ok(Self { form, principal })
    }
}

impl OperatorForm {
    pub(super) fn site<'a>(&'a self, app: &'a App) -> Site<'a> {
        self.form.visitor.site(app)
    }

    pub(super) fn owned(&self, field: &str) -> Option<String> {
        self.form.text(field).map(str::to_owned)
    }
}

/// What a page's address asks for. What is left empty is not asked for.
pub(super) type Asked = HashMap<String, String>;

pub(super) fn asked<'a>(query: &'a Asked, field: &str) -> Option<&'a str> {
    let text = query.get(field).map(|text| text.trim());
    text.filter(|text| !text.is_empty())
}

/// A page of the operators', with the ways to the others.
pub(super) fn page_of(site: &Site<'_>, here: &str, title: &str, body: Markup) -> Page {
    let link = |path: &str, name: &str| {
        let current = (path == here).then_some("page");
        html! { a href=(site.at(path)) aria-current=[current] { (name) } }
    };
    Page::new(
        title,
        Section::Operator,
        html! {
            nav.row.ways aria-label="For operators" {
                (link(QUEUES, "Failure queues"))
                (link(TASKS, "Parked tasks"))
                (link(ORDERS, "Orders"))
                (link(AUDIT, "Audit trail"))
            }
            h1 { (title) }
            (body)
        },
    )
}

/// A table, with its head's cells and its rows. One that is wider than the
/// screen is moved within its frame.
pub(super) fn table(label: &str, head: &Markup, rows: &Markup) -> Markup {
    html! {
        div.card.scroll tabindex="0" role="region" aria-label=(label) {
            table {
                thead { tr { (head) } }
                tbody { (rows) }
            }
        }
    }
}

/// What was wrong with what was asked for.
pub(super) fn refusal(problem: &Problem) -> Markup {
    html! {
        p.card.wrong role="alert" #wrong {
            (sentence(problem, as_it_is))
        }
    }
}

/// The way to the page that follows in a list, if there is one.
pub(super) fn next_page(site: &Site<'_>, path: &str, query: &str, cursor: Option<&str>) -> Markup {
    let cursor = cursor.map(|cursor| encoded(&[("cursor", cursor)]));
    html! {
        @if let Some(cursor) = cursor {
            @let and = if query.is_empty() { "" } else { "&" };
            p { a.button.quiet rel="next" href=(site.at(&format!("{path}?{query}{and}{cursor}"))) {
                "Next page"
            } }
        }
    }
}

/// Fields as an address has them.
pub(super) fn encoded(fields: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(fields);
    query.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_escapes_what_it_carries() {
        assert_eq!(encoded(&[("a", "b&c"), ("d", "é")]), "a=b%26c&d=%C3%A9");
    }
}
