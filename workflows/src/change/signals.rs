//! The signals by which the order workflow and its fulfilment branch agree on a
//! change.

use pizza_domain::{CancelReason, Order, OrderStatus};
use serde::{Deserialize, Serialize};
use temporalio_workflow::{SignalWorkflowOptions, WorkflowCancellationToken};

/// What the order workflow asks of its fulfilment branch.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeRequest {
    /// Counts the questions of one order; the answer repeats it.
    pub number: u32,
    /// What is wanted.
    pub change: Change,
}

/// What is to be done with an order that the kitchen has.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// To give it up, for this reason.
    Cancel(CancelReason),
    /// To keep the kitchen from accepting it while it is amended.
    Amend,
}

/// The branch's word on a [`ChangeRequest`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeAnswer {
    /// The request's number.
    pub number: u32,
    /// The status that keeps the change from being made; none when it may be.
    pub refused: Option<OrderStatus>,
}

/// What became of an amendment that the branch waits for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettledChange {
    /// The order as it is now; none when it stays as it was.
    pub order: Option<Order>,
}

/// A signal that is sent also when the workflow was cancelled meanwhile.
pub(crate) fn detached() -> SignalWorkflowOptions {
    SignalWorkflowOptions::builder()
        .cancellation_token(WorkflowCancellationToken::new())
        .build()
}
