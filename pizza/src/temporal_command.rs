//! `pizza temporal`: the Temporal CLI that `dev` uses, for those who have
//! none of their own.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use temporal_dev_server::{
    LocateOptions, PROXIES, SettingNames, TemporalCli, cache_dir, clear_environment, locate,
};

use crate::client::output;
use crate::streams::STDERR;

/// Says where to keep a Temporal CLI that was fetched.
const CACHE_VARIABLE: &str = "PIZZA_CACHE_DIR";

/// What the Temporal CLI needs of the environment, beside the way out of this
/// network: how Temporal is reached, and what it shows texts with.
const NEEDED: [&str; 5] = ["TEMPORAL_", "EDITOR", "PAGER", "COLUMNS", "LINES"];

/// What sets how Temporal is found and run, for the texts of the errors.
pub(crate) const SETTING_NAMES: SettingNames = SettingNames {
    cli: "--temporal-cli",
    cache: CACHE_VARIABLE,
    data: "--data",
    port: "--temporal-port",
    ui_port: "--ui-port",
};

/// Which Temporal CLI to use.
#[derive(Args, Clone, Debug)]
pub(crate) struct CliArgs {
    /// The Temporal CLI to use; by default one is found or fetched
    #[arg(long, value_name = "PATH", env = "PIZZA_TEMPORAL_CLI")]
    temporal_cli: Option<PathBuf>,
}

impl CliArgs {
    /// Finds or fetches it.
    pub(crate) async fn locate(&self, quiet: bool) -> anyhow::Result<TemporalCli> {
        let options = LocateOptions {
            explicit: self.temporal_cli.clone(),
            cache: cache_dir(CACHE_VARIABLE, "cloud-pizza"),
            quiet,
            tell: output::note,
            names: SETTING_NAMES,
        };
        Ok(locate(&options).await?)
    }
}

#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub(crate) struct TemporalArgs {
    /// What to pass on; see `pizza temporal --help`
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGUMENT"
    )]
    arguments: Vec<OsString>,
}

/// Becomes the Temporal CLI.
pub(crate) async fn run(args: TemporalArgs) -> anyhow::Result<ExitCode> {
    use std::os::unix::process::CommandExt;

    let cli = CliArgs {
        temporal_cli: std::env::var_os("PIZZA_TEMPORAL_CLI").map(PathBuf::from),
    }
    .locate(false)
    .await?;
    let mut command = std::process::Command::new(&cli.path);
    clear_environment(&mut command, &[&NEEDED, &PROXIES]);
    // What was said so far stands before what the CLI says.
    STDERR.finish();
    // Only returns when it could not.
    let error = command.args(args.arguments).exec();
    Err(error).with_context(|| format!("{} cannot be run", cli.path.display()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn the_settings_that_errors_name_exist() {
        let cli = Cli::command();
        let dev = cli.find_subcommand("dev").expect("a role");
        let flags: Vec<String> = dev
            .get_arguments()
            .filter_map(|argument| argument.get_long().map(|name| format!("--{name}")))
            .collect();
        let names = SETTING_NAMES;
        for flag in [names.cli, names.data, names.port, names.ui_port] {
            assert!(flags.iter().any(|known| known == flag), "{flag}: {flags:?}");
        }
    }
}
