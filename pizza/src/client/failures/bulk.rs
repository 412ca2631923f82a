//! `pizza failures bulk`, and the bulk operations that `redrive` and `discard`
//! start. They run in the gateway's world, not in this process: whoever
//! watches may leave and come back.

use std::time::Duration;

use clap::Args;
use pizza_client::{CallError, FailureQueues, Sent};
use pizza_contract::{BulkPreview, BulkProgress, StartBulk};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::ending::{EXIT_CODES, Ending};
use super::{arguments, describe};
use crate::client::operator_key::OperatorArgs;
use crate::client::output::{self, Live};
use crate::shutdown;

/// How often an operation is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long the gateway may be away while an operation is followed.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub(super) struct BulkArgs {
    /// The operation's id, as `redrive` or `discard` said it
    #[arg(value_parser = arguments::name)]
    id: String,
    /// Follow it to its end
    #[arg(long)]
    follow: bool,
    /// Stop it; what is done stays done
    #[arg(long)]
    stop: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    operator: OperatorArgs,
}

/// Shows, follows or stops an operation.
pub(super) async fn run(args: BulkArgs) -> anyhow::Result<Ending> {
    let queues = args.operator.connect()?;
    let mut answer = if args.stop {
        queues.stop_bulk(&args.id).await?
    } else {
        queues.bulk(&args.id).await?
    };
    if args.follow {
        answer = match follow(&queues, &args.id).await? {
            Some(answer) => answer,
            None => return Ok(left_alone(&args.id)),
        };
    }
    print(&answer, args.json);
    // Stopped is what was wished for.
    if args.stop {
        return Ok(Ending::AsWished);
    }
    Ok(verdict(&answer.view))
}

/// Shows what an operation would reach.
pub(super) fn print_preview(found: &Sent<BulkPreview>, as_json: bool) {
    if as_json {
        output::json(&found.json);
        return;
    }
    let found = &found.view;
    output::data(&format!("{} tasks match", found.matching));
    if !found.sample.is_empty() {
        output::lines(&describe::tasks(&found.sample).to_string());
    }
}

/// Starts an operation and follows it, unless nobody wants to wait.
pub(super) async fn run_to_its_end(
    queues: &FailureQueues,
    request: &StartBulk,
    no_wait: bool,
    as_json: bool,
) -> anyhow::Result<Ending> {
    let request_id = Uuid::new_v4().to_string();
    let started = queues.start_bulk(request, &request_id).await?;
    let id = started.view.bulk_id.as_str();
    if no_wait {
        if as_json {
            output::json(&started.json);
        } else {
            output::data(id);
        }
        return Ok(Ending::AsWished);
    }
    output::note(&format!(
        "bulk operation {id}: {} tasks; Ctrl-C leaves it alone, `pizza failures bulk {id} --stop` \
         stops it",
        started.view.matching
    ));
    let Some(answer) = follow(queues, id).await? else {
        return Ok(left_alone(id));
    };
    print(&answer, as_json);
    Ok(verdict(&answer.view))
}

/// Says how to come back to an operation.
fn left_alone(id: &str) -> Ending {
    output::note(&format!(
        "the bulk operation goes on: `pizza failures bulk {id}` shows it, with --follow to its \
         end, and --stop stops it"
    ));
    Ending::Partly
}

/// Follows an operation to its end; none when the person at the terminal has
/// seen enough.
async fn follow(queues: &FailureQueues, id: &str) -> Result<Option<Sent<BulkProgress>>, CallError> {
    let enough = shutdown::on_signal();
    tokio::select! {
        ended = watch(queues, id) => ended.map(Some),
        () = enough.cancelled() => Ok(None),
    }
}

/// Looks at an operation until it has ended. The gateway may be away for a
/// while: it is not the gateway that the operation lives in.
async fn watch(queues: &FailureQueues, id: &str) -> Result<Sent<BulkProgress>, CallError> {
    let mut live = Live::new();
    let mut last_seen = Instant::now();
    loop {
        match queues.bulk(id).await {
            Ok(answer) => {
                last_seen = Instant::now();
                live.draw(&counts(&answer.view));
                if !answer.view.running {
                    return Ok(answer);
                }
            }
            Err(error) if may_pass(&error) && last_seen.elapsed() < PATIENCE => {}
            Err(error) => return Err(error),
        }
        sleep(LOOK_EVERY).await;
    }
}

fn may_pass(error: &CallError) -> bool {
    matches!(error, CallError::Unreachable { .. }) || error.retry_after().is_some()
}

/// What an operation's end, or its being under way, comes to.
fn verdict(progress: &BulkProgress) -> Ending {
    let left = progress.failed_again + progress.skipped + progress.unanswered;
    if left > 0 || progress.stopped {
        Ending::Partly
    } else {
        Ending::AsWished
    }
}

fn print(answer: &Sent<BulkProgress>, as_json: bool) {
    if as_json {
        output::json(&answer.json);
    } else {
        output::lines(&in_words(&answer.view));
    }
}

fn counts(progress: &BulkProgress) -> String {
    let reached = progress.done
        + progress.discarded
        + progress.failed_again
        + progress.skipped
        + progress.unanswered;
    let all = [
        ("done", progress.done),
        ("discarded", progress.discarded),
        ("failed again", progress.failed_again),
        ("skipped", progress.skipped),
        ("unanswered", progress.unanswered),
    ];
    let mut line = format!("{} {reached} of {}", progress.action, progress.matching);
    for (what, count) in all.iter().filter(|(_, count)| *count > 0) {
        line.push_str(&format!(", {count} {what}"));
    }
    line
}

fn in_words(progress: &BulkProgress) -> String {
    let state = match (progress.running, progress.stopped) {
        (true, false) => "running",
        (true, true) => "stopping",
        (false, true) => "stopped",
        (false, false) => "ended",
    };
    let mut lines = vec![
        format!("bulk      {}", progress.bulk_id),
        format!("tasks     {}", counts(progress)),
        format!("state     {state}"),
        format!("by        {}", progress.principal),
    ];
    if let Some(reason) = &progress.reason {
        lines.push(format!("reason    {reason}"));
    }
    lines.push(format!("started   {}", progress.started_at));
    if let Some(ended) = &progress.ended_at {
        lines.push(format!("ended     {ended}"));
    }
    for problem in &progress.problems {
        lines.push(format!("problem   {}: {}", problem.id, problem.problem));
    }
    describe::lines(&lines)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn progress(changes: Value) -> BulkProgress {
        let mut progress = json!({
            "bulkId": "b-1", "action": "redrive", "principal": "alice", "reason": null,
            "startedAt": "2026-01-01T00:00:00Z", "endedAt": "2026-01-01T00:00:09Z",
            "running": false, "stopped": false, "matching": 3, "done": 3, "failedAgain": 0,
            "discarded": 0, "skipped": 0, "unanswered": 0, "problems": [],
        });
        if let (Some(progress), Value::Object(changes)) = (progress.as_object_mut(), changes) {
            progress.extend(changes);
        }
        serde_json::from_value(progress).expect("progress")
    }

    #[test]
    fn an_operation_went_as_wished_when_nothing_is_left_over() {
        assert_eq!(verdict(&progress(json!({}))), Ending::AsWished);
        for left in ["failedAgain", "skipped", "unanswered"] {
            assert_eq!(
                verdict(&progress(json!({ left: 1 }))),
                Ending::Partly,
                "{left}"
            );
        }
        assert_eq!(
            verdict(&progress(json!({ "stopped": true }))),
            Ending::Partly
        );
    }

    #[test]
    fn only_what_happened_is_counted() {
        assert_eq!(counts(&progress(json!({}))), "redrive 3 of 3, 3 done");
        let troubled = progress(json!({
            "done": 1, "failedAgain": 1, "running": true, "endedAt": null,
            "problems": [{ "id": "a", "problem": "no\x1b[2J" }],
        }));
        let described = in_words(&troubled);
        assert!(
            described.contains("redrive 2 of 3, 1 done, 1 failed again"),
            "{described}"
        );
        assert!(described.contains("state     running"), "{described}");
        assert!(
            described.contains("problem   a: no\\u001b[2J"),
            "{described}"
        );
    }
}
