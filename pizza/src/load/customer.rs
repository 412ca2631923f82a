//! One order, from when it is due to its end.
//!
//! Its changes are read as the gateway tells them: one stream for each order,
//! for which the gateway asks its store nothing of its own, since all of its
//! watchers share one query. Each change carries the time at which it was
//! made, so that hearing of it late costs no precision.

use std::time::Duration;

use failure_queue::error_chain;
use jiff::Timestamp;
use pizza_contract::{AmendOrder, Order, OrderChange};
use pizza_domain::OrderId;
use tokio::time::{Instant, sleep};

use super::Load;
use super::ends::{Asked, wrong_end};
use super::plan::{Planned, Scenario};
use super::report::{KEPT, LATE, WrongEnd};
use super::shop::Why;

use crate::client::status::with_code;

/// How long an order that looks wrong after its last status may take until it
/// is as it should be: points and parked tasks may be noted a moment later.
const LAST_WRITES: Duration = Duration::from_secs(30);

/// How often it is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long a watch that was cut off is left alone.
const CUT_PAUSE: Duration = Duration::from_millis(250);

/// How far two clocks may differ before the report says so.
const CLOCKS: Duration = Duration::from_millis(50);

/// The status of an order's end, with its code where there is one, and how it
/// should have ended where it did not.
type Ended = (String, Option<WrongEnd>);

impl Load {
    /// Places an order that is due so long after the start, and follows it to
    /// its end. Whether it came to one.
    pub(super) async fn order(&self, number: u64, at: Duration) -> bool {
        let planned = self.plan.order(number);
        let ended = self.follow(&planned, at).await;
        let mut counts = self.tally.counts();
        counts.under_way.remove(&number);
        let error = match ended {
            Ok((end, wrong)) => {
                counts.orders.ended += 1;
                *counts.ends.entry(end).or_default() += 1;
                let of = counts.scenarios.entry(planned.scenario.name()).or_default();
                of.as_expected += u64::from(wrong.is_none());
                of.otherwise += u64::from(wrong.is_some());
                if let Some(wrong) = wrong {
                    counts.orders.wrong += 1;
                    if counts.wrong_ends.len() < KEPT {
                        counts.wrong_ends.push(wrong);
                    }
                }
                return true;
            }
            Err(Why::Refused) => {
                counts.orders.refused += 1;
                return false;
            }
            Err(Why::TooLate) => "a request that cannot be too late was answered with 409".into(),
            Err(Why::Unanswered(error) | Why::Failed(error)) => error,
        };
        counts.orders.failed += 1;
        if counts.errors.len() < KEPT {
            counts.errors.push(error);
        }
        false
    }

    async fn follow(&self, planned: &Planned, at: Duration) -> Result<Ended, Why> {
        let (number, scenario, due) = (planned.number, planned.scenario, self.start + at);
        // That of an order that was placed before the start does not count.
        let is_timed = self.ahead != Some(number);
        let sent = Timestamp::now();
        self.tally.counts().note(LATE, due.elapsed());
        let placed = self.shop.ask(&self.tally, |gateway| async move {
            gateway.place(&planned.body, Some(&planned.key)).await
        });
        let id = placed.await?.view.order_id;
        let answered = Timestamp::now();
        self.accepted(planned, id, is_timed.then_some(due));
        let asked = self.ask_for_change(planned, id).await?;
        if asked == Asked::Taken || asked == Asked::TooLate {
            let mut counts = self.tally.counts();
            let changes = counts.changes.entry(scenario.name()).or_default();
            changes.taken += u64::from(asked == Asked::Taken);
            changes.too_late += u64::from(asked == Asked::TooLate);
        }
        let changes = self.changes(id).await?;
        let (order, wrong) = self.last_look(planned, asked, id).await?;
        if is_timed {
            self.note_times(&order, &changes, self.started_at + at);
            let placed = order.accepted_at();
            // Before it was sent, or after that was answered.
            let differ = placed.is_some_and(|it| it < sent - CLOCKS || it > answered + CLOCKS);
            self.tally.counts().clocks_differ += u64::from(differ);
        }
        Ok((with_code(&order.status, order.cancelled.as_ref()), wrong))
    }

    fn accepted(&self, planned: &Planned, id: OrderId, due: Option<Instant>) {
        let (number, scenario) = (planned.number, planned.scenario);
        let mut counts = self.tally.counts();
        counts.orders.accepted += 1;
        counts
            .scenarios
            .entry(scenario.name())
            .or_default()
            .accepted += 1;
        counts.under_way.insert(number, (scenario, Some(id)));
        if let Some(due) = due {
            counts.note("accepted", due.elapsed());
        }
    }

    /// Cancels or amends the order, where the scenario says so.
    async fn ask_for_change(&self, planned: &Planned, id: OrderId) -> Result<Asked, Why> {
        let (shop, tally) = (&self.shop, &self.tally);
        let done = match planned.scenario {
            Scenario::Fails(_) => return Ok(Asked::Nothing),
            Scenario::Cancel => {
                let cancel = shop.ask(tally, |gateway| async move { gateway.cancel(id).await });
                cancel.await.map(drop)
            }
            Scenario::Amend => {
                let wanted = &AmendOrder {
                    quantity: Some(planned.amended_quantity().into()),
                    ..AmendOrder::default()
                };
                let amend = shop.ask(tally, |gateway| async move {
                    gateway.amend(id, wanted, Some(&planned.key)).await
                });
                amend.await.map(drop)
            }
        };
        match done {
            Ok(()) => Ok(Asked::Taken),
            Err(Why::TooLate) => Ok(Asked::TooLate),
            // Whether it will be is not known: either end is right.
            Err(Why::Refused | Why::Unanswered(_)) => Ok(Asked::Unanswered),
            Err(why) => Err(why),
        }
    }

    /// The order's changes up to its last status, however often the watch is
    /// cut off.
    async fn changes(&self, id: OrderId) -> Result<Vec<OrderChange>, Why> {
        let mut seen: Vec<OrderChange> = Vec::new();
        loop {
            let after = seen.last().map_or(0, |change| change.version);
            let watch = self.shop.ask(&self.tally, |gateway| async move {
                gateway.changes(id, after).await
            });
            match watch.await {
                Ok(None) => return Ok(seen),
                Ok(Some(mut changes)) => {
                    let failed = |error| Why::Failed(error_chain(&error));
                    while let Some(change) = changes.next().await.map_err(failed)? {
                        let is_last = change.is_final();
                        seen.push(change);
                        if is_last {
                            return Ok(seen);
                        }
                    }
                }
                Err(Why::Refused | Why::Unanswered(_)) => {}
                Err(why) => return Err(why),
            }
            self.tally.counts().watches_cut += 1;
            sleep(CUT_PAUSE).await;
        }
    }

    /// The order once it is as it should be, or when it has had time to be.
    async fn last_look(
        &self,
        planned: &Planned,
        asked: Asked,
        id: OrderId,
    ) -> Result<(Order, Option<WrongEnd>), Why> {
        let mut given_up = None;
        loop {
            let order = self.shop.ask(&self.tally, |gateway| async move {
                Ok(gateway.order(id).await?.view)
            });
            match order.await {
                Ok(order) => {
                    let wrong = wrong_end(planned, asked, &order);
                    let may_change = wrong.as_ref().is_some_and(|it| it.has_right_status);
                    let now = Instant::now();
                    if !may_change || now >= *given_up.get_or_insert(now + LAST_WRITES) {
                        return Ok((order, wrong));
                    }
                    sleep(LOOK_EVERY).await;
                }
                // The store is away, or its gateways: the order is not over.
                Err(Why::Refused | Why::Unanswered(_)) => sleep(CUT_PAUSE).await,
                Err(why) => return Err(why),
            }
        }
    }

    /// Takes note of how long each stage took, by the shop's own times.
    fn note_times(&self, order: &Order, changes: &[OrderChange], due: Timestamp) {
        let at = |status: &str| {
            let change = changes.iter().find(|change| change.status == status)?;
            change.came_at()
        };
        let (charged, cooking) = (at("PaymentComplete"), at("CookingStarted"));
        let delivered = at("DeliveryConfirmed");
        let mut counts = self.tally.counts();
        for (stage, from, to) in [
            ("charged", order.accepted_at(), charged),
            ("cooking", charged, cooking),
            ("delivered", cooking, delivered),
            ("whole", Some(due), delivered),
            ("cancelled", Some(due), at("Cancelled")),
        ] {
            if let (Some(from), Some(to)) = (from, to) {
                // Below zero only where clocks differ, which is told.
                let took = Duration::try_from(to.duration_since(from)).unwrap_or_default();
                counts.note(stage, took);
            }
        }
    }
}
