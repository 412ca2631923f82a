//! Temporal's dev server: where its program comes from, and how it is run.

mod cli;
mod names;
mod server;
mod throw_away;

pub use cli::{LocateError, LocateOptions, Origin, TemporalCli, locate};
pub use names::SettingNames;
pub use server::{DevServer, DevServerConfig, DevServerError};
pub use throw_away::{ThrowAwayError, throw_away};
