//! Parked tasks in a table.

use failure_queue::client::ListedTask;
use failure_queue::{StepFailure, TaskState, TaskView};
use maud::{Markup, html};
use pizza_app::{FailureDetails, order_and_customer};
use pizza_domain::OrderId;

use super::super::layout::Site;
use super::super::order::short;
use super::super::text::{ago, beginning};
use super::frame::table;
use super::words::{owes, queue_words, state_badge};

/// The longest message of an error in a table, in characters.
const LONGEST: usize = 160;

/// These tasks, each with what is known of it. `details` may be fewer.
pub(super) fn listed(
    site: &Site<'_>,
    tasks: &[ListedTask],
    details: &[FailureDetails],
    at_ms: i64,
) -> Markup {
    let unknown = FailureDetails::default();
    let details = details.iter().chain(std::iter::repeat(&unknown));
    let head = html! {
        th scope="col" { "Task" }
        th scope="col" { "Owes" }
        th scope="col" { "Error" }
        th scope="col" { "Tried" }
        th scope="col" { "Parked" }
        th scope="col" { "State" }
    };
    let rows = html! {
        @for (task, known) in tasks.iter().zip(details) { (row(site, task, known, at_ms)) }
    };
    table("Tasks", &head, &rows)
}

fn row(site: &Site<'_>, task: &ListedTask, known: &FailureDetails, at_ms: i64) -> Markup {
    let (order_id, customer) = order_and_customer(&task.subject);
    let view = known.view.as_ref();
    let state = view.map_or(task.state, |view| view.state);
    let was_done = known.was_done || state == TaskState::Done;
    let own = site.at(&format!("/operator/tasks/{}", task.id));
    html! {
        tr data-task=(task.id) {
            th scope="row" {
                a href=(own) { (queue_words(&task.queue)) }
                div.soft { (order_link(site, &order_id)) " of " bdi { (customer) } }
            }
            td { (owes(&task.message_type, was_done, view, known.order.as_ref())) }
            td { (error(&task.error_code, view.map(|view| &view.failure))) }
            td { (tried(view, at_ms)) }
            td { (ago(task.parked_at_ms, at_ms)) }
            td { (state_badge(state)) }
        }
    }
}

/// The way to an order's page.
pub(super) fn order_link(site: &Site<'_>, order_id: &str) -> Markup {
    html! {
        @match order_id.parse::<OrderId>() {
            Ok(id) => a href=(site.at(&format!("/orders/{id}"))) { "order " (short(id)) },
            Err(_) => "no order",
        }
    }
}

fn error(code: &str, failure: Option<&StepFailure>) -> Markup {
    html! {
        @match failure {
            Some(failure) => {
                code { (failure.code) } ": " bdi { (beginning(&failure.message, LONGEST)) }
            }
            None => code { (code) },
        }
    }
}

fn tried(view: Option<&TaskView>, at_ms: i64) -> Markup {
    html! {
        @match view {
            Some(view) => {
                (view.attempts) "×, first " (ago(view.task.first_attempt_at_ms, at_ms))
                ", last " (ago(view.last_failure_at_ms, at_ms))
            }
            None => "unknown",
        }
    }
}
