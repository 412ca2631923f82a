//! Replays recorded Temporal workflow histories with the workflows of this build.
//!
//! [`read_history`] reads a history as the Temporal CLI, the UI or the SDK writes it; a
//! [`Replayer`] runs it through the workflows that it was given, and says whether they do again
//! what the history says. Where they do not, a [`Fault`] says what is wrong and at which event.
//! [`Identity`] is what a history says of itself.

mod fault;
mod history_json;
mod identity;
mod replayer;

pub use fault::{Fault, Kind};
pub use history_json::{HistoryFileError, HistoryJsonError, parse_history, read_history, start_of};
pub use identity::Identity;
pub use replayer::{Registration, Replayed, Replayer};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
