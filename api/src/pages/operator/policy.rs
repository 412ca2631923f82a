//! When the tasks of a queue are run again by themselves.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use failure_queue::{AutoRedrive, PolicyChange, QueuePolicy};
use maud::{Markup, html};
use pizza_contract::reading::integer_in;
use pizza_contract::{self as contract, ErrorCode};
use pizza_store::now_ms;

use super::super::layout::Site;
use super::super::text::{ago, count};
use super::frame::{Operating, OperatorForm, QUEUES, page_of, refusal};
use super::words::{policy_words, queue_words};
use crate::gateway::AppState;
use crate::problem::Problem;

/// The most changes on the page, the last ones.
const MOST_CHANGES: usize = 20;

/// The fields of a policy, what people call them, and what they begin with.
const FIELDS: [(&str, &str, &str); 5] = [
    ("firstWaitSeconds", "First wait (s), 0.1 to 2592000", "60"),
    (
        "backoff",
        "Each wait is this many times as long, 1 to 10",
        "2",
    ),
    ("longestWaitSeconds", "Longest wait (s)", "3600"),
    ("maxAttempts", "Times at most, 1 to 1000", "10"),
    ("maxAgeSeconds", "Until a task is this old (s)", "86400"),
];

/// `GET /operator/queues/{queue}`.
pub(super) async fn page(
    operator: Operating,
    State(app): State<AppState>,
    Path(queue): Path<String>,
) -> Result<Response, Problem> {
    let policy = app.use_cases().queue_policy(&queue).await?;
    Ok(shown(&operator.site(&app), &queue, &policy, None))
}

/// The queue's page, and what was typed and not taken.
fn shown(
    site: &Site<'_>,
    queue: &str,
    policy: &QueuePolicy,
    refused: Option<(&OperatorForm, &Problem)>,
) -> Response {
    let mut page = page_of(
        site,
        QUEUES,
        &format!("{}: run again by itself", queue_words(queue)),
        html! {
            @if let Some((_, problem)) = refused { (refusal(problem)) }
            (now(site, policy))
            div.columns {
                (change_form(site, queue, policy, refused))
                @if policy.auto_redrive.is_some() { (off_form(site, queue)) }
            }
            (changes(&policy.changes))
        },
    );
    if let Some((_, problem)) = refused {
        page.status = problem.code.status();
    }
    site.show(page)
}

fn now(site: &Site<'_>, policy: &QueuePolicy) -> Markup {
    let reached = i64::try_from(policy.reached).unwrap_or(i64::MAX);
    html! {
        section.card #now aria-label="As it is" {
            p.lead {
                @match &policy.auto_redrive {
                    Some(policy) => (policy_words(policy)),
                    None => "Its tasks are never run again by themselves.",
                }
            }
            @if policy.version > 0 {
                p.soft {
                    (count(reached, "task that waits was told", "tasks that wait were told"))
                    @if policy.spreading { " so far; more are being told" }
                    "."
                }
            }
            p { a href=(site.at(&format!("/operator/tasks?queue={}", policy.queue))) {
                "The tasks of " (policy.queue)
            } }
        }
    }
}

fn change_form(
    site: &Site<'_>,
    queue: &str,
    policy: &QueuePolicy,
    refused: Option<(&OperatorForm, &Problem)>,
) -> Markup {
    let wrong = refused.and_then(|(_, problem)| problem.field.as_deref());
    let is_wrong = |name: &str| {
        let named = wrong.map(|field| field.trim_start_matches("autoRedrive."));
        (named == Some(name)).then_some("true")
    };
    let typed = |name: &str| refused.and_then(|(sent, _)| sent.owned(name));
    let current = policy.auto_redrive.as_ref().map(in_seconds);
    html! {
        form.card #change method="post" action=(action(site, queue)) {
            h2 { "Run its tasks again by themselves" }
            (site.form_token())
            @for (at, (name, label, default)) in FIELDS.into_iter().enumerate() {
                @let current = current.as_ref().map(|values| values[at].clone());
                label for=(name) { (label) }
                input id=(name) name=(name) inputmode="decimal" autocomplete="off" required
                    value=(typed(name).or(current).unwrap_or_else(|| default.to_owned()))
                    aria-invalid=[is_wrong(name)]
                    aria-describedby=[is_wrong(name).map(|_| "wrong")];
            }
            label for="reason" { "Why, if you like" }
            input #reason name="reason" maxlength="500" autocomplete="off" dir="auto"
                value=[typed("reason")] aria-invalid=[is_wrong("reason")];
            button name="auto" value="on" { "Let it be so" }
        }
    }
}

fn off_form(site: &Site<'_>, queue: &str) -> Markup {
    html! {
        form.card #off method="post" action=(action(site, queue)) {
            h2 { "Leave them to operators" }
            (site.form_token())
            label for="off-reason" { "Why, if you like" }
            input #off-reason name="reason" maxlength="500" autocomplete="off" dir="auto";
            button.quiet name="auto" value="off" { "Switch it off" }
        }
    }
}

fn action(site: &Site<'_>, queue: &str) -> String {
    site.at(&format!("/operator/queues/{queue}/policy"))
}

/// The values of a policy, in the order of [`FIELDS`].
fn in_seconds(policy: &AutoRedrive) -> [String; 5] {
    let seconds = |milliseconds: u64| {
        let (whole, rest) = (milliseconds / 1000, milliseconds % 1000);
        let text = format!("{whole}.{rest:03}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    [
        seconds(policy.first_wait_ms),
        policy.backoff.to_string(),
        seconds(policy.longest_wait_ms),
        policy.max_attempts.to_string(),
        seconds(policy.max_age_ms),
    ]
}

fn changes(changes: &[PolicyChange]) -> Markup {
    let at_ms = now_ms();
    html! {
        section.card #changes aria-label="Who changed it" {
            h2 { "Who changed it" }
            @if changes.is_empty() { p { "Nobody yet." } }
            ol.timeline {
                @for change in changes.iter().rev().take(MOST_CHANGES) {
                    li {
                        bdi { (change.principal) } ": "
                        @match &change.auto_redrive {
                            Some(policy) => (policy_words(policy)),
                            None => "never",
                        }
                        div.when {
                            (ago(change.at_ms, at_ms))
                            @if let Some(reason) = &change.reason { ", “" bdi { (reason) } "”" }
                        }
                    }
                }
            }
        }
    }
}

/// `POST /operator/queues/{queue}/policy`.
pub(super) async fn set(
    State(app): State<AppState>,
    Path(queue): Path<String>,
    operator: OperatorForm,
) -> Result<Response, Problem> {
    let set = async {
        let policy = read(|field| operator.form.text(field))?;
        let (principal, reason) = (operator.principal.clone(), operator.owned("reason"));
        let set = app
            .use_cases()
            .set_queue_policy(&queue, principal, reason, policy);
        set.await?;
        Ok::<_, Problem>(())
    };
    let Err(problem) = set.await else {
        let page = format!("{}/operator/queues/{queue}", app.base_path());
        return Ok(Redirect::to(&page).into_response());
    };
    // Who cannot tell the policy now could not change it either.
    let Ok(policy) = app.use_cases().queue_policy(&queue).await else {
        return Err(problem);
    };
    let refused = Some((&operator, &problem));
    Ok(shown(&operator.site(&app), &queue, &policy, refused))
}

/// The policy of a form; none switches it off. That must be said, so that
/// nothing is switched off by a slip.
fn read<'a>(
    text: impl Fn(&str) -> Option<&'a str>,
) -> Result<Option<contract::AutoRedrive>, Problem> {
    match text("auto") {
        Some("off") => return Ok(None),
        Some("on") => {}
        _ => {
            let detail = "must be on or off";
            return Err(Problem::new(ErrorCode::InvalidValue, detail).field("auto"));
        }
    }
    Ok(Some(contract::AutoRedrive {
        first_wait_seconds: number("firstWaitSeconds", &text, any)?,
        backoff: number("backoff", &text, any)?,
        longest_wait_seconds: number("longestWaitSeconds", &text, any)?,
        max_attempts: number("maxAttempts", &text, integer_in)?,
        max_age_seconds: number("maxAgeSeconds", &text, any)?,
    }))
}

fn any(text: &str) -> Option<f64> {
    text.parse().ok()
}

fn number<'a, T>(
    field: &str,
    text: impl Fn(&str) -> Option<&'a str>,
    read: fn(&str) -> Option<T>,
) -> Result<T, Problem> {
    let given = text(field).unwrap_or_default().trim();
    read(given).ok_or_else(|| {
        let detail = "must be a number";
        Problem::new(ErrorCode::InvalidType, detail).field(field)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read_as_it_is_shown() {
        let policy = AutoRedrive {
            first_wait_ms: 1500,
            backoff: 2.0,
            longest_wait_ms: 60_000,
            max_attempts: 10,
            max_age_ms: 86_400_000,
        };
        let values = in_seconds(&policy);
        assert_eq!(values, ["1.5", "2", "60", "10", "86400"]);
        let text = |field: &str| {
            let at = FIELDS.iter().position(|(name, ..)| *name == field);
            at.map_or((field == "auto").then_some("on"), |at| {
                Some(values[at].as_str())
            })
        };
        let read = read(text).expect("a policy").expect("switched on");
        let as_shown = contract::AutoRedrive {
            first_wait_seconds: 1.5,
            backoff: 2.0,
            longest_wait_seconds: 60.0,
            max_attempts: 10,
            max_age_seconds: 86_400.0,
        };
        assert_eq!(read, as_shown);
    }

    #[test]
    fn nothing_is_switched_off_by_a_slip() {
        let auto = |value| read(move |field: &str| (field == "auto").then_some(value));
        assert_eq!(auto("off"), Ok(None));
        for (value, field) in [("", "auto"), ("no", "auto"), ("on", "firstWaitSeconds")] {
            let refused = auto(value).expect_err("refused");
            assert_eq!(refused.field.as_deref(), Some(field), "{value}");
        }
    }
}
