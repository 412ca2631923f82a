//! Temporal's dev server as a child process, for programs and for tests that
//! need a Temporal of their own.
//!
//! [`locate`] finds the Temporal CLI, whose one binary contains the dev server,
//! or fetches it; [`DevServer`] runs it, and ends it however its owner ends.
//! [`throw_away`] does both for a test in one call.

mod names;
mod server;
mod temporal_cli;
mod throw_away;

pub use names::SettingNames;
pub use pinned_wheel::{PROXIES, cache_dir, clear_environment};
pub use server::{DevServer, DevServerConfig, DevServerError};
pub use temporal_cli::{LocateError, LocateOptions, Origin, TemporalCli, locate};
pub use throw_away::{ThrowAwayError, throw_away};
