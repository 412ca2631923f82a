//! The plan of an order: which step follows which, what is tried again, what
//! is taken back, what is parked.
//!
//! Nothing here does I/O, reads a clock or draws a random number: workflows
//! are replayed from their histories, and must decide the same each time. The
//! crate depends on no crate that could; `clippy.toml` bans the rest.

mod failed_task;
mod failure;
mod fulfilment;
mod loyalty;
pub mod names;
mod order;
pub mod parking;
mod policy;
mod rollback;
mod runner;
pub mod steps;

pub use failed_task::FailedTaskWorkflow;
pub use failure::StepFailure;
pub use fulfilment::{FulfilmentWorkflow, ReportReceipt};
pub use loyalty::{LoyaltyOutcome, LoyaltyWorkflow};
pub use order::{OrderOutcome, OrderWorkflow, search_attributes};
pub use policy::StepPolicy;
