//! The list of parked tasks.

use axum::extract::{Query, State};
use axum::response::Response;
use failure_queue::BulkAction;
use failure_queue::client::StateFilter;
use maud::{Markup, html};
use pizza_app::{FailureDetails, Failures, ListFailures};
use pizza_contract::ErrorCode;
use pizza_store::now_ms;

use super::super::layout::Site;
use super::filter::Typed;
use super::frame::{Asked, BULK, Operating, TASKS, asked, next_page, page_of, refusal};
use super::words::queue_words;
use super::{bulk, task_list};
use crate::gateway::{App, AppState};
use crate::problem::Problem;

/// Tasks on a page, each of which is looked at.
const PAGE: u32 = 20;

/// What the list is asked for.
struct Wanted {
    filter: Typed,
    state: StateFilter,
    cursor: Option<String>,
}

impl Wanted {
    fn read(query: &Asked) -> Result<Self, Problem> {
        let state = asked(query, "state").unwrap_or(OPEN);
        let known = STATES.iter().find(|(name, ..)| *name == state);
        let (_, _, state) = known.ok_or_else(|| {
            let detail = "must be open, done or discarded";
            Problem::new(ErrorCode::InvalidValue, detail).field("state")
        })?;
        Ok(Self {
            filter: Typed::read(|field| asked(query, field)),
            state: *state,
            cursor: asked(query, "cursor").map(str::to_owned),
        })
    }
}

const OPEN: &str = "open";

/// Where listed tasks stand.
const STATES: [(&str, &str, StateFilter); 3] = [
    (OPEN, "waiting", StateFilter::Open),
    ("done", "done", StateFilter::Done),
    ("discarded", "let go", StateFilter::Discarded),
];

fn state_name(state: StateFilter) -> &'static str {
    let known = STATES.iter().find(|(.., known)| *known == state);
    known.map_or(OPEN, |(name, ..)| name)
}

/// A page of tasks, and what is known of each.
struct Found {
    tasks: Failures,
    details: Vec<FailureDetails>,
}

/// `GET /operator/tasks`.
pub(super) async fn page(
    operator: Operating,
    State(app): State<AppState>,
    Query(query): Query<Asked>,
) -> Result<Response, Problem> {
    let site = operator.site(&app);
    let wanted = Wanted::read(&query)?;
    let found = find(&app, &wanted).await;
    let title = match wanted.filter.get("queue") {
        Some(queue) => queue_words(queue),
        None => "Parked tasks",
    };
    let mut page = page_of(
        &site,
        TASKS,
        title,
        html! {
            @match &found {
                Ok(found) => {
                    (choice(&site, &wanted, None))
                    (list(&site, &wanted, found))
                }
                Err(problem) => {
                    (refusal(problem))
                    @if problem.code == ErrorCode::TemporalUnavailable {
                        p { "Parked tasks live in Temporal, and nothing of them is lost. Load this \
                             page again in a moment." }
                    }
                    (choice(&site, &wanted, Some(problem)))
                }
            }
        },
    );
    if let Err(problem) = &found {
        page.status = problem.code.status();
    }
    Ok(site.show(page))
}

async fn find(app: &App, wanted: &Wanted) -> Result<Found, Problem> {
    let request = ListFailures {
        filter: wanted.filter.filter()?,
        state: wanted.state,
        limit: Some(PAGE.into()),
        cursor: wanted.cursor.clone(),
    };
    let tasks = app.use_cases().list_failures(request).await?;
    let details = app.use_cases().failure_details(&tasks.failures).await;
    Ok(Found { tasks, details })
}

/// What the list is asked for, to be changed.
fn choice(site: &Site<'_>, wanted: &Wanted, refused: Option<&Problem>) -> Markup {
    let wrong = refused.and_then(|problem| problem.field.as_deref());
    html! {
        form.card.row method="get" action=(site.at(TASKS)) aria-label="Which tasks" {
            div {
                label for="state" { "State" }
                select #state name="state" {
                    @for (name, words, state) in STATES {
                        option value=(name) selected[state == wanted.state] { (words) }
                    }
                }
            }
            (wanted.filter.fields(wrong))
            button { "Show" }
        }
    }
}

fn list(site: &Site<'_>, wanted: &Wanted, found: &Found) -> Markup {
    let tasks = &found.tasks.failures;
    if tasks.is_empty() {
        return nothing(site, wanted);
    }
    let state = state_name(wanted.state);
    let query = wanted.filter.query(&[("state", state)]);
    let unread = found.details.iter().any(|known| known.view.is_none());
    html! {
        @if unread {
            p.soft role="status" {
                "Of some tasks no worker tells more right now: how often they were tried, and \
                 what went wrong, is left out."
            }
        }
        (task_list::listed(site, tasks, &found.details, now_ms()))
        (next_page(site, TASKS, &query, found.tasks.next_cursor.as_deref()))
        @if wanted.state == StateFilter::Open { (for_all(site, &wanted.filter)) }
        @if let Some(queue) = wanted.filter.get("queue") {
            p { a href=(site.at(&format!("/operator/queues/{queue}"))) {
                "When tasks of this queue are run again by themselves"
            } }
        }
    }
}

fn nothing(site: &Site<'_>, wanted: &Wanted) -> Markup {
    html! {
        @if wanted.cursor.is_some() {
            p.card.lead { "That was all." }
        } @else if wanted.filter.is_empty() && wanted.state == StateFilter::Open {
            p.card.lead { "Nothing waits for an operator." }
        } @else {
            p.card.lead { "There are no such tasks." }
            p.row {
                a.button.quiet href=(site.at(TASKS)) { "All that wait" }
                span.soft { "Temporal's list is a moment behind: what was parked just now comes soon." }
            }
        }
    }
}

/// What can be done to all tasks of the list at once; it begins with a look
/// at which they are.
fn for_all(site: &Site<'_>, filter: &Typed) -> Markup {
    html! {
        form.card method="get" action=(site.at(BULK)) {
            h2 { "All of them at once" }
            (filter.hidden())
            p { "This is about " (filter.words()) ", on every page of the list." }
            p.row {
                button.quiet name="action" value=(bulk::name_of(BulkAction::Redrive)) {
                    "Run all again …"
                }
                button.quiet name="action" value=(bulk::name_of(BulkAction::Discard)) {
                    "Let all go …"
                }
            }
            p.soft { "You see first how many that are." }
        }
    }
}
