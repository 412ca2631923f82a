//! What operators did lately.

use axum::extract::{Query, State};
use axum::response::Response;
use maud::{Markup, html};
use pizza_app::ResolvedFailures;
use pizza_store::{ResolvedTask, now_ms};

use super::super::layout::Site;
use super::super::text::ago;
use super::bulk_list;
use super::frame::{AUDIT, Asked, Operating, asked, next_page, page_of, table};
use super::task_list::order_link;
use super::words::{end_badge, queue_words};
use crate::gateway::AppState;
use crate::problem::Problem;

/// `GET /operator/audit`.
pub(super) async fn page(
    operator: Operating,
    State(app): State<AppState>,
    Query(query): Query<Asked>,
) -> Result<Response, Problem> {
    let cursor = asked(&query, "cursor");
    let found = app.use_cases().resolved_failures(cursor).await?;
    let many = match cursor {
        Some(_) => None,
        None => Some(app.use_cases().latest_bulks().await),
    };
    let many = many.as_ref().map(Result::as_deref);
    let site = operator.site(&app);
    let page = page_of(
        &site,
        AUDIT,
        "Audit trail",
        html! {
            p.lead { "Which tasks came to an end, by whom and why, last first." }
            @if found.tasks.is_empty() {
                p.card.lead {
                    @if cursor.is_some() { "That was all." }
                    @else { "Nobody has had to repair anything yet." }
                }
            } @else {
                (ended(&site, &found, now_ms()))
            }
            (next_page(&site, AUDIT, "", found.next_cursor.as_deref()))
            p.soft { "A task's own page has its whole trail: each time that it was run again, too." }
            @if let Some(many) = many { (bulk_list::section(&site, many, now_ms())) }
        },
    );
    Ok(site.show(page))
}

fn ended(site: &Site<'_>, found: &ResolvedFailures, at_ms: i64) -> Markup {
    let head = html! {
        th scope="col" { "When" }
        th scope="col" { "Who" }
        th scope="col" { "What became of it" }
        th scope="col" { "Task" }
        th scope="col" { "Why" }
    };
    let rows = html! { @for task in &found.tasks { (row(site, task, at_ms)) } };
    table("Tasks that came to an end", &head, &rows)
}

fn row(site: &Site<'_>, task: &ResolvedTask, at_ms: i64) -> Markup {
    let own = site.at(&format!("/operator/tasks/{}", task.task_id));
    html! {
        tr data-task=(task.task_id) {
            td { (ago(task.resolved_at_ms, at_ms)) }
            td { @match &task.resolved_by { Some(name) => bdi { (name) }, None => "nobody" } }
            td { (end_badge(task.state)) }
            th scope="row" {
                a href=(own) { (queue_words(&task.queue)) }
                div.soft {
                    (order_link(site, &task.order_id.to_string()))
                    " of " bdi { (task.customer_id) }
                }
            }
            td { @match &task.reason { Some(reason) => bdi { (reason) }, None => "nobody said" } }
        }
    }
}
