//! What operators look after: the failure queues, the orders, and what was
//! done about them.

mod audit;
mod bulk;
mod bulk_list;
mod filter;
mod orders;
mod policy;
mod queues;
mod task;
mod task_forms;
mod task_list;
mod tasks;
mod words;

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::routing::{get, post};
use http::request::Parts;
use maud::{Markup, html};

use super::form::Submitted;
use super::layout::{Page, Section, Site};
use super::page_of_form;
use super::problem::{as_it_is, sentence};
use super::session::Visitor;
use crate::gateway::App;
use crate::operator::Operator;
use crate::problem::Problem;

pub(crate) use queues::Seen;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(queues::page))
        .route("/live", get(queues::live))
        .route("/tasks", get(tasks::page))
        .route("/tasks/{id}", get(task::page))
        .route("/tasks/{id}/live", get(task::live))
        .route("/tasks/{id}/redrive", post(task::redrive).get(page_of_form))
        .route("/tasks/{id}/discard", post(task::discard).get(page_of_form))
        .route("/queues/{queue}", get(policy::page))
        .route(
            "/queues/{queue}/policy",
            post(policy::set).get(page_of_form),
        )
        .route("/bulk", get(bulk::preview).post(bulk::start))
        .route("/bulk/{id}", get(bulk::page))
        .route("/bulk/{id}/live", get(bulk::live))
        .route("/bulk/{id}/stop", post(bulk::stop).get(page_of_form))
        .route("/audit", get(audit::page))
        .route("/orders", get(orders::page))
}

/// An operator who looks at a page. A handler that takes one first is reached
/// by operators alone, before anything else of the request is looked at.
struct Operating {
    visitor: Visitor,
}

impl FromRequestParts<Arc<App>> for Operating {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let visitor = Visitor::from_request_parts(parts, app).await?;
        visitor.operator(app)?;
        Ok(Self { visitor })
    }
}

impl Operating {
    fn site<'a>(&'a self, app: &'a App) -> Site<'a> {
        self.visitor.site(app)
    }
}

/// A form that an operator sent.
struct OperatorForm {
    form: Submitted<Operator>,
    /// The name that goes into audit trails.
    principal: String,
}

impl FromRequest<Arc<App>> for OperatorForm {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let form: Submitted<Operator> = Submitted::from_request(request, app).await?;
        let principal = form.right.name.clone();
        Ok(Self { form, principal })
    }
}

impl OperatorForm {
    fn site<'a>(&'a self, app: &'a App) -> Site<'a> {
        self.form.visitor.site(app)
    }

    fn owned(&self, field: &str) -> Option<String> {
        self.form.text(field).map(str::to_owned)
    }
}

/// What a page's address asks for. What is left empty is not asked for.
type Asked = HashMap<String, String>;

fn asked<'a>(query: &'a Asked, field: &str) -> Option<&'a str> {
    let text = query.get(field).map(|text| text.trim());
    text.filter(|text| !text.is_empty())
}

/// A page of the operators', with the ways to the others.
fn page_of(site: &Site<'_>, here: &str, title: &str, body: Markup) -> Page {
    let link = |path: &str, name: &str| {
        let current = (path == here).then_some("page");
        html! { a href=(site.at(path)) aria-current=[current] { (name) } }
    };
    Page::new(
        title,
        Section::Operator,
        html! {
            nav.row.ways aria-label="For operators" {
                (link(queues::PATH, "Failure queues"))
                (link(tasks::PATH, "Parked tasks"))
                (link(orders::PATH, "Orders"))
                (link(audit::PATH, "Audit trail"))
            }
            h1 { (title) }
            (body)
        },
    )
}

/// A table, with its head's cells and its rows. One that is wider than the
/// screen is moved within its frame.
fn table(label: &str, head: &Markup, rows: &Markup) -> Markup {
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
fn refusal(problem: &Problem) -> Markup {
    html! {
        p.card.wrong role="alert" #wrong {
            (sentence(problem, as_it_is))
        }
    }
}

/// The way to the page that follows in a list, if there is one.
fn next_page(site: &Site<'_>, path: &str, query: &str, cursor: Option<&str>) -> Markup {
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
fn encoded(fields: &[(&str, &str)]) -> String {
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
