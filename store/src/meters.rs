//! Every metric of the product: its name, its kind, its unit, its labels, and
//! how it is counted.
//!
//! The table is what `/metrics` describes, what `docs/metrics.md` is made of,
//! and what dashboards and alerts are held against. A label has few values,
//! all known: never an id, and nothing that a client chose.
//!
//! Where nobody exports, counting costs next to nothing, and nothing is read
//! only to be measured.

use std::sync::atomic::{AtomicBool, Ordering};

use failure_queue::DroppedMessage;
use metrics::{counter, gauge, histogram};
use pizza_domain::{CancelReason, KitchenReport, OrderStatus, Step};

/// A metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name, with its unit.
    pub name: &'static str,
    /// How its value moves.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [Label],
    /// Who exports it.
    pub process: Process,
    /// What it says, as a sentence.
    pub help: &'static str,
}

/// How a metric's value moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// It only grows, until its process starts anew.
    Counter,
    /// It comes and goes.
    Gauge,
    /// How many of what was measured lay below each of these bounds, in
    /// seconds.
    Histogram(&'static [f64]),
}

impl Kind {
    /// Its name in the documentation.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// A label of a metric.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Its values; none where the routes of the door, or what a build is made
    /// of, decide.
    pub values: Option<&'static [&'static str]>,
}

/// The process that exports a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// A gateway.
    Gateway,
    /// Every worker.
    Worker,
    /// The worker of the task queue `failures`.
    FailuresWorker,
    /// The worker of the task queue `reconciliation`.
    ReconciliationWorker,
    /// Gateways and workers.
    Each,
}

impl Process {
    /// Its name in the documentation.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Worker => "worker",
            Self::FailuresWorker => "worker of `failures`",
            Self::ReconciliationWorker => "worker of `reconciliation`",
            Self::Each => "gateway and worker",
        }
    }
}

/// From a request of some milliseconds to one that ran into its deadline.
const REQUEST_SECONDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// From a status that is passed in one breath to one that takes an evening.
const STATUS_SECONDS: &[f64] = &[
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 1800.0, 3600.0,
    14_400.0,
];

const DELIVERED: &str = "delivered";
const CANCELLED: &str = "cancelled";
const NO_STEP: &str = "none";
const ENDS: &[&str] = &[DELIVERED, CANCELLED];

/// The statuses of [`OrderStatus`] that others follow.
const OPEN_STATUSES: &[&str] = &[
    "Pending",
    "PaymentProcessing",
    "PaymentComplete",
    "CookingStarted",
    "CookingCompleted",
    "DeliveryStarted",
    "PaymentFailed",
    "Refunding",
];

/// The steps of [`Step`], and none: what a customer or an operator ended.
const STEPS: &[&str] = &{
    let mut names = [NO_STEP; Step::ALL.len() + 1];
    let mut place = 0;
    while place < Step::ALL.len() {
        names[place + 1] = Step::ALL[place].as_str();
        place += 1;
    }
    names
};

/// The stages of a ticket, by the report that ends each.
const STAGES: &[&str] = &["accepted", "cooked", "pickedUp", "delivered"];

/// The limits on how often one client may ask.
const RATES: &[&str] = &["orders", "requests", "staff", "wrong-keys", "health-checks"];

/// Why a gateway cuts a connection: no request came in time, a header was not
/// complete in time, an answer was not read, requests were given up, or it did
/// not finish in time after it was asked to close.
const CUT_REASONS: &[&str] = &["no-request", "slow-header", "unread", "resets", "grace"];

/// What a client needs a place for: a connection; an exchange, from the header
/// of a request to the last byte of its answer; a request whose body has come
/// and that waits for its answer; an order or a board that is watched.
const PLACES: &[&str] = &["connection", "exchange", "request", "stream"];

/// Whose places are all taken.
const BOUNDS: &[&str] = &["client", "all"];

const fn closed(name: &'static str, values: &'static [&'static str]) -> Label {
    Label {
        name,
        values: Some(values),
    }
}

const fn open(name: &'static str) -> Label {
    Label { name, values: None }
}

macro_rules! metrics {
    ($($id:ident: $name:literal, $kind:expr, $process:ident, [$($label:expr),*], $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $id: Metric = Metric {
                name: $name,
                kind: $kind,
                labels: &[$($label),*],
                process: Process::$process,
                help: $help,
            };
        )*

        /// All of them.
        pub const ALL: &[Metric] = &[$($id),*];
    };
}

metrics! {
    BUILD_INFO: "pizza_build_info", Kind::Gauge, Each,
        [open("version"), open("sdk")],
        "Always 1; its labels say which build runs.";
    LOG_LINES_DROPPED: "pizza_log_lines_dropped_total", Kind::Counter, Each,
        [],
        "Lines of the log that were dropped, because stderr was not read fast enough or could not be written.";
    ORDERS_ACCEPTED: "pizza_orders_accepted_total", Kind::Counter, Gateway,
        [],
        "Orders that Temporal took, and that a client was promised.";
    ORDERS_ENDED: "pizza_orders_ended_total", Kind::Counter, Worker,
        [closed("end", ENDS), closed("step", STEPS)],
        "Orders that ended, by their end and the step that failed.";
    ORDER_STATUS_SECONDS: "pizza_order_status_seconds", Kind::Histogram(STATUS_SECONDS), Worker,
        [closed("status", OPEN_STATUSES)],
        "How long an order that has ended was in each status, in seconds.";
    ORDERS_OPEN: "pizza_orders_open", Kind::Gauge, FailuresWorker,
        [closed("status", OPEN_STATUSES)],
        "Orders in the store that have not ended.";
    ORDERS_OPEN_AGE: "pizza_orders_open_oldest_age_seconds", Kind::Gauge, FailuresWorker,
        [closed("status", OPEN_STATUSES)],
        "Seconds since the last change of the order that has waited longest in a status; 0 when none is in it.";
    FAILURE_QUEUE_DEPTH: "pizza_failure_queue_depth", Kind::Gauge, FailuresWorker,
        [open("queue")],
        "Tasks that wait in a failure queue, by the store's books.";
    FAILURE_QUEUE_AGE: "pizza_failure_queue_oldest_age_seconds", Kind::Gauge, FailuresWorker,
        [open("queue")],
        "Seconds since the oldest task of a failure queue was parked; 0 when none waits.";
    BOOKS_READ_AT: "pizza_books_read_timestamp_seconds", Kind::Gauge, FailuresWorker,
        [],
        "When the books were last read for the depths and ages, in seconds since the Unix epoch.";
    KITCHEN_DEADLINES_MISSED: "pizza_kitchen_deadlines_missed_total", Kind::Counter, Worker,
        [closed("stage", STAGES)],
        "Orders that were given up because the kitchen did not report in time, by the report that was due.";
    IDEMPOTENT_REPLAYS: "pizza_idempotent_replays_total", Kind::Counter, Gateway,
        [closed("operation", Replay::NAMES)],
        "Orders and kitchen reports that were answered with what an earlier request had brought about. Amendments and redrives are not told apart: Temporal answers them with the earlier update.";
    ORDERS_RECONCILED: "pizza_orders_reconciled_total", Kind::Counter, ReconciliationWorker,
        [closed("outcome", Reconciled::NAMES)],
        "Orders whose record was brought in line with Temporal, or could not be.";
    MESSAGES_DROPPED: "pizza_messages_dropped_total", Kind::Counter, Worker,
        [open("workflow"), open("message")],
        "Signals that a workflow dropped because their input cannot be read, by the workflow's type and the signal's name.";
    AUDIT_VIOLATIONS: "pizza_audit_violations", Kind::Gauge, ReconciliationWorker,
        [open("invariant")],
        "Violations that the last audit of the store found, by what must hold.";
    AUDIT_RUN_AT: "pizza_audit_last_run_timestamp_seconds", Kind::Gauge, ReconciliationWorker,
        [],
        "When the last audit that got to its end did so, in seconds since the Unix epoch; 0 before the first.";
    AUDIT_RUN_SECONDS: "pizza_audit_last_run_duration_seconds", Kind::Gauge, ReconciliationWorker,
        [],
        "How long that audit took.";
    AUDIT_ORDERS: "pizza_audit_orders", Kind::Gauge, ReconciliationWorker,
        [],
        "Orders that it judged.";
    AUDIT_FAILURES: "pizza_audit_failures_total", Kind::Counter, ReconciliationWorker,
        [],
        "Audits that did not get to their end.";
    HTTP_REQUESTS: "pizza_http_requests_total", Kind::Counter, Gateway,
        [open("route"), open("method"), open("code")],
        "HTTP requests that were answered, by matched route, method and status code.";
    HTTP_REQUEST_SECONDS: "pizza_http_request_duration_seconds", Kind::Histogram(REQUEST_SECONDS), Gateway,
        [open("route"), open("method")],
        "Seconds from an HTTP request's header to its answer's; streams go on after that.";
    GRPC_REQUESTS: "pizza_grpc_requests_total", Kind::Counter, Gateway,
        [open("service"), open("method"), open("code")],
        "gRPC calls that were answered, by service, method and code; a stream counts as OK once it has begun.";
    GRPC_REQUEST_SECONDS: "pizza_grpc_request_duration_seconds", Kind::Histogram(REQUEST_SECONDS), Gateway,
        [open("service"), open("method")],
        "Seconds from a gRPC call to the header of its answer.";
    RATE_LIMITED: "pizza_rate_limited_total", Kind::Counter, Gateway,
        [closed("limit", RATES)],
        "Requests that were refused because their client asked too often, by the limit.";
    REQUESTS_IN_FLIGHT: "pizza_requests_in_flight", Kind::Gauge, Gateway,
        [],
        "Requests that wait for their answer.";
    CONNECTIONS: "pizza_connections", Kind::Gauge, Gateway,
        [],
        "Connections of clients.";
    CONNECTIONS_CUT: "pizza_connections_cut_total", Kind::Counter, Gateway,
        [closed("reason", CUT_REASONS)],
        "Connections that the gateway cut, by what their client did.";
    PLACES_REFUSED: "pizza_places_refused_total", Kind::Counter, Gateway,
        [closed("place", PLACES), closed("bound", BOUNDS)],
        "Connections, requests and streams for which there was no place, by what they needed a place for, and whether the client had too many or all together.";
    WATCHERS: "pizza_watchers", Kind::Gauge, Gateway,
        [],
        "Orders that are being watched.";
    STORE_ERRORS: "pizza_store_errors_total", Kind::Counter, Each,
        [closed("kind", StoreFault::NAMES)],
        "Statements that the store did not carry out, by what went wrong.";
    STORE_CONNECTIONS: "pizza_store_connections", Kind::Gauge, Each,
        [closed("state", &["idle", "used"])],
        "Connections to the store that are open.";
    STORE_CONNECTIONS_MAX: "pizza_store_connections_max", Kind::Gauge, Each,
        [],
        "Connections to the store that the process may open.";
}

static EXPORTED: AtomicBool = AtomicBool::new(false);

/// Says that this process exports its metrics, from now on.
pub fn exported() {
    EXPORTED.store(true, Ordering::Relaxed);
}

/// Whether this process exports its metrics.
pub(crate) fn are_exported() -> bool {
    EXPORTED.load(Ordering::Relaxed)
}

/// Counts an order that Temporal took.
pub fn order_accepted() {
    counter!(ORDERS_ACCEPTED.name).increment(1);
}

/// Counts an order that ended, and a deadline of the kitchen that it ended by.
/// `due` is the report that nobody made.
pub(crate) fn order_ended(
    end: OrderStatus,
    cancelled: Option<&CancelReason>,
    due: Option<KitchenReport>,
) {
    let end = match end {
        OrderStatus::DeliveryConfirmed => DELIVERED,
        _ => CANCELLED,
    };
    let step = cancelled.map_or(NO_STEP, |reason| reason.step.as_str());
    counter!(ORDERS_ENDED.name, "end" => end, "step" => step).increment(1);
    if let Some(due) = due {
        counter!(KITCHEN_DEADLINES_MISSED.name, "stage" => due.as_str()).increment(1);
    }
}

/// Measures how long an order was in a status.
pub(crate) fn order_was_in(status: OrderStatus, milliseconds: i64) {
    let seconds = std::time::Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0));
    histogram!(ORDER_STATUS_SECONDS.name, "status" => status.as_str()).record(seconds);
}

/// Counts a signal that a workflow dropped.
pub fn message_dropped(dropped: DroppedMessage<'_>) {
    let workflow = dropped.workflow_type.to_owned();
    counter!(MESSAGES_DROPPED.name, "workflow" => workflow, "message" => dropped.message)
        .increment(1);
}

/// What was asked for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// Orders, under the same key.
    PlaceOrder,
    /// A kitchen's report.
    ReportKitchenEvent,
}

impl Replay {
    const NAMES: &[&str] = &["placeOrder", "reportKitchenEvent"];

    /// Counts it.
    pub fn count(self) {
        counter!(IDEMPOTENT_REPLAYS.name, "operation" => Self::NAMES[self as usize]).increment(1);
    }
}

/// What became of an order that was held against Temporal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconciled {
    /// Written as delivered.
    DeliveryConfirmed,
    /// Written as cancelled.
    Cancelled,
    /// Being rolled back.
    RolledBack,
    /// Delivered, although it was ended from outside.
    RecoveredDelivered,
    /// Not brought in line.
    Stuck,
}

impl Reconciled {
    const NAMES: &[&str] = &[
        "deliveryConfirmed",
        "cancelled",
        "rolledBack",
        "recoveredDelivered",
        "stuck",
    ];

    /// Counts one.
    pub fn count(self) {
        counter!(ORDERS_RECONCILED.name, "outcome" => Self::NAMES[self as usize]).increment(1);
    }
}

/// What went wrong with a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreFault {
    /// The database refused it.
    Database,
    /// No connection was free in time.
    PoolTimedOut,
    /// The connection was lost, or none could be made.
    Connection,
    /// Anything else.
    Other,
}

impl StoreFault {
    const NAMES: &[&str] = &["database", "poolTimedOut", "connection", "other"];

    pub(crate) const fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(_) => Self::Database,
            sqlx::Error::PoolTimedOut => Self::PoolTimedOut,
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolClosed => Self::Connection,
            _ => Self::Other,
        }
    }

    pub(crate) fn count(self) {
        counter!(STORE_ERRORS.name, "kind" => Self::NAMES[self as usize]).increment(1);
    }
}

/// Counts one of what comes and goes for as long as it is kept.
#[derive(Debug)]
pub struct Present(&'static str);

impl Present {
    /// One more of `metric`, which is a gauge without labels.
    #[must_use]
    pub fn of(metric: Metric) -> Self {
        gauge!(metric.name).increment(1);
        Self(metric.name)
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        gauge!(self.0).decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use pizza_domain::Step;

    use super::*;

    #[test]
    fn labels_have_the_names_of_the_domain() {
        let open: Vec<_> = OrderStatus::ALL
            .iter()
            .filter(|status| !status.is_final())
            .map(|status| status.as_str())
            .collect();
        assert_eq!(OPEN_STATUSES, open);
        assert_eq!(STEPS[1..], Step::ALL.map(Step::as_str));
        assert_eq!(STAGES, KitchenReport::WAY.map(KitchenReport::as_str));
    }

    #[test]
    fn names_say_their_kind_and_unit() {
        for metric in ALL {
            let name = metric.name;
            assert!(name.starts_with("pizza_"), "{name}");
            assert_eq!(
                name.ends_with("_total"),
                metric.kind == Kind::Counter,
                "{name}"
            );
            if let Kind::Histogram(bounds) = metric.kind {
                assert!(name.ends_with("_seconds"), "{name}");
                assert!(bounds.is_sorted(), "{name}");
            }
            assert!(metric.help.ends_with('.'), "{name}");
        }
        let names: std::collections::HashSet<_> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), ALL.len());
    }
}
