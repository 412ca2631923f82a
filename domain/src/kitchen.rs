//! What the kitchen reports, and which report may follow which.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{InvalidField, OrderStatus};

/// The kitchen's word on a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum KitchenReport {
    /// The food is ready.
    Cooked,
    /// The courier has it.
    PickedUp,
    /// The customer has it.
    Delivered,
}

impl KitchenReport {
    /// Every report, in the order in which they must come.
    pub const ALL: [Self; 3] = [Self::Cooked, Self::PickedUp, Self::Delivered];

    /// The report's name on the wire and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cooked => "cooked",
            Self::PickedUp => "pickedUp",
            Self::Delivered => "delivered",
        }
    }

    /// The status that the report brings the order to.
    #[must_use]
    pub const fn order_status(self) -> OrderStatus {
        match self {
            Self::Cooked => OrderStatus::CookingCompleted,
            Self::PickedUp => OrderStatus::DeliveryStarted,
            Self::Delivered => OrderStatus::DeliveryConfirmed,
        }
    }
}

impl KitchenReport {
    /// The report that brings an order to `status`, if one does.
    #[must_use]
    pub fn that_brings_to(status: OrderStatus) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|report| report.order_status() == status)
    }
}

impl fmt::Display for KitchenReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for KitchenReport {
    type Err = InvalidField;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|report| report.as_str() == text)
            .ok_or_else(|| InvalidField::new("event", "must be one of cooked, pickedUp, delivered"))
    }
}

/// Why a report changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub enum ReportRefusal {
    /// It was taken before.
    #[error("this report was already taken")]
    Repeated,
    /// Another report has to come first.
    #[error("another report has to come first")]
    OutOfOrder,
    /// The order is over.
    #[error("the order is already over")]
    Late,
}

/// How far a ticket has come. It goes from report to report and can be
/// closed, after which nothing moves it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TicketProgress {
    last: Option<KitchenReport>,
    closed: bool,
}

impl TicketProgress {
    /// The last report that was taken.
    #[must_use]
    pub const fn last(&self) -> Option<KitchenReport> {
        self.last
    }

    /// The report that has to come next; none when the food is delivered or
    /// the ticket closed.
    #[must_use]
    pub fn next(&self) -> Option<KitchenReport> {
        if self.closed {
            return None;
        }
        KitchenReport::ALL
            .into_iter()
            .find(|report| Some(*report) > self.last)
    }

    /// Whether `report` may be taken now.
    ///
    /// # Errors
    /// Says why not, and nothing changes.
    pub fn check(&self, report: KitchenReport) -> Result<(), ReportRefusal> {
        if Some(report) <= self.last {
            Err(ReportRefusal::Repeated)
        } else if self.closed {
            Err(ReportRefusal::Late)
        } else if self.next() == Some(report) {
            Ok(())
        } else {
            Err(ReportRefusal::OutOfOrder)
        }
    }

    /// Takes a report.
    ///
    /// # Errors
    /// As [`Self::check`]; a refused report changes nothing.
    pub fn take(&mut self, report: KitchenReport) -> Result<(), ReportRefusal> {
        self.check(report)?;
        self.last = Some(report);
        Ok(())
    }

    /// Goes on from a report that is known to have been taken, unless the
    /// ticket is further already.
    pub fn resume_at(&mut self, report: KitchenReport) {
        self.last = self.last.max(Some(report));
    }

    /// Closes the ticket: every later report is late, unless it repeats one
    /// that was taken.
    pub const fn close(&mut self) {
        self.closed = true;
    }

    /// Whether the food is at the door.
    #[must_use]
    pub fn is_delivered(&self) -> bool {
        self.last == Some(KitchenReport::Delivered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;

    #[derive(Clone, Debug)]
    enum Move {
        Report(KitchenReport),
        Close,
    }

    fn any_move() -> impl Strategy<Value = Move> {
        prop_oneof![
            9 => select(&KitchenReport::ALL[..]).prop_map(Move::Report),
            1 => Just(Move::Close),
        ]
    }

    proptest! {
        #[test]
        fn only_the_one_legal_way_leads_to_the_door(
            moves in prop::collection::vec(any_move(), 0..20),
        ) {
            let mut ticket = TicketProgress::default();
            let mut taken = Vec::new();
            let mut closed = false;
            for step in moves {
                let before = ticket;
                match step {
                    Move::Close => { ticket.close(); closed = true; }
                    Move::Report(report) => match ticket.take(report) {
                        Ok(()) => { prop_assert!(!closed); taken.push(report); }
                        Err(refusal) => {
                            prop_assert_eq!(ticket, before);
                            prop_assert_eq!(
                                taken.contains(&report), refusal == ReportRefusal::Repeated,
                            );
                        }
                    },
                }
            }
            prop_assert_eq!(&taken[..], &KitchenReport::ALL[..taken.len()]);
            prop_assert_eq!(ticket.is_delivered(), taken.len() == 3);
        }

        #[test]
        fn a_resumed_ticket_never_goes_back(
            first in select(&KitchenReport::ALL[..]), second in select(&KitchenReport::ALL[..]),
        ) {
            let mut ticket = TicketProgress::default();
            ticket.resume_at(first);
            ticket.resume_at(second);
            prop_assert_eq!(ticket.last(), Some(first.max(second)));
        }

        #[test]
        fn a_closed_ticket_is_never_revived(report in select(&KitchenReport::ALL[..])) {
            let mut ticket = TicketProgress::default();
            ticket.close();
            prop_assert_eq!(ticket.take(report), Err(ReportRefusal::Late));
            prop_assert_eq!(ticket.next(), None);
        }
    }
}
