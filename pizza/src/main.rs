//! `pizza`: one binary, a subcommand for each role.

mod audit;
mod cli;
mod client;
mod dev;
mod gateway;
mod keys;
mod kitchen;
mod menu;
mod open_files;
mod reconciliation;
mod replay;
mod shutdown;
mod telemetry;
mod temporal;
mod temporal_command;
mod worker;

use std::process::ExitCode;

use clap::Parser;
use pizza_api::Role;
use temporalio_common::telemetry::ensure_default_crypto_provider;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let command = Cli::parse().role();
    // The SDK's TLS leaves the choice of its cryptography to the process.
    ensure_default_crypto_provider();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return report(&error.into()),
    };
    let telemetry = {
        let _inside = runtime.enter();
        match telemetry::start(command.service()) {
            Ok(telemetry) => telemetry,
            Err(error) => return report(&error),
        }
    };
    let done = runtime.block_on(run(command));
    telemetry.finish();
    // What is still running has had its time to end; do not wait for more.
    runtime.shutdown_background();
    done.unwrap_or_else(|error| report(&error))
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Dev(args) => dev::run(args).await,
        Command::Worker(args) => worker::run(args).await,
        Command::Gateway(args) => gateway::run(args).await,
        Command::Kitchen(args) => kitchen::run(args).await,
        Command::Tickets(args) => client::tickets::run(args).await,
        Command::Report(args) => client::report::run(args).await,
        Command::KitchenSimulation(args) => client::kitchen_simulation::run(args).await,
        Command::Healthcheck(args) => client::healthcheck::run(args).await,
        Command::Menu(args) => client::menu::run(args).await,
        Command::Order(args) => client::order::run(args).await,
        Command::Cancel(args) => client::cancel::run(args).await,
        Command::Amend(args) => client::amend::run(args).await,
        Command::Orders(args) => client::orders::run(args).await,
        Command::Status(args) => client::status::run(args).await,
        Command::Failures(args) => client::failures::run(args).await,
        Command::Scenarios(args) => client::scenarios::run(args).await,
        // The client's futures are large; boxed, they stay off the stack.
        Command::Audit(args) => Box::pin(audit::run(args)).await,
        Command::Reconcile(args) => Box::pin(reconciliation::run(args)).await,
        Command::Replay(args) => Box::pin(replay::run(args, temporal::connect)).await,
        Command::OperatorKey(args) => keys::run(Role::Operator, &args),
        Command::CustomerKey(args) => keys::run(Role::Customer, &args),
        Command::KitchenKey(args) => keys::run(Role::Kitchen, &args),
        Command::Temporal(args) => temporal_command::run(args).await,
    }
}

/// Prints an error with its causes, once, at the edge.
fn report(error: &anyhow::Error) -> ExitCode {
    client::output::note(&format!("error: {error:#}"));
    ExitCode::FAILURE
}
