//! One order, from when it is due to its end.
//!
//! Its changes are read as the gateway tells them: one stream for each order,
//! for which the gateway asks its store nothing of its own, since all of its
//! watchers share one query. Each change carries the time at which it was
//! made, so that hearing of it late costs no precision.

use std::time::Duration;

use jiff::Timestamp;
use pizza_contract::{Order, OrderChange};
use pizza_domain::OrderId;
use tokio::time::{Instant, sleep, timeout};

use super::ends::{Asked, has_right_status, wrong_end};
use super::mix::Scenario;
use super::plan::Planned;
use super::shop::{Reply, Shop};
use super::tally::{Outcome, Stage, Tally, Told};

use crate::client::status::with_code;

/// How long an order that looks wrong after its last status may take until it
/// is as it should be: points and parked tasks may be noted a moment later.
const LAST_WRITES: Duration = Duration::from_secs(30);

/// How often it is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long a watch that was cut off is left alone.
const CUT_PAUSE: Duration = Duration::from_millis(250);

/// How far two clocks may differ before it is told.
const CLOCKS: Duration = Duration::from_millis(50);

/// When an order was due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    pub(super) at: Instant,
    /// The same by the clock on the wall, which the shop's times are held
    /// against.
    pub(super) on_the_wall: Timestamp,
    /// Whether its times count. Those of an order that was placed ahead of
    /// its time do not.
    pub(super) is_timed: bool,
}

/// Places an order and follows it to its end. Whether it came to one.
pub(super) async fn order(shop: &Shop, tally: &Tally, planned: &Planned, due: Due) -> bool {
    let outcome = lived(shop, tally, planned, due).await;
    let has_ended = matches!(outcome, Outcome::Ended { .. });
    tally.tell(Told::Over(planned.number, planned.scenario, outcome));
    has_ended
}

async fn lived(shop: &Shop, tally: &Tally, planned: &Planned, due: Due) -> Outcome {
    let sent = Timestamp::now();
    tally.tell(Told::Sent(due.at.elapsed()));
    let id = match shop.place(planned, tally).await {
        Reply::Done(id) => id,
        Reply::Refused => return Outcome::Refused,
        Reply::TooLate => return Outcome::Failed("an order was answered with 409".to_owned()),
        Reply::Unanswered(error) | Reply::Failed(error) => return Outcome::Failed(error),
    };
    let answered = Timestamp::now();
    tally.tell(Told::Accepted(planned.number, planned.scenario, id));
    if due.is_timed {
        tally.tell(Told::Took(Stage::Accepted, due.at.elapsed()));
    }
    let asked = match ask_for_change(shop, planned, id, tally).await {
        Ok(asked) => asked,
        Err(error) => return Outcome::Failed(error),
    };
    let ended = async {
        let changes = follow(shop, id, tally).await?;
        let order = last_look(shop, planned, asked, id, tally).await?;
        Ok((changes, order))
    };
    let (changes, order) = match ended.await {
        Ok(ended) => ended,
        Err(error) => return Outcome::Failed(error),
    };
    if due.is_timed {
        note_times(&order, &changes, due, tally);
        if differs(&order, sent, answered) {
            tally.tell(Told::ClocksDiffer);
        }
    }
    Outcome::Ended {
        end: with_code(&order.status, order.cancelled.as_ref()),
        wrong: wrong_end(planned, asked, &order),
    }
}

/// Cancels or amends the order, where the scenario says so.
async fn ask_for_change(
    shop: &Shop,
    planned: &Planned,
    id: OrderId,
    tally: &Tally,
) -> Result<Asked, String> {
    let scenario = planned.scenario;
    let reply = match scenario {
        Scenario::Fails(_) => return Ok(Asked::Nothing),
        Scenario::Cancel => shop.cancel(id, tally).await,
        Scenario::Amend => shop.amend(id, planned, tally).await,
    };
    let taken = match reply {
        Reply::Done(()) => true,
        Reply::TooLate => false,
        // Whether it will be is not known: either end is right.
        Reply::Refused | Reply::Unanswered(_) => return Ok(Asked::Unanswered),
        Reply::Failed(error) => return Err(error),
    };
    tally.tell(Told::Change { scenario, taken });
    Ok(if taken { Asked::Taken } else { Asked::TooLate })
}

/// Follows the order to its last status, however often the watch is cut off.
async fn follow(shop: &Shop, id: OrderId, tally: &Tally) -> Result<Vec<OrderChange>, String> {
    let mut seen: Vec<OrderChange> = Vec::new();
    loop {
        let after = seen.last().map_or(0, |change| change.version);
        match shop.changes(id, after, tally).await {
            Reply::Done(None) => return Ok(seen),
            Reply::Done(Some(mut changes)) => {
                while let Some(change) = changes.next().await.map_err(|error| error.to_string())? {
                    let is_last = change.is_final();
                    seen.push(change);
                    if is_last {
                        return Ok(seen);
                    }
                }
            }
            Reply::Refused | Reply::Unanswered(_) => {}
            Reply::TooLate => return Err(format!("order {id} cannot be watched")),
            Reply::Failed(error) => return Err(error),
        }
        tally.tell(Told::Cut);
        sleep(CUT_PAUSE).await;
    }
}

/// The order once it is as it should be, or when it has had time to be.
async fn last_look(
    shop: &Shop,
    planned: &Planned,
    asked: Asked,
    id: OrderId,
    tally: &Tally,
) -> Result<Order, String> {
    let mut order = look(shop, id, tally).await?;
    let settling = async {
        while wrong_end(planned, asked, &order).is_some()
            && has_right_status(planned, asked, &order)
        {
            sleep(LOOK_EVERY).await;
            order = look(shop, id, tally).await?;
        }
        Ok(())
    };
    match timeout(LAST_WRITES, settling).await {
        Ok(Err(error)) => Err(error),
        Ok(Ok(())) | Err(_) => Ok(order),
    }
}

/// Looks at an order, as long as it takes.
async fn look(shop: &Shop, id: OrderId, tally: &Tally) -> Result<Order, String> {
    loop {
        match shop.order(id, tally).await {
            Reply::Done(order) => return Ok(order),
            // The store is away, or its gateways: the order is not over.
            Reply::Refused | Reply::Unanswered(_) => {}
            Reply::TooLate => return Err(format!("order {id} cannot be looked at")),
            Reply::Failed(error) => return Err(error),
        }
    }
}

/// Takes note of how long each stage took, by the shop's own times.
fn note_times(order: &Order, changes: &[OrderChange], due: Due, tally: &Tally) {
    let at = |status: &str| {
        let change = changes.iter().find(|change| change.status == status)?;
        change.came_at()
    };
    let placed = order.accepted_at();
    let (charged, cooking) = (at("PaymentComplete"), at("CookingStarted"));
    let delivered = at("DeliveryConfirmed");
    for (stage, from, to) in [
        (Stage::Charged, placed, charged),
        (Stage::Cooking, charged, cooking),
        (Stage::Delivered, cooking, delivered),
        (Stage::Whole, Some(due.on_the_wall), delivered),
        (Stage::Cancelled, Some(due.on_the_wall), at("Cancelled")),
    ] {
        if let (Some(from), Some(to)) = (from, to) {
            // Below zero only where clocks differ, which is told.
            let took = Duration::try_from(to.duration_since(from)).unwrap_or_default();
            tally.tell(Told::Took(stage, took));
        }
    }
}

/// Whether the gateway's clock is not this machine's: it accepted the order
/// before that was sent, or after that was answered.
fn differs(order: &Order, sent: Timestamp, answered: Timestamp) -> bool {
    let placed = order.accepted_at();
    placed.is_some_and(|placed| placed < sent - CLOCKS || placed > answered + CLOCKS)
}
