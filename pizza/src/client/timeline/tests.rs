//! Timelines of the recorded histories.

use std::path::{Path, PathBuf};

use pizza_app::timeline::{Entry, Kind, Outcome, SourceState, Timeline};

use super::{draw, merged, read_all};

/// The recorded histories.
fn histories() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/histories")
}

fn timeline(names: &[&str]) -> Timeline {
    let folder = histories().join("0.2.0");
    let files: Vec<_> = names
        .iter()
        .map(|name| folder.join(format!("{name}.json")))
        .collect();
    read(&files).unwrap_or_else(|error| panic!("{names:?}: {error:#}"))
}

/// The one entry of this kind with these words.
fn the<'a>(timeline: &'a Timeline, kind: Kind, what: &str) -> &'a Entry {
    let mut found = timeline
        .entries
        .iter()
        .filter(|entry| entry.kind == kind && entry.what == what);
    let entry = found.next().unwrap_or_else(|| panic!("no {what}"));
    assert_eq!(found.next(), None, "{what} is told twice");
    entry
}

#[test]
fn a_delivered_order_is_told_from_its_start_to_its_end() {
    let order = timeline(&["0-none.order", "0-none.loyalty", "0-none.fulfilment"]);
    let expected = "\
order 44bbfcef-b7ee-4890-8d99-11d9221e61cf
+0.0 s  start    order started
+0.1 s  step     createOrder                        1x    4 ms
+0.1 s  step     processPayment                     1x  131 ms
+0.4 s  start    fulfilment branch started
+0.4 s  start    loyalty branch started
+0.5 s  step     prepareOrder                       1x    8 ms
+0.6 s  step     addLoyaltyPoints                   1x    9 ms
+0.6 s  end      loyalty branch completed               182 ms
+0.6 s  wait     kitchen deadline                       637 ms  cancelled
+0.7 s  request  kitchen report cooked                  101 ms
+0.7 s  step     recordKitchenReport (cooked)       1x    5 ms
+1.0 s  request  kitchen report pickedUp                 73 ms
+1.1 s  step     recordKitchenReport (pickedUp)     1x    2 ms
+1.2 s  request  kitchen report delivered                22 ms
+1.2 s  end      fulfilment branch completed            863 ms
+1.4 s  step     setOrderStatus (confirm delivery)  1x    7 ms
+1.4 s  end      order completed                         1.4 s";
    assert_eq!(draw::lines(&order), expected);
    assert_eq!(order.sources.store, SourceState::NotAsked);
    let end = the(&order, Kind::End, "order completed");
    assert_eq!(end.outcome, Some(Outcome::Ok));
    assert_eq!(end.detail.status.as_deref(), Some("DeliveryConfirmed"));
    let payment = the(&order, Kind::Step, "processPayment");
    assert_eq!(
        serde_json::to_value(payment).expect("JSON"),
        serde_json::json!({
            "at": "2026-11-22T16:15:50.862Z", "kind": "step", "source": "temporal",
            "what": "processPayment", "attempts": 1, "durationMs": 131, "outcome": "ok",
            "detail": {
                "workflowId": "order-44bbfcef-b7ee-4890-8d99-11d9221e61cf",
                "activity": "processPayment", "local": false,
            },
        })
    );
}

#[test]
fn the_attempts_of_a_step_are_counted_wherever_they_were_made() {
    let order = timeline(&["1-createOrder.order"]);
    let expected = "\
order c2f158d6-cd96-4a03-a6b7-a743fdfd38e9
+0.0 s  start  order started
+0.1 s  step   createOrder                     4x  7.2 s  failed: the order could not be created (order-not-created)
+0.1 s  wait   createOrder: wait before retry      1.0 s
+7.4 s  step   cancelOrder (cancel order)      1x   2 ms
+7.4 s  step   notifyCustomer                  1x  11 ms
+7.4 s  end    order failed                        7.4 s  failed: the order could not be created (order-not-created)";
    assert_eq!(draw::lines(&order), expected);
    let wait = the(&order, Kind::Wait, "createOrder: wait before retry");
    assert_eq!(wait.detail.for_ms, Some(1_000));
    assert_eq!(wait.outcome, Some(Outcome::Ok));
}

#[test]
fn a_refusal_is_told_from_a_fault() {
    let order = timeline(&["2-processPayment.order"]);
    let payment = the(&order, Kind::Step, "processPayment");
    assert_eq!(payment.outcome, Some(Outcome::Refused));
    assert_eq!(payment.attempts, Some(1));
    assert_eq!(payment.detail.code.as_deref(), Some("payment-declined"));
    let loyalty = timeline(&["3-addLoyaltyPoints.loyalty"]);
    let points = the(&loyalty, Kind::Step, "addLoyaltyPoints");
    assert_eq!(points.outcome, Some(Outcome::Refused));
    assert_eq!(points.detail.local, Some(true));
}

#[test]
fn a_refund_that_failed_six_times_is_parked() {
    let order = timeline(&["6-refundPayment.order", "6-refundPayment.failed-task"]);
    let refund = the(&order, Kind::Step, "refundPayment");
    assert_eq!(refund.attempts, Some(6));
    assert_eq!(refund.outcome, Some(Outcome::Failed));
    assert_eq!(refund.duration_ms, Some(6_479));
    let parked = the(&order, Kind::ParkedTask, "parked in refund-payment");
    assert!(parked.at_ms > refund.at_ms);
    assert_eq!(parked.attempts, Some(6));
    assert_eq!(parked.detail.code.as_deref(), Some("refund-failed"));
    let message_type = parked.detail.message_type.as_deref();
    assert_eq!(message_type, Some("RefundPaymentFailed"));
    let told: Vec<_> = order.entries.iter().map(|entry| &entry.what).collect();
    assert!(
        !told.iter().any(|what| what.contains("reclaim")),
        "{told:?}"
    );
}

#[test]
fn a_redrive_says_who_asked_for_it_and_what_followed() {
    let task = timeline(&["redriven.failed-task"]);
    let redrive = the(&task, Kind::Request, "redrive");
    assert_eq!(redrive.detail.principal.as_deref(), Some("journeys"));
    assert_eq!(redrive.outcome, Some(Outcome::Ok));
    let whats: Vec<_> = task
        .entries
        .iter()
        .map(|entry| entry.what.as_str())
        .collect();
    let expected = [
        "parked in refund-payment",
        "readFailureQueuePolicy (read policy)",
        "redrive",
        "refundPayment (redrive)",
        "recordParkedTask (record end)",
        "reclaimLoyaltyPoints",
        "parked task done",
    ];
    assert_eq!(whats, expected);

    let task = timeline(&["failed-again.failed-task"]);
    let outcomes: Vec<_> = task
        .entries
        .iter()
        .filter(|entry| entry.kind == Kind::Request)
        .map(|entry| (entry.outcome, entry.detail.code.as_deref()))
        .collect();
    let expected = [
        (Some(Outcome::Failed), Some("store-unavailable")),
        (Some(Outcome::Ok), None),
    ];
    assert_eq!(outcomes, expected);
}

#[test]
fn a_discard_says_who_and_why() {
    let task = timeline(&["discarded.failed-task"]);
    let discard = the(&task, Kind::Request, "discard");
    assert_eq!(discard.detail.principal.as_deref(), Some("journeys"));
    assert_eq!(
        discard.detail.reason.as_deref(),
        Some("the customer has left")
    );
    the(&task, Kind::End, "parked task discarded");
    let line = "discard by journeys";
    assert!(draw::lines(&task).contains(line), "{line} is not drawn");
}

/// Whatever is recorded is told without a panic, in order, and says no more
/// than it may.
#[test]
fn every_recorded_history_has_a_timeline() {
    let mut told = 0;
    for build in std::fs::read_dir(histories()).expect("a folder") {
        for file in std::fs::read_dir(build.expect("a build").path()).expect("a folder") {
            let file = file.expect("a file").path();
            let timeline = read(std::slice::from_ref(&file))
                .unwrap_or_else(|error| panic!("{}: {error:#}", file.display()));
            let times: Vec<_> = timeline.entries.iter().map(|entry| entry.at_ms).collect();
            assert!(times.is_sorted() && !times.is_empty(), "{}", file.display());
            let json = serde_json::to_string(&timeline).expect("JSON");
            for secret in ["idempotencyKey", "simulation", "\"input", "stackTrace"] {
                assert!(!json.contains(secret), "{secret} in {}", file.display());
            }
            let read: Timeline = serde_json::from_str(&json).expect("a timeline");
            assert_eq!(read, timeline);
            assert!(!draw::lines(&timeline).is_empty());
            told += 1;
        }
    }
    assert!(told >= 49, "{told}");
}

/// A history may be exported while its workflow runs.
#[test]
fn every_beginning_of_a_history_has_a_timeline() {
    let file = histories().join("0.2.0/failed-again.failed-task.json");
    let whole = super::read_history(&file).expect("a history");
    for length in 1..whole.events.len() {
        let mut beginning = whole.clone();
        beginning.events.truncate(length);
        let timeline = super::from_histories(&[beginning]).expect("a timeline");
        assert!(!timeline.entries.is_empty());
        let ended = timeline.entries.iter().any(|entry| entry.kind == Kind::End);
        assert!(!ended, "{length}");
    }
}

#[test]
fn a_file_that_cannot_be_told_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let bad = folder.path().join("bad.json");
    std::fs::write(&bad, "{\"events\":").expect("a file");
    let missing = folder.path().join("missing.json");
    let own = histories().join("0.2.0/0-none.order.json");
    let foreign = histories().join("0.2.0/1-createOrder.order.json");
    for (files, file, why) in [
        (vec![own.clone(), bad.clone()], &bad, "it is not JSON"),
        (vec![missing.clone()], &missing, "No such file"),
        (
            vec![own.clone(), foreign.clone()],
            &foreign,
            "it is of order c2f158d6",
        ),
    ] {
        let error = format!("{:#}", read(&files).expect_err("an error"));
        assert!(error.starts_with(&file.display().to_string()), "{error}");
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn a_history_that_is_given_twice_is_told_once() {
    let once = timeline(&["0-none.loyalty"]);
    assert_eq!(timeline(&["0-none.loyalty", "0-none.loyalty"]), once);
}

/// The timeline of the histories in these files.
fn read(files: &[PathBuf]) -> anyhow::Result<Timeline> {
    merged(files, &read_all(files)?)
}
