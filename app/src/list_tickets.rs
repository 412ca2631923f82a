//! Lists the tickets that the kitchen is to work on.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use pizza_domain::{Flavour, KitchenReport, OrderId, Size};
use pizza_store::{OpenTicket, TicketPlace, now_ms};
use sha2::{Digest, Sha256};

use super::cursor::page_size;
use super::error::UseCaseError;
use super::failures::invalid_cursor;
use super::use_cases::UseCases;

/// How many bytes of a cursor say which list it is of.
const MARK_LENGTH: usize = 8;

/// Which page of the open tickets, as a client says it, not checked yet.
#[derive(Clone, Debug, Default)]
pub struct ListTickets {
    /// Tickets on a page, 50 when none.
    pub limit: Option<i128>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// A page of open tickets.
#[derive(Clone, Debug)]
pub struct Tickets {
    /// The page, the most urgent first.
    pub tickets: Vec<Ticket>,
    /// Asks for the next page; none after the last.
    pub next_cursor: Option<String>,
}

/// A ticket that the kitchen is to work on.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// The ticket, and the order.
    pub ticket_id: OrderId,
    /// What is on it.
    pub flavour: Flavour,
    /// How large.
    pub size: Size,
    /// How many.
    pub quantity: i64,
    /// Its stage: that of the last report.
    pub stage: TicketStage,
    /// When it was handed over, in milliseconds since the Unix epoch.
    pub handed_over_at_ms: i64,
    /// How long it has been at its stage.
    pub stage_ms: i64,
    /// Until when the next report has to come, in milliseconds since the Unix
    /// epoch, where that is known.
    pub due_at_ms: Option<i64>,
    /// How long that is from now. Negative for a ticket that is overdue.
    pub left_ms: Option<i64>,
    /// For a simulated kitchen: its wait before each report but the first.
    pub pace_ms: u64,
    /// For a simulated kitchen: it never reports on this one.
    pub silent: bool,
}

/// How far an open ticket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketStage {
    /// It was handed over, and nothing was reported on it.
    Received,
    /// This was reported.
    Reported(KitchenReport),
}

impl TicketStage {
    /// The stage's name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Reported(report) => report.as_str(),
        }
    }

    /// The reports that may be made at this stage: the next one on the way to
    /// the door first.
    #[must_use]
    pub fn next_reports(self) -> Vec<KitchenReport> {
        let next = KitchenReport::WAY.into_iter().find(|next| match self {
            Self::Received => true,
            Self::Reported(last) => *next > last,
        });
        next.into_iter().chain([KitchenReport::Rejected]).collect()
    }
}

impl UseCases {
    /// A page of the tickets that the kitchen is to work on.
    ///
    /// # Errors
    /// When a value is not allowed, the cursor is none, or the store is away.
    pub async fn list_tickets(&self, request: ListTickets) -> Result<Tickets, UseCaseError> {
        let limit = page_size(request.limit)?;
        let after = request.cursor.as_deref().map(read_cursor).transpose()?;
        // One more says whether there is another page.
        let mut open = self.store.open_tickets(after, limit + 1).await?;
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = open.len() > most;
        open.truncate(most);
        let last = open.last().filter(|_| more);
        let next_cursor = last.map(|ticket| cursor(ticket.place));
        let now = now_ms();
        Ok(Tickets {
            tickets: open.into_iter().map(|open| ticket(open, now)).collect(),
            next_cursor,
        })
    }
}

fn ticket(open: OpenTicket, now_ms: i64) -> Ticket {
    Ticket {
        ticket_id: open.order_id,
        flavour: open.flavour,
        size: open.size,
        quantity: open.quantity,
        stage: open
            .last
            .map_or(TicketStage::Received, TicketStage::Reported),
        handed_over_at_ms: open.received_at_ms,
        stage_ms: now_ms.saturating_sub(open.stage_since_ms).max(0),
        due_at_ms: open.due_at_ms,
        left_ms: open.due_at_ms.map(|due| due.saturating_sub(now_ms)),
        pace_ms: u64::try_from(open.pace.as_millis()).unwrap_or(u64::MAX),
        silent: open.silent,
    }
}

/// Marks a cursor as one of this list.
fn mark() -> [u8; MARK_LENGTH] {
    let digest = Sha256::digest("open kitchen tickets");
    std::array::from_fn(|index| digest[index])
}

fn cursor(place: TicketPlace) -> String {
    let place = format!("{} {}", place.due_at_ms, place.order_id);
    BASE64_URL_SAFE_NO_PAD.encode([&mark()[..], place.as_bytes()].concat())
}

fn read_cursor(text: &str) -> Result<TicketPlace, UseCaseError> {
    let read = || {
        let marked = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let place = std::str::from_utf8(marked.strip_prefix(&mark()[..])?).ok()?;
        let (due_at_ms, order_id) = place.split_once(' ')?;
        Some(TicketPlace {
            due_at_ms: due_at_ms.parse().ok()?,
            order_id: order_id.parse().ok()?,
        })
    };
    read().ok_or_else(invalid_cursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_one_of_this_list_alone() {
        let place = TicketPlace {
            due_at_ms: 1_763_810_000_123,
            order_id: "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11"
                .parse()
                .expect("an id"),
        };
        let text = cursor(place);
        assert_eq!(read_cursor(&text).ok(), Some(place));
        let foreign = BASE64_URL_SAFE_NO_PAD.encode("another7 1 2");
        for bad in ["", "x", &text[1..], &text[..text.len() - 4], &foreign] {
            assert!(read_cursor(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn each_stage_is_followed_by_the_next_report_or_a_rejection() {
        use KitchenReport::{Accepted, Cooked, PickedUp, Rejected};
        let stages = [
            (TicketStage::Received, Accepted),
            (TicketStage::Reported(Accepted), Cooked),
            (TicketStage::Reported(Cooked), PickedUp),
        ];
        for (stage, next) in stages {
            assert_eq!(stage.next_reports(), [next, Rejected], "{stage:?}");
        }
    }
}
