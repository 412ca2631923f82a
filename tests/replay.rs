//! Histories outlive the code that made them: each must replay with this
//! build, and a workflow that decides otherwise must be found out.

use std::path::{Path, PathBuf};

use pizza_domain::MoneyState;
use serde_json::{Value, json};
use temporalio_client::{
    Client, ClientOptions, Connection, ConnectionOptions, UntypedWorkflow,
    WorkflowFetchHistoryOptions, WorkflowHistory,
};
use temporalio_common::protos::temporal::api::history::v1::History;
use temporalio_sdk::workflow_replayer::{
    WorkflowReplayError, WorkflowReplayFailure, WorkflowReplayer, WorkflowReplayerOptions,
};
use url::Url;

use crate::harness::expected::SCENARIOS;
use crate::harness::{SOON, World, eventually};

/// The histories of parked tasks, of a queue and of a bulk operation that every
/// build has but the first, which had none of them.
const OF_FAILURES: [&str; 8] = [
    "redriven.failed-task",
    "discarded.failed-task",
    "failed-again.failed-task",
    "continued.failed-task",
    "continued-next.failed-task",
    "called-off.order",
    "policy.failure-queue",
    "bulk.failure-bulk",
];

/// The histories of changed orders, of rejected ones and of those that were
/// taken up again: every build has them since orders can be changed.
const OF_CHANGES: [&str; 8] = [
    "amended.order",
    "amended.fulfilment",
    "amended-cancelled.order",
    "amended-cancelled.fulfilment",
    "cancelled-unpaid.order",
    "not-cancelled.fulfilment",
    "rejected.fulfilment",
    "taken-up.order",
];

/// The histories of orders that joined the branches of an earlier run, ended
/// one, or lost one: every build has them since orders look for branches.
const OF_RESETS: [&str; 3] = [
    "joined.order",
    "reset-cancelled.order",
    "branch-terminated.order",
];

/// Builds before a kind of histories.
const BEFORE_FAILURES: [&str; 1] = ["0.1.0"];
const BEFORE_CHANGES: [&str; 2] = ["0.1.0", "0.2.0"];
const BEFORE_RESETS: [&str; 3] = ["0.1.0", "0.2.0", "0.3.0"];

#[tokio::test]
async fn the_recorded_histories_of_every_scenario_replay() {
    let world = World::shared().await;
    let files = recorded();
    for of_build in files.chunk_by(|one, other| one.parent() == other.parent()) {
        for expected in &SCENARIOS {
            let prefix = format!("{}-{}.", expected.number, expected.name);
            let of_scenario = |file: &&PathBuf| {
                let name = file.file_name().and_then(|name| name.to_str());
                name.is_some_and(|name| name.starts_with(&prefix))
            };
            let count = of_build.iter().filter(of_scenario).count();
            let charged = expected.end().money != MoneyState::NotCharged;
            let workflows = if charged { 3 } else { 1 } + usize::from(expected.parked.is_some());
            assert_eq!(count, workflows, "{prefix} beside {:?}", of_build[0]);
        }
        let folder = of_build[0].parent().expect("a build's folder");
        for (names, before) in [
            (&OF_FAILURES[..], &BEFORE_FAILURES[..]),
            (&OF_CHANGES, &BEFORE_CHANGES),
            (&OF_RESETS, &BEFORE_RESETS),
        ] {
            let is_new = !before.iter().any(|build| folder.ends_with(build));
            for name in names {
                let is_there = folder.join(format!("{name}.json")).exists();
                assert_eq!(is_there, is_new, "{name} in {folder:?}");
            }
        }
    }
    let names: Vec<&str> = files
        .iter()
        .map(|file| file.to_str().expect("UTF-8"))
        .collect();
    let output = world
        .cli()
        .pizza(&[&["replay"], names.as_slice()].concat())
        .await;
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(output.stdout.lines().count(), names.len(), "{output:?}");
    assert!(
        output.stdout.lines().all(|line| line.starts_with("ok ")),
        "{output:?}"
    );
}

#[tokio::test]
async fn every_history_of_a_shop_replays() {
    let world = World::shared().await;
    let gateway = world.gateway();
    let placed = gateway.placed(&json!({ "errorOnStep": 100 })).await;
    for order in placed["orders"].as_array().expect("a list") {
        gateway
            .until_ended(order["orderId"].as_str().expect("an id"))
            .await;
    }
    // Other journeys are under way here; their histories, cut wherever they
    // stand, must replay as well.
    let query = "StartTime > '2000-01-01T00:00:00Z'";
    let output = world
        .cli()
        .pizza(&["replay", "--json", "--query", query])
        .await;
    let verdicts = output.json_lines();
    let broken: Vec<&Value> = verdicts
        .iter()
        .filter(|verdict| verdict["ok"] != true)
        .collect();
    assert!(broken.is_empty(), "{broken:?}");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    // Eight orders, six of them with both branches, three parked tasks.
    assert!(verdicts.len() >= 8 + 6 * 2 + 3, "only {}", verdicts.len());
}

#[tokio::test]
async fn what_temporal_shows_of_a_fresh_order_feeds_replay() {
    let world = World::shared().await;
    let gateway = world.gateway();
    let id = gateway.place(json!({ "flavour": "piña 🍍" })).await;
    gateway.until_ended(&id).await;
    for part in ["", "-loyalty", "-fulfilment"] {
        let workflow = format!("order-{id}{part}");
        world.final_history(&workflow).await;
        let show = ["workflow", "show", "--workflow-id", &workflow, "-o", "json"];
        let shown = world.cli().temporal(&show).await;
        let output = world.cli().with_input(&["replay", "-"], &shown).await;
        assert_eq!(output.code, Some(0), "{output:?}");
        assert!(
            output.stdout.starts_with("ok ") && output.stdout.contains(&workflow),
            "{output:?}"
        );
    }
}

#[tokio::test]
async fn a_history_that_this_build_would_not_make_is_reported_with_its_event() {
    let world = World::shared().await;
    let file = recorded()
        .into_iter()
        .rfind(|file| file.ends_with("0-none.loyalty.json"))
        .expect("the recorded loyalty branch");
    let text = std::fs::read_to_string(file).expect("a history");
    let intact = world.cli().with_input(&["replay", "-"], &text).await;
    assert_eq!(intact.code, Some(0), "{intact:?}");
    let output = world
        .cli()
        .with_input(&["replay", "-"], &with_timer(&text))
        .await;
    assert_eq!(output.code, Some(1), "{output:?}");
    let verdict = &output.stdout;
    assert!(
        verdict.starts_with("BROKEN") && verdict.contains("at event"),
        "{verdict}"
    );
}

/// The history, with a timer where the step's marker was.
fn with_timer(text: &str) -> String {
    let mut history: Value = serde_json::from_str(text).expect("JSON");
    for event in history["events"].as_array_mut().expect("events") {
        if event["eventType"] == "EVENT_TYPE_MARKER_RECORDED" {
            event["eventType"] = json!("EVENT_TYPE_TIMER_STARTED");
            let completed =
                event["markerRecordedEventAttributes"]["workflowTaskCompletedEventId"].clone();
            let attributes = json!({
                "timerId": "1",
                "startToFireTimeout": "1s",
                "workflowTaskCompletedEventId": completed,
            });
            let fields = event.as_object_mut().expect("an event");
            fields.remove("markerRecordedEventAttributes");
            fields.insert("timerStartedEventAttributes".to_owned(), attributes);
        }
    }
    history.to_string()
}

#[tokio::test]
async fn a_workflow_that_was_broken_on_purpose_is_found_out() {
    let world = World::shared().await;
    let gateway = world.gateway();
    let id = gateway.place(json!({})).await;
    gateway.until_ended(&id).await;
    let workflow = format!("order-{id}-loyalty");
    world.final_history(&workflow).await;
    let history = fetch(&world, &workflow).await;

    let this_build = WorkflowReplayerOptions::new()
        .register_workflow::<pizza_workflows::LoyaltyWorkflow>()
        .expect("registered")
        .build();
    let same = replay(this_build, history.clone()).await;
    assert!(same.is_ok(), "{same:?}");

    let broken = WorkflowReplayerOptions::new()
        .register_workflow::<broken::HastyLoyalty>()
        .expect("registered")
        .build();
    let failure = replay(broken, history)
        .await
        .expect_err("it does something else");
    let nondeterministic = matches!(
        failure,
        WorkflowReplayError::Replay(WorkflowReplayFailure::Nondeterminism { .. })
    );
    assert!(nondeterministic, "{failure:?}");
}

/// The loyalty workflow, as somebody in a hurry might change it.
mod broken {
    #![allow(
        missing_docs,
        unreachable_pub,
        reason = "the macros generate public items without documentation"
    )]

    use std::time::Duration;

    use pizza_domain::Order;
    use pizza_workflows::LoyaltyOutcome;
    use temporalio_macros::{workflow, workflow_methods};
    use temporalio_workflow::{WorkflowContext, WorkflowContextView, WorkflowResult};

    #[workflow]
    pub struct HastyLoyalty;

    #[workflow_methods]
    impl HastyLoyalty {
        #[init]
        fn new(_ctx: &WorkflowContextView, _order: Order) -> Self {
            Self
        }

        #[run(name = pizza_workflows::names::workflow_type::LOYALTY)]
        pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<LoyaltyOutcome> {
            ctx.timer(Duration::from_secs(1)).await;
            Ok(LoyaltyOutcome::Awarded)
        }
    }
}

/// The committed histories: a folder for each build that they were recorded
/// with.
fn recorded() -> Vec<PathBuf> {
    let entries = |folder: &Path| {
        std::fs::read_dir(folder)
            .expect("the recorded histories")
            .map(|entry| entry.expect("an entry").path())
            .collect::<Vec<_>>()
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/histories");
    let mut files: Vec<PathBuf> = entries(&folder)
        .iter()
        .flat_map(|folder| entries(folder))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    files.sort();
    files
}

async fn fetch(world: &World, workflow: &str) -> History {
    let target = Url::parse(&format!("http://{}", world.temporal())).expect("an address");
    let options = ConnectionOptions::new(target).build();
    let connection = Connection::connect(options).await.expect("a connection");
    let client =
        Client::new(connection, ClientOptions::new(world.namespace()).build()).expect("a client");
    let handle = client.get_workflow_handle::<UntypedWorkflow>(workflow);
    let events = eventually(SOON, "the history is fetched", async || {
        let history = handle.fetch_history(WorkflowFetchHistoryOptions::default());
        history.into_events().await.ok()
    })
    .await;
    History { events }
}

async fn replay(
    options: WorkflowReplayerOptions,
    history: History,
) -> Result<(), WorkflowReplayError> {
    let replayer = WorkflowReplayer::new(options)?;
    replayer
        .replay_workflow(WorkflowHistory::from(history))
        .await
        .map(drop)
}
