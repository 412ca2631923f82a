//! `pizza failures list`.

use clap::{Args, ValueEnum};
use pizza_contract::ListFailures;

use super::describe;
use super::ending::{EXIT_CODES, Ending};
use super::filter::FilterArgs;
use crate::client::operator_key::OperatorArgs;
use crate::client::output;
use crate::numbers::whole;

#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub(super) struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Tasks that stand so
    #[arg(long, value_enum, default_value_t = State::Open)]
    state: State,
    /// Tasks on a page, 1 to 100
    #[arg(long, default_value_t = 50, value_parser = whole(1..=100_u32))]
    limit: u32,
    /// The page after the one that ended with this cursor, with the same filters
    #[arg(long)]
    cursor: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    operator: OperatorArgs,
}

/// Where the tasks stand that are listed.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    /// Waiting, or being redriven
    Open,
    /// Redriven, and done
    Done,
    /// Let go
    Discarded,
}

impl ListArgs {
    fn wanted(&self) -> ListFailures {
        let state = match self.state {
            State::Open => "open",
            State::Done => "done",
            State::Discarded => "discarded",
        };
        ListFailures {
            state: Some(state.to_owned()),
            limit: Some(self.limit.into()),
            cursor: self.cursor.clone(),
            ..self.filter.list()
        }
    }
}

/// Lists a page of tasks.
pub(super) async fn run(args: ListArgs) -> anyhow::Result<Ending> {
    let answer = args.operator.connect()?.list(&args.wanted()).await?;
    if args.json {
        output::json(&answer.json);
        return Ok(Ending::AsWished);
    }
    let page = answer.view;
    output::page(&describe::tasks(&page.failures), page.next_cursor);
    Ok(Ending::AsWished)
}
