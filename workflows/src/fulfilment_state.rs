//! What the fulfilment branch of an order knows of it.

use pizza_domain::{
    CancelReason, KitchenReport, Order, OrderStatus, ReportRefusal, TicketProgress, TicketReport,
};
use temporalio_macros::workflow;

use crate::change::signals::Change;
use crate::steps::DeliveryReport;

/// The fulfilment branch of one order.
///
/// A report may overtake the answer to the step that brought the kitchen its
/// ticket; it is taken all the same, since whoever reports has the ticket.
#[workflow]
pub struct FulfilmentWorkflow {
    pub(crate) order: Order,
    pub(crate) progress: TicketProgress,
    /// When the kitchen was last heard of, by the workflow's clock.
    pub(crate) heard_at_ms: i64,
    /// Why the food is not wanted any more, or will not come.
    pub(crate) stopped: Option<CancelReason>,
    /// How many reports were looked into.
    pub(crate) reports: u32,
    /// The last report that this run knew when it asked the store for others.
    pub(crate) asked_after: Option<Option<KitchenReport>>,
    /// Where a change of the order stands.
    pub(crate) hold: Hold,
    /// The kitchen's last word.
    pub(crate) delivery: Option<DeliveryReport>,
}

/// Keeps the kitchen from accepting an order while it is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    None,
    /// The order is being changed.
    Held,
    /// It was changed, and the kitchen has to be told.
    Changed,
}

impl FulfilmentWorkflow {
    /// Until when the next report has to come, by the workflow's clock; none
    /// when none is waited for.
    pub(crate) fn due_at_ms(&self) -> Option<i64> {
        let deadline = self.order.stage_deadline(self.progress.next()?);
        let deadline_ms = i64::try_from(deadline.as_millis()).unwrap_or(i64::MAX);
        Some(self.heard_at_ms.saturating_add(deadline_ms))
    }

    /// Whether a report may be looked into.
    pub(crate) fn check(&self, report: &TicketReport) -> Result<(), ReportRefusal> {
        self.progress.check(report)?;
        if self.reports >= TicketReport::MOST_OF_AN_ORDER {
            return Err(ReportRefusal::TooMany);
        }
        Ok(())
    }

    /// Whether the store may know of reports, taken before a reset, that would
    /// allow this one. It is asked once after each report.
    pub(crate) fn may_lack_reports_before(&self, report: &TicketReport) -> bool {
        self.check(report) == Err(ReportRefusal::OutOfOrder)
            && self.asked_after != Some(self.progress.last())
    }

    /// Whether the kitchen's time is up, and nothing else has to be looked at.
    pub(crate) fn is_overdue(&self, now_ms: i64) -> bool {
        let is_disturbed = self.is_disturbed(i64::MIN);
        !is_disturbed && self.due_at_ms().is_none_or(|due_ms| due_ms <= now_ms)
    }

    /// Whether an order was amended, and the kitchen may still be told.
    pub(crate) fn lacks(&self, order: &Order) -> bool {
        let content = |order: &Order| (order.flavour.clone(), order.size, order.quantity);
        let is_open = !self.progress.is_closed() && self.progress.last().is_none();
        is_open && content(&self.order) != content(order)
    }

    pub(crate) fn is_held(&self) -> bool {
        self.hold != Hold::None
    }

    /// Whether a wait for the kitchen that ends at `until_ms` has to be looked
    /// at before.
    pub(crate) fn is_disturbed(&self, until_ms: i64) -> bool {
        self.progress.is_delivered()
            || self.stopped.is_some()
            || self.is_held()
            || self.due_at_ms().is_some_and(|due_ms| due_ms < until_ms)
    }

    /// The customer's wish, granted or not. One that comes when the kitchen's
    /// part is over is refused with where the order stood.
    pub(crate) fn grant(&mut self, change: Change) -> Result<(), OrderStatus> {
        let last = self.progress.last();
        let status = last.map_or(OrderStatus::PaymentComplete, KitchenReport::order_status);
        if self.progress.is_closed() {
            return Err(OrderStatus::Refunding);
        }
        match change {
            Change::Cancel(reason) if last < Some(KitchenReport::PickedUp) => {
                self.stopped = Some(reason);
                // Closed in the same breath: what comes now is late.
                self.progress.close();
                Ok(())
            }
            Change::Amend if last.is_none() && !self.is_held() => {
                self.hold = Hold::Held;
                Ok(())
            }
            _ => Err(status),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use pizza_domain::{OrderRequest, Prices, StageDeadlines};

    #[test]
    fn reports_beyond_the_limit_are_refused_and_repetitions_are_known_still() {
        let id = "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";
        let order = Order::accept(
            OrderRequest::default(),
            id.parse().expect("an id"),
            Prices::FIRST,
            StageDeadlines::all(Duration::from_secs(10)),
            0,
        );
        let mut progress = TicketProgress::default();
        progress.resume_at(KitchenReport::Accepted);
        let branch = |reports| FulfilmentWorkflow {
            order: order.clone(),
            progress: progress.clone(),
            heard_at_ms: 0,
            stopped: None,
            reports,
            asked_after: None,
            hold: Hold::None,
            delivery: None,
        };
        let most = TicketReport::MOST_OF_AN_ORDER;
        let cooked = KitchenReport::Cooked.into();
        assert_eq!(branch(most - 1).check(&cooked), Ok(()));
        assert_eq!(branch(most).check(&cooked), Err(ReportRefusal::TooMany));
        let again = KitchenReport::Accepted.into();
        assert_eq!(branch(most).check(&again), Err(ReportRefusal::Repeated));
    }
}
