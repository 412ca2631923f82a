//! `pizza deploy promote`: a build gets what is new.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{bail, ensure};
use clap::Args;
use temporalio_client::Client;
use temporalio_common::worker::WorkerDeploymentVersion;
use tokio_util::sync::CancellationToken;

use super::check::{CheckArgs, check};
use super::deployment::{Change, Deployment, Note, Standing};
use super::health::{Health, Watch};
use super::outcome::{done, named};
use super::pollers;
use crate::client::failures::span;
use crate::client::output;
use crate::shutdown;
use crate::worker::name_of_a_version;

/// Which build is promoted, and how.
#[derive(Args, Debug)]
pub(super) struct PromoteArgs {
    /// The build; by default the one that this binary is
    #[arg(value_name = "BUILD_ID", value_parser = name_of_a_version)]
    build: Option<String>,
    /// Do nothing when some build is current already: the first start on an
    /// empty namespace
    #[arg(long, conflicts_with_all = ["ramp", "ramp_steps"])]
    first: bool,
    /// Give it this share of what is new, in percent, and leave it at that
    #[arg(long, value_name = "PERCENT", value_parser = percent, conflicts_with = "ramp_steps")]
    ramp: Option<f32>,
    /// Give it these shares one after the other, such as 5,25,100; go back
    /// when workflow tasks fail on it
    #[arg(
        long,
        value_name = "PERCENT,…",
        value_delimiter = ',',
        value_parser = percent,
        requires = "every"
    )]
    ramp_steps: Vec<f32>,
    /// How long each step is watched
    #[arg(long, value_name = "TIME", value_parser = span::wait, requires = "ramp_steps")]
    every: Option<Duration>,
    /// Wait so long for workers of the build on each task queue
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = span::wait)]
    wait: Duration,
    /// Promote it though there is not a worker of it on each task queue
    #[arg(long)]
    force: bool,
    /// Promote it without a check, for this reason, which is kept with the
    /// build
    #[arg(long, value_name = "REASON", value_parser = reason)]
    skip_check: Option<String>,
    #[command(flatten)]
    check: CheckArgs,
}

impl PromoteArgs {
    /// Refuses what cannot be done, before anybody is asked anything.
    pub(super) fn decide(&self, version: &WorkerDeploymentVersion) -> anyhow::Result<()> {
        let build = self.build(version);
        ensure!(
            build == version.build_id || self.skip_check.is_some(),
            "this binary is {}, so it cannot check {build}: run the binary that is to be promoted, \
             or say with --skip-check why none is needed",
            version.build_id
        );
        ensure!(
            self.ramp_steps.is_sorted_by(|a, b| a < b),
            "--ramp-steps must go up"
        );
        Ok(())
    }

    fn build<'a>(&'a self, version: &'a WorkerDeploymentVersion) -> &'a str {
        self.build.as_deref().unwrap_or(&version.build_id)
    }

    /// The shares to give one after the other; 100 makes it current, unless it
    /// is asked for as a ramp.
    fn steps(&self) -> Vec<Step> {
        if let Some(percent) = self.ramp {
            return vec![Step::Ramp(percent)];
        }
        if self.ramp_steps.is_empty() {
            return vec![Step::Current];
        }
        let step = |percent: &f32| match *percent {
            100.0 => Step::Current,
            percent => Step::Ramp(percent),
        };
        self.ramp_steps.iter().map(step).collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Ramp(f32),
    Current,
}

fn percent(text: &str) -> Result<f32, String> {
    text.parse()
        .ok()
        .filter(|percent| *percent > 0.0 && *percent <= 100.0)
        .ok_or_else(|| "must be a number of percent above 0, up to 100".to_owned())
}

fn reason(text: &str) -> Result<String, String> {
    let is_good = !text.trim().is_empty() && text.chars().count() <= 500;
    is_good
        .then(|| text.to_owned())
        .ok_or_else(|| "must be a reason of 1 to 500 characters".to_owned())
}

/// Promotes a build as told, or says why not.
pub(super) async fn run(
    client: &Client,
    version: &WorkerDeploymentVersion,
    args: &PromoteArgs,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let build = args.build(version);
    let name = named(version, Some(build));
    let deployment = Deployment {
        client,
        name: &version.deployment_name,
    };
    if !args.force {
        let missing = pollers::missing(client, deployment.name, Some(build), args.wait).await?;
        ensure!(
            missing.is_empty(),
            "no worker of {name} is there for {}; start them, or --force",
            missing.join(", ")
        );
    }
    let before = deployment.with_build(build, args.wait).await?;
    if before.routing.current.as_deref() == Some(build) && before.routing.ramping.is_none() {
        return Ok(done(
            &format!("{name} is current already"),
            &before,
            as_json,
        ));
    }
    if let (true, Some(current)) = (args.first, &before.routing.current) {
        let text = format!("{current} is current: {name} is not the first build");
        return Ok(done(&text, &before, as_json));
    }
    if args.skip_check.is_none() {
        let verdict = Box::pin(check(client, Some(version), &args.check)).await?;
        if !verdict.is_clean() {
            verdict.print(as_json);
            output::note(&format!("{name} was not promoted, and nothing was changed"));
            return Ok(ExitCode::FAILURE);
        }
        output::note(&verdict.summary());
    }
    let promotion = Promotion {
        deployment,
        args,
        build,
        name,
    };
    promotion.run(before, as_json).await
}

struct Promotion<'a> {
    deployment: Deployment<'a>,
    args: &'a PromoteArgs,
    build: &'a str,
    name: String,
}

impl Promotion<'_> {
    /// Goes through the steps, and back when one does not go well.
    async fn run(&self, before: Standing, as_json: bool) -> anyhow::Result<ExitCode> {
        let stop = match self.args.every {
            Some(_) => shutdown::on_signal(),
            None => CancellationToken::new(),
        };
        let mut standing = before.clone();
        let mut watch = None;
        let steps = self.args.steps();
        for (at, &step) in steps.iter().enumerate() {
            standing = self.take(step, &before, &standing).await?;
            output::note(&self.told(step));
            let Some(every) = self.args.every else {
                continue;
            };
            let watch = match &mut watch {
                Some(watch) => watch,
                none => none
                    .insert(Watch::new(&self.deployment, self.build, standing.changed_at).await?),
            };
            let mut health = watch.until(every, &stop).await?;
            // What follows gives it everything, so by then its workers have
            // to be more than remembered.
            if health == Health::Good && at + 2 == steps.len() {
                output::note("waiting until its workers ask for work again on each queue");
                health = watch.until_asked_again(&stop).await?;
            }
            match health {
                Health::Good => {}
                Health::Stopped => {
                    output::note("stopped: the build keeps the share that it has now");
                    return Ok(ExitCode::FAILURE);
                }
                Health::Bad(why) => {
                    output::note(&why);
                    let now = self.go_back(&before, &standing).await?;
                    let text = format!("{} was rolled back", self.name);
                    done(&text, &now, as_json);
                    return Ok(ExitCode::FAILURE);
                }
            }
        }
        let text = match standing.routing.ramping {
            Some(ramp) => format!("{} has {}% of what is new", self.name, ramp.percent),
            None => format!("{} is current", self.name),
        };
        Ok(done(&text, &self.deployment.known().await?, as_json))
    }

    fn told(&self, step: Step) -> String {
        match step {
            Step::Ramp(percent) => format!("{}: {percent}% of what is new", self.name),
            Step::Current => format!("{}: all that is new", self.name),
        }
    }

    async fn take(
        &self,
        step: Step,
        before: &Standing,
        standing: &Standing,
    ) -> anyhow::Result<Standing> {
        let force = self.args.force;
        match step {
            Step::Ramp(percent) => {
                if before.routing.current.as_deref() == Some(self.build) {
                    bail!("{} is current already, and cannot be ramped up", self.name);
                }
                let change = Change::Ramp {
                    build: self.build,
                    percent,
                };
                self.deployment.change(change, standing, force).await
            }
            Step::Current => {
                // Before the change: one that is cut off leaves a note that
                // says what is true.
                let note = Note {
                    previous: before.routing.current.clone(),
                    check_skipped: self.args.skip_check.clone(),
                    restored_from: None,
                };
                if before.routing.current.as_deref() != Some(self.build) {
                    self.deployment.keep(self.build, &note).await?;
                }
                let change = Change::Current(Some(self.build));
                let now = self.deployment.change(change, standing, force).await?;
                // A share that another build had is not asked for any more.
                match now.routing.ramping {
                    None => Ok(now),
                    Some(_) => self.deployment.change(Change::NoRamp, &now, force).await,
                }
            }
        }
    }

    /// Makes the routing again what it was before the first step.
    async fn go_back(&self, before: &Standing, now: &Standing) -> anyhow::Result<Standing> {
        let now = self.deployment.change(Change::NoRamp, now, true).await?;
        let current = before.routing.current.as_deref();
        // Whether the old workers are there is not asked: those that fail are
        // no better.
        self.deployment
            .change(Change::Current(current), &now, true)
            .await
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        promote: PromoteArgs,
    }

    fn parse(args: &[&str]) -> Result<PromoteArgs, clap::Error> {
        Cli::try_parse_from([&["promote"], args].concat()).map(|cli| cli.promote)
    }

    fn own() -> WorkerDeploymentVersion {
        WorkerDeploymentVersion::builder()
            .deployment_name("pizza")
            .build_id("2")
            .build()
    }

    #[test]
    fn a_build_is_promoted_at_once_by_a_share_or_in_steps() {
        let steps = |args: &[&str]| parse(args).map(|args| args.steps()).ok();
        assert_eq!(steps(&[]), Some(vec![Step::Current]));
        assert_eq!(steps(&["--ramp", "100"]), Some(vec![Step::Ramp(100.0)]));
        assert_eq!(
            steps(&["--ramp-steps", "5,25,100", "--every", "1m"]),
            Some(vec![Step::Ramp(5.0), Step::Ramp(25.0), Step::Current])
        );
        for wrong in [
            &["--ramp", "0"][..],
            &["--ramp", "101"],
            &["--ramp", "NaN"],
            &["--ramp-steps", "5,25"],
            &["--every", "1m"],
            &["--first", "--ramp", "5"],
            &["--skip-check", " "],
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn only_the_build_itself_can_say_that_it_may_be_promoted() {
        let refused = |args: &[&str]| parse(args).expect("arguments").decide(&own()).is_err();
        assert!(!refused(&[]));
        assert!(!refused(&["2"]));
        assert!(refused(&["3"]));
        assert!(!refused(&[
            "3",
            "--skip-check",
            "it was checked where it was built"
        ]));
        assert!(refused(&["--ramp-steps", "25,5", "--every", "1m"]));
    }
}
