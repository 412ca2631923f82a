//! A customer amends an order before it is cooked: priced again, the
//! difference charged or given back, or left as it was.

use pizza_api::proto::AmendOrderRequest;
use pizza_api::proto::order_service_client::OrderServiceClient;
use serde_json::{Value, json};

use crate::harness::gateway::{Answer, Gateway};
use crate::harness::grpc::{Grpc, code_of};
use crate::harness::recording::record_if_wanted;
use crate::harness::{SOON, Setup, World, eventually};

/// A pace at which a stage lasts long enough to be met, in seconds.
const PACE: f64 = 3.0;

/// The books of one order, as they have to be.
struct Books {
    payments: Value,
    adjustments: Value,
    points: i64,
}

#[tokio::test]
async fn before_the_charge_the_new_price_is_charged_at_once() {
    let world = World::shared_without_kitchen().await;
    let gateway = world.gateway();
    let id = gateway.place_paced(PACE, "Pending").await;
    let amended = amended(&gateway, &id, &json!({ "size": "large", "quantity": 2 })).await;
    assert_eq!(amended["difference"], 0, "{amended}");
    assert_eq!(amended["order"]["total"], 3000, "{amended}");
    delivered(&world, &id, true).await;
    let books = Books {
        payments: json!([["charge", 3000]]),
        adjustments: json!([]),
        points: 30,
    };
    assert_books(&world, &id, &books).await;
    world.assert_audit_clean().await;
}

#[tokio::test]
async fn after_the_charge_the_difference_is_charged_and_given_back() {
    let world = World::shared_without_kitchen().await;
    let gateway = world.gateway();
    let id = gateway.place_paced(PACE, "PaymentComplete").await;
    let dearer = amended(&gateway, &id, &json!({ "quantity": 3 })).await;
    assert_eq!(dearer["difference"], 2400, "{dearer}");
    let cheaper = amended(&gateway, &id, &json!({ "flavour": "Hawaiian" })).await;
    assert_eq!(cheaper["difference"], -720, "{cheaper}");
    assert_eq!(cheaper["order"]["discountApplied"], "20%", "{cheaper}");
    delivered(&world, &id, true).await;
    let books = Books {
        payments: json!([["charge", 1200]]),
        adjustments: json!([["charge", 2400], ["refund", 720]]),
        points: 28,
    };
    assert_books(&world, &id, &books).await;
    world.assert_audit_clean().await;
}

#[tokio::test]
async fn the_kitchen_cooks_what_its_ticket_was_amended_to() {
    let world = World::shared_without_kitchen().await;
    let gateway = world.gateway();
    let id = world.handed_over().await;
    let wanted = json!({ "flavour": "gravel", "size": "small", "quantity": 4 });
    let answer = amended(&gateway, &id, &wanted).await;
    let order = answer["order"].clone();
    for (field, value) in wanted.as_object().expect("an object") {
        assert_eq!(order[field], *value, "{order}");
    }
    // The price list is no secret of the tests.
    let total = order["total"].as_i64().expect("a number");
    assert_eq!(answer["difference"], total - 1200, "{answer}");
    delivered(&world, &id, false).await;
    let query = "SELECT flavour || ' ' || size || ' ' || quantity FROM kitchen_tickets \
                 WHERE order_id = $1";
    let ticket = world.books().await.text(query, &id).await;
    assert_eq!(ticket.as_deref(), Some("gravel small 4"));
    let books = Books {
        payments: json!([["charge", 1200]]),
        adjustments: json!([["charge", total - 1200]]),
        points: total / 100,
    };
    assert_books(&world, &id, &books).await;
    record_if_wanted(&world, "amended.order", &format!("order-{id}")).await;
    let branch = format!("order-{id}-fulfilment");
    record_if_wanted(&world, "amended.fulfilment", &branch).await;
    world.assert_audit_clean().await;
}

/// An order of a shop without others, whose kitchen has it and is in no hurry.
async fn handed_over_alone() -> (World, String) {
    let world = World::start(Setup {
        kitchen: false,
        kitchen_deadline_seconds: 60.0,
        ..Setup::default()
    })
    .await;
    let id = world.handed_over().await;
    (world, id)
}

#[tokio::test]
async fn a_kitchen_that_accepts_meanwhile_accepts_the_amended_order() {
    let (world, id) = handed_over_alone().await;
    let gateway = world.gateway();
    let mut books = world.books().await;
    // The amendment gets as far as the money, and waits.
    books.lock().await;
    let seen = async |workflow: &str, event: &str| {
        let what = format!("{workflow} has {event}");
        eventually(SOON, &what, async || {
            let history = world.history(workflow).await;
            history
                .events()
                .iter()
                .any(|it| it[event].is_object())
                .then_some(())
        })
        .await;
    };
    let (order, branch) = (format!("order-{id}"), format!("order-{id}-fulfilment"));
    let accept = async {
        seen(
            &order,
            "signalExternalWorkflowExecutionInitiatedEventAttributes",
        )
        .await;
        seen(
            &branch,
            "signalExternalWorkflowExecutionInitiatedEventAttributes",
        )
        .await;
        gateway.report(&id, "accepted").await
    };
    let unlock = async {
        seen(&branch, "workflowExecutionUpdateAcceptedEventAttributes").await;
        books.unlock().await;
    };
    let wanted = json!({ "quantity": 2 });
    let (amended, accepted, ()) = tokio::join!(gateway.amend(&id, &wanted), accept, unlock);
    assert_eq!(amended.status, 200, "{amended:?}");
    assert_eq!(accepted.status, 200, "{accepted:?}");
    gateway.until(&id, "CookingStarted").await;
    let query = format!(
        "SELECT min(quantity) FROM order_changes WHERE order_id = '{id}' \
         AND status = 'CookingStarted'"
    );
    assert_eq!(
        world.books().await.number(&query).await,
        2,
        "accepted too early"
    );
    gateway.cancel(&id).await;
    world.finished(&id).await;
    world.assert_audit_clean().await;
}

#[tokio::test]
async fn an_amended_order_that_is_rolled_back_is_refunded_as_a_whole() {
    let world = World::shared_without_kitchen().await;
    let gateway = world.gateway();
    let id = world.handed_over().await;
    amended(&gateway, &id, &json!({ "quantity": 2 })).await;
    gateway.report_taken(&id, "accepted").await;
    let cancelled = gateway.cancel(&id).await;
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
    let order = world.finished(&id).await;
    assert_eq!(order["money"], "refunded", "{order}");
    let books = Books {
        payments: json!([["charge", 1200], ["refund", 2400]]),
        adjustments: json!([["charge", 1200]]),
        points: 0,
    };
    assert_books(&world, &id, &books).await;
    record_if_wanted(&world, "amended-cancelled.order", &format!("order-{id}")).await;
    let branch = format!("order-{id}-fulfilment");
    record_if_wanted(&world, "amended-cancelled.fulfilment", &branch).await;
    world.assert_audit_clean().await;
}

#[tokio::test]
async fn once_the_kitchen_cooks_it_is_too_late_and_the_answer_says_why() {
    let world = World::shared_without_kitchen().await;
    let gateway = world.gateway();
    let wanted = json!({ "quantity": 2 });
    let id = gateway.place_accepted(json!({})).await;
    let refused = gateway.amend(&id, &wanted).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    assert_eq!(refused.problem(), "order-cooking");
    let timeline = gateway.get(&format!("/orders/{id}/timeline")).await.json();
    let entries = timeline["entries"].as_array().expect("a list");
    let asked = entries
        .iter()
        .find(|it| it["detail"]["request"] == "amendOrder")
        .expect("what was asked for");
    assert_eq!(asked["outcome"], "refused", "{asked}");
    assert_eq!(asked["detail"]["code"], "OrderCooking", "{asked}");
    gateway.report_taken(&id, "cooked").await;
    let refused = gateway.amend(&id, &wanted).await;
    assert_eq!(refused.problem(), "order-cooking");
    gateway.report_taken(&id, "pickedUp").await;
    let refused = gateway.amend(&id, &wanted).await;
    assert_eq!(refused.problem(), "order-on-its-way");
    gateway.report_taken(&id, "delivered").await;
    world.finished(&id).await;
    let refused = gateway.amend(&id, &wanted).await;
    assert_eq!(refused.problem(), "order-delivered");

    let cancelled = gateway.place_accepted(json!({})).await;
    gateway.cancel(&cancelled).await;
    let order = world.finished(&cancelled).await;
    let refused = gateway.amend(&cancelled, &wanted).await;
    assert_eq!(refused.problem(), "order-over");
    assert_eq!(refused.json()["orderStatus"], "Cancelled", "{refused:?}");
    assert_eq!(world.finished(&cancelled).await["total"], order["total"]);
    world.assert_audit_clean().await;
}

#[tokio::test]
async fn a_difference_that_cannot_be_charged_leaves_the_order_as_it_was() {
    let (world, id) = handed_over_alone().await;
    let gateway = world.gateway();
    let mut books = world.books().await;
    let wanted = json!({ "quantity": 2 });

    // The provider cannot be reached.
    let is_charge = "NEW.kind = 'charge'";
    books.refuse("payment_adjustments", is_charge).await;
    let before = gateway.order(&id).await;
    let failed = gateway.amend(&id, &wanted).await;
    assert_eq!(failed.status, 503, "{failed:?}");
    assert_eq!(failed.problem(), "amendment-failed");
    books.accept("payment_adjustments").await;
    assert_eq!(pizza(&gateway.order(&id).await), pizza(&before));

    // The points cannot be moved: the money goes back.
    books
        .refuse("loyalty_adjustments", "NEW.kind = 'adjust'")
        .await;
    let failed = gateway.amend(&id, &wanted).await;
    assert_eq!(failed.problem(), "amendment-failed", "{failed:?}");
    books.accept("loyalty_adjustments").await;
    assert_eq!(pizza(&gateway.order(&id).await), pizza(&before));

    // The provider declines.
    let call_off =
        format!("INSERT INTO payments VALUES ('{id}', 'void', 'guest', 0, 'a journey''s', 0)");
    books.execute(&call_off).await;
    let declined = gateway.amend(&id, &wanted).await;
    assert_eq!(declined.status, 409, "{declined:?}");
    assert_eq!(declined.problem(), "payment-declined");
    books
        .execute("DELETE FROM payments WHERE kind = 'void'")
        .await;
    assert_eq!(pizza(&gateway.order(&id).await), pizza(&before));

    // Nothing of all that stands in the way of another try.
    assert_eq!(amended(&gateway, &id, &wanted).await["difference"], 1200);
    delivered(&world, &id, false).await;
    let books = Books {
        payments: json!([["charge", 1200]]),
        adjustments: json!([
            ["void", 1200],
            ["charge", 1200],
            ["void", 1200],
            ["charge", 1200]
        ]),
        points: 24,
    };
    assert_books(&world, &id, &books).await;
    world.assert_audit_clean().await;
}

#[tokio::test]
async fn an_amendment_that_failed_is_tried_again_under_its_key_and_made_once() {
    let (world, id) = handed_over_alone().await;
    let gateway = world.gateway();
    let mut books = world.books().await;
    books
        .refuse("payment_adjustments", "NEW.kind = 'charge'")
        .await;
    for _ in 0..2 {
        let failed = amend_under_a_key(&gateway, &id, 2).await;
        assert_eq!(failed.problem(), "amendment-failed", "{failed:?}");
    }
    books.accept("payment_adjustments").await;
    let other = amend_under_a_key(&gateway, &id, 3).await;
    assert_eq!(other.problem(), "idempotency-key-reused", "{other:?}");
    for _ in 0..2 {
        let made = amend_under_a_key(&gateway, &id, 2).await;
        assert_eq!(made.json()["difference"], 1200, "{made:?}");
    }
    delivered(&world, &id, false).await;
    let books = Books {
        payments: json!([["charge", 1200]]),
        adjustments: json!([["void", 1200], ["void", 1200], ["charge", 1200]]),
        points: 24,
    };
    assert_books(&world, &id, &books).await;
    world.assert_audit_clean().await;
}

#[tokio::test]
async fn an_amendment_sent_twice_under_one_key_is_made_once() {
    let world = World::shared_without_kitchen().await;
    let gateway = world.gateway();
    let id = world.handed_over().await;
    let send = async |quantity| amend_under_a_key(&gateway, &id, quantity).await;
    let first = send(2).await;
    assert_eq!(first.json()["difference"], 1200, "{first:?}");
    amended(&gateway, &id, &json!({ "quantity": 3 })).await;
    let again = send(2).await;
    assert_eq!(again.json()["difference"], 1200, "{again:?}");
    assert_eq!(again.json()["order"]["quantity"], 3, "{again:?}");
    let other = send(4).await;
    assert_eq!(other.status, 422, "{other:?}");
    assert_eq!(other.problem(), "idempotency-key-reused");
    delivered(&world, &id, false).await;
    assert_eq!(gateway.order(&id).await["total"], 3600);
}

#[tokio::test]
async fn an_amendment_under_a_key_is_the_same_however_its_letters_are_composed() {
    let world = World::shared_without_kitchen().await;
    let gateway = world.gateway();
    let id = world.handed_over().await;
    let send = async |flavour: &str| {
        let amendment = json!({ "flavour": flavour, "quantity": 2 });
        send_under_a_key(&gateway, &id, &amendment).await
    };
    let first = send("Jalape\u{F1}o").await;
    assert_eq!(first.status, 200, "{first:?}");
    let again = send("Jalapen\u{303}o").await;
    assert_eq!(again.status, 200, "{again:?}");
    assert_eq!(again.json()["difference"], first.json()["difference"]);
    let other = send("Jalapeno").await;
    assert_eq!(other.problem(), "idempotency-key-reused", "{other:?}");
    delivered(&world, &id, false).await;
}

#[tokio::test]
async fn grpc_and_the_command_line_amend_as_http_does() {
    let world = World::shared_without_kitchen().await;
    let gateway = world.gateway();
    let id = world.handed_over().await;
    let grpc = Grpc::connect(world.gateway_url()).await;
    let mut orders = OrderServiceClient::new(grpc.channel.clone());
    let request = AmendOrderRequest {
        order_id: id.clone(),
        quantity: Some(2),
        ..AmendOrderRequest::default()
    };
    let answer = orders.amend_order(request.clone()).await.expect("a yes");
    assert_eq!(answer.get_ref().difference_minor, 1200);
    let order = answer.into_inner().order.expect("an order");
    assert_eq!((order.quantity, order.total_minor), (2, 2400));

    let output = world
        .cli()
        .pizza(&["amend", &id, "--size", "small", "--json"])
        .await;
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(output.json_lines()[0]["difference"], -600, "{output:?}");

    gateway.report_taken(&id, "accepted").await;
    let refused = orders.amend_order(request).await.expect_err("too late");
    assert_eq!(code_of(&refused), "order-cooking", "{refused:?}");
    let output = world.cli().pizza(&["amend", &id, "--size", "large"]).await;
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("cooks already"), "{output:?}");
    gateway.cancel(&id).await;
}

#[tokio::test]
async fn a_bad_amendment_names_its_field_and_changes_nothing() {
    let world = World::shared_without_kitchen().await;
    let gateway = world.gateway();
    let id = world.handed_over().await;
    let before = gateway.order(&id).await;
    for (wanted, code, field) in [
        (json!({}), "missing-field", "flavour"),
        (json!({ "quantity": 0 }), "out-of-range", "quantity"),
        (json!({ "quantity": 21 }), "out-of-range", "quantity"),
        (json!({ "quantity": "2" }), "invalid-type", "quantity"),
        (json!({ "size": "huge" }), "invalid-value", "size"),
        (json!({ "flavour": "" }), "invalid-value", "flavour"),
        (json!({ "flavour": null }), "invalid-type", "flavour"),
        (json!({ "total": 1 }), "unknown-field", "total"),
    ] {
        let refused = gateway.amend(&id, &wanted).await;
        assert_eq!(refused.problem(), code, "{wanted}: {refused:?}");
        assert_eq!(refused.json()["field"], field, "{wanted}: {refused:?}");
    }
    assert_eq!(pizza(&gateway.order(&id).await), pizza(&before));
    gateway.cancel(&id).await;
}

async fn amended(gateway: &Gateway, id: &str, wanted: &Value) -> Value {
    let answer = gateway.amend(id, wanted).await;
    assert_eq!(answer.status, 200, "{wanted}: {answer:?}");
    answer.json()
}

/// Amends the order's quantity, always under the same key.
async fn amend_under_a_key(gateway: &Gateway, id: &str, quantity: u64) -> Answer {
    send_under_a_key(gateway, id, &json!({ "quantity": quantity })).await
}

async fn send_under_a_key(gateway: &Gateway, id: &str, amendment: &Value) -> Answer {
    let request = gateway
        .client
        .patch(gateway.at(&format!("/orders/{id}")))
        .header("idempotency-key", "as-many-please")
        .json(amendment);
    gateway.send(request).await
}

/// Brings an order to the door.
async fn delivered(world: &World, id: &str, wait_for_ticket: bool) {
    if wait_for_ticket {
        world.ticket_is_there(id).await;
    }
    let gateway = world.gateway();
    for report in ["accepted", "cooked", "pickedUp", "delivered"] {
        gateway.report_taken(id, report).await;
    }
    let order = world.finished(id).await;
    assert_eq!(order["status"], "DeliveryConfirmed", "{order}");
    assert_eq!(order["money"], "charged", "{order}");
    assert_eq!(order["points"], "awarded", "{order}");
}

/// What the order is about, and its price.
fn pizza(order: &Value) -> Value {
    json!([
        order["flavour"],
        order["size"],
        order["quantity"],
        order["total"],
        order["discountApplied"],
    ])
}

async fn assert_books(world: &World, id: &str, expected: &Books) {
    let mut books = world.books().await;
    let account = books.account(id).await;
    account.assert_legal();
    assert_eq!(json!(account.payments), expected.payments, "{account:?}");
    let adjustments = books.adjustments("payment_adjustments", "amount", id).await;
    assert_eq!(json!(adjustments), expected.adjustments, "{account:?}");
    // An adjustment counts unless it was taken back.
    let moved = books
        .number(&format!(
            "SELECT coalesce(sum(points), 0) FROM loyalty_adjustments AS entry \
             WHERE order_id = '{id}' AND NOT EXISTS (SELECT 1 FROM loyalty_adjustments AS void \
             WHERE void.order_id = entry.order_id AND void.amendment = entry.amendment \
             AND void.kind = 'void')"
        ))
        .await;
    assert_eq!(
        account.points_left() + moved,
        expected.points,
        "{account:?}"
    );
}
