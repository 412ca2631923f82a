//! A parked task is run again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use failure_queue::client::{Error, FailureQueues, Redriven};
use failure_queue::{
    AttemptOutcome, AuditOutcome, DiscardRequest, FollowUp, RedriveAnswer, RedriveRequest,
    StoredPayload, TaskState,
};
use futures::future::join_all;

use crate::harness::{Next, World, discard_by, redrive_by};

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

#[tokio::test]
async fn what_follows_runs_in_order_and_is_parked_when_it_fails() {
    let world = World::new().await;
    let mut errand = world.errand("a");
    let follow = |id: &str| FollowUp {
        step: world.step(id),
        activity_type: "pay".to_owned(),
        task_queue: world.errands.clone(),
        input: StoredPayload::json(format!(r#"{{"key":"{id}","amount":7}}"#)),
    };
    errand.step.follow_ups = ["b", "c", "d"].map(follow).to_vec();
    let task = world.park_errand(errand, "bank-away").await;
    world.ledger.next("c", [Next::Refuse("account-closed")]);

    let answer = world.queues.redrive(&task, redrive_by("alice")).await;
    assert!(matches!(answer, Ok(Redriven::Ended(_))), "{answer:?}");
    // The answer comes after all that follows.
    assert_eq!(world.ledger.order_of_effects(), ["a", "b", "d"]);
    let parked = world.queues.show(&world.task_id("c")).await.unwrap();
    assert_eq!(parked.state, TaskState::Waiting);
    assert_eq!(parked.failure.code, "account-closed");
    assert_eq!(parked.task.workflow_id, task);
    assert_eq!(parked.task.task_queue, world.errands);

    world
        .queues
        .redrive(&parked.id, redrive_by("alice"))
        .await
        .unwrap();
    assert_eq!(world.ledger.order_of_effects(), ["a", "b", "d", "c"]);
    assert_eq!(world.ledger.effect("c").unwrap().amount, 7);
}

#[tokio::test]
async fn a_redrive_that_fails_again_stays_once_with_its_new_error() {
    let world = World::new().await;
    let task = world.park("a", "bank-away").await;
    world.ledger.next("a", [Next::Refuse("account-closed")]);
    let answer = world.queues.redrive(&task, redrive_by("alice")).await;
    let Ok(Redriven::Ended(answer)) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!((answer.state, answer.attempts), (TaskState::Waiting, 2));
    assert_eq!(answer.failure.unwrap().code, "account-closed");

    let view = world.queues.show(&task).await.unwrap();
    assert_eq!((view.state, view.attempts), (TaskState::Waiting, 2));
    assert_eq!(view.failure.code, "account-closed");
    assert_eq!(view.task.failure.code, "bank-away");
    assert_eq!(view.last_failure_at_ms, view.redrives[0].ended_at_ms);
    assert_eq!(view.audit[0].outcome, AuditOutcome::FailedAgain);
    assert_eq!(world.ledger.told(&task).len(), 1, "it is parked still");
    let mut by_code = world.filter();
    by_code.tasks.error_code = Some("account-closed".to_owned());
    world.until_listed(&by_code, 1).await;
    world.until_listed(&world.filter(), 1).await;
}

#[tokio::test]
async fn a_task_remembers_its_latest_twenty_redrives() {
    let world = World::new().await;
    let task = world.park("a", "bank-away").await;
    world.ledger.always("a", Next::Fault("bank-away"));
    for n in 0..23 {
        let mut request = redrive_by("alice");
        request.request_id = Some(format!("r{n}"));
        world.queues.redrive(&task, request).await.unwrap();
    }
    let view = world.queues.show(&task).await.unwrap();
    assert_eq!((view.redrives.len(), view.earlier_redrives), (20, 3));
    assert_eq!(view.attempts, 24);
    assert_eq!(view.redrives[0].attempts, 5);
    assert_eq!((view.audit.len(), view.earlier_audit), (23, 0));
}

#[tokio::test]
async fn of_two_redrives_at_once_one_is_told_that_it_came_second() {
    let world = World::new().await;
    let task = world.park("a", "bank-away").await;
    world.ledger.next("a", [Next::WaitForGate]);
    let first = world.queues.redrive(&task, redrive_by("alice"));
    let second = async {
        world.until_state(&task, TaskState::Redriving).await;
        let second = world.queues.redrive(&task, redrive_by("bob")).await;
        let discard = world.queues.discard(&task, discard_by("bob", "gone")).await;
        world.ledger.open_gate();
        (second, discard)
    };
    let (first, (second, discard)) = tokio::join!(first, second);
    assert!(matches!(first, Ok(Redriven::Ended(_))), "{first:?}");
    assert!(matches!(second, Err(Error::Busy)), "{second:?}");
    assert!(matches!(discard, Err(Error::Busy)), "{discard:?}");
    let view = world.queues.show(&task).await.unwrap();
    assert_eq!((view.redrives.len(), world.ledger.effects()), (1, 1));
}

#[tokio::test]
async fn of_many_redrives_in_the_same_moment_one_is_made() {
    let world = World::new().await;
    let task = world.park("a", "bank-away").await;
    world.ledger.next("a", [Next::WaitForGate]);
    let ended = AtomicUsize::new(0);
    let redrives = (0..10).map(|_| async {
        let result = world.queues.redrive(&task, redrive_by("alice")).await;
        // The one that is made ends last.
        if ended.fetch_add(1, Ordering::SeqCst) == 8 {
            world.ledger.open_gate();
        }
        result
    });
    let results = join_all(redrives).await;
    let made = results.iter().filter(|result| result.is_ok()).count();
    let busy = |result: &&Result<_, _>| matches!(result, Err(Error::Busy));
    let busy = results.iter().filter(busy).count();
    assert_eq!((made, busy), (1, 9), "{results:?}");
    let view = world.queues.show(&task).await.unwrap();
    assert_eq!((view.redrives.len(), world.ledger.effects()), (1, 1));
}

#[tokio::test]
async fn the_same_request_acts_once_and_has_one_answer() {
    let world = World::new().await;
    let task = world.park("a", "bank-away").await;
    world.ledger.next("a", [Next::Fault("bank-gone")]);
    let ask = async |id: &str| {
        let mut request = redrive_by("alice");
        request.request_id = Some(id.to_owned());
        world.queues.redrive(&task, request).await.unwrap()
    };
    let (first, again) = tokio::join!(ask("one"), ask("one"));
    assert_eq!(first, again);
    assert_eq!(ask("one").await, first);
    assert_eq!(world.ledger.calls("a"), 2);

    let done = ask("two").await;
    assert_eq!(world.ledger.calls("a"), 3);
    // The task is closed now.
    assert_eq!(ask("two").await, done);
    assert_eq!(ask("one").await, first);
    assert_eq!(world.ledger.calls("a"), 3);
    let third = RedriveRequest {
        request_id: Some("three".to_owned()),
        ..redrive_by("alice")
    };
    let third = world.queues.redrive(&task, third).await;
    assert!(matches!(third, Err(Error::Resolved)), "{third:?}");
}

#[tokio::test]
async fn another_request_under_a_known_id_is_refused() {
    let world = World::new().await;
    let task = world.park("a", "bank-away").await;
    world.ledger.always("a", Next::Fault("bank-gone"));
    let request = |reason: &str, input: Option<&str>| RedriveRequest {
        reason: Some(reason.to_owned()),
        request_id: Some("one".to_owned()),
        input: input.map(StoredPayload::json),
        ..redrive_by("alice")
    };
    let input = r#"{"id":"a","extra":1}"#;
    let first = world.queues.redrive(&task, request("called", Some(input)));
    let first = first.await.unwrap();
    // The same, with its fields in another order.
    let same = request("called", Some(r#"{ "extra": 1, "id": "a" }"#));
    assert_eq!(world.queues.redrive(&task, same).await.unwrap(), first);
    let calls = world.ledger.calls("a");
    let others = || {
        let bob = RedriveRequest {
            principal: "bob".to_owned(),
            ..request("called", Some(input))
        };
        let other_input = r#"{"id":"a","extra":2}"#;
        [
            bob,
            request("guessed", Some(input)),
            request("called", None),
            request("called", Some(other_input)),
        ]
    };
    for other in others() {
        let refused = world.queues.redrive(&task, other).await;
        assert!(matches!(refused, Err(Error::Reused)), "{refused:?}");
    }
    let discard = DiscardRequest {
        request_id: Some("two".to_owned()),
        ..discard_by("alice", "paid by hand")
    };
    world.queues.discard(&task, discard.clone()).await.unwrap();
    // The task is closed now.
    world.queues.discard(&task, discard.clone()).await.unwrap();
    let other = DiscardRequest {
        reason: "lost".to_owned(),
        ..discard
    };
    let refused = world.queues.discard(&task, other).await;
    assert!(matches!(refused, Err(Error::Reused)), "{refused:?}");
    for other in others() {
        let refused = world.queues.redrive(&task, other).await;
        assert!(matches!(refused, Err(Error::Reused)), "{refused:?}");
    }
    assert_eq!(world.ledger.calls("a"), calls);
}

#[tokio::test]
async fn a_redrive_that_outlasts_its_caller_goes_on() {
    let world = World::new().await;
    let task = world.park("a", "bank-away").await;
    world.ledger.next("a", [Next::WaitForGate]);
    let hasty = FailureQueues::new(
        world.client.clone(),
        world.failures.clone(),
        Duration::from_secs(1),
    );
    let request = RedriveRequest {
        request_id: Some("one".to_owned()),
        ..redrive_by("alice")
    };
    let answer = hasty.redrive(&task, request.clone()).await.unwrap();
    assert_eq!(answer, Redriven::StillRunning);
    world.ledger.open_gate();
    let answer = world.queues.redrive(&task, request).await.unwrap();
    assert!(matches!(answer, Redriven::Ended(_)), "{answer:?}");
    let view = world.queues.show(&task).await.unwrap();
    assert_eq!((view.redrives.len(), world.ledger.effects()), (1, 1));
}

#[tokio::test]
async fn a_failure_that_is_called_timeout_is_a_failure() {
    let world = World::new().await;
    let task = world.park("a", "timeout").await;
    world.ledger.always("a", Next::Fault("timeout"));
    world
        .queues
        .redrive(&task, redrive_by("alice"))
        .await
        .unwrap();
    assert_eq!(world.ledger.calls("a"), 2, "once is once");
}
