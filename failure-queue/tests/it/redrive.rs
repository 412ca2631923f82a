//! A parked task is run again.

use failure_queue::client::Redriven;
use failure_queue::{AttemptOutcome, AuditOutcome, RedriveAnswer, TaskState};

use crate::harness::{World, redrive_by};

#[tokio::test]
async fn a_redriven_step_is_done_and_the_application_is_told() {
    let world = World::new().await;
    let task = world.park("a", "bank-away").await;
    let answer = world.queues.redrive(&task, redrive_by("alice")).await;
    let done = RedriveAnswer {
        state: TaskState::Done,
        attempts: 2,
        failure: None,
    };
    assert_eq!(answer.unwrap(), Redriven::Ended(done));
    assert_eq!(world.ledger.effects(), 1);

    let view = world.queues.show(&task).await.unwrap();
    assert_eq!(view.state, TaskState::Done);
    assert_eq!(view.redrives.len(), 1);
    assert_eq!(view.redrives[0].outcome, AttemptOutcome::Done);
    assert_eq!(view.redrives[0].principal, "alice");
    assert_eq!(view.audit[0].outcome, AuditOutcome::Done);
    let told = world.ledger.told(&task);
    assert_eq!(told.len(), 2);
    assert_eq!(told[1].state, TaskState::Done);
    assert_eq!(told[1].principal.as_deref(), Some("alice"));
    assert_eq!(told[1].at_ms, view.redrives[0].ended_at_ms);
}
