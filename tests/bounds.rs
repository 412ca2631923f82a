//! Nobody can make the history of an order grow without end, and an order can
//! always be cancelled until it is on its way.

use futures::{StreamExt, stream};
use serde_json::{Value, json};

use crate::harness::gateway::{Answer, Gateway};
use crate::harness::{Setup, World};

/// More than the updates that the server takes of one run.
const MANY: usize = 2_100;

/// Amendments that are under way at once: fewer than the server's ten.
const AT_ONCE: usize = 8;

async fn world() -> World {
    World::start(Setup {
        kitchen: false,
        // The order stays open for as long as a busy machine takes.
        kitchen_deadline_seconds: 600.0,
        ..Setup::default()
    })
    .await
}

async fn events(world: &World, id: &str) -> usize {
    world.history(&format!("order-{id}")).await.events().len()
}

fn amend_under(
    gateway: &Gateway,
    id: &str,
    key: &str,
    quantity: u64,
) -> impl Future<Output = Answer> {
    let request = gateway
        .client
        .patch(gateway.at(&format!("/orders/{id}")))
        .header("idempotency-key", key)
        .json(&json!({ "quantity": quantity }));
    gateway.send(request)
}

#[tokio::test]
async fn amendments_without_a_change_cost_no_event_and_leave_room() {
    let world = world().await;
    let gateway = &world.gateway();
    let id = &world.handed_over().await;
    let before = events(&world, id).await;
    let refused: Vec<Answer> = stream::iter(0..MANY)
        .map(|_| async { gateway.amend(id, &json!({ "quantity": 1 })).await })
        .buffer_unordered(AT_ONCE)
        .filter(|answer| {
            let is_refused = answer.status != 200 || answer.json()["difference"] != 0;
            std::future::ready(is_refused)
        })
        .collect()
        .await;
    assert!(
        refused.is_empty(),
        "{} refused: {:?}",
        refused.len(),
        refused[0]
    );
    assert_eq!(events(&world, id).await, before);

    let amended = gateway.amend(id, &json!({ "quantity": 2 })).await;
    assert_eq!(amended.json()["difference"], 1200, "{amended:?}");
    let cancelled = gateway.cancel(id).await;
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
    let order = world.finished(id).await;
    assert_eq!(
        (&order["status"], &order["money"]),
        (&json!("Cancelled"), &json!("refunded"))
    );
    world.assert_audit_clean().await;
}

#[tokio::test]
async fn an_order_is_amended_fifty_times_and_can_be_cancelled_then() {
    let world = world().await;
    let gateway = world.gateway();
    let id = world.handed_over().await;
    for number in 0..50 {
        let quantity = 2 - number % 2;
        let amended = gateway.amend(&id, &json!({ "quantity": quantity })).await;
        assert_eq!(amended.status, 200, "{number}: {amended:?}");
    }
    let before = events(&world, &id).await;
    for _ in 0..20 {
        let refused = gateway.amend(&id, &json!({ "quantity": 2 })).await;
        assert_eq!(refused.status, 409, "{refused:?}");
        assert_eq!(refused.problem(), "too-many-amendments");
        assert_eq!(
            refused.json()["orderStatus"],
            "PaymentComplete",
            "{refused:?}"
        );
    }
    let unchanged = gateway.amend(&id, &json!({ "quantity": 1 })).await;
    assert_eq!(unchanged.status, 200, "{unchanged:?}");
    assert_eq!(events(&world, &id).await, before);
    assert_eq!(gateway.cancel(&id).await.status, 200);
    assert_eq!(world.finished(&id).await["money"], "refunded");
    world.assert_audit_clean().await;
}

#[tokio::test]
async fn a_cancellation_that_is_asked_for_again_costs_no_event() {
    let world = world().await;
    let gateway = world.gateway();
    let id = gateway.place_accepted(json!({})).await;
    gateway.report_taken(&id, "cooked").await;
    gateway.report_taken(&id, "pickedUp").await;
    let late = gateway.cancel(&id).await;
    assert_eq!(late.problem(), "order-on-its-way", "{late:?}");
    let before = events(&world, &id).await;
    for _ in 0..30 {
        let late = gateway.cancel(&id).await;
        assert_eq!(late.problem(), "order-on-its-way", "{late:?}");
    }
    assert_eq!(events(&world, &id).await, before);
    gateway.report_taken(&id, "delivered").await;
    world.finished(&id).await;
    assert_eq!(gateway.cancel(&id).await.problem(), "order-delivered");

    // While the refund is tried again and again, and after it.
    let mut books = world.books().await;
    let unwanted = world.handed_over().await;
    books.refuse("payments", "NEW.kind = 'refund'").await;
    assert_eq!(gateway.cancel(&unwanted).await.status, 200);
    gateway.until(&unwanted, "Refunding").await;
    for _ in 0..30 {
        assert_eq!(gateway.cancel(&unwanted).await.status, 200);
    }
    books.accept("payments").await;
    world.finished(&unwanted).await;
    assert_eq!(gateway.cancel(&unwanted).await.status, 200);
    let history = world.history(&format!("order-{unwanted}")).await;
    let updates = history.types();
    let updates = updates
        .iter()
        .filter(|it| **it == "WORKFLOW_EXECUTION_UPDATE_ACCEPTED");
    assert_eq!(updates.count(), 1);
    world.assert_audit_clean().await;
}

#[tokio::test]
async fn an_amendment_that_changed_nothing_changes_nothing_when_it_is_sent_again() {
    let world = world().await;
    let gateway = world.gateway();
    let id = world.handed_over().await;
    let first = amend_under(&gateway, &id, "as-it-is", 1).await;
    assert_eq!(first.json()["difference"], 0, "{first:?}");
    assert_eq!(
        gateway.amend(&id, &json!({ "quantity": 3 })).await.status,
        200
    );
    let again = amend_under(&gateway, &id, "as-it-is", 1).await;
    assert_eq!(again.status, 200, "{again:?}");
    let order: Value = again.json();
    assert_eq!(
        (&order["difference"], &order["order"]["quantity"]),
        (&json!(0), &json!(3))
    );
    let other = amend_under(&gateway, &id, "as-it-is", 2).await;
    assert_eq!(other.problem(), "idempotency-key-reused", "{other:?}");
    assert_eq!(gateway.cancel(&id).await.status, 200);
    world.finished(&id).await;
    world.assert_audit_clean().await;
}
