//! Reports in every order, legal or not: the gateway answers each as the rule
//! says that the domain has for a ticket.

use futures::stream::{self, StreamExt};
use pizza_domain::{KitchenReport, ReportRefusal, TicketProgress, TicketReport};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::report_at_last;
use crate::harness::gateway::Gateway;
use crate::harness::{Setup, World};

/// Random sequences, beside one for each report at each stage.
const RANDOM: usize = 40;

/// Orders under way at once.
const AT_ONCE: usize = 8;

#[tokio::test]
async fn every_sequence_of_reports_is_answered_as_the_rule_says() {
    let world = World::start(Setup {
        kitchen: false,
        // So that the reports alone decide.
        kitchen_deadline_seconds: 300.0,
        ..Setup::default()
    })
    .await;
    let gateway = world.gateway();
    let sequences = each_report_at_each_stage().into_iter().chain(random());
    let wrong: Vec<String> = stream::iter(sequences)
        .map(|sequence| difference(&gateway, sequence))
        .buffer_unordered(AT_ONCE)
        .filter_map(|difference| async { difference })
        .collect()
        .await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// After each beginning of the way to the door, each report there is.
fn each_report_at_each_stage() -> Vec<Vec<TicketReport>> {
    let mut sequences = Vec::new();
    for reports in 0..=KitchenReport::WAY.len() {
        for last in KitchenReport::ALL {
            let way = KitchenReport::WAY[..reports].iter().copied();
            sequences.push(way.chain([last]).map(Into::into).collect());
        }
    }
    sequences
}

/// The same ones each time; with few ids, so that they meet again.
fn random() -> Vec<Vec<TicketReport>> {
    let id = prop::option::of(select(vec!["a", "b", "c", "d", "e"]));
    let report = prop_oneof![
        9 => select(&KitchenReport::WAY[..]),
        1 => Just(KitchenReport::Rejected),
    ];
    let report = (report, id).prop_map(|(report, id)| TicketReport {
        report,
        report_id: id.map(|id| id.parse().expect("an id")),
        reason: None,
    });
    // Mostly the next report is among the first few of a random choice.
    let sequence = prop::collection::vec(report, 4..16);
    let mut runner = TestRunner::deterministic();
    let mut draw = || {
        sequence
            .new_tree(&mut runner)
            .expect("a sequence")
            .current()
    };
    (0..RANDOM).map(|_| draw()).collect()
}

/// Makes the reports on an order of their own; says where the first answer
/// differs from what the rule says.
async fn difference(gateway: &Gateway, sequence: Vec<TicketReport>) -> Option<String> {
    let id = gateway.place(json!({})).await;
    let mut model = TicketProgress::default();
    for (number, report) in sequence.iter().enumerate() {
        let mut expected = expected(&mut model, report);
        let wire = on_the_wire(report);
        let mut answer = report_at_last(gateway, &id, &wire).await;
        if answer.status == 503 {
            // On a busy machine: it may have been taken, and is made again.
            answer = report_at_last(gateway, &id, &wire).await;
            if expected == (200, "taken") && answer.json()["outcome"] == "repeated" {
                expected.1 = "repeated";
            }
        }
        let body = answer.json();
        let what = match answer.status {
            200 => &body["outcome"],
            _ => &body["code"],
        };
        if (answer.status, what.as_str()) != (expected.0, Some(expected.1)) {
            return Some(format!(
                "{id}: report {number} of {sequence:?} is answered {answer:?} instead of {expected:?}"
            ));
        }
        let status = match answer.status {
            200 => &body["status"],
            409 => &body["orderStatus"],
            _ => continue,
        };
        if !status.is_string() {
            return Some(format!("{id}: report {number} names no status: {answer:?}"));
        }
    }
    None
}

/// The status of the answer, and its outcome or its code.
fn expected(model: &mut TicketProgress, report: &TicketReport) -> (u16, &'static str) {
    match model.take(report) {
        Ok(()) => (200, "taken"),
        Err(ReportRefusal::Repeated) => (200, "repeated"),
        Err(ReportRefusal::OutOfOrder) => (409, "kitchen-report-out-of-order"),
        Err(ReportRefusal::Late) => (409, "kitchen-report-late"),
        Err(ReportRefusal::IdReused) => (422, "report-id-reused"),
        Err(ReportRefusal::TooMany) => (409, "too-many-kitchen-reports"),
    }
}

fn on_the_wire(report: &TicketReport) -> Value {
    let mut wire = json!({ "event": report.report.as_str() });
    if let Some(id) = &report.report_id {
        wire["reportId"] = json!(id.as_str());
    }
    wire
}
