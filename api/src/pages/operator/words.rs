//! What operators are told about tasks, in words.

use failure_queue::{AutoRedrive, StepFailure, StoredPayload, TaskState, TaskView};
use maud::{Markup, html};
use pizza_domain::Money;
use pizza_store::{FailedTaskState, OrderRecord};
use pizza_workflows::steps::Parked;
use serde_json::Value;

use super::super::text::{beginning, count, span};

/// What somebody is still waiting for until the task was done, and for good
/// once it was let go. Where its input cannot be read, the order tells.
pub(super) fn owes(
    message_type: &str,
    was_done: bool,
    view: Option<&TaskView>,
    order: Option<&OrderRecord>,
) -> Markup {
    if was_done {
        return html! { "nothing any more" };
    }
    let amount = in_input(view, "amount").or(order.map(|order| order.total));
    let due = order.map(|order| Money::from_minor(order.total).whole_units());
    let points = in_input(view, "points").or(due);
    match Parked::of_message_type(message_type) {
        Some(parked) => html! { (parked.owes("the customer", amount, points)) },
        None => html! { "what " (message_type) " means" },
    }
}

/// A number in the input that the next redrive takes.
fn in_input(view: Option<&TaskView>, field: &str) -> Option<i64> {
    let view = view?;
    let input = view.corrected_input.as_ref().unwrap_or(&view.input);
    let input: Value = serde_json::from_str(input.as_json()?).ok()?;
    input.get(field)?.as_i64()
}

/// A queue, as people call it.
pub(super) fn queue_words(queue: &str) -> &str {
    Parked::of_queue(queue).map_or(queue, |parked| parked.heading)
}

/// Where a task stands.
pub(super) fn state_badge(state: TaskState) -> Markup {
    let (class, words) = match state {
        TaskState::Waiting => ("parked", "waiting"),
        TaskState::Redriving => ("running", "being run again"),
        TaskState::Done => ("done", "done"),
        TaskState::Discarded => ("undone", "let go"),
    };
    html! { span class={ "badge " (class) } data-state=(state.as_str()) { (words) } }
}

/// The same of one that is over, by the books.
pub(super) fn end_badge(state: FailedTaskState) -> Markup {
    match state {
        FailedTaskState::Parked => state_badge(TaskState::Waiting),
        FailedTaskState::Done => state_badge(TaskState::Done),
        FailedTaskState::Discarded => state_badge(TaskState::Discarded),
    }
}

/// `1 task`, `2 tasks`.
pub(super) fn tasks_of(number: u64) -> String {
    count(whole(number), "task", "tasks")
}

/// `60 s after a failure, then each wait 2 times as long, up to 1 h; 10 times
/// at most, until a task is 1 d old`.
pub(super) fn policy_words(policy: &AutoRedrive) -> String {
    format!(
        "{} after a failure, each wait {} times as long, up to {}; {} at most, until a task is {} old",
        span(whole(policy.first_wait_ms)),
        policy.backoff,
        span(whole(policy.longest_wait_ms)),
        count(policy.max_attempts.into(), "time", "times"),
        span(whole(policy.max_age_ms)),
    )
}

fn whole(milliseconds: u64) -> i64 {
    i64::try_from(milliseconds).unwrap_or(i64::MAX)
}

/// How a step failed, with its causes.
pub(super) fn failure(failure: &StepFailure) -> Markup {
    html! {
        code { (failure.code) } ": " bdi { (beginning(&failure.message, LONGEST)) }
        @for cause in &failure.causes {
            br; "caused by " bdi { (beginning(cause, LONGEST)) }
        }
    }
}

/// The longest message of an error that a page shows, in characters.
const LONGEST: usize = 1000;

/// The longest input that a page shows, in characters: a form could not send
/// a longer one back.
const LONGEST_INPUT: usize = 8000;

/// An input for people, indented; none when it cannot be read here, or is too
/// long for a page.
pub(super) fn readable(input: &StoredPayload) -> Option<String> {
    let input: Value = serde_json::from_str(input.as_json()?).ok()?;
    let text = serde_json::to_string_pretty(&input).ok()?;
    (text.chars().count() <= LONGEST_INPUT).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_owed_is_told_though_its_amount_is_not_known() {
        let told = Parked::ALL.map(|it| owes(it.message_type, false, None, None).into_string());
        assert_eq!(told[0], "the order's points to the customer");
        assert_eq!(told[1], "the charge back to the customer");
        let done = owes("RefundPaymentFailed", true, None, None);
        assert_eq!(done.into_string(), "nothing any more");
        let strange = owes("<b>", false, None, None);
        assert_eq!(strange.into_string(), "what &lt;b&gt; means");
    }

    #[test]
    fn a_policy_is_told_with_its_units() {
        let policy = AutoRedrive {
            first_wait_ms: 60_000,
            backoff: 1.5,
            longest_wait_ms: 3_600_000,
            max_attempts: 10,
            max_age_ms: 86_400_000,
        };
        assert_eq!(
            policy_words(&policy),
            "1 min after a failure, each wait 1.5 times as long, up to 1 h; 10 times at most, \
             until a task is 1 d old"
        );
    }

    #[test]
    fn an_input_is_shown_where_it_can_be_read() {
        let plain = StoredPayload::json(r#"{"amount":1}"#);
        assert_eq!(readable(&plain).as_deref(), Some("{\n  \"amount\": 1\n}"));
        assert_eq!(readable(&StoredPayload::json("{")), None);
        assert_eq!(readable(&StoredPayload::default()), None);
        let long = format!("\"{}\"", "x".repeat(LONGEST_INPUT));
        assert_eq!(readable(&StoredPayload::json(long)), None);
    }
}
