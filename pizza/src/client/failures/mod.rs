//! `pizza failures`: the failure queues, for whoever looks after them.

mod action;
mod arguments;
mod bulk;
mod describe;
mod discard;
mod ending;
mod filter;
mod list;
mod named;
mod policy;
mod queues;
mod redrive;
mod show;
pub(crate) mod span;
mod target;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use ending::{EXIT_CODES, Ending};

#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct FailuresArgs {
    #[command(subcommand)]
    command: FailuresCommand,
}

#[derive(Debug, Subcommand)]
enum FailuresCommand {
    /// Show each queue: how deep, how old, what comes and goes
    Queues(queues::QueuesArgs),
    /// List parked tasks, a page at a time
    List(list::ListArgs),
    /// Show a task: what it owes, why it failed, who did what
    Show(show::ShowArgs),
    /// Run tasks again
    Redrive(redrive::RedriveArgs),
    /// Let tasks go for good; what they owe stays owed
    Discard(discard::DiscardArgs),
    /// Show or change when a queue's tasks are run again by themselves
    Policy(policy::PolicyArgs),
    /// Show, follow or stop a bulk operation
    Bulk(bulk::BulkArgs),
}

/// Looks after the failure queues.
pub(crate) async fn run(args: FailuresArgs) -> anyhow::Result<ExitCode> {
    let ending = perform(args).await?;
    Ok(ending.exit_code())
}

async fn perform(args: FailuresArgs) -> anyhow::Result<Ending> {
    match args.command {
        FailuresCommand::Queues(args) => queues::run(args).await,
        FailuresCommand::List(args) => list::run(args).await,
        FailuresCommand::Show(args) => show::run(args).await,
        FailuresCommand::Redrive(args) => redrive::run(args).await,
        FailuresCommand::Discard(args) => discard::run(args).await,
        FailuresCommand::Policy(args) => policy::run(args).await,
        FailuresCommand::Bulk(args) => bulk::run(args).await,
    }
}
