//! `pizza deploy rollback`: back to the build that was current before.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use temporalio_client::Client;
use temporalio_common::worker::WorkerDeploymentVersion;

use super::deployment::{Change, Deployment, Note, Standing};
use super::outcome::{done, named};
use super::pollers;
use crate::client::output;
use crate::worker::name_of_a_version;

/// Where to go back to.
#[derive(Args, Debug)]
pub(super) struct RollbackArgs {
    /// The build to go back to; by default the one before the current one
    #[arg(value_name = "BUILD_ID", value_parser = name_of_a_version)]
    build: Option<String>,
    /// Go back to workers that are not versioned, to switch versioning off
    #[arg(long, conflicts_with = "build")]
    unversioned: bool,
    /// Go back though there is not a worker of it on each task queue
    #[arg(long)]
    force: bool,
}

/// Where the rollback ends.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    /// At the current build: only a ramp is ended.
    Current,
    /// The current build is where a rollback led before.
    AlreadyBack {
        from: String,
    },
    Build(String),
    Unversioned,
}

/// Goes back, or says why not.
pub(super) async fn run(
    client: &Client,
    version: &WorkerDeploymentVersion,
    args: &RollbackArgs,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let deployment = Deployment {
        client,
        name: &version.deployment_name,
    };
    let standing = deployment.known().await?;
    let target = target(&deployment, &standing, args).await?;
    let current = standing.routing.current.clone();
    let to = match &target {
        Target::AlreadyBack { from } => {
            let text = format!(
                "{} is current since {from} was rolled back; to go further back, name the build",
                named(version, current.as_deref())
            );
            return Ok(done(&text, &standing, as_json));
        }
        Target::Current => current.as_deref(),
        Target::Build(build) => Some(build.as_str()),
        Target::Unversioned => None,
    };
    if to != current.as_deref() && !args.force {
        let missing = pollers::missing(client, deployment.name, to, Duration::ZERO).await?;
        ensure!(
            missing.is_empty(),
            "no worker of {} is there for {}; start them, or --force",
            named(version, to),
            missing.join(", ")
        );
    }
    let mut now = deployment
        .change(Change::NoRamp, &standing, args.force)
        .await?;
    if let Some(ramp) = &standing.routing.ramping {
        output::note(&format!("{} has no share any more", ramp.build));
    }
    if to != current.as_deref() {
        if let (Some(build), Some(from)) = (to, &current) {
            let note = Note {
                restored_from: Some(from.clone()),
                ..deployment.note(build).await?.unwrap_or_default()
            };
            deployment.keep(build, &note).await?;
        }
        now = deployment
            .change(Change::Current(to), &now, args.force)
            .await?;
    }
    let text = match to {
        Some(_) => format!("{} is current", named(version, to)),
        None => format!("all that is new goes to {}", named(version, to)),
    };
    Ok(done(&text, &now, as_json))
}

async fn target(
    deployment: &Deployment<'_>,
    standing: &Standing,
    args: &RollbackArgs,
) -> anyhow::Result<Target> {
    if args.unversioned {
        return Ok(Target::Unversioned);
    }
    if let Some(build) = &args.build {
        return Ok(Target::Build(build.clone()));
    }
    // What was begun last is taken back first.
    if standing.routing.ramping.is_some() {
        return Ok(Target::Current);
    }
    let current = standing
        .routing
        .current
        .as_deref()
        .context("no build is current, so there is none to go back from")?;
    match deployment.note(current).await? {
        Some(Note {
            restored_from: Some(from),
            ..
        }) => Ok(Target::AlreadyBack { from }),
        Some(Note {
            previous: Some(previous),
            ..
        }) => Ok(Target::Build(previous)),
        Some(_) => anyhow::bail!(
            "{current} is the first build of {}; to switch versioning off, --unversioned",
            deployment.name
        ),
        None => current_before(standing, current).map(Target::Build),
    }
}

/// The build that was current last but one, by the server's own times: for a
/// build that another tool promoted.
fn current_before(standing: &Standing, current: &str) -> anyhow::Result<String> {
    standing
        .versions
        .iter()
        .filter(|version| version.build != current && version.last_current_ms.is_some())
        .max_by_key(|version| version.last_current_ms)
        .map(|version| version.build.clone())
        .with_context(|| format!("no build was current before {current}; name one"))
}
