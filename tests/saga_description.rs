//! The description of the saga that its picture is drawn from says what the
//! workflows do: it is held against the recorded histories.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pizza_app::timeline::{Entry, Kind, Outcome, Timeline};
use pizza_domain::Step;
use pizza_workflows::names::{activity, workflow_type};
use pizza_workflows::steps::StepSpec;

use crate::harness::World;
use crate::harness::expected::SCENARIOS;

/// What the workflows do beside the saga's steps.
const BOOKKEEPING: [&str; 15] = [
    activity::RECORD_KITCHEN_REPORT,
    activity::WITHDRAW_TICKET,
    activity::LAST_KITCHEN_REPORT,
    activity::AMEND_TICKET,
    activity::ADJUST_PAYMENT,
    activity::VOID_PAYMENT_ADJUSTMENT,
    activity::ADJUST_LOYALTY_POINTS,
    activity::VOID_POINTS_ADJUSTMENT,
    activity::RECORD_AMENDMENT,
    activity::SET_ORDER_STATUS,
    activity::CANCEL_ORDER,
    activity::RECORD_PARKED_TASK,
    activity::READ_EARLIER_RUN,
    activity::JOIN_FULFILMENT,
    activity::JOIN_LOYALTY,
];

/// A step that was taken.
struct Taken {
    spec: &'static StepSpec,
    workflow: String,
    at_ms: i64,
    is_good: bool,
}

#[tokio::test]
async fn the_description_of_the_saga_says_what_its_workflows_did() {
    let world = World::shared().await;
    let builds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/histories");
    let builds = std::fs::read_dir(builds).expect("the histories");
    let builds = builds.map(|build| build.expect("a folder").path());
    // By the numbers of their versions: 0.10.0 comes after 0.9.0.
    let version = |path: &PathBuf| -> Vec<u32> {
        let name = path.file_name().and_then(|name| name.to_str());
        let numbers = name.unwrap_or_default().split('.').map(str::parse);
        numbers.collect::<Result<_, _>>().unwrap_or_default()
    };
    let folder = builds.max_by_key(version).expect("recorded histories");
    let mut seen = BTreeSet::new();
    for expected in &SCENARIOS {
        let prefix = format!("{}-{}.", expected.number, expected.name);
        let files = std::fs::read_dir(&folder).expect("its histories");
        let files: Vec<String> = files
            .map(|file| file.expect("a file").path())
            .filter(|path| {
                let name = path.file_name().and_then(|name| name.to_str());
                name.is_some_and(|name| name.starts_with(&prefix))
            })
            .map(|path| path.to_str().expect("UTF-8").to_owned())
            .collect();
        let files = files.iter().flat_map(|file| ["--file", file]);
        let told: Vec<&str> = ["status", "--json"].into_iter().chain(files).collect();
        let told = world.cli().ok(&told).await;
        let timeline: Timeline = serde_json::from_str(&told).expect("a timeline");
        let taken = taken(&timeline);
        assert_eq!(
            taken.first().map(|it| it.spec.step),
            Some(Step::CreateOrder)
        );
        for it in &taken {
            check(expected.name, it, &taken);
            seen.insert(it.spec.step.as_str());
        }
    }
    let all: BTreeSet<_> = Step::ALL.iter().map(|step| step.as_str()).collect();
    assert_eq!(seen, all, "some steps are in no recorded history");
}

/// The steps of the saga in a timeline, the first the first.
fn taken(timeline: &Timeline) -> Vec<Taken> {
    let mut taken: Vec<Taken> = timeline.entries.iter().filter_map(step).collect();
    taken.sort_by_key(|it| it.at_ms);
    taken
}

fn step(entry: &Entry) -> Option<Taken> {
    let workflow = entry.detail.workflow_id.clone()?;
    // What a parked task does is an operator's wish.
    if workflow.starts_with("failed-") {
        return None;
    }
    let activity = entry.detail.activity.as_deref();
    let spec = match entry.kind {
        Kind::Step => {
            let activity = activity.expect("a step's activity");
            let spec = StepSpec::of_activity(activity);
            assert!(
                spec.is_some() || BOOKKEEPING.contains(&activity),
                "{activity} is neither a step of the saga nor known as bookkeeping"
            );
            spec?
        }
        // The one step that is a wait.
        Kind::Wait if entry.what == "kitchen deadline" => StepSpec::of(Step::ProcessOrder),
        _ => return None,
    };
    let is_wait = entry.kind == Kind::Wait;
    Some(Taken {
        spec,
        workflow,
        at_ms: entry.at_ms,
        // A wait for the kitchen that is over was in vain.
        is_good: (entry.outcome == Some(Outcome::Ok)) != is_wait,
    })
}

/// A step is taken by the workflow that it declares, after one that it follows.
fn check(scenario: &str, taken: &Taken, all: &[Taken]) {
    let spec = taken.spec;
    let name = spec.step;
    let workflow = match &taken.workflow {
        id if id.ends_with("-loyalty") => workflow_type::LOYALTY,
        id if id.ends_with("-fulfilment") => workflow_type::FULFILMENT,
        _ => workflow_type::ORDER,
    };
    assert_eq!(workflow, spec.part.workflow(), "{name} in {scenario}");
    let before = |it: &&Taken| it.at_ms <= taken.at_ms;
    let earlier: Vec<&Taken> = all.iter().filter(before).collect();
    let is_first = spec.step == Step::CreateOrder;
    let is_led_to = is_led_to(spec, &earlier);
    assert!(is_first || is_led_to, "nothing led to {name} in {scenario}");
}

fn is_led_to(spec: &StepSpec, earlier: &[&Taken]) -> bool {
    let was = |before: &&StepSpec, is_good| {
        let mut earlier = earlier.iter();
        earlier.any(|it| it.spec.step == before.step && it.is_good == is_good)
    };
    let after_failure = spec.follows_failure_of().iter().any(|it| was(it, false));
    let after_success = |before: &&StepSpec| {
        // A history may be older than the step before.
        let is_unknown = !was(before, true) && !was(before, false);
        was(before, true) || is_unknown && is_led_to(before, earlier)
    };
    after_failure || spec.follows().iter().any(after_success)
}
