//! Each stage has a deadline of its own.

use futures::future::join_all;

use super::{WAY, come_so_far};
use crate::harness::{LATER, Setup, World, eventually};

/// By stage, in seconds. Different, so that a message tells which was meant.
const DEADLINES: [&str; 4] = ["2", "2.25", "2.5", "2.75"];

#[tokio::test]
async fn each_stage_that_is_overdue_cancels_the_order_and_says_which() {
    let world = World::start(Setup {
        kitchen: false,
        kitchen_deadline_seconds: 60.0,
        gateway_flags: &[
            "--accept-deadline-seconds",
            DEADLINES[0],
            "--cook-deadline-seconds",
            DEADLINES[1],
            "--pickup-deadline-seconds",
            DEADLINES[2],
            "--delivery-deadline-seconds",
            DEADLINES[3],
        ],
        ..Setup::default()
    })
    .await;
    let gateway = world.gateway();
    let stages = WAY.iter().zip(DEADLINES).enumerate();
    let overdue = stages.map(async |(reports, (event, deadline))| {
        let id = eventually(LATER, "an order comes so far in time", async || {
            come_so_far(&gateway, reports).await
        })
        .await;
        let order = world.finished(&id).await;
        assert_eq!(order["status"], "Cancelled", "{order}");
        assert_eq!(order["money"], "refunded", "{order}");
        assert_eq!(order["cancelled"]["step"], "processOrder", "{order}");
        assert_eq!(order["cancelled"]["code"], "kitchen-overdue", "{order}");
        let message = format!("the kitchen did not report {event} within {deadline} s");
        assert_eq!(order["cancelled"]["message"], message, "{order}");
        id
    });
    for id in join_all(overdue).await {
        let account = world.books().await.account(&id).await;
        account.assert_legal();
        assert_eq!(account.payment_kinds(), ["charge", "refund"]);
        assert_eq!(account.points_left(), 0);
    }
}
