//! Workers and servers that are lost.

use failure_queue::TaskState;
use failure_queue::client::Redriven;
use temporal_dev_server::{DevServer, DevServerConfig, LocateOptions, locate};

use crate::harness::{A_MINUTE, Next, SEARCH_ATTRIBUTES, World, eventually, redrive_by};

/// Takes as long as an attempt may: only then is the worker known to be lost.
#[tokio::test]
async fn a_redrive_whose_worker_is_lost_has_one_effect() {
    let mut world = World::new().await;
    let before = world.park("before", "bank-away").await;
    let after = world.park("after", "bank-away").await;
    world.ledger.next("before", [Next::HangBefore]);
    world.ledger.next("after", [Next::HangAfter]);
    let queues = world.queues.clone();
    let redrives = tokio::spawn(async move {
        tokio::join!(
            queues.redrive(&before, redrive_by("alice")),
            queues.redrive(&after, redrive_by("alice")),
        )
    });
    eventually(A_MINUTE, "both are under way", async || {
        let calls = ["before", "after"].map(|key| world.ledger.calls(key));
        (calls == [2, 2]).then_some(())
    })
    .await;
    world.lose_workers();
    assert!(world.ledger.effect("before").is_none());
    assert!(world.ledger.effect("after").is_some());
    world.start_workers();

    let (before, after) = redrives.await.unwrap();
    for answer in [before, after] {
        let Ok(Redriven::Ended(answer)) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!((answer.state, answer.attempts), (TaskState::Done, 3));
    }
    assert_eq!(world.ledger.effects(), 2);
    assert_eq!(world.ledger.calls("before"), 3);
    assert_eq!(world.ledger.calls("after"), 3);
}

#[tokio::test]
async fn parked_tasks_outlive_the_server() {
    let folder = std::env::temp_dir().join(format!("failure-queue-{}", uuid::Uuid::new_v4()));
    let options = LocateOptions {
        quiet: true,
        ..LocateOptions::default()
    };
    let mut config = DevServerConfig {
        cli: locate(&options).await.unwrap().path,
        database: Some(folder.join("temporal.db")),
        ip: std::net::Ipv4Addr::LOCALHOST.into(),
        port: 0,
        ui_port: None,
        search_attributes: SEARCH_ATTRIBUTES
            .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
            .to_vec(),
        log_file: folder.join("temporal.log"),
        names: options.names,
    };
    let server = DevServer::start(config.clone()).await.unwrap();
    let address = server.address();
    let mut world = World::on(address.clone()).await;
    let task = world.park("a", "bank-away").await;
    let parked = world.queues.show(&task).await.unwrap();
    world.lose_workers();

    // Killed, not stopped.
    drop(server);
    config.port = address.rsplit(':').next().unwrap().parse().unwrap();
    let server = eventually(A_MINUTE, "the port is free again", async || {
        DevServer::start(config.clone()).await.ok()
    })
    .await;
    world.start_workers();
    let view = eventually(A_MINUTE, "the task is there", async || {
        world.queues.show(&task).await.ok()
    })
    .await;
    assert_eq!(view.state, TaskState::Waiting);
    assert_eq!(view.task.parked_at_ms, parked.task.parked_at_ms);
    world
        .queues
        .redrive(&task, redrive_by("alice"))
        .await
        .unwrap();
    assert_eq!(world.ledger.effects(), 1);
    drop(world);
    server.stop().await;
    std::fs::remove_dir_all(folder).unwrap();
}
