//! Acting on tasks that are named, one after the other.

use std::collections::HashSet;
use std::time::Duration;

use pizza_client::{CallError, FailureQueues, Redriven, Sent};
use pizza_contract::{ErrorCode, Failure, FailureDiscarded, FailureRedriven, Name, RedriveOutcome};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::action::Action;
use super::describe;
use super::ending::Ending;
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
    fn of_answer(answer: &Answer) -> Option<Self> {
        let outcome = answer.redriven.as_ref().map(|it| &*it.outcome);
        match (&*answer.state, outcome) {
            ("redriving", _) => None,
            ("done", _) => Some(Self::Done),
            ("discarded", _) => Some(Self::Discarded),
            (_, Some("done")) => Some(Self::Done),
            _ => Some(Self::FailedAgain),
        }
    }

    /// What a refusal says.
    fn of_error(error: &CallError) -> Self {
        let was_first = [ErrorCode::FailureResolved, ErrorCode::FailureBusy];
        match error.problem() {
            Some(problem) if was_first.iter().any(|code| problem.is(*code)) => Self::Skipped,
            _ => Self::Refused,
        }
    }
}

/// What the gateway says of a task that was acted on.
struct Answer {
    json: Value,
    state: Name,
    /// How a redrive ended.
    redriven: Option<FailureRedriven>,
}

impl From<Sent<Redriven>> for Answer {
    fn from(Sent { json, view }: Sent<Redriven>) -> Self {
        let (state, redriven) = match view {
            Redriven::Ended(ended) => (ended.state.clone(), Some(ended)),
            Redriven::UnderWay(task) => (task.state, None),
        };
        Self {
            json,
            state,
            redriven,
        }
    }
}

impl From<Sent<FailureDiscarded>> for Answer {
    fn from(Sent { json, view }: Sent<FailureDiscarded>) -> Self {
        Self {
            json,
            state: view.state,
            redriven: None,
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
        print(id, &told, as_json);
        ending = ending.max(told.fate.ending());
    }
    Ok(ending)
}

/// What became of a task, and the words for it.
struct Told {
    fate: Fate,
    answer: Result<Answer, CallError>,
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
    let answer = match action {
        Action::Redrive(how) => queues.redrive(id, how, &request_id).await.map(Answer::from),
        Action::Discard(why) => queues.discard(id, why, &request_id).await.map(Answer::from),
    };
    let answer = match answer {
        // Not an answer that this version knows.
        Err(error @ CallError::Unexpected(_)) => return Err(error),
        Err(error) if error.concerns_all_calls() => return Err(error),
        Err(error) => {
            let fate = Fate::of_error(&error);
            let answer = Err(error);
            return Ok(Told { fate, answer });
        }
        Ok(answer) => answer,
    };
    let (fate, answer) = match Fate::of_answer(&answer) {
        Some(fate) => (fate, answer),
        None => wait(queues, id, &request_id, deadline)
            .await?
            .unwrap_or((Fate::Unanswered, answer)),
    };
    Ok(Told {
        fate,
        answer: Ok(answer),
    })
}

/// Waits for the end of a redrive that takes longer than the gateway waits;
/// none when the deadline comes first.
async fn wait(
    queues: &FailureQueues,
    id: &str,
    request_id: &str,
    deadline: Instant,
) -> Result<Option<(Fate, Answer)>, CallError> {
    while Instant::now() < deadline {
        sleep(LOOK_EVERY).await;
        match queues.show(id).await {
            Ok(task) => {
                let answer = answer_of(task.view, request_id);
                if let Some(ended) = answer.and_then(|it| Some((Fate::of_answer(&it)?, it))) {
                    return Ok(Some(ended));
                }
            }
            Err(error @ (CallError::NotAllowed { .. } | CallError::Unexpected(_))) => {
                return Err(error);
            }
            // It is being redriven all the same.
            Err(_) => {}
        }
    }
    Ok(None)
}

/// What the gateway would have answered, had it waited; none while our redrive
/// is under way. The audit trail tells it from one that followed it.
fn answer_of(task: Failure, request_id: &str) -> Option<Answer> {
    let mut lines = task.audit.iter();
    let ours = lines.find(|line| line.request_id == request_id);
    let (state, outcome) = match (ours.map(|line| &*line.outcome), &*task.state) {
        (Some("failedAgain"), _) => ("waiting", RedriveOutcome::FailedAgain),
        (Some("done"), _) | (_, "done") => ("done", RedriveOutcome::Done),
        (Some("pending"), _) | (_, "redriving") => return None,
        (_, "discarded") => ("discarded", RedriveOutcome::FailedAgain),
        _ => ("waiting", RedriveOutcome::FailedAgain),
    };
    let ended = FailureRedriven {
        id: task.id,
        state: state.into(),
        outcome: outcome.into(),
        attempts: task.attempts,
        error: (outcome == RedriveOutcome::FailedAgain).then_some(task.error),
    };
    let json = json!(ended);
    let view = Redriven::Ended(ended);
    Some(Sent { json, view }.into())
}

fn print(id: &str, told: &Told, as_json: bool) {
    if as_json {
        output::json(&line_of_json(id, told));
        return;
    }
    match &told.answer {
        Ok(answer) => output::data(&format!("{id}  {}", in_words(told.fate, answer))),
        Err(error) if told.fate == Fate::Refused => {
            output::note(&format!("error: {id}: {error}"));
        }
        Err(error) => {
            output::data(&format!("{id}  skipped: {error}"));
        }
    }
}

/// The gateway's answer and the verdict, or the error and the verdict.
fn line_of_json(id: &str, told: &Told) -> Value {
    let mut line = match &told.answer {
        Ok(answer) => answer.json.clone(),
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

fn in_words(fate: Fate, answer: &Answer) -> String {
    match fate {
        Fate::Done => "done".to_owned(),
        Fate::Discarded => "discarded".to_owned(),
        Fate::Unanswered => {
            "has not ended in time; it goes on, look with `pizza failures show`".to_owned()
        }
        _ => {
            let ended = answer.redriven.as_ref();
            let error = ended.and_then(|it| it.error.as_ref());
            let error = describe::after_colon(error.map(describe::failure));
            let attempts =
                ended.map_or_else(String::new, |it| format!(" ({} attempts)", it.attempts));
            format!("failed again{error}{attempts}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::failures::tests::task;

    fn told(state: &str, audit: Value) -> Option<Fate> {
        let mut task = task();
        task["state"] = json!(state);
        task["audit"] = audit;
        let task = serde_json::from_value(task).expect("a task");
        Fate::of_answer(&answer_of(task, "ours")?)
    }

    #[test]
    fn the_end_of_our_redrive_is_told_from_that_of_another() {
        let trail = |outcome: &str| {
            let line = |id, outcome| {
                json!({ "at": "", "principal": "alice", "action": "redrive", "reason": null,
                        "requestId": id, "outcome": outcome })
            };
            json!([line("ours", outcome), line("another", "pending")])
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
