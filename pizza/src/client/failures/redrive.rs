//! `pizza failures redrive`.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use pizza_contract::RedriveFailure;
use serde_json::{Map, Value};

use super::action::Action;
use super::arguments;
use super::ending::{EXIT_CODES, Ending};
use super::target::TargetArgs;
use crate::client::output;

/// The largest corrected input, in bytes.
const MAX_INPUT: u64 = 256 * 1024;

#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub(super) struct RedriveArgs {
    /// Why; it stands in the audit trail
    #[arg(long, value_name = "TEXT", value_parser = arguments::reason)]
    reason: Option<String>,
    /// Run the one task that is named with this input, a JSON object; `-` is
    /// stdin. The original is kept
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["original_input", "all", "FilterArgs"]
    )]
    input: Option<PathBuf>,
    /// Run the one task that is named with its original input again
    #[arg(long, conflicts_with_all = ["all", "FilterArgs"])]
    original_input: bool,
    #[command(flatten)]
    target: TargetArgs,
}

/// Runs tasks again.
pub(super) async fn run(args: RedriveArgs) -> anyhow::Result<Ending> {
    let other_input = args.input.is_some() || args.original_input;
    if other_input && !args.target.is_one_task() {
        output::note("error: --input and --original-input are for one task at a time");
        return Ok(Ending::Misused);
    }
    let input = args.input.as_deref().map(|file| {
        read_input(file).with_context(|| format!("the input in {} cannot be taken", file.display()))
    });
    let how = RedriveFailure {
        reason: args.reason,
        input: input.transpose()?,
        original_input: args.original_input.then_some(true),
    };
    args.target.act(Action::Redrive(how)).await
}

fn read_input(file: &Path) -> anyhow::Result<Map<String, Value>> {
    if file == Path::new("-") {
        return parse_input(std::io::stdin().lock());
    }
    parse_input(std::fs::File::open(file)?)
}

fn parse_input(from: impl Read) -> anyhow::Result<Map<String, Value>> {
    let mut bytes = Vec::new();
    from.take(MAX_INPUT + 1).read_to_end(&mut bytes)?;
    ensure!(
        bytes.len() as u64 <= MAX_INPUT,
        "it has more than {MAX_INPUT} bytes"
    );
    serde_json::from_slice(&bytes).context("it is not a JSON object")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        redrive: RedriveArgs,
    }

    fn parse(line: &str) -> Result<RedriveArgs, clap::Error> {
        let words = ["redrive"].into_iter().chain(line.split_whitespace());
        Line::try_parse_from(words).map(|line| line.redrive)
    }

    #[test]
    fn another_input_is_for_a_task_that_is_named() {
        assert!(parse("a --input - --reason amount").is_ok());
        assert!(parse("a --original-input").is_ok());
        for bad in [
            "--all --input x.json",
            "--all --original-input",
            "a --input x.json --original-input",
        ] {
            assert_eq!(parse(bad).expect_err(bad).exit_code(), 2, "{bad}");
        }
    }

    #[tokio::test]
    async fn another_input_is_for_one_task() {
        let args = parse("a b --input nowhere.json").expect("a command line");
        assert_eq!(run(args).await.expect("no error"), Ending::Misused);
    }

    #[test]
    fn an_input_is_a_json_object_of_a_bounded_size() {
        let input = parse_input(r#"{"amount":1200}"#.as_bytes()).expect("an object");
        assert_eq!(input["amount"], 1200);
        let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(300_000));
        for bad in ["", "[]", "12", "{", large.as_str()] {
            assert!(parse_input(bad.as_bytes()).is_err());
        }
    }
}
