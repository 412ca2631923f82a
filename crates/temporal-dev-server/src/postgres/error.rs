//! What can go wrong.

use std::{io, path::PathBuf, time::Duration};

/// Why there is no PostgreSQL.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// Nothing was found and nothing could be fetched.
    #[error(
        "no PostgreSQL was found and none could be fetched. Tried:\n  - {}\n\
         Install PostgreSQL ({oldest} or newer), so that `postgres` and `initdb` are on PATH.",
        tried.join("\n  - ")
    )]
    NotFound {
        /// What was tried and why it came to nothing.
        tried: Vec<String>,
        /// The oldest version that is taken.
        oldest: u32,
    },
    /// The data folder could not be made.
    #[error("initdb failed: {0}")]
    InitDb(String),
    /// The server ended, or did not get ready.
    #[error("PostgreSQL did not start within {deadline:?}: {reason}\n{tail}")]
    NotReady {
        /// How long was waited.
        deadline: Duration,
        /// What happened last.
        reason: String,
        /// The end of its log.
        tail: String,
    },
    /// A file or a process could not be made.
    #[error("{path}: {source}")]
    System {
        /// What it was about.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The server refused what it was asked for.
    #[error("PostgreSQL refused: {0}")]
    Refused(#[from] sqlx::Error),
    /// The URL of the server that is to be used is none.
    #[error("{variable} is not the URL of a PostgreSQL server (postgres://user@host:port/db)")]
    Url {
        /// The variable that names it.
        variable: &'static str,
    },
}

impl PostgresError {
    pub(super) fn system(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::System { path, source }
    }
}
