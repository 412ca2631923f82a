//! `pizza failures discard`.

use clap::Args;
use pizza_contract::DiscardFailure;

use super::action::Action;
use super::arguments;
use super::ending::{EXIT_CODES, Ending};
use super::target::TargetArgs;

#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub(super) struct DiscardArgs {
    /// Why; it stands in the audit trail
    #[arg(long, value_name = "TEXT", value_parser = arguments::reason)]
    reason: String,
    #[command(flatten)]
    target: TargetArgs,
}

/// Lets tasks go for good.
pub(super) async fn run(args: DiscardArgs) -> anyhow::Result<Ending> {
    let why = DiscardFailure {
        reason: args.reason,
    };
    args.target.act(Action::Discard(why)).await
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        discard: DiscardArgs,
    }

    #[test]
    fn a_discard_has_a_reason() {
        let parse = |words: &[&str]| Line::try_parse_from([&["discard"], words].concat());
        assert!(parse(&["a", "--reason", "paid by hand"]).is_ok());
        assert!(parse(&["--all", "--reason", "test data"]).is_ok());
        let long = "x".repeat(501);
        for bad in [
            &["a"][..],
            &["a", "--reason", " "],
            &["a", "--reason", &long],
        ] {
            assert_eq!(parse(bad).expect_err("no reason").exit_code(), 2, "{bad:?}");
        }
    }
}
