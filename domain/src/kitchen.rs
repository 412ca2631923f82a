//! What the kitchen reports, and which report may follow which.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{InvalidField, OrderStatus, Rejection, ReportId};

/// What the kitchen, or the courier, says of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum KitchenReport {
    /// The kitchen has taken the ticket and cooks.
    Accepted,
    /// The food is ready.
    Cooked,
    /// The courier has it.
    PickedUp,
    /// The customer has it.
    Delivered,
    /// There will be no food.
    Rejected,
}

impl KitchenReport {
    /// Every report.
    pub const ALL: [Self; 5] = [
        Self::Accepted,
        Self::Cooked,
        Self::PickedUp,
        Self::Delivered,
        Self::Rejected,
    ];

    /// The reports that bring an order to the door, in the order in which
    /// they must come.
    pub const WAY: [Self; 4] = [
        Self::Accepted,
        Self::Cooked,
        Self::PickedUp,
        Self::Delivered,
    ];

    /// The report's name on the wire and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Cooked => "cooked",
            Self::PickedUp => "pickedUp",
            Self::Delivered => "delivered",
            Self::Rejected => "rejected",
        }
    }

    /// The status that the report brings the order to: for a rejected one the
    /// rollback that follows.
    #[must_use]
    pub const fn order_status(self) -> OrderStatus {
        match self {
            Self::Accepted => OrderStatus::CookingStarted,
            Self::Cooked => OrderStatus::CookingCompleted,
            Self::PickedUp => OrderStatus::DeliveryStarted,
            Self::Delivered => OrderStatus::DeliveryConfirmed,
            Self::Rejected => OrderStatus::Refunding,
        }
    }

    /// The report that brings an order to `status` on its way to the door, if
    /// one does.
    #[must_use]
    pub fn that_brings_to(status: OrderStatus) -> Option<Self> {
        Self::WAY
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
            .ok_or_else(|| {
                InvalidField::new(
                    "event",
                    "must be one of accepted, cooked, pickedUp, delivered, rejected",
                )
            })
    }
}

/// A report as it comes in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "ReportOnTheWire")]
pub struct TicketReport {
    /// What happened.
    pub report: KitchenReport,
    /// The report's own id. Without one it is known by what it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report_id: Option<ReportId>,
    /// Why, when it is a rejection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Rejection>,
}

impl TicketReport {
    /// How many reports the saga looks into for one order. Four bring it to
    /// the door; one that cannot be taken is refused before it counts, unless
    /// it came at the same time as one that was taken.
    pub const MOST_OF_AN_ORDER: u32 = 100;
}

impl From<KitchenReport> for TicketReport {
    fn from(report: KitchenReport) -> Self {
        Self {
            report,
            report_id: None,
            reason: None,
        }
    }
}

/// The first version sent the report's name and nothing else; histories hold
/// it.
#[derive(Deserialize)]
#[serde(untagged)]
enum ReportOnTheWire {
    Name(KitchenReport),
    #[serde(rename_all = "camelCase")]
    Full {
        report: KitchenReport,
        #[serde(default)]
        report_id: Option<ReportId>,
        #[serde(default)]
        reason: Option<Rejection>,
    },
}

impl From<ReportOnTheWire> for TicketReport {
    fn from(wire: ReportOnTheWire) -> Self {
        match wire {
            ReportOnTheWire::Name(report) => report.into(),
            ReportOnTheWire::Full {
                report,
                report_id,
                reason,
            } => Self {
                report,
                report_id,
                reason,
            },
        }
    }
}

/// How long the kitchen may take for each of its stages, in milliseconds,
/// counted from the stage before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageDeadlines {
    /// From the ticket's hand-over to `accepted`.
    pub accepted_ms: u64,
    /// From `accepted` to `cooked`.
    pub cooked_ms: u64,
    /// From `cooked` to `pickedUp`.
    pub picked_up_ms: u64,
    /// From `pickedUp` to `delivered`.
    pub delivered_ms: u64,
}

impl StageDeadlines {
    /// The same time for each stage.
    #[must_use]
    pub fn all(each: Duration) -> Self {
        let each = u64::try_from(each.as_millis()).unwrap_or(u64::MAX);
        Self {
            accepted_ms: each,
            cooked_ms: each,
            picked_up_ms: each,
            delivered_ms: each,
        }
    }

    /// How long the kitchen may take until it makes this report. A rejection
    /// is never waited for.
    #[must_use]
    pub const fn until(&self, report: KitchenReport) -> Duration {
        Duration::from_millis(match report {
            KitchenReport::Accepted => self.accepted_ms,
            KitchenReport::Cooked => self.cooked_ms,
            KitchenReport::PickedUp => self.picked_up_ms,
            KitchenReport::Delivered | KitchenReport::Rejected => self.delivered_ms,
        })
    }
}

/// Why a report changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub enum ReportRefusal {
    /// It was taken before.
    #[error("this report was already taken")]
    Repeated,
    /// Another report has to come first, or the ticket is past this one.
    #[error("the ticket is not at the stage that this report ends")]
    OutOfOrder,
    /// The order is over.
    #[error("the order is already over")]
    Late,
    /// Another report has this id.
    #[error("another report was made under this id")]
    IdReused,
    /// Too many reports were made on this order.
    #[error("more than {most} reports were made on this order", most = TicketReport::MOST_OF_AN_ORDER)]
    TooMany,
}

/// How far a ticket has come. It goes from report to report and can be
/// closed, after which nothing moves it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TicketProgress {
    /// The last report of the way to the door.
    last: Option<KitchenReport>,
    /// The ids of the reports that came with one.
    #[serde(default)]
    ids: Vec<(KitchenReport, ReportId)>,
    /// Why it was rejected, if that was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<Rejection>,
    rejected: bool,
    closed: bool,
}

impl TicketProgress {
    /// The last report on the way to the door that was taken.
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
        KitchenReport::WAY
            .into_iter()
            .find(|report| Some(*report) > self.last)
    }

    /// Whether the ticket came to an end before the door.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether the report may be taken now.
    ///
    /// # Errors
    /// Says why not, and nothing changes.
    pub fn check(&self, report: &TicketReport) -> Result<(), ReportRefusal> {
        if let Some(refusal) = self.seen(report) {
            Err(refusal)
        } else if self.closed || self.is_delivered() {
            Err(ReportRefusal::Late)
        } else if report.report == KitchenReport::Rejected || self.next() == Some(report.report) {
            Ok(())
        } else {
            Err(ReportRefusal::OutOfOrder)
        }
    }

    /// What is wrong with a report that bears a known id, or that was taken
    /// before under an id that one of the two does not tell.
    fn seen(&self, report: &TicketReport) -> Option<ReportRefusal> {
        let known = |id: &ReportId| self.ids.iter().find(|(_, known)| known == id);
        if let Some((event, _)) = report.report_id.as_ref().and_then(known) {
            let composed = |reason: &Option<Rejection>| reason.as_ref().map(Rejection::composed);
            let is_same = *event == report.report
                && (report.report != KitchenReport::Rejected
                    || composed(&report.reason) == composed(&self.reason));
            return Some(if is_same {
                ReportRefusal::Repeated
            } else {
                ReportRefusal::IdReused
            });
        }
        let has_id = self.ids.iter().any(|(event, _)| *event == report.report);
        let ids_differ = has_id && report.report_id.is_some();
        (self.was_taken(report.report) && !ids_differ).then_some(ReportRefusal::Repeated)
    }

    fn was_taken(&self, report: KitchenReport) -> bool {
        match report {
            KitchenReport::Rejected => self.rejected,
            on_the_way => Some(on_the_way) <= self.last,
        }
    }

    /// Takes a report; a rejection closes the ticket.
    ///
    /// # Errors
    /// As [`Self::check`]; a refused report changes nothing.
    pub fn take(&mut self, report: &TicketReport) -> Result<(), ReportRefusal> {
        self.check(report)?;
        if report.report == KitchenReport::Rejected {
            self.rejected = true;
            self.reason.clone_from(&report.reason);
            self.closed = true;
        } else {
            self.last = Some(report.report);
        }
        self.ids
            .extend(report.report_id.clone().map(|id| (report.report, id)));
        Ok(())
    }

    /// Goes on from a report that is known to have been taken, unless the
    /// ticket is further already.
    pub fn resume_at(&mut self, report: KitchenReport) {
        self.last = self.last.max(Some(report));
    }

    /// The progress of a ticket whose story is over, from the reports that were
    /// taken on it. Earlier ones may be missing: their ids are not known then.
    #[must_use]
    pub fn ended_after(taken: impl IntoIterator<Item = TicketReport>) -> Self {
        let mut progress = Self::after(taken);
        progress.close();
        progress
    }

    /// The progress of a ticket as far as these reports on it tell.
    #[must_use]
    pub fn after(taken: impl IntoIterator<Item = TicketReport>) -> Self {
        let mut progress = Self::default();
        for report in taken {
            match report.report {
                KitchenReport::Rejected => {
                    progress.rejected = true;
                    progress.reason = report.reason;
                }
                on_the_way => progress.resume_at(on_the_way),
            }
            progress
                .ids
                .extend(report.report_id.map(|id| (report.report, id)));
        }
        progress
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
        Report(TicketReport),
        Close,
    }

    /// Few ids, so that they meet again.
    fn any_report() -> impl Strategy<Value = TicketReport> {
        let id = prop::option::of(select(vec!["a", "b", "c", "d", "e", "f"]));
        // Rejections end the story, so they are rare.
        let report = prop_oneof![
            19 => select(&KitchenReport::WAY[..]),
            1 => Just(KitchenReport::Rejected),
        ];
        (report, id).prop_map(|(report, id)| TicketReport {
            report,
            report_id: id.map(|id| id.parse().expect("an id")),
            reason: None,
        })
    }

    fn any_move() -> impl Strategy<Value = Move> {
        prop_oneof![
            19 => any_report().prop_map(Move::Report),
            1 => Just(Move::Close),
        ]
    }

    proptest! {
        #[test]
        fn only_the_one_legal_way_leads_to_the_door(
            moves in prop::collection::vec(any_move(), 0..40),
        ) {
            let mut ticket = TicketProgress::default();
            let mut taken: Vec<TicketReport> = Vec::new();
            let mut closed = false;
            for step in moves {
                let before = ticket.clone();
                let Move::Report(report) = step else {
                    ticket.close();
                    closed = true;
                    continue;
                };
                let same_event = taken.iter().find(|other| other.report == report.report);
                let same_id = taken
                    .iter()
                    .find(|other| other.report_id.is_some() && other.report_id == report.report_id);
                match ticket.take(&report) {
                    Ok(()) => {
                        prop_assert!(!closed && same_id.is_none() && same_event.is_none());
                        closed |= report.report == KitchenReport::Rejected;
                        taken.push(report);
                    }
                    Err(refusal) => {
                        prop_assert_eq!(&ticket, &before);
                        let expected = match (same_id, same_event) {
                            (Some(other), _) if other.report == report.report => {
                                ReportRefusal::Repeated
                            }
                            (Some(_), _) => ReportRefusal::IdReused,
                            (None, Some(other))
                                if other.report_id.is_none() || report.report_id.is_none() =>
                            {
                                ReportRefusal::Repeated
                            }
                            _ if closed || ticket.is_delivered() => ReportRefusal::Late,
                            _ => ReportRefusal::OutOfOrder,
                        };
                        prop_assert_eq!(refusal, expected);
                    }
                }
            }
            let way: Vec<_> = taken
                .iter()
                .map(|report| report.report)
                .filter(|report| *report != KitchenReport::Rejected)
                .collect();
            prop_assert_eq!(&way[..], &KitchenReport::WAY[..way.len()]);
            prop_assert_eq!(ticket.is_delivered(), way.len() == 4);
        }

        #[test]
        fn a_resumed_ticket_never_goes_back(
            first in select(&KitchenReport::WAY[..]), second in select(&KitchenReport::WAY[..]),
        ) {
            let mut ticket = TicketProgress::default();
            ticket.resume_at(first);
            ticket.resume_at(second);
            prop_assert_eq!(ticket.last(), Some(first.max(second)));
        }

        #[test]
        fn an_ended_ticket_answers_as_it_did_when_it_ended(
            moves in prop::collection::vec(any_report(), 0..12), last in any_report(),
        ) {
            let mut ticket = TicketProgress::default();
            let mut taken = Vec::new();
            for report in moves {
                if ticket.take(&report).is_ok() {
                    taken.push(report);
                }
            }
            ticket.close();
            let ended = TicketProgress::ended_after(taken);
            prop_assert_eq!(ended.check(&last), ticket.check(&last));
            prop_assert!(ended.check(&last).is_err());
        }

        #[test]
        fn a_closed_ticket_is_never_revived(report in any_report()) {
            let mut ticket = TicketProgress::default();
            ticket.close();
            prop_assert_eq!(ticket.take(&report), Err(ReportRefusal::Late));
            prop_assert_eq!(ticket.next(), None);
        }

        #[test]
        fn a_report_survives_its_journey_as_json(report in any_report()) {
            let json = serde_json::to_string(&report).expect("JSON");
            prop_assert_eq!(serde_json::from_str::<TicketReport>(&json).expect("a report"), report);
        }
    }

    #[test]
    fn another_reason_is_another_report() {
        const COMPOSED: &str = "kein Gem\u{FC}se";
        const SPELLED_OTHERWISE: &str = " kein Gemu\u{308}se ";
        let rejected = |id: Option<&str>, reason: Option<&str>| TicketReport {
            report: KitchenReport::Rejected,
            report_id: id.map(|id| id.parse().expect("an id")),
            reason: reason.map(|text| Rejection::try_from(text.to_owned()).expect("a reason")),
        };
        let first = rejected(Some("a"), Some(COMPOSED));
        let mut ticket = TicketProgress::default();
        ticket.take(&first).expect("taken");
        for ticket in [ticket, TicketProgress::ended_after([first])] {
            for (id, reason, refusal) in [
                (Some("a"), Some(COMPOSED), ReportRefusal::Repeated),
                (Some("a"), Some(SPELLED_OTHERWISE), ReportRefusal::Repeated),
                (None, Some("no cheese"), ReportRefusal::Repeated),
                (Some("a"), Some("no cheese"), ReportRefusal::IdReused),
                (Some("a"), None, ReportRefusal::IdReused),
                (Some("b"), Some(COMPOSED), ReportRefusal::Late),
            ] {
                let refused = ticket.check(&rejected(id, reason));
                assert_eq!(refused, Err(refusal), "{id:?} {reason:?}");
            }
        }
    }

    #[test]
    fn the_reports_of_the_first_version_are_understood() {
        let report: TicketReport = serde_json::from_str("\"pickedUp\"").expect("a report");
        assert_eq!(report, KitchenReport::PickedUp.into());
    }
}
