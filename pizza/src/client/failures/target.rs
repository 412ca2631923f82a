//! Which tasks an operator acts on, and whether that is really meant.

use std::io::{self, BufRead, IsTerminal};
use std::time::Duration;

use clap::Args;
use pizza_client::FailureQueues;
use pizza_contract::StartBulk;

use super::action::Action;
use super::ending::Ending;
use super::filter::FilterArgs;
use super::{arguments, bulk, named};
use crate::client::operator_key::OperatorArgs;
use crate::client::output;
use crate::numbers::{LONGEST_WAIT, number, whole};

/// The tasks to act on: by id, or all that pass the filters.
#[derive(Args, Debug)]
pub(super) struct TargetArgs {
    /// The tasks' ids; instead of them, --all or a filter starts a bulk
    /// operation
    #[arg(
        value_name = "ID",
        value_parser = arguments::name,
        conflicts_with_all = ["all", "FilterArgs", "rate", "dry_run", "no_wait"]
    )]
    pub(super) ids: Vec<String>,
    /// All parked tasks, or all that pass the filters
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    filter: FilterArgs,
    /// At most so many tasks a second in a bulk operation, 0.1 to 100
    #[arg(long, value_name = "TASKS", default_value = "20", value_parser = rate)]
    rate: f64,
    /// Say what a bulk operation would reach, and touch nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before a bulk operation
    #[arg(long)]
    yes: bool,
    /// Print the bulk operation's id and do not wait for its end
    #[arg(long)]
    no_wait: bool,
    /// How long to wait for the end of each task that is named
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 60,
        value_parser = whole(0..=LONGEST_WAIT),
        conflicts_with_all = ["all", "FilterArgs"]
    )]
    timeout_seconds: u64,
    /// Print JSON, a line for each task or one for a bulk operation
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    operator: OperatorArgs,
}

/// Reads how many tasks a second.
fn rate(text: &str) -> Result<f64, String> {
    number(text, 0.1..=100.0, "number")
}

/// Whether a bulk operation may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Consent {
    Given,
    /// A person has to be asked.
    Asked,
    /// Nobody said yes, and nobody can be asked.
    Missing,
}

impl Consent {
    const fn of(yes: bool, terminal: bool) -> Self {
        match (yes, terminal) {
            (true, _) => Self::Given,
            (false, true) => Self::Asked,
            (false, false) => Self::Missing,
        }
    }
}

impl TargetArgs {
    /// Whether the tasks are named one by one.
    pub(super) const fn is_one_task(&self) -> bool {
        self.ids.len() == 1
    }

    /// Does the action to the tasks.
    pub(super) async fn act(&self, action: Action) -> anyhow::Result<Ending> {
        if self.ids.is_empty() && !self.all && self.filter.is_empty() {
            output::note(
                "error: say which tasks: their ids, which `pizza failures list` shows; or --all or \
                 filters for a bulk operation, for example --queue refund-payment --dry-run",
            );
            return Ok(Ending::Misused);
        }
        let queues = self.operator.connect()?;
        if !self.ids.is_empty() {
            let limit = Duration::from_secs(self.timeout_seconds);
            return named::act(&queues, &self.ids, &action, limit, self.json).await;
        }
        let request = self.filter.bulk(&action, self.rate);
        if self.dry_run {
            bulk::print_preview(&queues.preview_bulk(&request).await?, self.json);
            return Ok(Ending::AsWished);
        }
        let terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
        match Consent::of(self.yes, terminal) {
            Consent::Given => {}
            Consent::Asked => {
                if let Some(ending) = self.ask(&queues, &request).await? {
                    return Ok(ending);
                }
            }
            Consent::Missing => {
                output::note(
                    "error: a bulk operation is begun with --yes where nobody can be asked; \
                     --dry-run says what it would reach",
                );
                return Ok(Ending::Misused);
            }
        }
        bulk::run_to_its_end(&queues, &request, self.no_wait, self.json).await
    }

    /// Asks the person at the terminal; none to go on.
    async fn ask(
        &self,
        queues: &FailureQueues,
        request: &StartBulk,
    ) -> anyhow::Result<Option<Ending>> {
        let matching = queues.preview_bulk(request).await?.view.matching;
        if matching == 0 {
            output::note("no task matches");
            return Ok(Some(Ending::AsWished));
        }
        let action = request.action.as_str();
        let question = format!("{action} {matching} tasks {}?", self.filter.in_words());
        if confirmed(&question)? {
            return Ok(None);
        }
        output::note("nothing was done");
        Ok(Some(Ending::Failed))
    }
}

/// Asks for a yes; anything else is a no.
fn confirmed(question: &str) -> io::Result<bool> {
    output::question(&format!("{question} [y/N]"));
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(is_yes(&line))
}

fn is_yes(line: &str) -> bool {
    let line = line.trim();
    line.eq_ignore_ascii_case("y") || line.eq_ignore_ascii_case("yes")
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use pizza_contract::DiscardFailure;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        target: TargetArgs,
    }

    fn parse(line: &str) -> Result<TargetArgs, clap::Error> {
        let words = ["redrive"].into_iter().chain(line.split_whitespace());
        Line::try_parse_from(words).map(|line| line.target)
    }

    #[test]
    fn tasks_are_named_or_filtered_but_not_both() {
        for good in [
            "failed-refund-payment-1",
            "a b --yes --timeout-seconds 5",
            "--all",
            "--all --queue refund-payment --dry-run",
            "--older-than 3d --rate 0.5 --no-wait",
            "--customer c-7 --error-code refund-failed --message-type RefundPaymentFailed",
        ] {
            assert!(parse(good).is_ok(), "{good}: {:?}", parse(good).err());
        }
        for bad in [
            "a --all",
            "a --queue refund-payment",
            "a --dry-run",
            "a --no-wait",
            "a --rate 5",
            "..",
            "--queue nowhere",
            "--message-type Nothing",
            "--order 17",
            "--customer ann@example.org",
            "--all --rate 0",
            "--all --rate 101",
            "--all --rate NaN",
            "--all --timeout-seconds 5",
            "--older-than 5",
        ] {
            let error = parse(bad).expect_err(bad);
            assert_eq!(error.exit_code(), 2, "{bad}");
        }
    }

    #[tokio::test]
    async fn which_tasks_are_meant_must_be_said() {
        for line in ["", "--yes"] {
            let target = parse(line).expect("a command line");
            let action = Action::Discard(DiscardFailure {
                reason: "test data".to_owned(),
            });
            let ending = target.act(action).await.expect("no error");
            assert_eq!(ending, Ending::Misused, "{line}");
        }
    }

    #[test]
    fn a_bulk_operation_says_what_it_reaches() {
        let discard = Action::Discard(DiscardFailure {
            reason: "test data".to_owned(),
        });
        let request = |line: &str| {
            let target = parse(line).expect("a command line");
            json!(target.filter.bulk(&discard, target.rate))
        };
        assert_eq!(
            request("--all"),
            json!({ "all": true, "action": "discard", "ratePerSecond": 20.0, "reason": "test data" })
        );
        assert_eq!(
            request("--all --queue refund-payment --older-than 2h --rate 5"),
            json!({
                "queue": "refund-payment", "olderThanSeconds": 7200,
                "action": "discard", "ratePerSecond": 5.0, "reason": "test data",
            })
        );
    }

    #[test]
    fn without_a_terminal_somebody_has_to_have_said_yes() {
        assert_eq!(Consent::of(true, false), Consent::Given);
        assert_eq!(Consent::of(true, true), Consent::Given);
        assert_eq!(Consent::of(false, true), Consent::Asked);
        assert_eq!(Consent::of(false, false), Consent::Missing);
    }

    #[test]
    fn only_a_yes_is_a_yes() {
        for yes in ["y\n", "Y", " yes \n"] {
            assert!(is_yes(yes), "{yes:?}");
        }
        for no in ["", "\n", "n", "yess", "no\n"] {
            assert!(!is_yes(no), "{no:?}");
        }
    }
}
