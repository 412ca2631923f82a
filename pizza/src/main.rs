//! `pizza`: one binary, a subcommand for each role.

mod audit;
mod build_id;
mod chance;
mod cli;
mod client;
mod codec_keys;
mod codec_server;
mod deploy;
mod dev;
mod environment;
mod gateway;
mod guards;
mod keys;
mod kitchen;
mod load;
mod menu;
mod migrate;
mod numbers;
mod open_files;
mod reconciliation;
mod replay;
mod secret_file;
mod shutdown;
mod store_args;
mod streams;
mod telemetry;
mod temporal;
mod temporal_command;
mod temporal_settings;
mod worker;

use std::backtrace::Backtrace;
use std::process::ExitCode;

use pizza_app::keys::Role;
use rustix::fs::Mode;
use rustix::process::umask;
use temporalio_common::telemetry::ensure_default_crypto_provider;

use cli::{Cli, Command};
use client::output;

fn main() -> ExitCode {
    environment::forget_empty_variables();
    // What this process and its children make is for this user alone: the
    // databases, their logs, the keys.
    umask(Mode::RWXG | Mode::RWXO);
    std::panic::set_hook(Box::new(|panic| {
        // Printed as all else is: never where it may block.
        output::error(&anyhow::anyhow!("{panic}\n{}", Backtrace::capture()));
    }));
    output::finish(obey())
}

/// Does what the command line says.
fn obey() -> ExitCode {
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(said) => return output::usage(&cli::without_secrets(said)),
    };
    if cli.version {
        output::data(&format!("pizza {}", build_id::build_id()));
        return ExitCode::SUCCESS;
    }
    let command = cli.role();
    codec_keys::use_those_of(command.codec_keys());
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
        // Futures that connect are large; boxed, they stay off the stack.
        Command::Dev(args) => Box::pin(dev::run(args)).await,
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
        Command::Load(args) => Box::pin(load::run(args)).await,
        Command::Migrate(args) => migrate::run(args).await,
        // The client's futures are large; boxed, they stay off the stack.
        Command::Audit(args) => Box::pin(audit::run(args)).await,
        Command::Reconcile(args) => Box::pin(reconciliation::run(args)).await,
        Command::Deploy(args) => Box::pin(deploy::run(args)).await,
        Command::Replay(args) => Box::pin(replay::run(args, temporal::connect)).await,
        Command::OperatorKey(args) => keys::run(Role::Operator, &args),
        Command::CustomerKey(args) => keys::run(Role::Customer, &args),
        Command::KitchenKey(args) => keys::run(Role::Kitchen, &args),
        Command::CodecServer(args) => codec_server::run(args).await,
        Command::CodecKey(args) => codec_keys::run(&args),
        Command::Temporal(args) => temporal_command::run(args).await,
    }
}

/// Prints an error with its causes, once, at the edge.
fn report(error: &anyhow::Error) -> ExitCode {
    output::error(error);
    ExitCode::FAILURE
}
