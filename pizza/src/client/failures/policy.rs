//! `pizza failures policy`.

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use pizza_client::{CallError, FailureQueues, Sent};
use pizza_contract::{AutoRedrive, QueuePolicy, SetQueuePolicy};
use tokio::time::{Instant, sleep};

use super::ending::{EXIT_CODES, Ending};
use super::{arguments, describe, filter, span};
use crate::client::operator_key::OperatorArgs;
use crate::client::output;
use crate::numbers::{LONGEST_WAIT, number, whole};

/// How often a policy that spreads is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub(super) struct PolicyArgs {
    /// The queue
    #[arg(value_parser = filter::queue_names())]
    queue: String,
    /// Run its tasks again by themselves, those that are parked already
    /// included
    ///
    /// With the defaults, a task is run again 1, 2, 4, 8, 16 and 32 minutes
    /// after each failure, then each hour; twenty times, or until it is three
    /// days old.
    #[arg(long, conflicts_with = "off")]
    on: bool,
    /// Leave its tasks to people
    #[arg(long)]
    off: bool,
    #[command(flatten)]
    waits: WaitArgs,
    /// Why; it stands in the audit trail
    #[arg(long, value_name = "TEXT", value_parser = arguments::reason)]
    reason: Option<String>,
    /// How long to wait until each parked task knows of the change. It goes on
    /// by itself
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = whole(0..=LONGEST_WAIT))]
    timeout_seconds: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    operator: OperatorArgs,
}

#[derive(Args, Debug)]
struct WaitArgs {
    /// From a task's last failure to its first automatic redrive: 100ms to 30d
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "1m",
        value_parser = span::wait,
        requires = "on",
        conflicts_with = "off"
    )]
    first_wait: Duration,
    /// What each wait is multiplied by to make the next, 1 to 10
    #[arg(
        long,
        value_name = "FACTOR",
        default_value = "2",
        value_parser = backoff,
        requires = "on",
        conflicts_with = "off"
    )]
    backoff: f64,
    /// The longest wait, up to 30d
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "1h",
        value_parser = span::wait,
        requires = "on",
        conflicts_with = "off"
    )]
    longest_wait: Duration,
    /// How often a task is run again by itself, 1 to 1000
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 20,
        value_parser = whole(1..=1000_u32),
        requires = "on",
        conflicts_with = "off"
    )]
    max_attempts: u32,
    /// From this age on, a task is left to people; up to 3650d
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "3d",
        value_parser = span::age,
        requires = "on",
        conflicts_with = "off"
    )]
    max_age: Duration,
}

/// Reads what waits are multiplied by.
fn backoff(text: &str) -> Result<f64, String> {
    number(text, 1.0..=10.0, "number")
}

impl PolicyArgs {
    /// The change to make; none to show the policy only.
    fn change(&self) -> Result<Option<SetQueuePolicy>, &'static str> {
        if !self.on && !self.off {
            return match self.reason {
                Some(_) => Err("--reason goes with --on or --off"),
                None => Ok(None),
            };
        }
        let waits = &self.waits;
        if self.on && waits.longest_wait < waits.first_wait {
            return Err("--longest-wait must not be shorter than --first-wait");
        }
        Ok(Some(SetQueuePolicy {
            auto_redrive: self.on.then(|| AutoRedrive {
                first_wait_seconds: waits.first_wait.as_secs_f64(),
                backoff: waits.backoff,
                longest_wait_seconds: waits.longest_wait.as_secs_f64(),
                max_attempts: waits.max_attempts.into(),
                max_age_seconds: waits.max_age.as_secs_f64(),
            }),
            reason: self.reason.clone(),
        }))
    }
}

/// Shows a queue's policy, or changes it and waits until the parked tasks
/// know.
pub(super) async fn run(args: PolicyArgs) -> anyhow::Result<Ending> {
    let change = match args.change() {
        Ok(change) => change,
        Err(misuse) => {
            output::note(&format!("error: {misuse}"));
            return Ok(Ending::Misused);
        }
    };
    let queues = args.operator.connect()?;
    let changed = change.is_some();
    let mut answer = match &change {
        None => queues.policy(&args.queue).await?,
        Some(change) => queues.set_policy(&args.queue, change).await?,
    };
    if changed {
        let limit = Duration::from_secs(args.timeout_seconds);
        answer = until_spread(&queues, &args.queue, answer, limit)
            .await
            .context("the change was taken; how many parked tasks know of it is not known")?;
    }
    if args.json {
        output::json(&answer.json);
    } else {
        output::lines(&in_words(&answer.view));
    }
    if changed && answer.view.spreading {
        output::note("not every parked task knows of the change yet; it goes on by itself");
        return Ok(Ending::Partly);
    }
    Ok(Ending::AsWished)
}

/// Waits until each parked task knows of the policy, or until `limit`.
async fn until_spread(
    queues: &FailureQueues,
    queue: &str,
    mut answer: Sent<QueuePolicy>,
    limit: Duration,
) -> Result<Sent<QueuePolicy>, CallError> {
    let deadline = Instant::now() + limit;
    while answer.view.spreading && Instant::now() < deadline {
        sleep(LOOK_EVERY).await;
        answer = queues.policy(queue).await?;
    }
    Ok(answer)
}

fn in_words(policy: &QueuePolicy) -> String {
    let mut lines = vec![
        format!("queue              {}", policy.queue),
        format!(
            "automatic redrive  {}",
            describe::auto_redrive(policy.auto_redrive.as_ref())
        ),
    ];
    if policy.version == 0 {
        return describe::lines(&lines);
    }
    let spreading = if policy.spreading { ", so far" } else { "" };
    lines.push(format!("version            {}", policy.version));
    lines.push(format!(
        "reached            {} parked tasks{spreading}",
        policy.reached
    ));
    for change in &policy.changes {
        let reason = describe::after_colon(change.reason.as_ref());
        lines.push(format!(
            "change {:<11} {}  {}  {}{reason}",
            change.version,
            change.at,
            change.principal,
            describe::auto_redrive(change.auto_redrive.as_ref()),
        ));
    }
    describe::lines(&lines)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        policy: PolicyArgs,
    }

    fn parse(line: &str) -> Result<PolicyArgs, clap::Error> {
        let words = ["policy", "refund-payment"].into_iter();
        Line::try_parse_from(words.chain(line.split_whitespace())).map(|line| line.policy)
    }

    fn change(line: &str) -> Result<Option<Value>, &'static str> {
        let change = parse(line).expect("a command line").change()?;
        Ok(change.map(|change| json!(change)))
    }

    #[test]
    fn on_has_defaults_and_off_is_null() {
        let on = change("--on").expect("a change").expect("a change");
        let policy = json!({
            "firstWaitSeconds": 60.0, "backoff": 2.0, "longestWaitSeconds": 3600.0,
            "maxAttempts": 20, "maxAgeSeconds": 259_200.0,
        });
        assert_eq!(on, json!({ "autoRedrive": policy }));
        let off = change("--off --reason done").expect("a change");
        assert_eq!(off, Some(json!({ "autoRedrive": null, "reason": "done" })));
        assert_eq!(change(""), Ok(None));
    }

    #[test]
    fn waits_are_only_for_on_and_stay_within_limits() {
        for bad in [
            "--on --off",
            "--first-wait 1m",
            "--off --max-attempts 3",
            "--on --first-wait 99ms",
            "--on --backoff 0.5",
            "--on --backoff NaN",
            "--on --max-attempts 0",
            "--on --max-attempts 1001",
            "--on --max-age 3651d",
        ] {
            let error = parse(bad).expect_err(bad);
            assert_eq!(error.exit_code(), 2, "{bad}");
        }
        assert!(change("--on --first-wait 2h --longest-wait 1h").is_err());
        assert!(change("--reason why").is_err());
        let short = change("--on --first-wait 250ms --longest-wait 1s --backoff 1");
        let short = short.expect("a change").expect("a change");
        assert_eq!(short["autoRedrive"]["firstWaitSeconds"], json!(0.25));
    }
}
