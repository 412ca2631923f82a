//! What is beyond a limit is refused by name, also past the client.

use std::collections::BTreeMap;

use failure_queue::client::{Error, Redriven};
use failure_queue::names::failure_queue_workflow_id;
use failure_queue::{
    AutoRedrive, BulkAction, BulkFilter, BulkRequest, Bytes, DiscardRequest, FailedTaskWorkflow,
    FailureQueueWorkflow, MOST_REDRIVES, PolicyRequest, RedriveRequest, StoredPayload, TaskState,
};
use temporalio_client::WorkflowExecuteUpdateOptions;

use crate::harness::{Next, World, discard_by, redrive_by};

fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Invalid(invalid)) => invalid.field,
        other => panic!("not refused: {other:?}"),
    }
}

fn redrives() -> Vec<(&'static str, RedriveRequest)> {
    let request = |change: fn(&mut RedriveRequest)| {
        let mut request = redrive_by("alice");
        change(&mut request);
        request
    };
    vec![
        ("principal", request(|r| r.principal.clear())),
        ("principal", request(|r| r.principal = "x".repeat(129))),
        ("reason", request(|r| r.reason = Some(String::new()))),
        ("reason", request(|r| r.reason = Some("x".repeat(501)))),
        (
            "requestId",
            request(|r| r.request_id = Some("a b".to_owned())),
        ),
        (
            "requestId",
            request(|r| r.request_id = Some("x".repeat(129))),
        ),
        (
            "input",
            request(|r| {
                let data = Bytes(vec![0; 256 * 1024 + 1]);
                r.input = Some(StoredPayload {
                    data,
                    ..StoredPayload::default()
                });
            }),
        ),
        (
            "originalInput",
            request(|r| {
                r.input = Some(StoredPayload::json("1"));
                r.original_input = true;
            }),
        ),
    ]
}

fn discards() -> Vec<(&'static str, DiscardRequest)> {
    let mut no_id = discard_by("alice", "why");
    no_id.request_id = Some(String::new());
    vec![
        ("principal", discard_by("", "why")),
        ("reason", discard_by("alice", "")),
        ("reason", discard_by("alice", "two\nlines")),
        ("requestId", no_id),
    ]
}

fn policies() -> Vec<(&'static str, PolicyRequest)> {
    let request = |first_wait_ms| PolicyRequest {
        principal: "alice".to_owned(),
        reason: None,
        auto_redrive: Some(AutoRedrive {
            first_wait_ms,
            backoff: 1.0,
            longest_wait_ms: 1000,
            max_attempts: 1,
            max_age_ms: 1000,
        }),
    };
    let nobody = PolicyRequest {
        principal: String::new(),
        ..request(100)
    };
    vec![
        ("principal", nobody),
        ("firstWaitMs", request(1)),
        ("longestWaitMs", request(2000)),
    ]
}

#[tokio::test]
async fn each_refused_field_is_named() {
    let world = World::new().await;
    let task = world.park("a", "bank-away").await;
    let handle = world
        .client
        .get_workflow_handle::<FailedTaskWorkflow>(&task);
    let options = WorkflowExecuteUpdateOptions::default;
    for (field, request) in redrives() {
        let asked = world.queues.redrive(&task, request.clone()).await;
        assert_eq!(refused(asked), field);
        let past = handle.execute_update(FailedTaskWorkflow::redrive, request, options());
        assert_eq!(refused(past.await.map_err(Error::from)), field);
    }
    for (field, request) in discards() {
        let asked = world.queues.discard(&task, request.clone()).await;
        assert_eq!(refused(asked), field);
        let past = handle.execute_update(FailedTaskWorkflow::discard, request, options());
        assert_eq!(refused(past.await.map_err(Error::from)), field);
    }
    let view = world.queues.show(&task).await.unwrap();
    assert_eq!(
        (view.attempts, view.audit.len()),
        (1, 0),
        "nothing happened"
    );

    let off = PolicyRequest {
        principal: "alice".to_owned(),
        ..PolicyRequest::default()
    };
    world
        .queues
        .set_policy(&world.queue, off.clone())
        .await
        .unwrap();
    let id = failure_queue_workflow_id(&world.queue);
    let queue = world.client.get_workflow_handle::<FailureQueueWorkflow>(id);
    for (field, request) in policies() {
        let asked = world.queues.set_policy(&world.queue, request.clone()).await;
        assert_eq!(refused(asked), field);
        let past = queue.execute_update(FailureQueueWorkflow::set_policy, request, options());
        assert_eq!(refused(past.await.map_err(Error::from)), field);
    }
    assert_eq!(world.queues.policy(&world.queue).await.unwrap().version, 1);
    assert_eq!(refused(world.queues.set_policy("", off).await), "queue");
}

#[tokio::test]
async fn a_filter_and_a_bulk_operation_have_limits_too() {
    let world = World::new().await;
    let mut filter = world.filter();
    filter.tasks.subject = BTreeMap::from([("OrderId = '' OR x".to_owned(), "1".to_owned())]);
    assert_eq!(refused(world.queues.count(&filter).await), "subject");
    let bulk = |change: fn(&mut BulkRequest)| {
        let mut request = BulkRequest {
            id: "one".to_owned(),
            action: BulkAction::Redrive,
            filter: BulkFilter::default(),
            principal: "alice".to_owned(),
            reason: None,
            rate_per_second: 1.0,
            asked: None,
        };
        change(&mut request);
        request
    };
    for (field, request) in [
        ("id", bulk(|r| r.id = "a b".to_owned())),
        ("id", bulk(|r| r.id = "x".repeat(65))),
        ("principal", bulk(|r| r.principal.clear())),
        ("reason", bulk(|r| r.action = BulkAction::Discard)),
        ("ratePerSecond", bulk(|r| r.rate_per_second = 0.0)),
        ("ratePerSecond", bulk(|r| r.rate_per_second = f64::NAN)),
        ("ratePerSecond", bulk(|r| r.rate_per_second = 101.0)),
        (
            "subject",
            bulk(|r| drop(r.filter.subject.insert("a'".to_owned(), String::new()))),
        ),
    ] {
        assert_eq!(refused(world.queues.start_bulk(request).await), field);
    }
}

#[tokio::test]
async fn a_task_is_redriven_by_hand_so_often_and_can_be_discarded_then() {
    let world = World::new().await;
    let task = world.park("a", "bank-away").await;
    world.ledger.always("a", Next::Fault("bank-away"));
    let redrive = |number: u32| RedriveRequest {
        request_id: Some(number.to_string()),
        ..redrive_by("alice")
    };
    for number in 0..MOST_REDRIVES {
        let redriven = world.queues.redrive(&task, redrive(number)).await;
        assert!(redriven.is_ok(), "{number}: {redriven:?}");
    }
    let calls = world.ledger.calls("a");
    let beyond = world.queues.redrive(&task, redrive(MOST_REDRIVES)).await;
    assert!(matches!(beyond, Err(Error::TooManyRedrives)), "{beyond:?}");
    // One that was taken is answered as before.
    let again = world
        .queues
        .redrive(&task, redrive(MOST_REDRIVES - 1))
        .await;
    assert!(matches!(again, Ok(Redriven::Ended(_))), "{again:?}");
    assert_eq!(world.ledger.calls("a"), calls);
    let discarded = world.queues.discard(&task, discard_by("alice", "enough"));
    discarded.await.unwrap();
    world.until_state(&task, TaskState::Discarded).await;
}
