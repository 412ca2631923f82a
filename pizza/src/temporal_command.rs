//! `pizza temporal`: the Temporal CLI that `dev` uses, for those who have
//! none of their own.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use crate::temporal_cli::{LocateOptions, TemporalCli, default_cache_dir, locate};

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
            cache: default_cache_dir(),
            quiet,
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
    // Only returns when it could not.
    let error = std::process::Command::new(&cli.path)
        .args(args.arguments)
        .exec();
    Err(error).with_context(|| format!("{} cannot be run", cli.path.display()))
}
