//! A report is known by its id, as long as anybody remembers the order.

use serde_json::{Value, json};

use super::{WAY, come_so_far, with_id};
use crate::harness::gateway::{Answer, Gateway};
use crate::harness::{LATER, World, eventually};

#[tokio::test]
async fn a_report_is_known_by_its_id_after_the_end_and_after_temporal_has_forgotten_it() {
    let world = World::shared_without_kitchen().await;
    let gateway = world.gateway();
    let delivered = so_far(&gateway, 4).await;
    let cancelled = so_far(&gateway, 2).await;
    assert_eq!(
        world.finished(&delivered).await["status"],
        "DeliveryConfirmed"
    );
    assert_eq!(world.finished(&cancelled).await["status"], "Cancelled");
    let orders = [(&delivered, 4), (&cancelled, 2)];
    for (id, reports) in orders {
        each_is_known(&gateway, id, reports).await;
    }
    for id in [&delivered, &cancelled] {
        for part in ["", "-loyalty", "-fulfilment"] {
            forget(&world, &format!("order-{id}{part}")).await;
        }
    }
    for (id, reports) in orders {
        let before = world.books().await.account(id).await.changes.len();
        each_is_known(&gateway, id, reports).await;
        let after = world.books().await.account(id).await.changes.len();
        assert_eq!(before, after, "nothing was changed");
    }
}

async fn so_far(gateway: &Gateway, reports: usize) -> String {
    eventually(LATER, "an order comes so far in time", async || {
        come_so_far(gateway, reports).await
    })
    .await
}

/// Of an order that is over after so many reports.
async fn each_is_known(gateway: &Gateway, id: &str, reports: usize) {
    let status = gateway.order(id).await["status"].clone();
    for (number, event) in WAY.into_iter().enumerate() {
        let same = gateway.report_all(id, &with_id(event)).await;
        if number < reports {
            assert_eq!(same.status, 200, "{event}: {same:?}");
            assert_eq!(same.json()["outcome"], "repeated", "{event}: {same:?}");
            assert_eq!(same.json()["status"], status, "{event}: {same:?}");
            let reused = json!({ "event": "rejected", "reportId": format!("journey/{event}") });
            let reused = gateway.report_all(id, &reused).await;
            assert_eq!(reused.status, 422, "{event}: {reused:?}");
            assert_eq!(reused.problem(), "report-id-reused");
            assert_eq!(reused.json()["field"], "reportId", "{reused:?}");
        } else {
            assert_late(&same, &status);
        }
        let other = json!({ "event": event, "reportId": "another" });
        assert_late(&gateway.report_all(id, &other).await, &status);
    }
    assert_late(&gateway.report(id, "rejected").await, &status);
}

fn assert_late(answer: &Answer, status: &Value) {
    assert_eq!(answer.status, 409, "{answer:?}");
    assert_eq!(answer.problem(), "kitchen-report-late");
    assert_eq!(&answer.json()["orderStatus"], status, "{answer:?}");
}

/// Makes Temporal forget a workflow, as its retention does.
async fn forget(world: &World, workflow: &str) {
    let cli = world.cli();
    cli.temporal(&["workflow", "delete", "--workflow-id", workflow, "--yes"])
        .await;
    let describe = [
        "temporal",
        "workflow",
        "describe",
        "--workflow-id",
        workflow,
    ];
    // It deletes in the background, and what else it has to do comes first.
    eventually(LATER, "Temporal has forgotten it", async || {
        (cli.pizza(&describe).await.code != Some(0)).then_some(())
    })
    .await;
}
