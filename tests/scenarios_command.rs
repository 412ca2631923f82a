//! `pizza scenarios` says whether a shop keeps its promises.

use crate::harness::World;
use crate::harness::expected::SCENARIOS;

#[tokio::test]
async fn scenarios_matches_eight_times_and_exits_with_zero() {
    let world = World::shared().await;
    let output = world.cli().pizza(&["scenarios", "--json"]).await;
    assert_eq!(output.code, Some(0), "{output:?}");
    let lines = output.json_lines();
    assert_eq!(lines.len(), 8, "{output:?}");
    for (line, expected) in lines.iter().zip(&SCENARIOS) {
        assert_eq!(line["errorOnStep"], expected.name);
        assert_eq!(line["verdict"], "match", "{line}");
        assert_eq!(line["end"], line["expected"], "{line}");
        let end = &line["end"];
        assert_eq!(end["status"], expected.status());
        assert_eq!(end["money"], expected.end().money.as_str());
        assert_eq!(end["points"], expected.end().points.as_str());
        let parked: Vec<&str> = expected
            .parked
            .iter()
            .map(|parked| parked.message_type)
            .collect();
        assert_eq!(end["parked"], serde_json::json!(parked));
    }
}

#[tokio::test]
async fn scenarios_exits_with_a_failure_when_an_end_differs() {
    // Nobody cooks here: what should be delivered is cancelled.
    let world = World::shared_without_kitchen().await;
    let output = world.cli().pizza(&["scenarios"]).await;
    assert_eq!(output.code, Some(1), "{output:?}");
    let different = output
        .stdout
        .lines()
        .filter(|line| line.contains("DIFFERENT"));
    // 0 and 3 need a kitchen; 5 is cancelled either way.
    assert_eq!(different.count(), 2, "{output:?}");
    let matching = output.stdout.lines().filter(|line| line.contains("match"));
    assert_eq!(matching.count(), 6, "{output:?}");
}
