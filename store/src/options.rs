//! Where the store is, and how it is used.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use super::engine::Engine;
use super::{StoreError, postgres, sqlite};

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

    /// Whether there is an engine that can open this URL.
    ///
    /// # Errors
    /// When there is none. No text repeats the URL.
    pub fn check(&self) -> Result<(), StoreError> {
        Engine::of(&self.url)?.check(&self.url)
    }

    /// The URL as it may be shown: of a server only where it is, and of what
    /// cannot be read nothing but its scheme.
    #[must_use]
    pub fn shown_url(&self) -> String {
        shown(&self.url)
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

/// A URL for an error's text, which stands in logs: without its user, and
/// without parameters, in which a password may stand as well.
fn shown(url: &str) -> String {
    let (scheme, rest) = url.split_once(':').unwrap_or_default();
    let is_file = scheme == "sqlite";
    match Engine::of(url) {
        Ok(Engine::Sqlite) if sqlite::check(url).is_ok() => {
            url.split('?').next().unwrap_or_default().to_owned()
        }
        Ok(Engine::Postgres) if postgres::check(url).is_ok() => {
            let rest = rest.trim_start_matches('/');
            let rest = rest.split('?').next().unwrap_or_default();
            let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
            let slash = if url.contains(":///") { "/" } else { "" };
            format!("{scheme}://{slash}{place}")
        }
        _ if is_file || scheme.starts_with("postgres") => format!("{scheme}:..."),
        _ => "...".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_stays_out_of_what_is_shown() {
        for (url, expected) in [
            ("postgres://u:secret@h/db", "postgres://h/db"),
            ("postgres://u:se%40cret@h:5432/db", "postgres://h:5432/db"),
            (
                "postgresql://h/db?user=u&password=secret",
                "postgresql://h/db",
            ),
            ("postgres://u:sec?ret@h/db", "postgres:..."),
            ("postgres:/u:secret@h/db", "postgres:..."),
            ("password=secret host=h:5432", "..."),
            ("secret:x", "..."),
            ("sqlite://u:secret@h/db", "sqlite:..."),
            ("sqlite:a.db?key=secret", "sqlite:..."),
            ("sqlite:a.db?mode=rwc", "sqlite:a.db"),
            ("sqlite:/srv/a@b/pizza.db", "sqlite:/srv/a@b/pizza.db"),
            ("postgres:///db?host=/run", "postgres:///db"),
            ("sqlite:pizza.db", "sqlite:pizza.db"),
        ] {
            let options = StoreOptions::new(url);
            assert_eq!(options.shown_url(), expected);
            assert!(!format!("{options:?}").contains("cret"));
        }
    }
}
