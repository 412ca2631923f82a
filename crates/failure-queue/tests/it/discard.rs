//! A parked task is let go.

use failure_queue::client::{Error, StateFilter};
use failure_queue::{AuditAction, AuditOutcome, DiscardRequest, FailedTaskWorkflow, TaskState};
use temporalio_client::WorkflowCancelOptions;

use crate::harness::{World, discard_by, redrive_by};

#[tokio::test]
async fn a_discarded_task_is_closed_with_who_and_why() {
    let world = World::new().await;
    let task = world.park("a", "bank-away").await;
    let request = DiscardRequest {
        request_id: Some("one".to_owned()),
        ..discard_by("alice", "paid by hand")
    };
    world.queues.discard(&task, request.clone()).await.unwrap();

    let view = world.queues.show(&task).await.unwrap();
    assert_eq!(view.state, TaskState::Discarded);
    assert_eq!(view.failure.code, "bank-away");
    let [entry] = &view.audit[..] else {
        panic!("{:?}", view.audit);
    };
    assert_eq!(entry.principal, "alice");
    assert_eq!(entry.action, AuditAction::Discard);
    assert_eq!(entry.reason.as_deref(), Some("paid by hand"));
    assert_eq!(entry.outcome, AuditOutcome::Done);
    let told = world.ledger.told(&task);
    assert_eq!(told.len(), 2);
    assert_eq!(told[1].state, TaskState::Discarded);
    assert_eq!(told[1].principal.as_deref(), Some("alice"));
    assert_eq!(told[1].reason.as_deref(), Some("paid by hand"));
    assert_eq!(told[1].at_ms, entry.at_ms);

    // The same request again is the same one; others come too late.
    world.queues.discard(&task, request).await.unwrap();
    let other = world.queues.discard(&task, discard_by("bob", "why")).await;
    assert!(matches!(other, Err(Error::Resolved)), "{other:?}");
    let redrive = world.queues.redrive(&task, redrive_by("bob")).await;
    assert!(matches!(redrive, Err(Error::Resolved)), "{redrive:?}");
    assert_eq!((world.ledger.calls("a"), world.ledger.effects()), (1, 0));
    let mut discarded = world.filter();
    discarded.state = StateFilter::Discarded;
    world.until_listed(&discarded, 1).await;
    world.until_listed(&world.filter(), 0).await;
}

#[tokio::test]
async fn a_cancellation_takes_nothing_away() {
    let world = World::new().await;
    let task = world.park("a", "bank-away").await;
    let handle = world
        .client
        .get_workflow_handle::<FailedTaskWorkflow>(&task);
    handle
        .cancel(WorkflowCancelOptions::default())
        .await
        .unwrap();
    let view = world.queues.show(&task).await.unwrap();
    assert_eq!(view.state, TaskState::Waiting);
    world
        .queues
        .redrive(&task, redrive_by("alice"))
        .await
        .unwrap();
    assert_eq!(world.ledger.effects(), 1);
    let view = world.queues.show(&task).await.unwrap();
    assert_eq!(view.state, TaskState::Done);
}
