//! A step that fails for good is parked once, with everything.

use std::time::Duration;

use failure_queue::{StepPolicy, TaskState};

use crate::harness::{Next, World};

#[tokio::test]
async fn a_step_that_fails_for_good_is_parked_with_everything() {
    let world = World::new().await;
    let mut errand = world.errand("a");
    errand.step.policy = StepPolicy {
        attempts: Some(3),
        first_wait: Duration::from_millis(10),
        backoff: 2.0,
        longest_wait: Duration::from_millis(50),
    };
    world.ledger.next("a", vec![Next::Fault("bank-away"); 3]);
    let (workflow_id, run_id, failures) = world.run(vec![errand.clone()]).await;

    let view = world.queues.show(&world.task_id("a")).await.unwrap();
    let task = &view.task;
    assert_eq!(view.state, TaskState::Waiting);
    assert_eq!(task.queue, world.queue);
    assert_eq!(task.message_type, "Refund");
    assert_eq!(task.subject, errand.step.subject);
    assert_eq!(task.activity_type, "pay");
    assert_eq!(task.task_queue, world.errands);
    assert_eq!(task.policy, errand.step.policy);
    assert_eq!(task.idempotency_key, "a");
    assert_eq!(task.workflow_id, workflow_id);
    assert_eq!(task.run_id, run_id);
    assert!(task.first_attempt_at_ms < task.parked_at_ms);
    assert_eq!(view.last_failure_at_ms, task.parked_at_ms);
    assert_eq!(failures[0].as_ref(), Some(&task.failure));
    assert_eq!(task.failure.code, "bank-away");
    assert_eq!(task.failure.message, "the bank did not answer");
    assert_eq!(
        task.failure.causes,
        ["the line is down", "the socket is gone"]
    );
    assert_eq!((task.failure.attempts, view.attempts), (3, 3));
    assert!(!task.failure.refused);
    let input = view.input.as_json().unwrap();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(input).unwrap(),
        serde_json::json!({"key": "a", "amount": 100})
    );
    let told = world.ledger.told(&view.id);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].state, TaskState::Waiting);
    assert_eq!(told[0].subject, errand.step.subject);
    assert_eq!(told[0].principal, None);
}

#[tokio::test]
async fn a_refusal_is_parked_at_once() {
    let world = World::new().await;
    let mut errand = world.errand("a");
    errand.step.policy.attempts = Some(5);
    errand.step.local_first = true;
    world.ledger.next("a", [Next::Refuse("account-closed")]);
    world.run(vec![errand]).await;
    let view = world.queues.show(&world.task_id("a")).await.unwrap();
    assert_eq!(view.failure.code, "account-closed");
    assert!(view.failure.refused);
    assert_eq!((view.attempts, world.ledger.calls("a")), (1, 1));
}

#[tokio::test]
async fn a_first_attempt_within_the_workflow_task_is_counted() {
    let world = World::new().await;
    let mut errand = world.errand("a");
    errand.step.policy = StepPolicy {
        attempts: Some(2),
        first_wait: Duration::from_millis(10),
        ..StepPolicy::once()
    };
    errand.step.local_first = true;
    world.ledger.next("a", vec![Next::Fault("bank-away"); 2]);
    world.run(vec![errand]).await;
    let view = world.queues.show(&world.task_id("a")).await.unwrap();
    assert_eq!((view.attempts, world.ledger.calls("a")), (2, 2));
}

#[tokio::test]
async fn a_step_that_fails_twice_for_the_same_thing_is_parked_once() {
    let world = World::new().await;
    let first = world.park("a", "bank-away").await;
    let before = world.queues.show(&first).await.unwrap();
    world.park("a", "bank-gone").await;
    let after = world.queues.show(&first).await.unwrap();
    assert_eq!(after.task.workflow_id, before.task.workflow_id);
    assert_eq!(after.failure.code, "bank-away");
    world.until_listed(&world.filter(), 1).await;
}
