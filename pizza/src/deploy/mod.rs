//! `pizza deploy`: which build gets what is new.
//!
//! Workers of a deployment say which build they are. Temporal hands new
//! workflows to the current build, a share of them to the one that is ramped
//! up, and those that are under way to the build that they stay with. `promote`
//! changes that, and `check` finds out first whether a build can go on with
//! what is there. To show the builds and to go back, there is Temporal's own
//! command line: `pizza temporal worker deployment`. Why it is so:
//! docs/decisions/0009.

mod check;
mod deployment;
mod health;
mod promote;
mod sample;

use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};

use crate::codec_keys::CodecKeysArgs;
use crate::temporal;
use crate::worker::VersioningArgs;

#[derive(Args, Debug)]
pub(crate) struct DeployArgs {
    #[command(subcommand)]
    command: DeployCommand,
    #[command(flatten)]
    versioning: VersioningArgs,
    /// Print one JSON object
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum DeployCommand {
    /// Replay open and recent histories with this build; fails on a break
    Check(check::CheckArgs),
    /// Give a build what is new, at once or in steps, if the check is clean
    Promote(promote::PromoteArgs),
}

impl DeployArgs {
    pub(crate) fn codec_keys(&self) -> CodecKeysArgs {
        let check = match &self.command {
            DeployCommand::Check(check) => check,
            DeployCommand::Promote(promote) => &promote.check,
        };
        check.codec_keys.clone()
    }
}

/// Runs the subcommand.
pub(crate) async fn run(args: DeployArgs) -> anyhow::Result<ExitCode> {
    let version = args.versioning.version();
    match &args.command {
        DeployCommand::Check(check) => {
            Box::pin(check::run(version.as_ref(), check, args.json)).await
        }
        DeployCommand::Promote(promote) => {
            let version = version.as_ref().context(
                "there is no deployment: name it with --deployment-name or TEMPORAL_DEPLOYMENT_NAME",
            )?;
            promote.decide(version)?;
            let client = temporal::connect().await?;
            Box::pin(promote::run(&client, version, promote, args.json)).await
        }
    }
}
