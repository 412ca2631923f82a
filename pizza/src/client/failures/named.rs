//! Acting on tasks that are named, one after the other.

use std::collections::HashSet;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::action::Action;
use super::answer::{Acted, read};
use super::describe;
use super::ending::Ending;
use crate::client::gateway::{CallError, FailureQueues};
use crate::client::output;

/// How often a task that is being redriven is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What became of one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Done,
    Discarded,
    FailedAgain,
    /// Somebody else was there first.
    Skipped,
    /// It has not ended in time.
    Unanswered,
    /// The gateway said no.
    Refused,
}

impl Fate {
    const fn ending(self) -> Ending {
        match self {
            Self::Done | Self::Discarded => Ending::AsWished,
            Self::FailedAgain | Self::Skipped | Self::Unanswered => Ending::Partly,
            Self::Refused => Ending::Failed,
        }
    }

    /// The `verdict` in JSON.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Discarded => "discarded",
            Self::FailedAgain => "failedAgain",
            Self::Skipped => "skipped",
            Self::Unanswered => "unanswered",
            Self::Refused => "refused",
        }
    }

    /// What an answer says; none while the task is being redriven.
    fn of_answer(answer: &Acted) -> Option<Self> {
        match (answer.state.as_str(), answer.outcome.as_ref()) {
            ("redriving", _) => None,
            ("done", _) => Some(Self::Done),
            ("discarded", _) => Some(Self::Discarded),
            (_, Some(outcome)) if outcome.as_str() == "done" => Some(Self::Done),
            _ => Some(Self::FailedAgain),
        }
    }

    /// What a refusal says.
    fn of_error(error: &CallError) -> Self {
        match error.problem().map(|problem| problem.code.as_str()) {
            Some("failure-resolved" | "failure-busy") => Self::Skipped,
            _ => Self::Refused,
        }
    }
}

/// Acts on each task in turn; one bad task does not stop the rest.
pub(super) async fn act(
    queues: &FailureQueues,
    ids: &[String],
    action: &Action,
    limit: Duration,
    as_json: bool,
) -> anyhow::Result<Ending> {
    let mut seen = HashSet::new();
    let mut ending = Ending::AsWished;
    for id in ids.iter().filter(|id| seen.insert(*id)) {
        let told = act_on_one(queues, id, action, limit).await?;
        print(id, &told, as_json)?;
        ending = ending.max(told.fate.ending());
    }
    Ok(ending)
}

/// What became of a task, and the words for it.
struct Told {
    fate: Fate,
    answer: Result<Value, CallError>,
}

/// Fails only with what the next task would meet as well.
async fn act_on_one(
    queues: &FailureQueues,
    id: &str,
    action: &Action,
    limit: Duration,
) -> Result<Told, CallError> {
    let deadline = Instant::now() + limit;
    // A request whose answer got lost is sent again, and acts once.
    let request_id = Uuid::new_v4().to_string();
    let body = Value::Object(action.body.clone());
    let answer = match queues.act(id, action.name, &body, &request_id).await {
        Err(error) if error.concerns_all_calls() => return Err(error),
        Err(error) => {
            let fate = Fate::of_error(&error);
            let answer = Err(error);
            return Ok(Told { fate, answer });
        }
        Ok(answer) => answer,
    };
    let told = |fate, answer| Told {
        fate,
        answer: Ok(answer),
    };
    if let Some(fate) = Fate::of_answer(&read(&answer)?) {
        return Ok(told(fate, answer));
    }
    Ok(match wait(queues, id, &request_id, deadline).await? {
        Some((fate, answer)) => told(fate, answer),
        None => told(Fate::Unanswered, answer),
    })
}

/// Waits for the end of a redrive that takes longer than the gateway waits;
/// none when the deadline comes first.
async fn wait(
    queues: &FailureQueues,
    id: &str,
    request_id: &str,
    deadline: Instant,
) -> Result<Option<(Fate, Value)>, CallError> {
    while Instant::now() < deadline {
        sleep(LOOK_EVERY).await;
        match queues.show(id).await {
            Ok(task) => {
                let answer = answer_of(&read(&task)?, request_id, &task);
                if let Some(fate) = Fate::of_answer(&read(&answer)?) {
                    return Ok(Some((fate, answer)));
                }
            }
            Err(error @ CallError::NotAllowed { .. }) => return Err(error),
            // It is being redriven all the same.
            Err(_) => {}
        }
    }
    Ok(None)
}

/// Where a task stands, as far as the end of a redrive shows in it.
#[derive(Deserialize)]
struct Standing {
    state: String,
    #[serde(default)]
    audit: Vec<Line>,
}

/// A line of the audit trail.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    request_id: String,
    outcome: String,
}

/// What the gateway would have answered, had it waited. The audit trail tells
/// our redrive from one that followed it.
fn answer_of(standing: &Standing, request_id: &str, task: &Value) -> Value {
    let ours = standing
        .audit
        .iter()
        .find(|line| line.request_id == request_id)
        .map(|line| line.outcome.as_str());
    let (state, outcome) = match (ours, standing.state.as_str()) {
        (Some("failedAgain"), _) => ("waiting", "failedAgain"),
        (Some("done"), _) | (_, "done") => ("done", "done"),
        (Some("pending"), _) | (_, "redriving") => ("redriving", "pending"),
        (_, "discarded") => ("discarded", "failedAgain"),
        _ => ("waiting", "failedAgain"),
    };
    let failed = outcome == "failedAgain";
    json!({
        "id": task["id"],
        "state": state,
        "outcome": outcome,
        "attempts": task["attempts"],
        "error": if failed { task["error"].clone() } else { Value::Null },
    })
}

fn print(id: &str, told: &Told, as_json: bool) -> Result<(), CallError> {
    if as_json {
        output::json(&line_of_json(id, told));
        return Ok(());
    }
    match &told.answer {
        Ok(answer) => output::data(&format!("{id}  {}", in_words(told.fate, &read(answer)?))),
        Err(error) if told.fate == Fate::Refused => {
            output::note(&format!("error: {id}: {error}"));
        }
        Err(error) => {
            output::data(&format!("{id}  skipped: {error}"));
        }
    }
    Ok(())
}

/// The gateway's answer and the verdict, or the error and the verdict.
fn line_of_json(id: &str, told: &Told) -> Value {
    let mut line = match &told.answer {
        Ok(answer) => answer.clone(),
        Err(error) => match error.problem() {
            Some(problem) if problem.document.is_object() => problem.document.clone(),
            Some(problem) => json!({
                "code": problem.code,
                "detail": problem.detail,
                "status": problem.status.as_u16(),
            }),
            None => json!({ "detail": error.to_string() }),
        },
    };
    if let Some(fields) = line.as_object_mut() {
        fields.insert("id".to_owned(), json!(id));
        fields.insert("verdict".to_owned(), json!(told.fate.as_str()));
    }
    line
}

fn in_words(fate: Fate, answer: &Acted) -> String {
    match fate {
        Fate::Done => "done".to_owned(),
        Fate::Discarded => "discarded".to_owned(),
        Fate::Unanswered => {
            "has not ended in time; it goes on, look with `pizza failures show`".to_owned()
        }
        _ => {
            let error = describe::after_colon(answer.error.as_ref().map(describe::failure));
            let attempts = answer
                .attempts
                .map_or_else(String::new, |attempts| format!(" ({attempts} attempts)"));
            format!("failed again{error}{attempts}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(state: &str, audit: Value) -> Option<Fate> {
        let task =
            json!({ "id": "a", "state": state, "audit": audit, "attempts": 7, "error": null });
        let answer = answer_of(&read(&task).expect("a task"), "ours", &task);
        Fate::of_answer(&read(&answer).expect("an answer"))
    }

    #[test]
    fn the_end_of_our_redrive_is_told_from_that_of_another() {
        let trail = |outcome: &str| {
            json!([
                { "requestId": "ours", "outcome": outcome },
                { "requestId": "another", "outcome": "pending" },
            ])
        };
        assert_eq!(told("redriving", trail("pending")), None);
        assert_eq!(
            told("redriving", trail("failedAgain")),
            Some(Fate::FailedAgain)
        );
        assert_eq!(
            told("waiting", trail("failedAgain")),
            Some(Fate::FailedAgain)
        );
        assert_eq!(
            told("discarded", trail("failedAgain")),
            Some(Fate::FailedAgain)
        );
        assert_eq!(told("done", trail("done")), Some(Fate::Done));
    }

    #[test]
    fn without_a_trail_the_state_decides() {
        assert_eq!(told("redriving", json!([])), None);
        assert_eq!(told("done", json!([])), Some(Fate::Done));
        assert_eq!(told("waiting", json!([])), Some(Fate::FailedAgain));
    }

    #[test]
    fn each_fate_has_its_ending() {
        use Fate::{Discarded, Done, FailedAgain, Refused, Skipped, Unanswered};
        for (fates, ending) in [
            (&[Done, Discarded][..], Ending::AsWished),
            (&[FailedAgain, Skipped, Unanswered], Ending::Partly),
            (&[Refused], Ending::Failed),
        ] {
            assert!(
                fates.iter().all(|fate| fate.ending() == ending),
                "{ending:?}"
            );
        }
    }
}
