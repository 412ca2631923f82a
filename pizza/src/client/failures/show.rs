//! `pizza failures show`.

use clap::Args;
use pizza_contract::{AuditEntry, Failure, Redrive, StepInput};
use pizza_workflows::steps::Parked;
use serde_json::Value;

use super::ending::{EXIT_CODES, Ending};
use super::span::in_words;
use super::{arguments, describe};
use crate::client::operator_key::OperatorArgs;
use crate::client::output::{self, plain};

#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub(super) struct ShowArgs {
    /// The task's id
    #[arg(value_parser = arguments::name)]
    id: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    operator: OperatorArgs,
}

/// Shows a task, open or closed.
pub(super) async fn run(args: ShowArgs) -> anyhow::Result<Ending> {
    let answer = args.operator.connect()?.show(&args.id).await?;
    if args.json {
        output::json(&answer.json);
    } else {
        output::lines(&task_in_words(&answer.view)?);
    }
    Ok(Ending::AsWished)
}

fn task_in_words(task: &Failure) -> serde_json::Result<String> {
    let sections = [
        about(task),
        failure(task),
        step(task),
        redrives(task),
        audit(task),
        inputs(task)?,
    ];
    Ok(sections.join("\n"))
}

/// What a person looks for first.
fn about(task: &Failure) -> String {
    let mut lines = vec![
        format!("task         {}", task.id),
        format!("state        {}", task.state),
        format!("owes         {}", owes(task)),
        format!("queue        {} ({})", task.queue, task.message_type),
        format!("order        {}", task.order_id),
        format!("customer     {}", task.customer_id),
        format!("parked       {}", task.parked_at),
        format!(
            "by itself    {}",
            describe::auto_redrive(task.auto_redrive.as_ref())
        ),
    ];
    if let Some(next) = &task.next_redrive_at {
        lines.push(format!("next         {next}"));
    }
    block(&lines)
}

/// What somebody is still waiting for while the task is open, and for good
/// once it was let go.
fn owes(task: &Failure) -> String {
    if task.state == "done" || !task.owed {
        return "nothing any more".to_owned();
    }
    let customer = &task.customer_id;
    let amount = |field| {
        let input = task.corrected_input.as_ref().unwrap_or(&task.input);
        input.json.as_ref()?.get(field).and_then(Value::as_i64)
    };
    match Parked::of_message_type(&task.message_type) {
        Some(parked) => parked.owes(customer, amount("amount"), amount("points")),
        None => format!("what {} means", task.message_type),
    }
}

fn failure(task: &Failure) -> String {
    let kind = if task.error.refused {
        "a refusal: asking again may be pointless"
    } else {
        "a fault: it may pass"
    };
    let mut lines = vec![
        format!("error        {}", describe::failure(&task.error)),
        format!("kind         {kind}"),
    ];
    for cause in &task.error.causes {
        lines.push(format!("  caused by  {cause}"));
    }
    lines.push(format!(
        "attempts     {}, the first at {}, the last failure at {}",
        task.attempts, task.first_attempt_at, task.last_failure_at
    ));
    block(&lines)
}

/// What a redrive runs, and what it comes from.
fn step(task: &Failure) -> String {
    let policy = &task.retry_policy;
    let attempts = policy
        .attempts
        .map_or_else(|| "any number of".to_owned(), |count| count.to_string());
    let mut lines = vec![
        format!(
            "step         {} on the task queue {}",
            task.activity_type, task.task_queue
        ),
        format!(
            "tried        {attempts} times at most, first wait {}, x{}, longest {}",
            in_words(policy.first_wait_seconds),
            policy.backoff,
            in_words(policy.longest_wait_seconds),
        ),
        format!("key          {}", task.idempotency_key),
        format!("from         {}, run {}", task.workflow_id, task.run_id),
    ];
    for then in &task.then {
        lines.push(format!(
            "then         {} (parked in {} if it fails)",
            then.activity_type, then.queue
        ));
    }
    block(&lines)
}

fn redrives(task: &Failure) -> String {
    if task.redrives.is_empty() {
        return block(&["redrives     none".to_owned()]);
    }
    let mut lines = vec![format!(
        "redrives     {}{}",
        task.redrives.len(),
        earlier(task.earlier_redrives)
    )];
    lines.extend(task.redrives.iter().map(redrive));
    block(&lines)
}

fn redrive(redrive: &Redrive) -> String {
    let by = if redrive.automatic {
        format!("by itself, as {} set it", redrive.principal)
    } else {
        redrive.principal.clone()
    };
    let error = describe::after_colon(redrive.error.as_ref().map(describe::failure));
    format!("  {}  {by}  {}{error}", redrive.started_at, redrive.outcome)
}

fn audit(task: &Failure) -> String {
    if task.audit.is_empty() {
        return block(&["audit        nobody has done anything to it".to_owned()]);
    }
    let mut lines = vec![format!(
        "audit        {}{}",
        task.audit.len(),
        earlier(task.earlier_audit)
    )];
    lines.extend(task.audit.iter().map(audit_line));
    block(&lines)
}

fn audit_line(entry: &AuditEntry) -> String {
    let input = if entry.corrected_input {
        " with another input"
    } else {
        ""
    };
    let reason = describe::after_colon(entry.reason.as_ref());
    format!(
        "  {}  {}  {}{input}, {}{reason} [{}]",
        entry.at, entry.principal, entry.action, entry.outcome, entry.request_id
    )
}

/// How many there were before those that are shown.
fn earlier(count: u32) -> String {
    if count == 0 {
        return String::new();
    }
    format!(" (and {count} before them)")
}

fn inputs(task: &Failure) -> serde_json::Result<String> {
    let mut text = input("input", &task.input)?;
    if let Some(corrected) = &task.corrected_input {
        text.push('\n');
        text.push_str(&input("corrected input, which a redrive takes", corrected)?);
    }
    Ok(text)
}

fn input(title: &str, input: &StepInput) -> serde_json::Result<String> {
    if let Some(json) = &input.json {
        return Ok(format!("{title}\n{}", serde_json::to_string_pretty(json)?));
    }
    let encoding = plain(&input.encoding);
    let base64 = plain(input.base64.as_deref().unwrap_or_default());
    Ok(format!("{title} ({encoding}, base64)\n{base64}"))
}

fn block(lines: &[String]) -> String {
    describe::lines(lines) + "\n"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::client::failures::tests::task;

    fn described(task: &Value) -> String {
        task_in_words(&serde_json::from_value(task.clone()).expect("a task")).expect("a text")
    }

    #[test]
    fn a_task_says_what_it_owes_and_why_it_waits() {
        let text = described(&task());
        for part in [
            "owes         12.00 back to c-7",
            "error        refund-failed: no\\u001b]0;owned\\u0007 refund",
            "caused by  the provider\\u000ais away",
            "6 times at most, first wait 1s, x1.1, longest 1m 40s",
            "then         reclaimLoyaltyPoints",
            "alice  failedAgain: refund-failed: still",
            "audit        1 (and 3 before them)",
            "alice  redrive, failedAgain: provider is back [r-7]",
            "\"amount\": 1200",
        ] {
            assert!(text.contains(part), "{part:?} is not in:\n{text}");
        }
    }

    #[test]
    fn what_is_owed_follows_the_message_type_and_the_input() {
        let mut task = task();
        task["correctedInput"] = json!({ "encoding": "json/plain", "json": { "amount": 5 } });
        assert!(described(&task).contains("owes         0.05 back to c-7"));
        task["messageType"] = json!("AddLoyaltyPointsFailed");
        task["correctedInput"]["json"] = json!({ "points": 9 });
        assert!(described(&task).contains("owes         9 points to c-7"));
        task["messageType"] = json!("NotifyCustomerFailed");
        assert!(described(&task).contains("word to c-7"));
        task["state"] = json!("done");
        assert!(described(&task).contains("owes         nothing any more"));
        // It was done, and its workflow runs again after a reset.
        task["state"] = json!("waiting");
        task["owed"] = json!(false);
        assert!(described(&task).contains("owes         nothing any more"));
    }

    #[test]
    fn an_input_that_cannot_be_read_is_shown_as_it_is() {
        let mut task = task();
        task["input"] = json!({ "encoding": "binary/encrypted", "base64": "AP+A" });
        let text = described(&task);
        assert!(
            text.contains("input (binary/encrypted, base64)\nAP+A"),
            "{text}"
        );
        assert!(text.contains("the charge back to c-7"), "{text}");
    }
}
