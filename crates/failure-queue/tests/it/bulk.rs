//! Many tasks are redriven or discarded.

use std::collections::BTreeMap;

use failure_queue::{BulkAction, BulkFilter, BulkProgress, BulkRequest, TaskState};
use uuid::Uuid;

use crate::harness::{A_MINUTE, Next, SOON, World, eventually, redrive_by};

fn request(world: &World, rate_per_second: f64) -> BulkRequest {
    BulkRequest {
        id: Uuid::new_v4().to_string(),
        action: BulkAction::Redrive,
        filter: world.filter().tasks,
        principal: "alice".to_owned(),
        reason: None,
        rate_per_second,
        asked: None,
    }
}

async fn until_ended(world: &World, id: &str) -> BulkProgress {
    eventually(A_MINUTE, "the bulk operation ends", async || {
        // A query has to wait for a worker.
        let progress = world.queues.bulk(id).await.ok()?;
        progress.ended_at_ms.map(|_| progress)
    })
    .await
}

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{prefix}{n}")).collect()
}

#[tokio::test]
async fn one_bad_task_does_not_stop_the_rest() {
    let world = World::new().await;
    let (good, bad) = (names("good", 50), names("bad", 10));
    let all = [good.clone(), bad.clone()].concat();
    world.park_all(&all, "bank-away").await;
    for id in &bad {
        world.ledger.always(id, Next::Refuse("account-closed"));
    }
    let request = request(&world, 100.0);
    world.queues.start_bulk(request.clone()).await.unwrap();
    let progress = until_ended(&world, &request.id).await;
    let counts = &progress.counts;
    assert_eq!(progress.matching, 60);
    assert_eq!((counts.done, counts.failed_again), (50, 10));
    assert_eq!((counts.skipped, counts.unanswered), (0, 0), "{counts:?}");
    assert_eq!(counts.problems.len(), 10);
    let problem = &counts.problems[0].problem;
    assert_eq!(problem, "account-closed: the bank did not answer");
    assert!(!progress.stopped);
    assert!(progress.ended_at_ms >= Some(progress.started_at_ms));
    // Each was met once.
    assert!(all.iter().all(|id| world.ledger.calls(id) == 2));
    assert_eq!(world.ledger.effects(), 50);

    // The same operation again is the one that has ended.
    world.queues.start_bulk(request.clone()).await.unwrap();
    assert_eq!(world.queues.bulk(&request.id).await.unwrap(), progress);
    let view = world.queues.show(&world.task_id("bad0")).await.unwrap();
    assert_eq!(view.audit[0].principal, "alice");
    assert_eq!(view.audit[0].request_id, format!("bulk-{}", request.id));
}

#[tokio::test]
async fn a_filter_says_which_tasks() {
    let world = World::new().await;
    world.park_all(&names("old", 3), "bank-away").await;
    world.park_all(&names("new", 2), "bank-gone").await;
    let first_new = world.queues.show(&world.task_id("new0")).await.unwrap();
    let discard = |change: &dyn Fn(&mut BulkFilter)| {
        let mut request = request(&world, 100.0);
        request.action = BulkAction::Discard;
        request.reason = Some("written off".to_owned());
        change(&mut request.filter);
        request
    };
    let at = first_new.task.parked_at_ms;
    let mut left = 5;
    for (request, count) in [
        (
            discard(&|filter| {
                filter.subject = BTreeMap::from([("OrderId".to_owned(), "old1".to_owned())]);
            }),
            1,
        ),
        (discard(&|filter| filter.parked_before_ms = Some(at)), 2),
        (
            discard(&|filter| filter.error_code = Some("bank-gone".to_owned())),
            2,
        ),
    ] {
        world.queues.start_bulk(request.clone()).await.unwrap();
        let progress = until_ended(&world, &request.id).await;
        assert_eq!(
            (progress.matching, progress.counts.discarded),
            (count, count)
        );
        left -= count;
        world.until_listed(&world.filter(), left).await;
    }
    assert_eq!(world.ledger.effects(), 0);
    let view = world.queues.show(&world.task_id("old1")).await.unwrap();
    assert_eq!(view.state, TaskState::Discarded);
    assert_eq!(view.audit[0].reason.as_deref(), Some("written off"));
}

#[tokio::test]
async fn a_stopped_operation_goes_no_further() {
    let world = World::new().await;
    world.park_all(&names("t", 12), "bank-away").await;
    // Pages of five: two seconds' worth.
    let request = request(&world, 2.5);
    world.queues.start_bulk(request.clone()).await.unwrap();
    eventually(SOON, "the first page is under way", async || {
        (world.ledger.effects() > 0).then_some(())
    })
    .await;
    world.queues.stop_bulk(&request.id, "bob").await.unwrap();
    let progress = until_ended(&world, &request.id).await;
    assert!(progress.stopped);
    assert_eq!((progress.matching, progress.counts.done), (12, 5));
    let took_ms = progress.ended_at_ms.unwrap() - progress.started_at_ms;
    assert!(took_ms >= 2000, "{took_ms} ms");
    assert_eq!(world.ledger.effects(), 5);
    world.queues.stop_bulk(&request.id, "bob").await.unwrap();
}

async fn lose_in_the_middle(world: &mut World, lose: impl FnOnce(&mut World)) {
    let (good, bad) = (names("good", 30), names("bad", 6));
    let all = [good, bad.clone()].concat();
    world.park_all(&all, "bank-away").await;
    for id in &bad {
        world.ledger.always(id, Next::Refuse("account-closed"));
    }
    let request = request(world, 20.0);
    world.queues.start_bulk(request.clone()).await.unwrap();
    eventually(SOON, "some are done", async || {
        (world.ledger.effects() > 5).then_some(())
    })
    .await;
    lose(world);
    assert!(world.ledger.effects() < 30, "too late");
    world.start_workers();
    let progress = until_ended(world, &request.id).await;
    let counts = &progress.counts;
    assert_eq!(progress.matching, 36);
    assert_eq!((counts.done, counts.failed_again), (30, 6), "{counts:?}");
    assert_eq!((counts.skipped, counts.unanswered), (0, 0), "{counts:?}");
    assert_eq!(world.ledger.effects(), 30);
}

#[tokio::test]
async fn an_operation_goes_on_after_its_worker_was_stopped() {
    let mut world = World::new().await;
    lose_in_the_middle(&mut world, World::stop_workers).await;
}

/// Takes as long as a page may keep silent.
#[tokio::test]
async fn an_operation_goes_on_after_its_worker_was_lost() {
    let mut world = World::new().await;
    lose_in_the_middle(&mut world, World::lose_workers).await;
}

#[tokio::test]
async fn a_task_that_somebody_else_redrives_is_skipped() {
    let world = World::new().await;
    world.park_all(&names("t", 2), "bank-away").await;
    world.ledger.next("t0", [Next::WaitForGate]);
    let task = world.task_id("t0");
    let redrive = world.queues.redrive(&task, redrive_by("bob"));
    let bulk = async {
        world.until_state(&task, TaskState::Redriving).await;
        let request = request(&world, 100.0);
        world.queues.start_bulk(request.clone()).await.unwrap();
        let progress = until_ended(&world, &request.id).await;
        world.ledger.open_gate();
        progress
    };
    let (redriven, progress) = tokio::join!(redrive, bulk);
    redriven.unwrap();
    let counts = progress.counts;
    assert_eq!((progress.matching, counts.done, counts.skipped), (2, 1, 1));
    assert_eq!(counts.problems[0].task_id, task);
    assert_eq!(world.ledger.effects(), 2);
}
