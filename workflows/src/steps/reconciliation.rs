//! Steps of the reconciliation of the orders' records with Temporal.

use failure_queue::Bytes;
use serde::{Deserialize, Serialize};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;

use crate::names::activity;

/// How many orders were looked at, and what was found or done. What a page had
/// done before its worker was lost is in the log, and not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReconciliationCounts {
    /// Looked at: orders without an end for some time, and ended workflows
    /// that left something undone.
    pub looked: u64,
    /// Of these, under way, and left alone.
    pub running: u64,
    /// Written as delivered: the last write had been lost.
    pub delivery_confirmed: u64,
    /// Written as cancelled: the last write had been lost.
    pub cancelled: u64,
    /// Taken up again to be rolled back.
    pub rolled_back: u64,
    /// Taken up again since the food is at the door.
    pub recovered_delivered: u64,
    /// Left to a person: the log says why.
    pub stuck: u64,
}

impl ReconciliationCounts {
    /// How many were mended.
    #[must_use]
    pub const fn mended(&self) -> u64 {
        self.delivery_confirmed + self.cancelled + self.rolled_back + self.recovered_delivered
    }

    /// Counts these as well.
    pub const fn add(&mut self, more: &Self) {
        self.looked += more.looked;
        self.running += more.running;
        self.delivery_confirmed += more.delivery_confirmed;
        self.cancelled += more.cancelled;
        self.rolled_back += more.rolled_back;
        self.recovered_delivered += more.recovered_delivered;
        self.stuck += more.stuck;
    }
}

/// Where a list of orders goes on: after this one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// When it last changed, in milliseconds since the Unix epoch.
    pub updated_at_ms: i64,
    /// Which of those that changed then.
    pub order_id: String,
}

/// The two lists that are gone through, and where each goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "list", content = "after")]
pub enum ReconciliationPart {
    /// The store's orders that have no end, the longest unchanged first.
    OpenOrders(Place),
    /// Temporal's order workflows that were ended from outside.
    EndedWorkflows(Bytes),
}

/// A page of one of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReconciliationPage {
    /// Which.
    pub part: ReconciliationPart,
    /// Only what has not changed since then, in milliseconds since the Unix
    /// epoch.
    pub unchanged_since_ms: i64,
}

/// What became of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReconciledPage {
    /// What was found and done.
    pub counts: ReconciliationCounts,
    /// The page that follows; none after the last.
    pub next: Option<ReconciliationPart>,
}

/// Steps of the reconciliation.
pub struct ReconciliationSteps;

// What an implementation names in `#[activity(definition = ...)]`.
pub use reconciliation_steps::ReconcilePage;

#[activity_definitions]
impl ReconciliationSteps {
    /// Brings a page of orders in line with Temporal. Run again, it finds done
    /// what was done.
    #[activity(name = activity::RECONCILE_PAGE)]
    pub fn reconcile_page(page: ReconciliationPage) -> Result<ReconciledPage, ActivityError> {
        unimplemented!()
    }
}
