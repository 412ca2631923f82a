//! The failure queues on a real dev server: one file for each promise.
//!
//! All tests share one server. Each has workers, task queues and failure
//! queues of its own, so they run side by side.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::large_futures,
    reason = "a panic is how a test fails, and a test is no workflow"
)]

mod harness;

mod auto_redrive;
mod bulk;
mod crash;
mod discard;
mod input;
mod limits;
mod list;
mod long;
mod park;
mod quickstart;
mod redrive;
