//! PostgreSQL as a child process, for tests that need a real one (the feature `postgres`).
//!
//! [`locate`] finds PostgreSQL on this machine or fetches it; [`PostgresServer`] runs it on a
//! data folder of its own, and ends it however its owner ends; [`shared`] does both once for
//! all tests of a process. PostgreSQL refuses to run as root: started by root, it runs as
//! `nobody`.

mod error;
mod installation;
mod server;
mod shared;
mod user;

pub use error::PostgresError;
pub use installation::{Installation, locate};
pub use server::PostgresServer;
pub use shared::{SharedServer, shared};
