//! What lives long continues as new, and forgets nothing.

use std::time::Duration;

use failure_queue::client::Redriven;
use failure_queue::names::failure_queue_workflow_id;
use failure_queue::{
    AutoRedrive, FailureQueueWorkflow, PolicyRequest, RedriveRequest, StoredPayload, TaskState,
};
use temporalio_client::{WorkflowCancelOptions, WorkflowTerminateOptions};

use crate::harness::{Next, SOON, World, eventually, redrive_by};

/// A history is cut at 500 events.
const MANY: usize = 510;

fn policy(principal: &str) -> PolicyRequest {
    PolicyRequest {
        principal: principal.to_owned(),
        reason: None,
        auto_redrive: Some(AutoRedrive {
            first_wait_ms: 3_600_000,
            backoff: 1.0,
            longest_wait_ms: 3_600_000,
            max_attempts: 5,
            max_age_ms: 7_200_000,
        }),
    }
}

#[tokio::test]
async fn a_task_that_continues_as_new_keeps_all_that_it_knows() {
    let world = World::new().await;
    world.park_all(&["a".to_owned()], "bank-away").await;
    let task = world.task_id("a");
    world
        .queues
        .set_policy(&world.queue, policy("night"))
        .await
        .unwrap();
    eventually(SOON, "it is told", async || {
        let view = world.queues.show(&task).await.unwrap();
        view.auto_redrive.map(drop)
    })
    .await;
    world.ledger.next("a", [Next::Fault("bank-gone")]);
    let request = RedriveRequest {
        request_id: Some("one".to_owned()),
        input: Some(StoredPayload::json(r#"{"key":"a","amount":7}"#)),
        ..redrive_by("alice")
    };
    let answer = world.queues.redrive(&task, request.clone()).await.unwrap();
    let before = world.queues.show(&task).await.unwrap();
    let (_, run) = world.history(&task).await;
    world.lengthen(&task, MANY).await;
    eventually(SOON, "it continues as new", async || {
        (world.history(&task).await.1 != run).then_some(())
    })
    .await;

    let after = world.queues.show(&task).await.unwrap();
    assert_eq!(after.state, TaskState::Waiting);
    assert_eq!(after.attempts, before.attempts);
    assert_eq!(after.failure, before.failure);
    assert_eq!(after.redrives, before.redrives);
    assert_eq!(after.audit, before.audit);
    assert_eq!(after.input, before.input);
    assert_eq!(after.corrected_input, before.corrected_input);
    assert_eq!(after.auto_redrive, before.auto_redrive);
    assert_eq!(after.next_redrive_at_ms, before.next_redrive_at_ms);
    assert_eq!(after.last_failure_at_ms, before.last_failure_at_ms);
    assert_eq!(after.task.run_id, before.task.run_id);
    let mut filter = world.filter();
    filter.tasks.error_code = Some("bank-gone".to_owned());
    filter.tasks.subject = before.task.subject.clone();
    world.until_listed(&filter, 1).await;
    let page = failure_queue::client::Page {
        size: 10,
        token: Vec::new(),
    };
    let listed = world.queues.list(&filter, page).await.unwrap();
    assert_eq!(listed.tasks[0].parked_at_ms, before.task.parked_at_ms);
    let hour = Duration::from_secs(3600);
    let stats = world.queues.stats(&world.queue, hour).await.unwrap();
    assert_eq!((stats.depth, stats.arrived, stats.resolved), (1, 1, 0));
    let oldest = world.queues.oldest(&world.queue).await.unwrap();
    assert_eq!(oldest, Some(before.task.parked_at_ms));

    // The same request again is the same one.
    assert_eq!(world.queues.redrive(&task, request).await.unwrap(), answer);
    assert_eq!(world.ledger.calls("a"), 2);
    let done = world.queues.redrive(&task, redrive_by("alice")).await;
    let Ok(Redriven::Ended(done)) = done else {
        panic!("{done:?}");
    };
    assert_eq!((done.state, done.attempts), (TaskState::Done, 3));
    assert_eq!(world.ledger.amounts("a"), [100, 7, 7]);
}

#[tokio::test]
async fn a_redrive_is_not_lost_where_a_task_continues_as_new() {
    let world = World::new().await;
    let task = world.park("a", "bank-away").await;
    world.ledger.always("a", Next::Fault("bank-away"));
    let (_, run) = world.history(&task).await;
    let lengthen = world.lengthen(&task, MANY);
    let redrives = async {
        for n in 0..40 {
            let request = RedriveRequest {
                request_id: Some(n.to_string()),
                ..redrive_by("alice")
            };
            world.queues.redrive(&task, request).await.unwrap();
        }
    };
    tokio::join!(lengthen, redrives);
    let (_, new_run) = world.history(&task).await;
    assert_ne!(run, new_run);
    let view = world.queues.show(&task).await.unwrap();
    assert_eq!((view.attempts, world.ledger.calls("a")), (41, 41));
}

#[tokio::test]
async fn a_queues_policy_outlives_its_workflow() {
    let world = World::new().await;
    let id = failure_queue_workflow_id(&world.queue);
    let first = world
        .queues
        .set_policy(&world.queue, policy("night"))
        .await
        .unwrap();
    let handle = world
        .client
        .get_workflow_handle::<FailureQueueWorkflow>(&id);

    // A cancellation is not heeded.
    handle
        .cancel(WorkflowCancelOptions::default())
        .await
        .unwrap();
    let (_, run) = world.history(&id).await;
    world.lengthen(&id, MANY).await;
    eventually(SOON, "it continues as new", async || {
        (world.history(&id).await.1 != run).then_some(())
    })
    .await;
    let kept = world.queues.policy(&world.queue).await.unwrap();
    assert_eq!((kept.version, &kept.changes), (1, &first.changes));
    // A task learns of it without a worker of the queue.
    let task = world.park("a", "bank-away").await;
    eventually(SOON, "the task knows the policy", async || {
        let view = world.queues.show(&task).await.unwrap();
        view.auto_redrive.map(drop)
    })
    .await;

    let handle = world
        .client
        .get_workflow_handle::<FailureQueueWorkflow>(&id);
    handle
        .terminate(WorkflowTerminateOptions::default())
        .await
        .unwrap();
    let off = PolicyRequest {
        auto_redrive: None,
        ..policy("day")
    };
    let second = world.queues.set_policy(&world.queue, off).await.unwrap();
    assert_eq!(second.version, 2, "versions go on");
    assert_eq!(second.changes[0], first.changes[0]);
    eventually(SOON, "the task is told", async || {
        let view = world.queues.show(&task).await.unwrap();
        view.auto_redrive.is_none().then_some(())
    })
    .await;
}

/// What an operator pays for; the README states these.
#[tokio::test]
async fn a_parked_task_costs_so_many_events() {
    let world = World::new().await;
    let events = async |id: &str| world.history(id).await.0;
    let (undisturbed, _, _) = world.run(vec![world.errand("b")]).await;
    let undisturbed = events(&undisturbed).await;
    world.ledger.next("a", vec![Next::Fault("bank-away"); 2]);
    let (parking, _, _) = world.run(vec![world.errand("a")]).await;
    let parking = events(&parking).await - undisturbed;
    let task = world.task_id("a");
    let parked = eventually(SOON, "it is at rest", async || {
        let parked = events(&task).await;
        (parked >= 5).then_some(parked)
    })
    .await;
    let redrive = world.queues.redrive(&task, redrive_by("alice"));
    redrive.await.unwrap();
    let redriven = events(&task).await;
    let redrive = world.queues.redrive(&task, redrive_by("alice"));
    redrive.await.unwrap();
    let done = events(&task).await;
    // A server under load starts some workflow tasks twice.
    let costs = [parking, parked, redriven - parked, done - redriven];
    for (cost, expected) in costs.into_iter().zip([6, 5, 11, 19]) {
        assert!((expected..expected + 9).contains(&cost), "{costs:?}");
    }
}
