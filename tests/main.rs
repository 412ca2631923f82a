//! The journeys: the product, taken through its promises as real processes.
//!
//! Nothing is mocked and nothing of the product is called from inside. The
//! binary that these tests were built with runs as worker, gateway, kitchen,
//! client and `dev`, against a real Temporal server, and is watched from
//! outside: over HTTP and gRPC, in the Temporal CLI, and in the books.
//!
//! - `harness/` starts and ends processes, waits, asks and reads the books.
//!   One Temporal server in memory serves the whole run. A *world* is one
//!   shop of its own: a Temporal namespace, a SQLite file, and a worker, a
//!   gateway and, mostly, a kitchen. Journeys that break nothing share one.
//! - Every other file is one journey, or a few that belong together; each
//!   test is named after the promise that it keeps.
//! - `histories/` holds recorded histories, a folder for each build that they
//!   were recorded with, which `replay.rs` replays.
//!
//! Run them all with `cargo test -p pizza --test journeys`, and one with
//! `cargo test -p pizza --test journeys worker_killed`. Add `-- --nocapture`
//! to see figures. When a test fails, the ends of its processes' logs follow
//! its message; the whole logs stay under `target/tmp/journeys-<process id>`
//! until the next run.
//!
//! Record the histories that this build makes in a folder of their own with
//! `RECORD_HISTORIES=<folder> cargo test --workspace --test journeys -- scenarios failures \
//! amending cancelling rejection_at_any ended_from_outside resets`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a panic is how a test fails"
)]
#![allow(
    clippy::large_futures,
    reason = "a test's future lives once, on its own thread"
)]

mod access;
mod amending;
mod architecture;
mod audit;
mod bad_input;
mod bounds;
mod browser;
mod build_id;
mod cancelling;
mod cli;
mod contract;
mod cost;
mod delivered_or_refunded;
mod deploy;
mod deploys;
mod dev;
mod doors;
mod empty_variables;
mod encryption;
mod failures;
mod files;
mod finding;
mod gateway_killed;
mod guarded_temporal;
mod guards;
mod harness;
mod idempotency;
mod inspection;
mod kitchen;
mod kitchen_reports;
mod load;
mod menu;
mod namespace;
mod operator_pages;
mod output;
mod paused;
mod postgres;
mod races;
mod reconciliation;
mod recycling;
mod replay;
mod resets;
mod saga_description;
mod scenarios;
mod scenarios_command;
mod supply_chain;
mod telemetry;
mod temporal_away;
mod timeline;
mod topology;
mod watching;
mod wire;
mod worker_killed;
