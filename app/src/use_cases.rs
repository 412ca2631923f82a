//! What the use cases work with.

use std::sync::Arc;
use std::time::Duration;

use pizza_domain::{Menu, OrderId, Pace, StageDeadlines};
use pizza_store::Store;

use super::failure_queues::{QUEUES_KEPT, QueuesSoFar};
use super::lately::Lately;
use super::readiness::Missing;
use super::temporal::TemporalGateway;

/// The use cases, and what they work with.
#[derive(Clone, Debug)]
pub struct UseCases {
    /// Where orders are started and reports are sent.
    pub temporal: TemporalGateway,
    /// Where orders are looked up.
    pub store: Store,
    /// What the shop sells, and how long things may take.
    pub settings: Settings,
    /// What the last look at the first two found.
    pub(super) missing_lately: Lately<Missing>,
    /// How the failure queues stood when somebody last looked.
    pub(super) queues_lately: Lately<Arc<QueuesSoFar>>,
}

impl UseCases {
    /// The use cases with default settings.
    #[must_use]
    pub fn new(temporal: TemporalGateway, store: Store) -> Self {
        Self {
            temporal,
            store,
            settings: Settings::default(),
            missing_lately: Lately::default(),
            queues_lately: Lately::kept_for(QUEUES_KEPT),
        }
    }
}

/// What the shop sells, and how long things may take.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is sold, and at which prices.
    pub menu: Arc<Menu>,
    /// How long the kitchen may take for each stage. It is fixed in each order
    /// as it is placed.
    pub stages: StageDeadlines,
    /// Whether simulated errors are taken.
    pub fault_injection: bool,
    /// The longest wait after each status change that an order may ask for.
    pub longest_pace: Pace,
    /// The longest wait for Temporal to take an order or to tell of one,
    /// retries included.
    pub temporal_timeout: Duration,
    /// The longest wait for the saga's answer to a kitchen report, and for the
    /// end of a redrive. It takes a worker, so it is longer than the wait for
    /// Temporal alone.
    pub report_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            menu: Arc::default(),
            stages: StageDeadlines::all(Duration::from_secs(10)),
            fault_injection: false,
            longest_pace: Pace::MAX,
            temporal_timeout: Duration::from_secs(3),
            report_timeout: Duration::from_secs(8),
        }
    }
}

/// Lets the request's trace and its lines in the log say which order it is
/// about.
pub(crate) fn about_order(id: OrderId) {
    tracing::Span::current().record("order_id", tracing::field::display(id));
}
