//! A build takes over when it can go on with what is there, and not before.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use temporalio_client::{Client, ClientOptions, Connection, ConnectionOptions, WorkflowExecution};
use temporalio_common::protos::temporal::api::enums::v1::WorkflowTaskFailedCause;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_common::worker::{
    VersioningBehavior, WorkerDeploymentOptions, WorkerDeploymentVersion,
};
use temporalio_sdk::{Runtime, Worker, WorkerOptions};
use tokio::sync::oneshot;
use url::Url;

use crate::harness::cli::{Cli, Output};
use crate::harness::process::Process;
use crate::harness::runs::Runs;
use crate::harness::{LATER, SOON, Setup, World, eventually, eventually_seldom, folder};

const DEPLOYMENT: &str = "shop";

/// The commands of a build: the one binary under another name.
fn build(world: &World, build: &str) -> Cli {
    let cli = world.cli().with("TEMPORAL_DEPLOYMENT_NAME", DEPLOYMENT);
    cli.with("TEMPORAL_WORKER_BUILD_ID", build)
}

/// A worker of a build.
fn worker(world: &World, build: &str) -> Process {
    world.worker_told(&[
        ("TEMPORAL_DEPLOYMENT_NAME", DEPLOYMENT),
        ("TEMPORAL_WORKER_BUILD_ID", build),
    ])
}

/// Without Temporal nothing is known to be broken.
#[tokio::test]
async fn a_check_that_cannot_be_made_is_not_one_that_found_a_break() {
    let cli = Cli {
        folder: folder::new("check"),
        variables: vec![("TEMPORAL_ADDRESS".to_owned(), "127.0.0.1:9".to_owned())],
    };
    // The deployment is named behind the subcommand as well.
    let check = ["deploy", "check", "--deployment-name", DEPLOYMENT];
    let checked = cli.pizza(&check).await;
    assert_eq!(checked.code, Some(2), "{checked:?}");
    assert!(
        checked.stderr.starts_with("error: nothing was checked: "),
        "{checked:?}"
    );
}

#[tokio::test]
async fn each_order_ends_on_the_build_that_it_began_with_while_builds_are_promoted_and_rolled_back()
{
    let mut world = World::found(Setup::default()).await;
    let (old, new) = (build(&world, "old"), build(&world, "new"));
    let _old_worker = worker(&world, "old");
    world.start_gateway().await;
    world.start_kitchen();
    // It waits for the worker, and the second time there is nothing to do.
    old.ok(&["deploy", "promote", "--first"]).await;
    old.ok(&["deploy", "promote", "--first"]).await;
    let gateway = world.gateway();
    let slow = json!({ "perStepDelaySeconds": 0.5 });
    let place = async |many: usize| -> Vec<String> {
        futures::future::join_all((0..many).map(|_| gateway.place(slow.clone()))).await
    };

    let first = place(6).await;
    let _new_worker = worker(&world, "new");
    let promote = [
        "deploy",
        "promote",
        "--ramp-steps",
        "50,100",
        "--every",
        "3s",
    ];
    let (_, ramped) = tokio::join!(new.ok(&promote), async {
        eventually_seldom(SOON, "the new build has a share", async || {
            let now = routing(&old).await;
            (now["rampingVersionBuildID"] == "new").then_some(())
        })
        .await;
        place(12).await
    });
    let second = place(4).await;
    // A parked task: it goes on with whichever build is current.
    let parked = gateway.place(json!({ "errorOnStep": 3 })).await;
    gateway.until_ended(&parked).await;
    roll_back_to("old", &old).await;
    roll_back_to("old", &old).await;
    let third = place(4).await;
    let task = format!("failed-add-loyalty-points-{parked}");
    world.cli().ok(&["failures", "redrive", &task]).await;

    let runs = Runs::of(&world).await;
    for id in [&first, &ramped, &second, &third].into_iter().flatten() {
        gateway.until(id, "DeliveryConfirmed").await;
        world.final_history(&format!("order-{id}")).await;
    }
    for event in runs.events().await {
        let Some(Attributes::WorkflowTaskFailedEventAttributes(failed)) = &event.attributes else {
            continue;
        };
        // Something came in while the task was under way: it is tried again.
        let cause = failed.cause();
        assert_eq!(
            cause,
            WorkflowTaskFailedCause::UnhandledCommand,
            "{event:?}"
        );
    }
    assert_eq!(builds_of(&runs, &first).await, ["old".to_owned()].into());
    assert_eq!(builds_of(&runs, &second).await, ["new".to_owned()].into());
    assert_eq!(builds_of(&runs, &third).await, ["old".to_owned()].into());
    // Of twelve at a half, none on one side happens once in two thousand runs.
    let both = builds_of(&runs, &ramped).await;
    assert_eq!(both, ["new".to_owned(), "old".to_owned()].into());
    assert_eq!(
        builds(&runs, &task).await,
        ["new".to_owned(), "old".to_owned()].into()
    );
    world.assert_audit_clean().await;

    // From then on the new build may be stopped.
    let staying = "TemporalWorkerDeploymentVersion = 'shop:new' \
                   AND TemporalWorkflowVersioningBehavior = 'Pinned' AND CloseTime IS NULL";
    eventually(SOON, "nothing stays with the new build", async || {
        runs.list(staying).await.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_build_whose_workers_died_on_the_way_does_not_get_everything() {
    let world = World::found(Setup {
        kitchen: false,
        ..Setup::default()
    })
    .await;
    let (old, new) = (build(&world, "old"), build(&world, "new"));
    let _old_worker = worker(&world, "old");
    old.ok(&["deploy", "promote", "--first"]).await;
    let new_worker = worker(&world, "new");
    let steps = ["--ramp-steps", "50,100", "--every", "3s"];
    let promote = [&["deploy", "promote"][..], &steps].concat();
    let (promoted, ()) = tokio::join!(new.pizza(&promote), async {
        eventually_seldom(SOON, "the new build has a share", async || {
            let now = routing(&old).await;
            (now["rampingVersionBuildID"] == "new").then_some(())
        })
        .await;
        // Temporal goes on listing it for a while.
        drop(new_worker);
    });
    assert_eq!(promoted.code, Some(1), "{promoted:?}");
    assert!(promoted.stderr.contains("no worker of new"), "{promoted:?}");
    assert_alone(&old, "old").await;
}

#[tokio::test]
async fn a_build_that_would_break_what_is_open_is_not_promoted() {
    let mut world = World::found(Setup {
        kitchen: false,
        ..Setup::default()
    })
    .await;
    world.start_gateway().await;
    let (hasty, new) = (build(&world, "hasty"), build(&world, "new"));
    let _hands = InProcess::start::<variants::HastyOrder>(&world, "hasty").await;
    let reason = "it is all that there is";
    let skip = ["--force", "--skip-check", reason];
    hasty
        .ok(&[&["deploy", "promote"][..], &skip].concat())
        .await;

    let id = world.gateway().place(json!({})).await;
    let workflow = format!("order-{id}");
    eventually(SOON, "the order waits", async || {
        let history = world.history(&workflow).await;
        history.types().contains(&"TIMER_STARTED").then_some(())
    })
    .await;

    let _new_worker = worker(&world, "new");
    let broken = eventually(SOON, "the check sees the order", async || {
        let checked = new.pizza(&["deploy", "check", "--json"]).await;
        let report = report(&checked);
        (report["broken"] != json!([])).then_some((checked.code, report))
    })
    .await;
    let (code, report_of_check) = broken;
    assert_eq!(code, Some(1), "{report_of_check}");
    let found = &report_of_check["broken"][0];
    assert_eq!(found["workflowId"], workflow, "{found}");
    assert_eq!(found["kind"], "nondeterminism", "{found}");
    assert_eq!(found["event"], "TimerStarted", "{found}");
    assert!(
        found["runId"].is_string() && found["eventId"].is_number(),
        "{found}"
    );

    let refused = new.pizza(&["deploy", "promote", "--json"]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("was not promoted"), "{refused:?}");
    assert_alone(&new, "hasty").await;
    let of_hasty = ["--deployment-name", DEPLOYMENT, "--build-id", "hasty"];
    let kept = deployment(&new, &[&["describe-version"][..], &of_hasty].concat()).await;
    let kept = &kept["metadata"]["pizza-promotion"]["data"];
    let kept = BASE64_STANDARD.decode(kept.as_str().expect("a note"));
    let kept: Value = serde_json::from_slice(&kept.expect("base64")).expect("JSON");
    assert_eq!(kept, json!({ "previous": null, "checkSkipped": reason }));

    // The order stays with its build, and that may be said.
    let lenient = new
        .pizza(&["deploy", "check", "--json", "--pinned-may-break"])
        .await;
    assert_eq!(lenient.code, Some(0), "{lenient:?}");
    assert_eq!(
        report(&lenient)["staysWithItsBuild"][0]["workflowId"],
        workflow
    );
    // Nobody else can say it for the new build.
    let for_another = hasty.pizza(&["deploy", "promote", "new"]).await;
    assert_eq!(for_another.code, Some(1), "{for_another:?}");
    assert!(
        for_another.stderr.contains("cannot check new"),
        "{for_another:?}"
    );
}

#[tokio::test]
async fn a_ramp_ends_where_it_began_when_tasks_fail_on_the_new_build() {
    let mut world = World::found(Setup {
        kitchen: false,
        ..Setup::default()
    })
    .await;
    world.start_gateway().await;
    let (hasty, bad) = (build(&world, "hasty"), build(&world, "bad"));
    let _hands = InProcess::start::<variants::HastyOrder>(&world, "hasty").await;
    let _bad_hands = InProcess::start::<variants::BrokenOrder>(&world, "bad").await;
    let skip = ["--force", "--skip-check", "it is to be seen how it fails"];
    let promote = [&["deploy", "promote"][..], &skip].concat();
    hasty.ok(&promote).await;
    let steps = ["--ramp-steps", "90,100", "--every", "1m"];
    let ramp = [&promote[..], &steps].concat();
    let (ramped, ()) = tokio::join!(bad.pizza(&ramp), async {
        eventually_seldom(SOON, "the bad build has a share", async || {
            let now = routing(&hasty).await;
            (now["rampingVersionBuildID"] == "bad").then_some(())
        })
        .await;
        for _ in 0..4 {
            world.gateway().place(json!({})).await;
        }
    });
    assert_eq!(ramped.code, Some(1), "{ramped:?}");
    assert!(
        ramped.stderr.contains("failed since bad got work"),
        "{ramped:?}"
    );
    assert_alone(&hasty, "hasty").await;
}

/// What the Temporal CLI says of the deployment, as docs/runbook.md asks it.
async fn deployment(cli: &Cli, command: &[&str]) -> Value {
    let arguments = [&["worker", "deployment"][..], command, &["-o", "json"]];
    let text = cli.temporal(&arguments.concat()).await;
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Which build gets what is new.
async fn routing(cli: &Cli) -> Value {
    let described = deployment(cli, &["describe", "--name", DEPLOYMENT]).await;
    described["routingConfig"].clone()
}

/// This build gets all that is new.
async fn assert_alone(cli: &Cli, build: &str) {
    let now = routing(cli).await;
    assert_eq!(now["currentVersionBuildID"], build, "{now}");
    let ramping = &now["rampingVersionBuildID"];
    assert!(ramping.as_str().is_none_or(str::is_empty), "{now}");
}

/// Goes back to this build, as docs/runbook.md says.
async fn roll_back_to(build: &str, cli: &Cli) {
    let of = ["--deployment-name", DEPLOYMENT, "--yes"];
    for command in [
        &["set-ramping-version", "--delete"][..],
        &["set-current-version", "--build-id", build],
    ] {
        let arguments = [&["temporal", "worker", "deployment"][..], command, &of];
        cli.ok(&arguments.concat()).await;
    }
    assert_alone(cli, build).await;
}

fn report(output: &Output) -> Value {
    let [report] = &output.json_lines()[..] else {
        panic!("one report: {output:?}");
    };
    report.clone()
}

/// The builds that worked on a workflow.
async fn builds(runs: &Runs, workflow: &str) -> BTreeSet<String> {
    let query = format!("WorkflowId = '{workflow}'");
    eventually(SOON, &query, async || {
        let found = runs.list(&query).await;
        let builds: BTreeSet<String> = found.iter().flat_map(used).collect();
        (!builds.is_empty()).then_some(builds)
    })
    .await
}

/// The builds of these orders, each of which has one, with its branches.
async fn builds_of(runs: &Runs, orders: &[String]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for id in orders {
        let mut own = BTreeSet::new();
        for part in ["", "-loyalty", "-fulfilment"] {
            own.extend(builds(runs, &format!("order-{id}{part}")).await);
        }
        assert_eq!(own.len(), 1, "{id}: {own:?}");
        all.extend(own);
    }
    all
}

/// The builds that worked on a run, from the attribute that the server keeps.
fn used(run: &WorkflowExecution) -> Vec<String> {
    let attributes = run.raw().search_attributes.as_ref();
    let versions = attributes
        .and_then(|attributes| {
            attributes
                .indexed_fields
                .get("TemporalUsedWorkerDeploymentVersions")
        })
        .map(|used| serde_json::from_slice::<Vec<String>>(&used.data).expect("a list"));
    let prefix = format!("{DEPLOYMENT}:");
    versions
        .unwrap_or_default()
        .into_iter()
        .map(|version| version.trim_start_matches(&prefix).to_owned())
        .collect()
}

/// A worker of orders in this process, for a build that there is no binary of.
struct InProcess {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl InProcess {
    async fn start<W>(world: &World, build: &str) -> Self
    where
        W: temporalio_workflow::workflows::WorkflowImplementation,
        <W::Run as temporalio_common::WorkflowDefinition>::Input: Send,
    {
        let version = WorkerDeploymentVersion::builder()
            .deployment_name(DEPLOYMENT)
            .build_id(build)
            .build();
        let deployment = WorkerDeploymentOptions::new(version)
            .use_worker_versioning(true)
            .default_versioning_behavior(VersioningBehavior::Pinned)
            .build();
        let (address, namespace) = (world.temporal().to_owned(), world.namespace().to_owned());
        let (stop, stopped) = oneshot::channel::<()>();
        let (made, is_made) = oneshot::channel::<()>();
        let work = async move || {
            let runtime = Runtime::from_current_tokio(Default::default()).expect("a runtime");
            let target = Url::parse(&format!("http://{address}")).expect("an address");
            let options = ConnectionOptions::new(target).build();
            let connection = Connection::connect(options).await.expect("a connection");
            let client = ClientOptions::new(namespace).build();
            let client = Client::new(connection, client).expect("a client");
            let options = WorkerOptions::new("orders")
                .deployment_options(deployment)
                .graceful_shutdown_period(Duration::from_secs(1))
                .register_workflow::<W>()
                .expect("a workflow")
                .build();
            let mut worker = Worker::new(&runtime, client, options).expect("a worker");
            let shut_down = worker.shutdown_handle();
            let _ = made.send(());
            let stopping = async {
                let _ = stopped.await;
                shut_down();
            };
            let (ended, ()) = tokio::join!(worker.run(), stopping);
            ended.expect("the worker worked");
        };
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(work());
        });
        tokio::time::timeout(LATER, is_made)
            .await
            .expect("in time")
            .expect("the worker is made");
        Self {
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("a worker in this process failed");
        }
    }
}

/// Builds of which there is no binary.
mod variants {
    #![allow(
        missing_docs,
        unreachable_pub,
        reason = "the macros generate public items without documentation"
    )]

    use std::time::Duration;

    use pizza_domain::Order;
    use pizza_workflows::names::workflow_type;
    use temporalio_macros::{workflow, workflow_methods};
    use temporalio_workflow::{WorkflowContext, WorkflowContextView, WorkflowResult};

    /// Waits before it does anything.
    #[workflow]
    pub struct HastyOrder;

    #[workflow_methods]
    impl HastyOrder {
        #[init]
        fn new(_ctx: &WorkflowContextView, _order: Order) -> Self {
            Self
        }

        #[run(name = workflow_type::ORDER)]
        pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
            ctx.timer(Duration::from_hours(1)).await;
            Ok(())
        }
    }

    /// Gets no task done.
    #[workflow]
    pub struct BrokenOrder;

    #[workflow_methods]
    impl BrokenOrder {
        #[init]
        fn new(_ctx: &WorkflowContextView, _order: Order) -> Self {
            Self
        }

        #[run(name = workflow_type::ORDER)]
        pub async fn run(_ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
            panic!("it cannot work");
        }
    }
}
