//! Operations on many tasks, in a table.

use maud::{Markup, html};
use pizza_app::{ListedBulk, UseCaseError};

use super::super::layout::Site;
use super::super::text::ago;
use super::bulk::{state, through, words_of};
use super::frame::{BULK, table};
use super::words::tasks_of;

/// The operations that run, and those that ended last.
pub(super) fn section(
    site: &Site<'_>,
    found: Result<&[ListedBulk], &UseCaseError>,
    at_ms: i64,
) -> Markup {
    let head = html! {
        th scope="col" { "Operation" }
        th scope="col" { "Who" }
        th scope="col" { "How far" }
        th scope="col" { "Tasks" }
        th scope="col" { "Why" }
    };
    html! {
        @match found {
            Ok([]) => {},
            Ok(operations) => {
                h2 { "Many tasks at once" }
                (table("Operations on many tasks", &head, &html! {
                    @for operation in operations { (row(site, operation, at_ms)) }
                }))
            }
            Err(_) => p.soft role="status" {
                "What was done to many tasks at once, Temporal knows, and it does not answer \
                 right now."
            },
        }
    }
}

fn row(site: &Site<'_>, operation: &ListedBulk, at_ms: i64) -> Markup {
    let own = site.at(&format!("{BULK}/{}", operation.id));
    let Some(progress) = &operation.progress else {
        return html! {
            tr { th scope="row" { a href=(own) { "unknown" } } td colspan="4" { "unknown" } }
        };
    };
    let request = &progress.request;
    html! {
        tr data-operation=(operation.id) {
            th scope="row" {
                a href=(own) { (words_of(request.action)) }
                @if progress.started_at_ms > 0 {
                    div.soft { "began " (ago(progress.started_at_ms, at_ms)) }
                }
            }
            td { bdi { (request.principal) } }
            td { (state(progress)) }
            td { (through(progress)) " of " (tasks_of(progress.matching)) }
            td { @match &request.reason { Some(why) => bdi { (why) }, None => "nobody said" } }
        }
    }
}
