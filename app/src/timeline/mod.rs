//! The business history of one order in one list.
//!
//! What happened comes from two sources. The store knows what an observer saw
//! and what the parties booked ([`books`]); the histories of the order's
//! workflows know which steps were taken, how often each was tried and what
//! was waited for ([`entries_of`]). Both become [`Entry`]s, and [`merged`]
//! puts them into one list. Nothing here does I/O, so that a timeline is drawn
//! from exported histories as well.

mod books;
mod history;
mod merge;
mod payload;

use pizza_workflows::names::message::{AMEND_ORDER, CANCEL_ORDER};

pub use pizza_contract::timeline::{
    Detail, Entry, Kind, Outcome, Source, SourceState, Sources, Timeline,
};

pub use history::BEFORE_RETRY;
pub use history::entries_of;
pub use merge::{ForeignHistory, from_histories};
pub use merge::{Placed, merged};

/// Hides what concerns operators alone: their names, their reasons, what the
/// messages of faults say of the machinery, and what kitchens call their
/// reports. The codes stay, and why the kitchen rejects an order: that is
/// written for the customer, also by an operator in a kitchen's place.
pub fn hide_operations(timeline: &mut Timeline) {
    timeline.entries.iter_mut().for_each(hide_in);
}

fn hide_in(entry: &mut Entry) {
    let is_operators = entry.detail.principal.take().is_some();
    entry.detail.report_id = None;
    let has_reason_for_customer = match entry.kind {
        Kind::Report => true,
        Kind::Request => {
            entry.detail.event.is_some() || (is_customers_request(entry) && !is_operators)
        }
        _ => false,
    };
    if !has_reason_for_customer {
        entry.detail.reason = None;
    }
    if !has_message_for_customer(entry) {
        entry.detail.message = None;
    }
}

/// Whether its message was written for the customer: it is a notification, or
/// an outside party's refusal, or why the order ends.
fn has_message_for_customer(entry: &Entry) -> bool {
    let is_engines = entry.detail.code.as_deref().is_none_or(payload::is_engines);
    match entry.kind {
        Kind::Notification => true,
        Kind::End => !is_engines,
        _ => entry.outcome == Some(Outcome::Refused) && !is_engines,
    }
}

fn is_customers_request(entry: &Entry) -> bool {
    let request = entry.detail.request.as_deref();
    request.is_some_and(|request| [AMEND_ORDER, CANCEL_ORDER].contains(&request))
}

/// An entry of the store's.
fn of_store(kind: Kind, at_ms: i64, what: impl Into<String>) -> Entry {
    Entry::new(Source::Store, kind, at_ms, what)
}
