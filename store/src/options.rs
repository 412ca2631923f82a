//! Where the store is, and how it is used.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use super::sqlite;

/// How long a caller waits for a free connection, for another who holds what
/// it needs, or for an answer, before it is told that the store is away.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Connections of one process. SQLite has one writer at a time, the others
/// serve readers; of PostgreSQL's, by default a hundred for all that there
/// are, twelve processes have enough.
const CONNECTIONS: u32 = 8;

/// Where the store is, and how it is used. Its `Debug` shows no password.
#[derive(Clone)]
pub struct StoreOptions {
    /// `sqlite:PATH`, `postgres://...` or `postgresql://...`.
    pub url: String,
    /// The most connections of this process.
    pub connections: u32,
    /// How long a caller waits for a free connection, and how long a
    /// statement may take; half of it for a lock. A whole operation takes no
    /// longer than twice that, and a second.
    pub timeout: Duration,
}

impl StoreOptions {
    /// The store at this URL, used as is usual.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            connections: CONNECTIONS,
            timeout: TIMEOUT,
        }
    }

    /// The store in this file of SQLite, used as is usual.
    #[must_use]
    pub fn in_file(file: &Path) -> Self {
        Self::new(sqlite::url_of(file))
    }

    /// How long an operation may take, all in all.
    pub(super) fn patience(&self) -> Duration {
        2 * self.timeout + Duration::from_secs(1)
    }
}

impl From<&str> for StoreOptions {
    fn from(url: &str) -> Self {
        Self::new(url)
    }
}

impl From<&String> for StoreOptions {
    fn from(url: &String) -> Self {
        Self::new(url)
    }
}

impl fmt::Debug for StoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreOptions")
            .field("url", &self.shown_url())
            .field("connections", &self.connections)
            .field("timeout", &self.timeout)
            .finish()
    }
}
