//! The plan of an order: which step follows which, what is tried again, what
//! is taken back, what is parked.
//!
//! Nothing here does I/O, reads a clock or draws a random number: workflows
//! are replayed from their histories, and must decide the same each time. The
//! crate depends on no crate that could; `clippy.toml` bans the rest.

mod branches;
mod change;
mod earlier_branches;
mod failure;
mod fulfilment;
mod fulfilment_state;
mod loyalty;
pub mod names;
mod order;
mod order_state;
mod pace;
mod parking;
mod reconciliation;
mod rollback;
mod search_attributes;
#[allow(
    missing_docs,
    clippy::unimplemented,
    reason = "the macros generate items without documentation, and never call the bodies"
)]
pub mod steps;

pub use change::amend::AmendReceipt;
pub use change::refusal::ChangeRefusal;
pub use change::signals::SettledChange;
pub use failure::{FAULT_CODES, FAULT_SENTENCE};
pub use fulfilment::ReportReceipt;
pub use fulfilment_state::FulfilmentWorkflow;
pub use loyalty::{LoyaltyOutcome, LoyaltyWorkflow};
pub use order_state::{OrderOutcome, OrderWorkflow};
pub use reconciliation::{Reconciliation, ReconciliationProgress, ReconciliationWorkflow};
pub use search_attributes::search_attributes;
