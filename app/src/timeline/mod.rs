//! The business history of one order in one list.
//!
//! What happened comes from two sources. The store knows what an observer saw
//! and what the parties booked ([`books`]); the histories of the order's
//! workflows know which steps were taken, how often each was tried and what
//! was waited for ([`entries_of`]). Both become [`Entry`]s, and [`merged`]
//! puts them into one list. Nothing here does I/O, so that a timeline is drawn
//! from exported histories as well.

mod books;
mod detail;
mod history;
mod merge;
mod payload;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

pub use detail::Detail;
pub use history::BEFORE_RETRY;
pub use history::entries_of;
pub use merge::{ForeignHistory, from_histories};
pub use merge::{Placed, merged};

/// What happened to an order, in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timeline {
    /// The order's id; `null` when it is drawn from histories that name none.
    #[schema(required = true, format = "uuid")]
    pub order_id: Option<String>,
    /// When it was accepted; `null` when that is not known.
    #[serde(with = "optional_time")]
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    pub placed_at: Option<i64>,
    /// What was read.
    pub sources: Sources,
    /// Whether there is more than this: a source held more than is told.
    pub truncated: bool,
    /// What happened, the first first.
    pub entries: Vec<Entry>,
}

/// What a timeline was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TimelineSources)]
pub struct Sources {
    /// Statuses, ledgers, reports, notifications, parked tasks.
    pub store: SourceState,
    /// Steps, waits, requests, the ends of workflows.
    pub temporal: SourceState,
}

/// What was had from a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TimelineSourceState)]
pub enum SourceState {
    /// Everything that it has.
    Read,
    /// A part: it stopped answering on the way.
    Partial,
    /// Nothing: it has nothing, or not any more.
    Empty,
    /// Nothing: it did not answer.
    Unavailable,
    /// It was not asked.
    NotAsked,
}

/// Where an entry comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TimelineSource)]
pub enum Source {
    /// The store.
    Store,
    /// A workflow's history.
    Temporal,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TimelineEntry)]
pub struct Entry {
    /// When it happened or began, with milliseconds.
    #[serde(rename = "at", with = "time")]
    #[schema(value_type = String, format = DateTime)]
    pub at_ms: i64,
    /// What kind of thing.
    pub kind: Kind,
    /// Who tells of it.
    pub source: Source,
    /// What happened, in a few words for people.
    pub what: String,
    /// How often a step was tried. Missing while that is not known: a regular
    /// step's attempts are in its history once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// How long it took, in milliseconds; missing while it is under way, and
    /// for what takes no time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// How it ended; missing for what has no outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// More for programs; which fields there are depends on the kind.
    pub detail: Detail,
}

/// The kinds of entries. Their names do not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TimelineKind)]
pub enum Kind {
    /// The order was accepted.
    Placed,
    /// A workflow of the order started, or went on in a new run.
    Start,
    /// Somebody asked something of a workflow: a kitchen report, a change, a
    /// redrive.
    Request,
    /// A step was taken.
    Step,
    /// Something was waited for.
    Wait,
    /// An entry in the payment provider's books.
    Payment,
    /// An entry in the loyalty programme's books.
    Points,
    /// A kitchen report was written down.
    Report,
    /// The customer changed the order.
    Amendment,
    /// The order's status changed, and what else changed with it.
    Status,
    /// The order changed in something else: its money, points or pizza.
    Change,
    /// The customer was told something.
    Notification,
    /// A step that failed for good was parked, is done after all, or was let
    /// go.
    ParkedTask,
    /// A workflow of the order ended.
    End,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Placed,
        Self::Start,
        Self::Request,
        Self::Step,
        Self::Wait,
        Self::Payment,
        Self::Points,
        Self::Report,
        Self::Amendment,
        Self::Status,
        Self::Change,
        Self::Notification,
        Self::ParkedTask,
        Self::End,
    ];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Start => "start",
            Self::Request => "request",
            Self::Step => "step",
            Self::Wait => "wait",
            Self::Payment => "payment",
            Self::Points => "points",
            Self::Report => "report",
            Self::Amendment => "amendment",
            Self::Status => "status",
            Self::Change => "change",
            Self::Notification => "notification",
            Self::ParkedTask => "parkedTask",
            Self::End => "end",
        }
    }
}

/// How something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TimelineOutcome)]
pub enum Outcome {
    /// As it should. A wait is ok when its time is over.
    Ok,
    /// An outside party, or a workflow, said no.
    Refused,
    /// It met a fault, as often as it may be tried.
    Failed,
    /// It was called off. A wait is cancelled when what it waited for came.
    Cancelled,
    /// It was ended from outside.
    Terminated,
    /// It did not end within the time that it was given.
    TimedOut,
    /// It goes on in a new run.
    ContinuedAsNew,
    /// It is under way.
    Running,
}

impl Outcome {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Terminated => "terminated",
            Self::TimedOut => "timedOut",
            Self::ContinuedAsNew => "continuedAsNew",
            Self::Running => "running",
        }
    }
}

impl Timeline {
    /// Hides what concerns operators alone: their names, their reasons, what
    /// the messages of faults say of the machinery, and what kitchens call
    /// their reports. The codes stay, and why the kitchen rejects an order: that
    /// is written for the customer, also by an operator in a kitchen's place.
    pub fn hide_operations(&mut self) {
        for entry in &mut self.entries {
            entry.hide_operations();
        }
    }
}

impl Entry {
    fn hide_operations(&mut self) {
        let is_operators = self.detail.principal.take().is_some();
        self.detail.report_id = None;
        let has_reason_for_customer = match self.kind {
            Kind::Report => true,
            Kind::Request => {
                self.detail.event.is_some() || (self.is_customers_request() && !is_operators)
            }
            _ => false,
        };
        if !has_reason_for_customer {
            self.detail.reason = None;
        }
        if !self.has_message_for_customer() {
            self.detail.message = None;
        }
    }

    /// Whether its message was written for the customer: it is a notification,
    /// or an outside party's refusal, or why the order ends.
    fn has_message_for_customer(&self) -> bool {
        let is_engines = self.detail.code.as_deref().is_none_or(payload::is_engines);
        match self.kind {
            Kind::Notification => true,
            Kind::End => !is_engines,
            _ => self.outcome == Some(Outcome::Refused) && !is_engines,
        }
    }

    fn is_customers_request(&self) -> bool {
        use pizza_workflows::names::message::{AMEND_ORDER, CANCEL_ORDER};
        let request = self.detail.request.as_deref();
        request.is_some_and(|request| [AMEND_ORDER, CANCEL_ORDER].contains(&request))
    }

    fn new(source: Source, kind: Kind, at_ms: i64, what: impl Into<String>) -> Self {
        Self {
            at_ms,
            kind,
            source,
            what: what.into(),
            attempts: None,
            duration_ms: None,
            outcome: None,
            detail: Detail::default(),
        }
    }

    fn of_store(kind: Kind, at_ms: i64, what: impl Into<String>) -> Self {
        Self::new(Source::Store, kind, at_ms, what)
    }
}

/// A time in milliseconds since the Unix epoch, as RFC 3339 in UTC with
/// milliseconds. One beyond the year 9999 is none that anybody wrote.
fn rfc_3339(milliseconds: i64) -> String {
    let time = Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{time:.3}")
}

/// Times in JSON.
mod time {
    use super::{Deserialize, Deserializer, Serializer, Timestamp, rfc_3339};

    pub(super) fn serialize<S: Serializer>(at_ms: &i64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&rfc_3339(*at_ms))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
        let time = String::deserialize(from)?.parse::<Timestamp>();
        time.map(|time| time.as_millisecond())
            .map_err(serde::de::Error::custom)
    }
}

/// Times in JSON that may be missing.
mod optional_time {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Timestamp, rfc_3339};

    pub(super) fn serialize<S: Serializer>(at_ms: &Option<i64>, to: S) -> Result<S::Ok, S::Error> {
        at_ms.map(rfc_3339).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
        let Some(text) = Option::<String>::deserialize(from)? else {
            return Ok(None);
        };
        let time = text.parse::<Timestamp>();
        time.map(|time| Some(time.as_millisecond()))
            .map_err(serde::de::Error::custom)
    }
}
