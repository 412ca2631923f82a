//! A customer changes their mind at the very moment at which the order
//! arrives, again and again: it is delivered or refunded, never both.

use std::time::Duration;

use futures::{StreamExt, stream};
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use crate::harness::gateway::{Answer, Gateway};
use crate::harness::{LATER, Setup, World, eventually};

const RACES: u32 = 200;

/// Orders under way at once.
const AT_ONCE: usize = 6;

/// The longest that a cancellation lets the kitchen have a start, or the
/// other way round. The time is what is tried out here.
const SPREAD_MS: u32 = 120;

/// How a race went.
#[derive(Debug, PartialEq, Eq, Hash, Clone, Copy)]
enum Winner {
    Kitchen,
    Customer,
}

#[tokio::test]
async fn a_cancellation_that_races_the_delivery_wins_or_loses_and_never_both() {
    let world = World::start(Setup {
        kitchen: false,
        kitchen_deadline_seconds: 60.0,
        ..Setup::default()
    })
    .await;
    let gateway = &world.gateway();
    let winners: Vec<(String, Winner)> = stream::iter(0..RACES)
        .map(|number| async move { race(gateway, number).await })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let mut books = world.books().await;
    for (id, winner) in &winners {
        let order = gateway.watched_to_its_end(id).await;
        let account = books.account(id).await;
        account.assert_legal();
        let (status, money, kinds): (_, _, &[&str]) = match winner {
            Winner::Kitchen => ("DeliveryConfirmed", "charged", &["charge"]),
            Winner::Customer => ("Cancelled", "refunded", &["charge", "refund"]),
        };
        assert_eq!(order["status"], status, "{order}");
        assert_eq!(order["money"], money, "{order}");
        assert_eq!(account.payment_kinds(), kinds, "{order}");
    }
    let count = |wanted| {
        winners
            .iter()
            .filter(|(_, winner)| *winner == wanted)
            .count()
    };
    let (kitchen, customer) = (count(Winner::Kitchen), count(Winner::Customer));
    println!("the kitchen won {kitchen} times, the customer {customer} times");
    assert!(kitchen > 0 && customer > 0, "no race: {kitchen} {customer}");
    world.assert_audit_clean().await;
}

/// Lets the kitchen's last reports and the cancellation run against each
/// other, with an amendment before in every third order, and tells by their
/// answers who won.
async fn race(gateway: &Gateway, number: u32) -> (String, Winner) {
    let id = gateway.place(json!({})).await;
    let accept = async {
        eventually(LATER, "the kitchen can accept it", async || {
            let answer = gateway.report(&id, "accepted").await;
            (answer.status == 200).then_some(())
        })
        .await;
    };
    let amend = async {
        if number.is_multiple_of(3) {
            gateway.amend(&id, &json!({ "quantity": 2 })).await;
        }
    };
    tokio::join!(accept, amend);
    // Spread evenly and in no order: 37 has no factor in common with the span.
    let offset = number * 37 % (2 * SPREAD_MS);
    let now = Instant::now();
    let after = |ms: u32| now + Duration::from_millis(ms.into());
    let kitchens_start = after(SPREAD_MS.saturating_sub(offset));
    let customers_start = after(offset.saturating_sub(SPREAD_MS));
    let deliver = async {
        sleep_until(kitchens_start).await;
        let mut delivered = false;
        for report in ["cooked", "pickedUp", "delivered"] {
            delivered = answered(async || gateway.report(&id, report).await).await;
        }
        delivered
    };
    let cancel = async {
        sleep_until(customers_start).await;
        answered(async || gateway.cancel(&id).await).await
    };
    let (delivered, cancelled) = tokio::join!(deliver, cancel);
    let winner = match (delivered, cancelled) {
        (true, false) => Winner::Kitchen,
        (false, true) => Winner::Customer,
        both => panic!("order {id}: delivered and cancelled are {both:?}"),
    };
    (id, winner)
}

/// Whether it was a yes; asked again as long as there is no answer.
async fn answered(ask: impl AsyncFn() -> Answer) -> bool {
    let answer = eventually(LATER, "there is an answer", async || {
        let answer = ask().await;
        (answer.status != 503).then_some(answer)
    })
    .await;
    assert!([200, 409].contains(&answer.status), "{answer:?}");
    answer.status == 200
}
