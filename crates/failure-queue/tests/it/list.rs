//! Tasks are listed and counted.

use std::collections::BTreeSet;
use std::time::Duration;

use failure_queue::TaskState;
use failure_queue::client::{Error, Page, StateFilter};

use crate::harness::{SOON, World, discard_by, eventually, redrive_by};

const HOUR: Duration = Duration::from_secs(3600);

fn page(token: Vec<u8>) -> Page {
    Page { size: 3, token }
}

#[tokio::test]
async fn a_list_comes_in_pages_and_a_queue_has_figures() {
    let world = World::new().await;
    let ids: Vec<_> = (0..7).map(|n| format!("t{n}")).collect();
    world.park_all(&ids, "bank-away").await;
    let filter = world.filter();
    let mut listed = Vec::new();
    let mut sizes = Vec::new();
    let mut token = Vec::new();
    loop {
        let page = world.queues.list(&filter, page(token)).await.unwrap();
        sizes.push(page.tasks.len());
        listed.extend(page.tasks);
        token = page.next;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(sizes, [3, 3, 1]);
    let names: BTreeSet<_> = listed.iter().map(|task| task.id.clone()).collect();
    assert_eq!(names, ids.iter().map(|id| world.task_id(id)).collect());
    let task = &listed[0];
    let view = world.queues.show(&task.id).await.unwrap();
    assert_eq!(task.queue, world.queue);
    assert_eq!(task.message_type, "Refund");
    assert_eq!(task.error_code, "bank-away");
    assert_eq!(task.subject, view.task.subject);
    assert_eq!(task.parked_at_ms, view.task.parked_at_ms);
    assert_eq!(task.state, TaskState::Waiting);

    let still_open = listed[2..].iter().map(|task| task.parked_at_ms).min();
    world
        .queues
        .redrive(&listed[0].id, redrive_by("alice"))
        .await
        .unwrap();
    let gone = discard_by("alice", "gone");
    world.queues.discard(&listed[1].id, gone).await.unwrap();
    for (state, expected, count) in [
        (StateFilter::Done, TaskState::Done, 1),
        (StateFilter::Discarded, TaskState::Discarded, 1),
        (StateFilter::Open, TaskState::Waiting, 5),
    ] {
        let mut filter = world.filter();
        filter.state = state;
        world.until_listed(&filter, count).await;
        let listed = world.queues.list(&filter, page(Vec::new())).await.unwrap();
        assert!(listed.tasks.iter().all(|task| task.state == expected));
    }
    let stats = world.queues.stats(&world.queue, HOUR).await.unwrap();
    assert_eq!((stats.depth, stats.arrived, stats.resolved), (5, 7, 2));
    let oldest = world.queues.oldest(&world.queue).await.unwrap();
    assert_eq!(oldest, still_open);
    let stats = world
        .queues
        .stats(&world.queue, Duration::ZERO)
        .await
        .unwrap();
    assert_eq!((stats.depth, stats.arrived, stats.resolved), (5, 0, 0));
    let none = world.queues.stats("no-such-queue", HOUR).await.unwrap();
    assert_eq!((none.depth, none.arrived, none.resolved), (0, 0, 0));
    assert_eq!(world.queues.oldest("no-such-queue").await.unwrap(), None);
}

#[tokio::test]
async fn a_filter_lets_through_what_matches_it() {
    let world = World::new().await;
    world.park_all(&["a".to_owned()], "bank-away").await;
    world.park_all(&["b".to_owned()], "bank-gone").await;
    let b = world.queues.show(&world.task_id("b")).await.unwrap();
    let only = async |change: &dyn Fn(&mut failure_queue::BulkFilter)| {
        let mut filter = world.filter();
        change(&mut filter.tasks);
        let page = world.queues.list(&filter, page(Vec::new())).await.unwrap();
        assert_eq!(
            world.queues.count(&filter).await.unwrap() as usize,
            page.tasks.len()
        );
        let ids: Vec<_> = page.tasks.into_iter().map(|task| task.id).collect();
        ids
    };
    let of_a = ("OrderId".to_owned(), "a".to_owned());
    let (a, b, at) = (world.task_id("a"), b.id, b.task.parked_at_ms);
    for (found, expected) in [
        (
            only(&|f| f.error_code = Some("bank-gone".to_owned())).await,
            &b,
        ),
        (only(&|f| f.parked_before_ms = Some(at)).await, &a),
        (only(&|f| f.parked_after_ms = Some(at)).await, &b),
        (only(&|f| f.subject.extend([of_a.clone()])).await, &a),
    ] {
        assert_eq!(found, std::slice::from_ref(expected));
    }
    let refunds = only(&|f| f.message_type = Some("Refund".to_owned())).await;
    assert_eq!(refunds, [b, a]);
    let quoted = only(&|f| f.message_type = Some("x' OR 'x".to_owned())).await;
    assert!(quoted.is_empty());
}

#[tokio::test]
async fn what_is_not_a_task_is_not_found() {
    let world = World::new().await;
    let (errand, _, _) = world.run(vec![world.errand("a")]).await;
    for id in [&errand[..], "no-such-workflow"] {
        let shown = world.queues.show(id).await;
        assert!(matches!(shown, Err(Error::NotFound)), "{shown:?}");
        let redriven = world.queues.redrive(id, redrive_by("alice")).await;
        assert!(matches!(redriven, Err(Error::NotFound)), "{redriven:?}");
        let discarded = world.queues.discard(id, discard_by("alice", "why")).await;
        assert!(matches!(discarded, Err(Error::NotFound)), "{discarded:?}");
        let bulk = world.queues.bulk(id).await;
        assert!(matches!(bulk, Err(Error::NotFound)), "{bulk:?}");
        let stopped = world.queues.stop_bulk(id, "alice").await;
        assert!(matches!(stopped, Err(Error::NotFound)), "{stopped:?}");
    }
    for token in [
        b"nonsense".to_vec(),
        b"{\"CloseTime\":1}".to_vec(),
        vec![0xff],
    ] {
        let listed = world.queues.list(&world.filter(), page(token)).await;
        assert!(matches!(listed, Err(Error::InvalidToken)), "{listed:?}");
    }
}

#[tokio::test]
async fn the_namespace_is_told_once_what_to_index() {
    let world = World::new().await;
    for _ in 0..2 {
        let registered = world.queues.register_search_attributes(&["OrderId"]).await;
        registered.unwrap();
    }
    eventually(SOON, "the list works", async || {
        world.queues.count(&world.filter()).await.ok()
    })
    .await;
}
