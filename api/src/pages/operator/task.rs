//! One parked task, and what can be done about it.

use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use failure_queue::{
    Attempt, AttemptOutcome, AuditAction, AuditEntry, AuditOutcome, TaskState, TaskView,
};
use futures::FutureExt;
use maud::{Markup, html};
use pizza_app::{DiscardFailure, FailureId, RedriveFailure, UseCaseError, order_and_customer};
use pizza_contract::ErrorCode;
use pizza_contract::reading::UniqueFields;
use pizza_store::{OrderRecord, now_ms};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::super::form::KEY;
use super::super::layout::Site;
use super::super::looking::{Look, Looker, looking};
use super::super::order::{badge, short};
use super::super::temporal_ui::temporal_link;
use super::super::text::{ago, count, left};
use super::frame::{Operating, OperatorForm, TASKS, page_of};
use super::task_forms::{Forms, Refused, Wish};
use super::task_list::order_link;
use super::words::{failure, owes, policy_words, queue_words, readable, state_badge};
use crate::client::Client;
use crate::connection::Closing;
use crate::gateway::{App, AppState};
use crate::problem::Problem;

/// How often an open task is looked at: somebody else may see to it, or its
/// queue's policy.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The most entries of its trail on the page, the last ones.
const MOST_ENTRIES: usize = 20;

/// A task, and the order that it belongs to.
struct Known {
    view: TaskView,
    /// In this run of its workflow or in one before a reset.
    was_done: bool,
    order: Option<OrderRecord>,
}

impl Known {
    async fn read(app: &App, id: &FailureId) -> Result<Self, UseCaseError> {
        let view = app.use_cases().show_failure(id).await?;
        let (order_id, _) = order_and_customer(&view.task.subject);
        let order = app.use_cases().order_behind(&order_id).await;
        let was_done = app.use_cases().was_done(&view).await;
        Ok(Self {
            view,
            was_done,
            order,
        })
    }
}

/// `GET /operator/tasks/{id}`.
pub(super) async fn page(
    operator: Operating,
    State(app): State<AppState>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = FailureId::parse(&id)?;
    let known = Known::read(&app, &id).await?;
    Ok(shown(&operator.site(&app), &known, None))
}

fn shown(site: &Site<'_>, known: &Known, refused: Option<&Refused>) -> Response {
    let view = &known.view;
    let (order_id, _) = order_and_customer(&view.task.subject);
    let order = order_id.parse().map_or(order_id, short);
    let title = format!("{}: order {order}", queue_words(&view.task.queue));
    let mut page = page_of(
        site,
        TASKS,
        &title,
        html! {
            p.soft { "Task " (temporal_link(site, &view.id)) }
            (parts(site, known, refused, Uuid::new_v4(), now_ms()))
        },
    );
    // What was typed and refused stays for whoever corrects it.
    let is_corrected = refused.is_some() && view.state == TaskState::Waiting;
    if is_open(view.state) && !is_corrected {
        page.live = Some(site.at(&format!("/operator/tasks/{}/live", view.id)));
    }
    if let Some(refused) = refused {
        page.status = refused.problem.code.status();
    }
    site.show(page)
}

const fn is_open(state: TaskState) -> bool {
    matches!(state, TaskState::Waiting | TaskState::Redriving)
}

/// All that may change. The keys of its forms are made of `seed`.
fn parts(
    site: &Site<'_>,
    known: &Known,
    refused: Option<&Refused>,
    seed: Uuid,
    at_ms: i64,
) -> Markup {
    let forms = Forms {
        site,
        view: &known.view,
        refused,
        seed,
    };
    html! {
        div.columns data-part="task" {
            div {
                (about(site, known, at_ms))
                (error(&known.view, at_ms))
            }
            div { (forms.draw()) }
        }
        div data-part="trail" {
            (trail(&known.view, at_ms))
            (step(site, &known.view))
        }
    }
}

/// What a person looks for first.
fn about(site: &Site<'_>, known: &Known, at_ms: i64) -> Markup {
    let view = &known.view;
    let task = &view.task;
    let (order_id, customer) = order_and_customer(&task.subject);
    let order = known.order.as_ref();
    html! {
        section.card aria-label="The task" {
            p { (state_badge(view.state)) }
            @if let Some(last) = view.audit.last() { p { "Last: " (told(last, at_ms)) } }
            dl {
                dt { "Owes" }
                dd #owes { strong { (owes(&task.message_type, known.was_done, Some(view), order)) } }
                dt { "Order" }
                dd {
                    (order_link(site, &order_id))
                    @if let Some(order) = order { " " (badge(order.status)) }
                }
                dt { "Customer" } dd { bdi { (customer) } }
                dt { "Queue" }
                dd {
                    a href=(site.at(&format!("/operator/tasks?queue={}", task.queue))) {
                        (task.queue)
                    }
                    " (" (task.message_type) ")"
                }
                dt { "Parked" } dd { (ago(task.parked_at_ms, at_ms)) }
                dt { "By itself" }
                dd {
                    @match &view.auto_redrive {
                        Some(policy) => (policy_words(policy)),
                        None => "never run again",
                    }
                    @if let Some(next) = view.next_redrive_at_ms {
                        "; next time: " (left(next, at_ms))
                    }
                }
            }
        }
    }
}

fn error(view: &TaskView, at_ms: i64) -> Markup {
    html! {
        section.card aria-label="What went wrong" {
            h2 { "What went wrong" }
            p #error { (failure(&view.failure)) }
            p.soft {
                @if view.failure.refused { "A refusal: to ask again may be pointless." }
                @else { "A fault: it may pass." }
            }
            dl {
                dt { "Tried" } dd #attempts { (count(view.attempts.into(), "time", "times")) }
                dt { "First" } dd { (ago(view.task.first_attempt_at_ms, at_ms)) }
                dt { "Last failure" } dd { (ago(view.last_failure_at_ms, at_ms)) }
            }
        }
    }
}

/// Who did what, and each time that it was run again, last first.
fn trail(view: &TaskView, at_ms: i64) -> Markup {
    let audit = view.audit.iter().rev().take(MOST_ENTRIES);
    let redrives = view.redrives.iter().rev().take(MOST_ENTRIES);
    let audit_left = view.audit.len().saturating_sub(MOST_ENTRIES);
    let earlier = u64::from(view.earlier_audit) + u64::try_from(audit_left).unwrap_or_default();
    html! {
        section.card #audit aria-label="Audit trail" {
            h2 { "Audit trail" }
            @if view.audit.is_empty() { p { "Nobody has done anything to it." } }
            ol.timeline { @for entry in audit { li { (told(entry, at_ms)) } } }
            @if earlier > 0 { p.soft { "And " (earlier) " before those." } }
        }
        @if !view.redrives.is_empty() {
            section.card #redrives aria-label="Run again" {
                h2 { "Run again" }
                ol.timeline { @for attempt in redrives { li { (run(attempt, at_ms)) } } }
                @if view.earlier_redrives > 0 {
                    p.soft { "And " (view.earlier_redrives) " before those." }
                }
            }
        }
    }
}

fn told(entry: &AuditEntry, at_ms: i64) -> Markup {
    let action = match entry.action {
        AuditAction::Redrive => "ran it again",
        AuditAction::Discard => "let it go",
        AuditAction::SetPolicy => "changed when it is run again by itself",
    };
    html! {
        bdi { (entry.principal) } " " (action)
        @if entry.corrected_input { " with another input" }
        @match entry.outcome {
            AuditOutcome::Pending => ", which is under way",
            AuditOutcome::Done => "",
            AuditOutcome::FailedAgain => { ", " strong { "which failed again" } }
        }
        div.when {
            (ago(entry.at_ms, at_ms))
            @if let Some(reason) = &entry.reason { ", “" bdi { (reason) } "”" }
        }
    }
}

fn run(attempt: &Attempt, at_ms: i64) -> Markup {
    html! {
        @if attempt.automatic { "By itself, as " bdi { (attempt.principal) } " set it: " }
        @else { "By " bdi { (attempt.principal) } ": " }
        @match &attempt.outcome {
            AttemptOutcome::Done => strong { "done" },
            AttemptOutcome::FailedAgain(error) => {
                strong { "failed again" } ", " (failure(error))
            }
        }
        div.when { (ago(attempt.ended_at_ms, at_ms)) }
    }
}

/// What a redrive runs, and where it comes from.
fn step(site: &Site<'_>, view: &TaskView) -> Markup {
    let task = &view.task;
    html! {
        section.card #step aria-label="The step" {
            h2 { "The step" }
            dl {
                dt { "Activity" } dd { code { (task.activity_type) } }
                dt { "Task queue" } dd { code { (task.task_queue) } }
                dt { "Key" } dd { code { (task.idempotency_key) } }
                dt { "From" } dd { (temporal_link(site, &task.workflow_id)) }
                dt { "Run" } dd { code { (task.run_id) } }
                @for then in &task.follow_ups {
                    dt { "Then" } dd { code { (then.activity_type) } }
                }
            }
            h3 { "Input" }
            (input(readable(&view.input)))
            @if let Some(corrected) = &view.corrected_input {
                h3 { "Corrected input" }
                (input(readable(corrected)))
            }
        }
    }
}

fn input(text: Option<String>) -> Markup {
    html! {
        @match text {
            Some(text) => pre tabindex="0" { code { (text) } },
            None => p.soft {
                "It is encrypted, too long for a page, or cannot be read: the Temporal UI and "
                code { "pizza failures show" } " have it as it is."
            },
        }
    }
}

/// `GET /operator/tasks/{id}/live`: a task until it is settled.
pub(super) async fn live(
    operator: Operating,
    State(app): State<AppState>,
    Extension(closing): Extension<Closing>,
    Extension(client): Extension<Client>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = FailureId::parse(&id)?;
    let seed = Uuid::new_v4();
    looking(
        &app,
        &client,
        closing,
        operator.visitor,
        LOOK_EVERY,
        move |looker| look(looker, id.clone(), seed).boxed(),
    )
}

async fn look(looker: Looker, id: FailureId, seed: Uuid) -> Look {
    match Known::read(&looker.app, &id).await {
        Ok(known) => {
            let parts = parts(&looker.site(), &known, None, seed, looker.since_ms);
            match is_open(known.view.state) {
                true => Look::Now(parts),
                false => Look::Last(parts),
            }
        }
        Err(error) if error.may_pass() => Look::Away,
        Err(_) => Look::Gone,
    }
}

/// `POST /operator/tasks/{id}/redrive`.
pub(super) async fn redrive(
    State(app): State<AppState>,
    Path(id): Path<String>,
    operator: OperatorForm,
) -> Result<Response, Problem> {
    let id = FailureId::parse(&id)?;
    let wish = match operator.form.text("input") {
        Some(_) => Wish::RedriveWithInput,
        None => Wish::Redrive,
    };
    let done = async {
        let request = RedriveFailure {
            id: id.clone(),
            principal: operator.principal.clone(),
            reason: operator.owned("reason"),
            key: operator.form.key()?,
            input: operator.form.text("input").map(read_input).transpose()?,
            original_input: operator.form.text("originalInput") == Some("yes"),
        };
        // How it ended, or that it goes on, its page tells.
        app.use_cases().redrive_failure(request).await?;
        Ok(())
    };
    let done = done.await;
    answered(&app, &operator, &id, wish, done).await
}

/// A corrected input, in which each field stands once.
fn read_input(text: &str) -> Result<Map<String, Value>, Problem> {
    let input: UniqueFields = serde_json::from_str(text).map_err(|error| {
        let detail = format!("is not a JSON object: {error}");
        Problem::new(ErrorCode::InvalidJson, detail).field("input")
    })?;
    if let Some(field) = input.repeated {
        let detail = format!("{field} is given twice");
        return Err(Problem::new(ErrorCode::DuplicateField, detail).field("input"));
    }
    Ok(input.fields.into_iter().collect())
}

/// `POST /operator/tasks/{id}/discard`.
pub(super) async fn discard(
    State(app): State<AppState>,
    Path(id): Path<String>,
    operator: OperatorForm,
) -> Result<Response, Problem> {
    let id = FailureId::parse(&id)?;
    let done = async {
        let request = DiscardFailure {
            id: id.clone(),
            principal: operator.principal.clone(),
            reason: operator.owned("reason"),
            key: operator.form.key()?,
        };
        Ok(app.use_cases().discard_failure(request).await?)
    };
    let done = done.await;
    answered(&app, &operator, &id, Wish::Discard, done).await
}

/// Back to the task, which says itself what became of it, or with what was
/// wrong.
async fn answered(
    app: &App,
    operator: &OperatorForm,
    id: &FailureId,
    wish: Wish,
    done: Result<(), Problem>,
) -> Result<Response, Problem> {
    let Err(problem) = done else {
        let page = format!("{}/operator/tasks/{}", app.base_path(), id.as_str());
        return Ok(Redirect::to(&page).into_response());
    };
    // Who cannot be asked for the task now could not act on it either.
    let Ok(known) = Known::read(app, id).await else {
        return Err(problem);
    };
    let refused = Refused {
        wish,
        reason: operator.owned("reason"),
        input: operator.owned("input"),
        key: operator.owned(KEY),
        problem,
    };
    Ok(shown(&operator.site(app), &known, Some(&refused)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_corrected_input_is_an_object_whose_fields_stand_once() {
        let read = |text: &str| read_input(text).map_err(|problem| problem.code);
        let input = read(r#"{"amount": 1, "simulation": {"pace": 0}}"#).expect("an input");
        assert_eq!(input["amount"], 1);
        for bad in ["", "{", "[]", "1", "\"x\""] {
            assert_eq!(read(bad), Err(ErrorCode::InvalidJson), "{bad}");
        }
        for twice in [r#"{"a":1,"a":2}"#, r#"{"a":{"b":1,"b":1}}"#] {
            assert_eq!(read(twice), Err(ErrorCode::DuplicateField), "{twice}");
        }
    }
}
