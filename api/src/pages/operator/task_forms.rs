//! What an operator can do about a parked task.

use failure_queue::{TaskState, TaskView};
use maud::{Markup, html};
use uuid::Uuid;

use super::super::form::key_field;
use super::super::layout::Site;
use super::frame::refusal;
use super::words::readable;
use crate::problem::Problem;

/// What an operator asks of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Redrive,
    RedriveWithInput,
    Discard,
}

/// A wish that was not granted, with what was typed.
pub(super) struct Refused {
    pub(super) wish: Wish,
    pub(super) reason: Option<String>,
    pub(super) input: Option<String>,
    pub(super) key: Option<String>,
    pub(super) problem: Problem,
}

/// The forms of a task's page.
pub(super) struct Forms<'a> {
    pub(super) site: &'a Site<'a>,
    pub(super) view: &'a TaskView,
    pub(super) refused: Option<&'a Refused>,
    /// What the forms' keys are made of, together with what was done to the
    /// task: as long as that is the same, a form drawn anew is the same form.
    pub(super) seed: Uuid,
}

impl Forms<'_> {
    /// The forms, or why there are none.
    pub(super) fn draw(&self) -> Markup {
        html! {
            @if let Some(refused) = self.refused { (refusal(&refused.problem)) }
            @match self.view.state {
                TaskState::Waiting => {
                    (self.redrive())
                    (self.corrected())
                    (self.discard())
                }
                TaskState::Redriving => p.card role="status" {
                    "It is being run again. This page tells how that ends."
                },
                TaskState::Done => p.card { "It is done. Nothing is left to do." },
                TaskState::Discarded => p.card {
                    "It was let go. What it owed is still owed, and nothing runs it again."
                },
            }
        }
    }

    fn action(&self, what: &str) -> String {
        let id = &self.view.id;
        self.site.at(&format!("/operator/tasks/{id}/{what}"))
    }

    /// What was sent with this wish, and refused.
    fn again(&self, wish: Wish) -> Option<&Refused> {
        self.refused.filter(|refused| refused.wish == wish)
    }

    /// What a form begins with: its token, and the key under which it acts
    /// once.
    fn begin(&self, wish: Wish) -> Markup {
        let again = self.again(wish);
        let sent = again.and_then(|refused| refused.key.as_deref());
        let form = format!("{wish:?} after {}", self.view.audit.len());
        let fresh = Uuid::new_v5(&self.seed, form.as_bytes());
        html! {
            (self.site.form_token())
            (key_field(fresh, sent, again.map(|refused| &refused.problem)))
        }
    }

    /// A field for a reason, with what was typed there.
    fn reason(&self, wish: Wish, id: &str, label: &str) -> Markup {
        let again = self.again(wish);
        let typed = again.and_then(|refused| refused.reason.as_deref());
        let is_wrong = again.is_some_and(|it| it.problem.field.as_deref() == Some("reason"));
        html! {
            label for=(id) { (label) }
            input id=(id) name="reason" maxlength="500" autocomplete="off" dir="auto" value=[typed]
                required[wish == Wish::Discard]
                aria-invalid=[is_wrong.then_some("true")]
                aria-describedby=[is_wrong.then_some("wrong")];
        }
    }

    fn redrive(&self) -> Markup {
        let is_corrected = self.view.corrected_input.is_some();
        html! {
            form.card #redrive method="post" action=(self.action("redrive")) {
                h2 { "Run it again" }
                (self.begin(Wish::Redrive))
                (self.reason(Wish::Redrive, "redrive-reason", "Why, if you like"))
                p.row {
                    button { "Run it again" }
                    @if is_corrected {
                        button.quiet name="originalInput" value="yes" {
                            "Run it again with the original input"
                        }
                    }
                }
                p.soft {
                    "The same step, "
                    @if is_corrected { "with the corrected input" } @else { "with the same input" }
                    ", under the same key: what it did already is not done twice."
                }
            }
        }
    }

    fn corrected(&self) -> Markup {
        let wish = Wish::RedriveWithInput;
        let again = self.again(wish);
        let current = self.view.corrected_input.as_ref();
        let typed = again.and_then(|refused| refused.input.clone());
        let input = typed.or_else(|| readable(current.unwrap_or(&self.view.input)));
        let field = again.and_then(|refused| refused.problem.field.as_deref());
        let is_wrong = field.is_some_and(|field| field.starts_with("input"));
        html! {
            details.card #correct open[again.is_some()] {
                summary { "With another input" }
                form method="post" action=(self.action("redrive")) {
                    (self.begin(wish))
                    label for="input" { "Input from now on, as JSON" }
                    textarea #input name="input" rows="12" spellcheck="false" required
                        aria-invalid=[is_wrong.then_some("true")]
                        aria-describedby=[is_wrong.then_some("wrong")] {
                        // The first line break of a text area is not part of it.
                        "\n" (input.unwrap_or_default())
                    }
                    (self.reason(wish, "correct-reason", "Why, if you like"))
                    button { "Run it again with this input" }
                }
                p.soft { "For a task whose own input cannot be used. The original is kept." }
            }
        }
    }

    fn discard(&self) -> Markup {
        let question = "Let this task go? What it owes stays owed, and nothing runs it again.";
        let why = "Why: what became of what is owed";
        html! {
            form.card #discard method="post" action=(self.action("discard")) {
                h2 { "Let it go" }
                (self.begin(Wish::Discard))
                (self.reason(Wish::Discard, "discard-reason", why))
                button.quiet data-confirm=(question) { "Let it go" }
                p.soft { "For good. What it owes stays owed." }
            }
        }
    }
}
