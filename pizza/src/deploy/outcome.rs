//! What `promote` and `rollback` say in the end.

use std::process::ExitCode;

use serde_json::json;
use temporalio_common::worker::WorkerDeploymentVersion;

use super::deployment::Standing;
use crate::client::output;

/// The names of a version for a person.
pub(super) fn named(version: &WorkerDeploymentVersion, build: Option<&str>) -> String {
    build.map_or_else(
        || "workers that are not versioned".to_owned(),
        |build| format!("{build} of {}", version.deployment_name),
    )
}

/// Prints what became of the deployment.
pub(super) fn done(text: &str, standing: &Standing, as_json: bool) -> ExitCode {
    if as_json {
        output::json(&json!({ "outcome": text, "routing": standing.routing }));
    } else {
        output::data(text);
    }
    ExitCode::SUCCESS
}
