//! `pizza deploy promote`: a build gets what is new.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{bail, ensure};
use clap::Args;
use serde_json::json;
use temporalio_client::Client;
use temporalio_common::worker::WorkerDeploymentVersion;
use tokio_util::sync::CancellationToken;

use super::check::{CheckArgs, check};
use super::deployment::{Change, Deployment, State};
use super::health::{Health, Watch, missing};
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
    pub(super) check: CheckArgs,
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

    /// The changes to make one after the other. 100 makes the build current,
    /// unless it is asked for as a ramp.
    fn steps<'a>(&self, build: &'a str) -> Vec<Change<'a>> {
        let ramp = |percent| Change::Ramp { build, percent };
        if let Some(percent) = self.ramp {
            return vec![ramp(percent)];
        }
        if self.ramp_steps.is_empty() {
            return vec![Change::Current(Some(build))];
        }
        let step = |percent: &f32| match *percent {
            100.0 => Change::Current(Some(build)),
            percent => ramp(percent),
        };
        self.ramp_steps.iter().map(step).collect()
    }
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
    let deployment = Deployment {
        client,
        name: &version.deployment_name,
    };
    let name = format!("{build} of {}", deployment.name);
    if !args.force {
        let missing = missing(&deployment, build, args.wait).await?;
        ensure!(
            missing.is_empty(),
            "no worker of {name} is there for {}; start them, or --force",
            missing.join(", ")
        );
    }
    let before = deployment.with_build(build, args.wait).await?;
    let current = before.routing.current.as_deref();
    if current == Some(build) && before.routing.ramping.is_none() {
        done(&format!("{name} is current already"), &before, as_json);
        return Ok(ExitCode::SUCCESS);
    }
    if let (true, Some(current)) = (args.first, current) {
        let text = format!("{current} is current: {name} is not the first build");
        done(&text, &before, as_json);
        return Ok(ExitCode::SUCCESS);
    }
    if args.skip_check.is_none() {
        let verdict = Box::pin(check(client, Some(version), &args.check)).await?;
        if !verdict.is_clean() {
            verdict.print(as_json)?;
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
        before,
    };
    promotion.run(as_json).await
}

/// Prints what became of the deployment.
fn done(text: &str, state: &State, as_json: bool) {
    if as_json {
        output::json(&json!({ "outcome": text, "routing": state.routing }));
    } else {
        output::data(text);
    }
}

struct Promotion<'a> {
    deployment: Deployment<'a>,
    args: &'a PromoteArgs,
    build: &'a str,
    name: String,
    before: State,
}

impl Promotion<'_> {
    /// Goes through the steps, and back when one does not go well.
    async fn run(&self, as_json: bool) -> anyhow::Result<ExitCode> {
        let stop = match self.args.every {
            Some(_) => shutdown::on_signal(),
            None => CancellationToken::new(),
        };
        let mut state = self.before.clone();
        let mut watch = None;
        let steps = self.args.steps(self.build);
        for (at, &step) in steps.iter().enumerate() {
            state = self.take(step, &state).await?;
            let share = match step {
                Change::Ramp { percent, .. } => format!("{percent}% of what is new"),
                _ => "all that is new".to_owned(),
            };
            output::note(&format!("{}: {share}", self.name));
            let Some(every) = self.args.every else {
                continue;
            };
            let watch = match &mut watch {
                Some(watch) => watch,
                none => {
                    none.insert(Watch::new(&self.deployment, self.build, state.changed_at).await?)
                }
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
                    let now = self.go_back(&state).await?;
                    done(&format!("{} was rolled back", self.name), &now, as_json);
                    return Ok(ExitCode::FAILURE);
                }
            }
        }
        let text = match &state.routing.ramping {
            Some(ramp) => format!("{} has {}% of what is new", self.name, ramp.percent),
            None => format!("{} is current", self.name),
        };
        done(&text, &state, as_json);
        Ok(ExitCode::SUCCESS)
    }

    async fn take(&self, step: Change<'_>, state: &State) -> anyhow::Result<State> {
        let force = self.args.force;
        let previous = self.before.routing.current.as_deref();
        let was_current = previous == Some(self.build);
        if let Change::Ramp { .. } = step {
            if was_current {
                bail!("{} is current already, and cannot be ramped up", self.name);
            }
            return self.deployment.change(step, state, force).await;
        }
        // Before the change: one that is cut off leaves a note that says what
        // is true.
        if !was_current {
            let reason = self.args.skip_check.as_deref();
            let noted = self.deployment.note_promotion(self.build, previous, reason);
            noted.await?;
        }
        let now = self.deployment.change(step, state, force).await?;
        // A share that another build had is not asked for any more.
        match now.routing.ramping {
            None => Ok(now),
            Some(_) => self.deployment.change(Change::NoRamp, &now, force).await,
        }
    }

    /// Makes the routing again what it was before the first step.
    async fn go_back(&self, now: &State) -> anyhow::Result<State> {
        let now = self.deployment.change(Change::NoRamp, now, true).await?;
        let current = Change::Current(self.before.routing.current.as_deref());
        // Whether the old workers are there is not asked: those that fail are
        // no better.
        self.deployment.change(current, &now, true).await
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
        let steps = |args: &[&str]| parse(args).map(|args| args.steps("2")).ok();
        let ramp = |percent| Change::Ramp {
            build: "2",
            percent,
        };
        let current = Change::Current(Some("2"));
        assert_eq!(steps(&[]), Some(vec![current]));
        assert_eq!(steps(&["--ramp", "100"]), Some(vec![ramp(100.0)]));
        assert_eq!(
            steps(&["--ramp-steps", "5,25,100", "--every", "1m"]),
            Some(vec![ramp(5.0), ramp(25.0), current])
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
