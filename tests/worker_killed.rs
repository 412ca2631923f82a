//! A worker may die at any moment.

use futures::future::join_all;
use serde_json::json;

use crate::harness::{LATER, Setup, World, eventually};

const ORDERS: usize = 50;

#[tokio::test]
async fn fifty_orders_survive_a_killed_worker_with_one_charge_and_one_award_each() {
    let mut world = World::start(Setup {
        // Being without a worker for a while is not the kitchen's fault.
        kitchen_deadline_seconds: 300.0,
        ..Setup::default()
    })
    .await;
    let gateway = world.gateway();
    let wish = || json!({ "perStepDelaySeconds": 0.2, "flavour": "hawaiian" });
    let ids = join_all((0..ORDERS).map(|_| gateway.place(wish()))).await;

    let mut books = world.books().await;
    eventually(LATER, "some orders are charged", async || {
        let charged = books.number("SELECT count(*) FROM payments").await;
        (charged >= 10).then_some(())
    })
    .await;
    world.worker.take().expect("the worker").kill();
    let delivered = "SELECT count(*) FROM orders WHERE status = 'DeliveryConfirmed'";
    let delivered = books.number(delivered).await;
    assert!(delivered < 50, "all were delivered before the worker died");

    world.start_worker();
    for id in &ids {
        let order = gateway.until_ended(id).await;
        assert_eq!(order["status"], "DeliveryConfirmed", "{order}");
        let account = books.account(id).await;
        account.assert_legal();
        // 12.00 less a fifth; a point for each whole unit.
        assert_eq!(account.payments, [("charge".to_owned(), 960)], "{id}");
        assert_eq!(account.points, [("award".to_owned(), 9)], "{id}");
        assert!(account.notifications.is_empty(), "{id}: {account:?}");
    }
    assert_eq!(books.orders().await, 50);
    for id in &ids {
        assert_eq!(
            world.final_history(&format!("order-{id}")).await.end(),
            "COMPLETED"
        );
    }
}
