//! Many tasks at once: looked at first, begun, and followed to their end.

use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use failure_queue::names::bulk_workflow_id;
use failure_queue::{BulkAction, BulkProgress};
use futures::FutureExt;
use maud::{Markup, html};
use pizza_app::{BulkPreview, StartBulk};
use pizza_contract::ErrorCode;
use pizza_store::now_ms;
use uuid::Uuid;

use super::super::form::{KEY, key_field};
use super::super::layout::{Page, Site};
use super::super::looking::{Look, Looker, looking};
use super::super::temporal_ui::temporal_link;
use super::super::text::ago;
use super::filter::Typed;
use super::frame::{Asked, BULK, Operating, OperatorForm, TASKS, asked, page_of, refusal};
use super::task_list;
use super::words::tasks_of;
use crate::client::Client;
use crate::connection::Closing;
use crate::gateway::{App, AppState};
use crate::problem::Problem;

/// How often an operation is looked at: a few pages of tasks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Tasks each second that the form begins with.
const RATE: &str = "20";

pub(super) const fn name_of(action: BulkAction) -> &'static str {
    match action {
        BulkAction::Redrive => "redrive",
        BulkAction::Discard => "discard",
    }
}

pub(super) const fn words_of(action: BulkAction) -> &'static str {
    match action {
        BulkAction::Redrive => "Run again",
        BulkAction::Discard => "Let go",
    }
}

fn action_of(name: Option<&str>) -> Result<BulkAction, Problem> {
    let known = [BulkAction::Redrive, BulkAction::Discard]
        .into_iter()
        .find(|action| Some(name_of(*action)) == name);
    known.ok_or_else(|| {
        let detail = "must be redrive or discard";
        Problem::new(ErrorCode::InvalidValue, detail).field("action")
    })
}

/// What is to be done to which tasks, as it was typed.
struct Typing {
    action: BulkAction,
    filter: Typed,
    reason: Option<String>,
    rate: Option<String>,
    key: Option<String>,
}

impl Typing {
    fn read<'a>(text: impl Fn(&str) -> Option<&'a str>) -> Result<Self, Problem> {
        let owned = |field| text(field).map(str::to_owned);
        Ok(Self {
            action: action_of(text("action"))?,
            filter: Typed::read(&text),
            reason: owned("reason"),
            rate: owned("ratePerSecond"),
            key: owned(KEY),
        })
    }

    /// The request. Every task is meant only where `all` says so.
    fn request(&self, all: bool, principal: String) -> Result<StartBulk, Problem> {
        let rate = self.rate.as_deref().map(|rate| {
            rate.trim().parse().map_err(|_| {
                let detail = "must be a number";
                Problem::new(ErrorCode::InvalidType, detail).field("ratePerSecond")
            })
        });
        Ok(StartBulk {
            action: self.action,
            all,
            filter: self.filter.filter()?,
            principal,
            reason: self.reason.clone(),
            rate_per_second: rate.transpose()?,
            key: None,
        })
    }

    /// What it would act on.
    async fn preview(&self, app: &App) -> Result<BulkPreview, Problem> {
        let request = Self {
            filter: self.filter.clone(),
            rate: None,
            reason: None,
            key: None,
            ..*self
        };
        let request = request.request(self.filter.is_empty(), String::new())?;
        Ok(app.use_cases().preview_bulk(request).await?)
    }
}

/// `GET /operator/bulk`: what an operation would act on.
pub(super) async fn preview(
    operator: Operating,
    State(app): State<AppState>,
    Query(query): Query<Asked>,
) -> Result<Response, Problem> {
    let typing = Typing::read(|field| asked(&query, field))?;
    let preview = typing.preview(&app).await?;
    let site = operator.site(&app);
    let page = previewed(&site, &typing, &preview, None).await;
    Ok(site.show(page))
}

async fn previewed(
    site: &Site<'_>,
    typing: &Typing,
    preview: &BulkPreview,
    refused: Option<&Problem>,
) -> Page {
    let title = format!(
        "{}: {}",
        words_of(typing.action),
        tasks_of(preview.matching)
    );
    let query = typing.filter.query(&[]);
    let sample = &preview.sample;
    let details = site.app.use_cases().failure_details(sample).await;
    let mut page = page_of(
        site,
        TASKS,
        &title,
        html! {
            p.lead { "This is about " (typing.filter.words()) "." }
            @if let Some(problem) = refused { (refusal(problem)) }
            @if preview.matching == 0 {
                p.card.lead { "There are no such tasks now: nothing is to be done." }
                p { a.button.quiet href=(site.at(&format!("{}?{query}", TASKS))) { "Back" } }
            } @else {
                (start_form(site, typing, preview, refused))
                h2 { "The latest of them" }
                (task_list::listed(site, sample, &details, now_ms()))
            }
        },
    );
    if let Some(problem) = refused {
        page.status = problem.code.status();
    }
    page
}

fn start_form(
    site: &Site<'_>,
    typing: &Typing,
    preview: &BulkPreview,
    refused: Option<&Problem>,
) -> Markup {
    let is_wrong = |field: &str| {
        let named = refused.and_then(|problem| problem.field.as_deref());
        (named == Some(field)).then_some("true")
    };
    let is_discard = typing.action == BulkAction::Discard;
    let tasks = tasks_of(preview.matching);
    let what = match typing.action {
        BulkAction::Redrive => format!("Run {tasks} again"),
        BulkAction::Discard => format!("Let {tasks} go"),
    };
    let question = is_discard.then(|| format!("{what}? What they owe stays owed."));
    let query = typing.filter.query(&[]);
    html! {
        form.card #start method="post" action=(site.at(BULK)) {
            (site.form_token())
            (key_field(Uuid::new_v4(), typing.key.as_deref(), refused))
            input type="hidden" name="action" value=(name_of(typing.action));
            (typing.filter.hidden())
            @if typing.filter.is_empty() { input type="hidden" name="all" value="yes"; }
            label for="reason" { @if is_discard { "Why" } @else { "Why, if you like" } }
            input #reason name="reason" maxlength="500" autocomplete="off" dir="auto"
                required[is_discard] value=[typing.reason.as_deref()]
                aria-invalid=[is_wrong("reason")]
                aria-describedby=[is_wrong("reason").map(|_| "wrong")];
            label for="rate" { "Tasks each second, 0.1 to 100" }
            input #rate name="ratePerSecond" inputmode="decimal"
                value=(typing.rate.as_deref().unwrap_or(RATE))
                aria-invalid=[is_wrong("ratePerSecond")]
                aria-describedby=[is_wrong("ratePerSecond").map(|_| "wrong")];
            p.row {
                button data-confirm=[question] { (what) }
                a href=(site.at(&format!("{}?{query}", TASKS))) { "Rather not" }
            }
            p.soft {
                "Tasks that are parked after it begins are left alone. It can be stopped on its way."
            }
        }
    }
}

/// `POST /operator/bulk`.
pub(super) async fn start(
    State(app): State<AppState>,
    operator: OperatorForm,
) -> Result<Response, Problem> {
    let typing = Typing::read(|field| operator.form.text(field))?;
    let started = async {
        let all = operator.form.text("all") == Some("yes");
        let mut request = typing.request(all, operator.principal.clone())?;
        request.key = operator.form.key()?;
        Ok::<_, Problem>(app.use_cases().start_bulk(request).await?)
    };
    match started.await {
        Ok(started) => Ok(to(&app, &started.id)),
        Err(problem) => {
            // What cannot be looked at now could not begin either.
            let Ok(preview) = typing.preview(&app).await else {
                return Err(problem);
            };
            let site = operator.site(&app);
            let page = previewed(&site, &typing, &preview, Some(&problem)).await;
            Ok(site.show(page))
        }
    }
}

fn to(app: &App, id: &str) -> Response {
    Redirect::to(&format!("{}{BULK}/{id}", app.base_path())).into_response()
}

/// `GET /operator/bulk/{id}`.
pub(super) async fn page(
    operator: Operating,
    State(app): State<AppState>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    shown(&operator.site(&app), &id, None).await
}

async fn shown(site: &Site<'_>, id: &str, refused: Option<&Problem>) -> Result<Response, Problem> {
    let progress = match site.app.use_cases().bulk(id).await {
        Ok(progress) => Some(progress),
        Err(error) if error.may_pass() => None,
        Err(error) => return Err(error.into()),
    };
    let mut page = page_of(
        site,
        TASKS,
        "Many tasks at once",
        html! {
            @if let Some(problem) = refused { (refusal(problem)) }
            p.soft { "Operation " (temporal_link(site, &bulk_workflow_id(id))) }
            (parts(site, id, progress.as_ref(), now_ms()))
        },
    );
    if progress.is_none_or(|progress| progress.ended_at_ms.is_none()) {
        page.live = Some(site.at(&format!("{BULK}/{id}/live")));
    }
    if let Some(problem) = refused {
        page.status = problem.code.status();
    }
    Ok(site.show(page))
}

fn parts(site: &Site<'_>, id: &str, progress: Option<&BulkProgress>, at_ms: i64) -> Markup {
    html! {
        section.card data-part="bulk" aria-label="How far it is" {
            @match progress {
                Some(progress) => (how_far(site, id, progress, at_ms)),
                None => p role="status" {
                    "How far it is, nobody can tell right now: Temporal, or its worker, does not \
                     answer. It goes on all the same, and this page tells as soon as it can."
                },
            }
        }
    }
}

fn how_far(site: &Site<'_>, id: &str, progress: &BulkProgress, at_ms: i64) -> Markup {
    let request = &progress.request;
    let counts = &progress.counts;
    let through = through(progress);
    let filter = Typed::read(|field| match field {
        "queue" => request.filter.queue.as_deref(),
        "messageType" => request.filter.message_type.as_deref(),
        "errorCode" => request.filter.error_code.as_deref(),
        _ => None,
    });
    let subject: Vec<_> = request
        .filter
        .subject
        .values()
        .map(String::as_str)
        .collect();
    html! {
        p { (state(progress)) }
        p {
            label for="through" { (through) " of " (tasks_of(progress.matching)) }
            progress #through value=(through) max=(progress.matching.max(through).max(1)) {}
        }
        dl {
            dt { "What" }
            dd {
                (words_of(request.action)) ": " (filter.words())
                @for subject in &subject { ", of " bdi { (subject) } }
            }
            dt { "By" } dd { bdi { (request.principal) } }
            @if let Some(reason) = &request.reason { dt { "Why" } dd { bdi { (reason) } } }
            dt { "Speed, at most" } dd { (request.rate_per_second) " a second" }
            @if progress.started_at_ms > 0 {
                dt { "Began" } dd { (ago(progress.started_at_ms, at_ms)) }
            }
            @if let Some(ended) = progress.ended_at_ms { dt { "Ended" } dd { (ago(ended, at_ms)) } }
            @for (words, number) in [
                ("Done", counts.done),
                ("Failed again", counts.failed_again),
                ("Let go", counts.discarded),
                ("Left alone", counts.skipped),
                ("No answer", counts.unanswered),
            ] {
                @if number > 0 { dt { (words) } dd { (tasks_of(number)) } }
            }
        }
        (problems(site, progress))
        @if progress.ended_at_ms.is_none() && !progress.stopped {
            form method="post" action=(site.at(&format!("{BULK}/{id}/stop"))) {
                (site.form_token())
                button.quiet #stop { "Stop it" }
                p.soft { "Once the tasks under way are through. What it has done stays done." }
            }
        }
    }
}

/// How many tasks it has been at.
pub(super) const fn through(progress: &BulkProgress) -> u64 {
    let counts = &progress.counts;
    counts.done + counts.failed_again + counts.discarded + counts.skipped + counts.unanswered
}

pub(super) fn state(progress: &BulkProgress) -> Markup {
    let (class, words) = match (progress.ended_at_ms, progress.stopped) {
        (None, false) => ("running", "under way"),
        (None, true) => ("running", "stopping"),
        (Some(_), true) => ("undone", "stopped"),
        (Some(_), false) => ("done", "through"),
    };
    html! { span class={ "badge " (class) } data-state=(words) { (words) } }
}

fn problems(site: &Site<'_>, progress: &BulkProgress) -> Markup {
    let problems = &progress.counts.problems;
    html! {
        @if !problems.is_empty() {
            h2 { "Not as wished" }
            ul {
                @for problem in problems {
                    li {
                        a href=(site.at(&format!("/operator/tasks/{}", problem.task_id))) {
                            (problem.task_id)
                        }
                        ": " bdi { (problem.problem) }
                    }
                }
            }
        }
    }
}

/// `GET /operator/bulk/{id}/live`.
pub(super) async fn live(
    operator: Operating,
    State(app): State<AppState>,
    Extension(closing): Extension<Closing>,
    Extension(client): Extension<Client>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    match app.use_cases().bulk(&id).await {
        Err(error) if !error.may_pass() => return Err(error.into()),
        _ => {}
    }
    looking(
        &app,
        &client,
        closing,
        operator.visitor,
        LOOK_EVERY,
        move |looker| look(looker, id.clone()).boxed(),
    )
}

async fn look(looker: Looker, id: String) -> Look {
    match looker.app.use_cases().bulk(&id).await {
        Ok(progress) => {
            let parts = parts(&looker.site(), &id, Some(&progress), looker.since_ms);
            match progress.ended_at_ms {
                Some(_) => Look::Last(parts),
                None => Look::Now(parts),
            }
        }
        Err(error) if error.may_pass() => Look::Away,
        Err(_) => Look::Gone,
    }
}

/// `POST /operator/bulk/{id}/stop`.
pub(super) async fn stop(
    State(app): State<AppState>,
    Path(id): Path<String>,
    operator: OperatorForm,
) -> Result<Response, Problem> {
    match app.use_cases().stop_bulk(&id, &operator.principal).await {
        Ok(_) => Ok(to(&app, &id)),
        Err(error) if error.may_pass() => {
            let problem = Problem::from(error);
            shown(&operator.site(&app), &id, Some(&problem)).await
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_known_by_its_name() {
        for action in [BulkAction::Redrive, BulkAction::Discard] {
            assert_eq!(action_of(Some(name_of(action))), Ok(action));
        }
        for bad in [None, Some(""), Some("delete")] {
            let refused = action_of(bad).expect_err("refused");
            assert_eq!(refused.field.as_deref(), Some("action"), "{bad:?}");
        }
    }

    #[test]
    fn every_task_is_meant_only_when_that_is_said() {
        let typing = Typing::read(|field| (field == "action").then_some("redrive"));
        let typing = typing.expect("typed");
        let all = |all| {
            typing
                .request(all, "ann".to_owned())
                .expect("a request")
                .all
        };
        assert!(all(true));
        assert!(!all(false));
    }
}
