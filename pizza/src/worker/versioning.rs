//! Worker deployment versions: which build a worker is, and which workflows
//! stay with theirs.

use clap::Args;
use pizza_workflows::names::task_queue;
use temporalio_common::worker::{
    VersioningBehavior, WorkerDeploymentOptions, WorkerDeploymentVersion,
};

use crate::build_id::build_id;

/// The longest name of a deployment or build, in bytes. Temporal allows a few
/// more.
const LONGEST_NAME: usize = 128;

/// What the variables that deployments set for each worker say.
#[derive(Args, Clone, Debug)]
pub(crate) struct VersioningArgs {
    /// The worker deployment that this build is a version of; without one,
    /// workers are not versioned
    #[arg(
        long,
        value_name = "NAME",
        global = true,
        env = "TEMPORAL_DEPLOYMENT_NAME",
        value_parser = name_of_a_version
    )]
    deployment_name: Option<String>,
    /// The name of this build; by default its version and commit, as
    /// `pizza --version` shows them
    #[arg(
        long,
        value_name = "ID",
        global = true,
        env = "TEMPORAL_WORKER_BUILD_ID",
        value_parser = name_of_a_version
    )]
    build_id: Option<String>,
}

impl VersioningArgs {
    /// The version that this process is; none where versioning is off.
    pub(crate) fn version(&self) -> Option<WorkerDeploymentVersion> {
        let deployment = self.deployment_name.as_ref()?;
        let build = self.build_id.as_deref();
        Some(
            WorkerDeploymentVersion::builder()
                .deployment_name(deployment.clone())
                .build_id(build.unwrap_or_else(|| build_id()))
                .build(),
        )
    }
}

/// What the worker of a queue says about its version and its workflows.
pub(super) fn deployment_options(
    version: Option<&WorkerDeploymentVersion>,
    queue: &str,
) -> WorkerDeploymentOptions {
    match version {
        None => WorkerDeploymentOptions::from_build_id(build_id().to_owned()),
        Some(version) => WorkerDeploymentOptions::new(version.clone())
            .use_worker_versioning(true)
            .default_versioning_behavior(behavior(queue))
            .build(),
    }
}

/// An order ends within minutes, on the build that it began with. What waits
/// for weeks, or runs once a minute, goes on with the current build: nobody
/// keeps an old one for it.
fn behavior(queue: &str) -> VersioningBehavior {
    match queue {
        task_queue::FAILURES | task_queue::RECONCILIATION => VersioningBehavior::AutoUpgrade,
        _ => VersioningBehavior::Pinned,
    }
}

/// Reads the name of a deployment or of a build. They stand in visibility
/// queries and on command lines, so they are held to what needs no quotes.
pub(crate) fn name_of_a_version(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.+/".contains(c);
    if text.is_empty() || text.len() > LONGEST_NAME {
        return Err(format!("must have 1 to {LONGEST_NAME} characters"));
    }
    if !text.chars().all(allowed) || text.starts_with("__") {
        return Err(
            "may have letters, digits and -_.+/ and must not begin with __, which is Temporal's"
                .to_owned(),
        );
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        versioning: VersioningArgs,
    }

    fn version(args: &[&str]) -> Option<WorkerDeploymentVersion> {
        let cli = Cli::try_parse_from([&["worker"], args].concat());
        cli.expect("arguments").versioning.version()
    }

    #[test]
    fn without_a_deployment_no_worker_is_versioned() {
        for args in [&[][..], &["--build-id", "1"]] {
            assert_eq!(version(args), None);
        }
        let options = deployment_options(None, task_queue::ORDERS);
        assert!(!options.use_worker_versioning);
        assert_eq!(options.version.build_id, build_id());
    }

    #[test]
    fn a_build_is_named_by_its_version_and_what_it_is_made_of() {
        let named = version(&["--deployment-name", "pizza", "--build-id", "7"]).expect("versioned");
        assert_eq!((&*named.deployment_name, &*named.build_id), ("pizza", "7"));
        let own = version(&["--deployment-name", "pizza"]).expect("versioned");
        assert_eq!(own.build_id, build_id());
        let (release, of) = own.build_id.split_once('-').expect("two parts");
        assert_eq!(release, env!("CARGO_PKG_VERSION"));
        assert!(
            of.len() >= 7 && of.chars().all(|c| c.is_ascii_hexdigit()),
            "{of}"
        );
        assert!(name_of_a_version(&own.build_id).is_ok());
    }

    #[test]
    fn orders_stay_with_their_build_and_what_waits_for_long_goes_on_with_the_next() {
        let version = version(&["--deployment-name", "pizza"]).expect("versioned");
        for queue in task_queue::ALL {
            let options = deployment_options(Some(&version), queue);
            assert!(options.use_worker_versioning);
            let expected = match queue {
                "failures" | "reconciliation" => VersioningBehavior::AutoUpgrade,
                _ => VersioningBehavior::Pinned,
            };
            assert_eq!(
                options.default_versioning_behavior,
                Some(expected),
                "{queue}"
            );
        }
    }

    #[test]
    fn a_name_needs_no_quotes() {
        for right in ["pizza", "shop/pizza", "0.3.0-45ca2ea", "1.0.0+x_y"] {
            assert_eq!(name_of_a_version(right).as_deref(), Ok(right));
        }
        let long = "x".repeat(LONGEST_NAME + 1);
        for wrong in [
            "a b",
            "a'b",
            "a:b",
            "__unversioned__",
            "\u{fc}",
            "a\n",
            "",
            &long,
        ] {
            assert!(name_of_a_version(wrong).is_err(), "{wrong:?}");
        }
    }
}
