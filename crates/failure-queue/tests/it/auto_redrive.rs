//! Tasks that are run again by themselves.

use failure_queue::client::QueueStats;
use failure_queue::{AuditAction, AutoRedrive, PolicyRequest, QueuePolicy, TaskState, TaskView};

use crate::harness::{Next, SOON, World, eventually, redrive_by};

const A_DAY_MS: u64 = 24 * 3600 * 1000;

fn every_100_ms(max_attempts: u32) -> AutoRedrive {
    AutoRedrive {
        first_wait_ms: 100,
        backoff: 1.0,
        longest_wait_ms: 100,
        max_attempts,
        max_age_ms: A_DAY_MS,
    }
}

async fn set(world: &World, principal: &str, policy: Option<AutoRedrive>) -> QueuePolicy {
    let request = PolicyRequest {
        principal: principal.to_owned(),
        reason: Some("a night shift".to_owned()),
        auto_redrive: policy,
    };
    let set = world.queues.set_policy(&world.queue, request).await;
    set.unwrap()
}

async fn until(
    world: &World,
    task: &str,
    what: &str,
    holds: impl Fn(&TaskView) -> bool,
) -> TaskView {
    eventually(SOON, what, async || {
        let view = world.queues.show(task).await.unwrap();
        holds(&view).then_some(view)
    })
    .await
}

#[tokio::test]
async fn switched_on_it_reaches_tasks_that_are_parked_already() {
    let world = World::new().await;
    assert_eq!(world.queues.policy(&world.queue).await.unwrap().version, 0);
    let ids = ["a", "b"].map(str::to_owned);
    world.park_all(&ids, "bank-away").await;
    world.ledger.next("a", vec![Next::Fault("bank-gone"); 2]);

    let policy = set(&world, "night", Some(every_100_ms(10))).await;
    assert_eq!((policy.version, policy.spreading), (1, true));
    for id in ids {
        let task = world.task_id(&id);
        world.until_state(&task, TaskState::Done).await;
        let view = world.queues.show(&task).await.unwrap();
        assert!(view.redrives.iter().all(|redrive| redrive.automatic));
        assert_eq!(view.audit.len(), 1);
        assert_eq!(view.audit[0].action, AuditAction::SetPolicy);
        assert_eq!(view.audit[0].principal, "night");
        assert_eq!(view.audit[0].reason.as_deref(), Some("a night shift"));
        let told = world.ledger.told(&task);
        assert_eq!(told.last().unwrap().principal.as_deref(), Some("night"));
    }
    assert_eq!((world.ledger.calls("a"), world.ledger.calls("b")), (4, 2));
    assert_eq!(world.ledger.effects(), 2);
    let policy = eventually(SOON, "all are told", async || {
        let policy = world.queues.policy(&world.queue).await.unwrap();
        (!policy.spreading).then_some(policy)
    })
    .await;
    assert_eq!(policy.reached, 2, "{policy:?}");
    assert_eq!(policy.changes.len(), 1);
    assert_eq!(policy.changes[0].principal, "night");
}

#[tokio::test]
async fn a_task_that_the_second_look_finds_again_is_counted_once() {
    let world = World::new().await;
    let ids = ["a", "b", "c"].map(str::to_owned);
    world.park_all(&ids, "bank-away").await;
    let far_off = AutoRedrive {
        first_wait_ms: A_DAY_MS,
        longest_wait_ms: A_DAY_MS,
        ..every_100_ms(1)
    };
    set(&world, "night", Some(far_off)).await;
    let policy = eventually(SOON, "all are told", async || {
        let policy = world.queues.policy(&world.queue).await.unwrap();
        (!policy.spreading).then_some(policy)
    })
    .await;
    // They wait still, so that each was notified twice.
    for id in &ids {
        world
            .until_state(&world.task_id(id), TaskState::Waiting)
            .await;
    }
    assert_eq!(policy.reached, 3, "{policy:?}");
}

#[tokio::test]
async fn switched_off_it_reaches_them_too() {
    let world = World::new().await;
    world.park_all(&["a".to_owned()], "bank-away").await;
    let task = world.task_id("a");
    world.ledger.always("a", Next::Fault("bank-away"));
    set(&world, "night", Some(every_100_ms(1000))).await;
    until(&world, &task, "it is redriven", |view| view.attempts > 2).await;
    let off = set(&world, "day", None).await;
    assert_eq!((off.version, off.auto_redrive), (2, None));
    let view = until(&world, &task, "it is told", |view| {
        view.auto_redrive.is_none() && view.state == TaskState::Waiting
    })
    .await;
    assert_eq!(view.next_redrive_at_ms, None);
    let audited: Vec<_> = view
        .audit
        .iter()
        .map(|entry| &entry.principal[..])
        .collect();
    assert_eq!(audited, ["night", "day"]);
    // An operator may still.
    world.ledger.always("a", Next::Succeed);
    let calls = world.ledger.calls("a");
    world
        .queues
        .redrive(&task, redrive_by("alice"))
        .await
        .unwrap();
    assert_eq!(world.ledger.calls("a"), calls + 1);
}

#[tokio::test]
async fn it_gives_up_at_its_caps() {
    let world = World::new().await;
    world.park_all(&["a".to_owned()], "bank-away").await;
    let task = world.task_id("a");
    world.ledger.always("a", Next::Fault("bank-away"));
    set(&world, "night", Some(every_100_ms(3))).await;
    let view = until(&world, &task, "the cap is reached", |view| {
        view.attempts == 4
    })
    .await;
    assert_eq!((view.next_redrive_at_ms, view.redrives.len()), (None, 3));

    // A new policy counts anew, but the task is too old for this one.
    let young = AutoRedrive {
        max_age_ms: 1,
        ..every_100_ms(3)
    };
    set(&world, "night", Some(young)).await;
    let view = until(&world, &task, "it is told", |view| view.audit.len() == 2).await;
    assert_eq!(view.next_redrive_at_ms, None);
    set(&world, "night", Some(every_100_ms(1))).await;
    let view = until(&world, &task, "it is redriven once more", |view| {
        view.attempts == 5
    })
    .await;
    assert_eq!(view.state, TaskState::Waiting);
    assert_eq!(world.ledger.calls("a"), 5);
}

#[tokio::test]
async fn a_task_that_is_parked_later_knows_the_policy() {
    let world = World::new().await;
    set(&world, "night", Some(every_100_ms(5))).await;
    let task = world.park("a", "bank-away").await;
    world.until_state(&task, TaskState::Done).await;
    let view = world.queues.show(&task).await.unwrap();
    assert_eq!(view.redrives.len(), 1);
    assert!(view.redrives[0].automatic);
    assert!(view.audit.is_empty(), "it was told: {:?}", view.audit);
    assert_eq!(world.ledger.effects(), 1);
    eventually(SOON, "it is counted", async || {
        let hour = std::time::Duration::from_secs(3600);
        let stats = world.queues.stats(&world.queue, hour).await.unwrap();
        let resolved = QueueStats {
            depth: 0,
            arrived: 1,
            resolved: 1,
        };
        (stats == resolved).then_some(())
    })
    .await;
}
