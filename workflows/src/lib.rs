//! The plan of an order: which step follows which, what is tried again, what
//! is taken back, what is parked.
//!
//! Nothing here does I/O, reads a clock or draws a random number: workflows
//! are replayed from their histories, and must decide the same each time. The
//! crate depends on no crate that could; `clippy.toml` bans the rest.

mod branches;
mod change;
mod failure;
mod fulfilment;
mod loyalty;
pub mod names;
mod order;
mod pace;
pub mod parking;
mod policy;
mod reconciliation;
mod rollback;
pub mod saga;
pub mod steps;

pub use change::{AmendReceipt, ChangeRefusal, SettledChange};
pub use failure::{FAULT_CODES, FAULT_SENTENCE};
pub use fulfilment::{FulfilmentWorkflow, ReportReceipt};
pub use loyalty::{LoyaltyOutcome, LoyaltyWorkflow};
pub use order::{OrderOutcome, OrderWorkflow, search_attributes};
pub use reconciliation::{Reconciliation, ReconciliationProgress, ReconciliationWorkflow};
