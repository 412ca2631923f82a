//! `pizza deploy status`: the builds, and which of them may be stopped.

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde_json::{Value, json};
use temporalio_client::Client;
use temporalio_common::worker::WorkerDeploymentVersion;

use super::deployment::{Deployment, Note, Routing, State, Version, count, version_attribute};
use super::pollers::Pollers;
use super::sample::OPEN;
use crate::client::output;

/// What is open and stays with a build.
const PINNED: &str = "TemporalWorkflowVersioningBehavior = 'Pinned'";

/// A build, and what depends on it.
struct Build {
    version: Version,
    note: Option<Note>,
    /// Processes that ask for work, for each queue that has any.
    pollers: BTreeMap<&'static str, usize>,
    /// Open workflows whose last task it did.
    open: u64,
    /// Those of them that stay with it.
    pinned: u64,
}

impl Build {
    /// Whether nothing needs its workers any more.
    fn may_be_stopped(&self, routing: &Routing) -> bool {
        let is_used = matches!(self.version.state, State::Current | State::Ramping);
        // The first build, started and not promoted yet.
        let is_wanted = routing.current.is_none()
            && self.version.state == State::Inactive
            && !self.pollers.is_empty();
        !is_used && !is_wanted && self.pinned == 0
    }

    /// Whether workflows wait for workers that are not there.
    fn strands(&self) -> bool {
        self.pollers.is_empty() && self.pinned > 0
    }
}

/// Prints the builds.
pub(super) async fn run(
    client: &Client,
    version: &WorkerDeploymentVersion,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let name = version.deployment_name.as_str();
    let deployment = Deployment { client, name };
    let standing = deployment.known().await?;
    let pollers = Pollers::look(client).await?;
    let mut builds = Vec::new();
    for version in standing.versions {
        let on = format!(
            "{OPEN} AND TemporalWorkerDeploymentVersion = '{}'",
            version_attribute(name, &version.build)
        );
        builds.push(Build {
            note: deployment.note(&version.build).await?,
            pollers: pollers.by_queue(name, &version.build),
            open: count(client, &on).await?,
            pinned: count(client, &format!("{on} AND {PINNED}")).await?,
            version,
        });
    }
    let unversioned = format!("{OPEN} AND TemporalWorkerDeploymentVersion IS NULL");
    let unversioned = count(client, &unversioned).await?;
    if as_json {
        output::json(&to_json(&standing.routing, &builds, unversioned));
    } else {
        print(&standing.routing, &builds, unversioned);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(routing: &Routing, builds: &[Build], unversioned: u64) {
    let columns = [
        "build",
        "state",
        "workers",
        "open",
        "staying",
        "may be stopped",
    ];
    let mut table = output::table(&columns);
    for build in builds {
        let state = match &routing.ramping {
            Some(ramp) if ramp.build == build.version.build => format!("ramping {}%", ramp.percent),
            _ => build.version.state.name().to_owned(),
        };
        let workers: Vec<String> = build
            .pollers
            .iter()
            .map(|(queue, processes)| format!("{queue} {processes}"))
            .collect();
        table.add_row([
            build.version.build.clone(),
            state,
            workers.join(", "),
            build.open.to_string(),
            build.pinned.to_string(),
            if build.may_be_stopped(routing) {
                "yes"
            } else {
                "no"
            }
            .to_owned(),
        ]);
    }
    output::lines(&table.to_string());
    if routing.current.is_none() {
        output::data("no build is current: what is new goes to workers that are not versioned");
    }
    if unversioned > 0 {
        output::data(&format!(
            "open and of no build yet: {unversioned} (the current one takes them)"
        ));
    }
    for build in builds.iter().filter(|build| build.strands()) {
        output::note(&format!(
            "{} workflows stay with {}, and no worker of it is there: see the runbook, on deploys",
            build.pinned, build.version.build
        ));
    }
}

fn to_json(routing: &Routing, builds: &[Build], unversioned: u64) -> Value {
    let builds: Vec<Value> = builds
        .iter()
        .map(|build| {
            json!({
                "build": build.version.build,
                "state": build.version.state,
                "pollers": build.pollers,
                "open": build.open,
                "pinned": build.pinned,
                "mayBeStopped": build.may_be_stopped(routing),
                "note": build.note,
            })
        })
        .collect();
    json!({ "routing": routing, "builds": builds, "openWithoutBuild": unversioned })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(state: State, has_workers: bool) -> Build {
        Build {
            version: Version {
                build: "2".to_owned(),
                state,
                last_current_ms: None,
            },
            note: None,
            pollers: has_workers.then_some(("orders", 1)).into_iter().collect(),
            open: 0,
            pinned: 0,
        }
    }

    #[test]
    fn workers_that_wait_for_the_first_promotion_may_not_be_stopped() {
        let none = Routing::default();
        let other = Routing {
            current: Some("1".to_owned()),
            ramping: None,
        };
        let first = build(State::Inactive, true);
        assert!(!first.may_be_stopped(&none));
        assert!(first.may_be_stopped(&other));
        assert!(build(State::Inactive, false).may_be_stopped(&none));
        assert!(build(State::Drained, true).may_be_stopped(&none));
        assert!(!build(State::Current, true).may_be_stopped(&other));
    }
}
