//! `pizza failures queues`.

use clap::Args;
use pizza_contract::FailureQueue;

use super::describe;
use super::ending::{EXIT_CODES, Ending};
use super::span::in_words;
use crate::client::operator_key::OperatorArgs;
use crate::client::output;

#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub(super) struct QueuesArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    operator: OperatorArgs,
}

/// Shows the queues, empty ones included.
pub(super) async fn run(args: QueuesArgs) -> anyhow::Result<Ending> {
    let answer = args.operator.connect()?.queues().await?;
    if args.json {
        output::json(&answer.json);
    } else {
        output::lines(&table(&answer.view.queues));
    }
    Ok(Ending::AsWished)
}

fn table(queues: &[FailureQueue]) -> String {
    let mut table = output::table(&[
        "queue",
        "what",
        "depth",
        "oldest",
        "arrived last hour",
        "resolved last hour",
        "automatic redrive",
    ]);
    for queue in queues {
        table.add_row([
            queue.queue.to_string(),
            queue.message_type.to_string(),
            queue.depth.to_string(),
            queue
                .oldest_age_seconds
                .map(|age| in_words(age as f64))
                .unwrap_or_default(),
            queue.arrived_last_hour.to_string(),
            queue.resolved_last_hour.to_string(),
            describe::auto_redrive(queue.auto_redrive.as_ref()),
        ]);
    }
    table.to_string()
}
