//! What happened to an order: its timeline.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
#[cfg(feature = "schema")]
use utoipa::ToSchema;

use crate::names::names;

/// What happened to an order, in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema))]
pub struct Timeline {
    /// The order's id; `null` when it is drawn from histories that name none.
    #[cfg_attr(feature = "schema", schema(required = true, format = "uuid"))]
    pub order_id: Option<String>,
    /// When it was accepted; `null` when that is not known.
    #[serde(with = "optional_time")]
    #[cfg_attr(feature = "schema", schema(required = true, value_type = Option<String>, format = DateTime))]
    pub placed_at: Option<i64>,
    /// What was read.
    pub sources: Sources,
    /// Whether there is more than this: a source held more than is told.
    pub truncated: bool,
    /// What happened, the first first.
    pub entries: Vec<Entry>,
}

/// What a timeline was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema), schema(as = TimelineSources))]
pub struct Sources {
    /// Statuses, ledgers, reports, notifications, parked tasks.
    pub store: SourceState,
    /// Steps, waits, requests, the ends of workflows.
    pub temporal: SourceState,
}

/// What was had from a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema), schema(as = TimelineSourceState))]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema), schema(as = TimelineSource))]
pub enum Source {
    /// The store.
    Store,
    /// A workflow's history.
    Temporal,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(ToSchema), schema(as = TimelineEntry))]
pub struct Entry {
    /// When it happened or began, with milliseconds.
    #[serde(rename = "at", with = "time")]
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
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

names! {
    /// The kinds of entries. Their names do not change.
    #[derive(Hash)]
    #[cfg_attr(feature = "schema", schema(as = TimelineKind))]
    Kind {
        /// The order was accepted.
        Placed = "placed",
        /// A workflow of the order started, or went on in a new run.
        Start = "start",
        /// Somebody asked something of a workflow: a kitchen report, a change, a
        /// redrive.
        Request = "request",
        /// A step was taken.
        Step = "step",
        /// Something was waited for.
        Wait = "wait",
        /// An entry in the payment provider's books.
        Payment = "payment",
        /// An entry in the loyalty programme's books.
        Points = "points",
        /// A kitchen report was written down.
        Report = "report",
        /// The customer changed the order.
        Amendment = "amendment",
        /// The order's status changed, and what else changed with it.
        Status = "status",
        /// The order changed in something else: its money, points or pizza.
        Change = "change",
        /// The customer was told something.
        Notification = "notification",
        /// A step that failed for good was parked, is done after all, or was let
        /// go.
        ParkedTask = "parkedTask",
        /// A workflow of the order ended.
        End = "end",
    }
}

names! {
    /// How something ended.
    #[cfg_attr(feature = "schema", schema(as = TimelineOutcome))]
    Outcome {
        /// As it should. A wait is ok when its time is over.
        Ok = "ok",
        /// An outside party, or a workflow, said no.
        Refused = "refused",
        /// It met a fault, as often as it may be tried.
        Failed = "failed",
        /// It was called off. A wait is cancelled when what it waited for came.
        Cancelled = "cancelled",
        /// It was ended from outside.
        Terminated = "terminated",
        /// It did not end within the time that it was given.
        TimedOut = "timedOut",
        /// It goes on in a new run.
        ContinuedAsNew = "continuedAsNew",
        /// It is under way.
        Running = "running",
    }
}

impl Entry {
    /// An entry of which no more is known than that it happened.
    #[must_use]
    pub fn new(source: Source, kind: Kind, at_ms: i64, what: impl Into<String>) -> Self {
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
}

/// More on an entry. What does not concern its kind is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[cfg_attr(feature = "schema", derive(ToSchema), schema(as = TimelineDetail))]
pub struct Detail {
    /// The workflow that it happened in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_id: Option<String>,
    /// A step's activity: `processPayment` for example.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity: Option<String>,
    /// Whether a step ended inside its workflow task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local: Option<bool>,
    /// How long a wait was to be, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
    /// What was asked for: `cancelOrder`, `amendOrder`, `reportKitchenEvent`,
    /// `redrive`, `discard`, `queuePolicy`, or `cancelWorkflow`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The code of a failure or a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What a failure or a refusal says, or what a customer was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The number of a change, as in the order's `version`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// The status, if it changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// What became of the money, if that changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub money: Option<String>,
    /// What became of the points, if that changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points: Option<String>,
    /// What is on the pizza.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flavour: Option<String>,
    /// How large it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// How many there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<i64>,
    /// What is to be paid, in minor units (cents).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
    /// The amendment's number, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amendment: Option<i64>,
    /// What was booked: `charge`, `refund`, `void`, `award`, `reclaim`,
    /// `adjust`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// How much: minor units (cents) of money, or points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<i64>,
    /// What the kitchen reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The report's own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report_id: Option<String>,
    /// The id of a parked task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// Its queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// What it is about: `RefundPaymentFailed` for example.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_type: Option<String>,
    /// Where it stands then: `parked`, `done` or `discarded`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Who did it or asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// Why, in the words of whoever did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
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
