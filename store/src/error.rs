//! Why the store could not be used, and whether trying again makes sense.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use sqlx::error::DatabaseError;

use crate::meters::StoreFault;

/// Why the store could not be used. No text holds a password.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be opened.
    #[error("the store at {url} cannot be opened")]
    Open {
        /// Where it was looked for.
        url: String,
        /// What went wrong.
        source: sqlx::Error,
    },
    /// The file cannot be opened, or may not be trusted.
    #[error("the store at {url} cannot be opened")]
    File {
        /// Where it was looked for.
        url: String,
        /// What went wrong.
        source: io::Error,
    },
    /// The URL is not one of a store.
    #[error("a store's URL begins with sqlite: or postgres:// (or postgresql://)")]
    Scheme,
    /// The URL is not one of a file that SQLite can open.
    #[error("the store cannot be this file: {reason}")]
    Path {
        /// Why not.
        reason: &'static str,
    },
    /// The URL is not one of a PostgreSQL database.
    #[error("this is not the URL of a PostgreSQL database: {reason}")]
    PostgresUrl {
        /// Why not. It repeats nothing of the URL, where a password may stand.
        reason: &'static str,
    },
    /// The file was removed or replaced since it was opened.
    #[error(
        "{} is not the file that was opened: it was removed, or another one was put in its place",
        path.display()
    )]
    Replaced {
        /// The file, or one that SQLite keeps beside it.
        path: PathBuf,
    },
    /// The URL names no file: the books would be lost with each connection.
    #[error("a store on SQLite has to be in a file, sqlite:PATH: in memory, the books are lost")]
    InMemory,
    /// The texts of the database are not Unicode.
    #[error("the store at {url} keeps texts as {encoding}; it has to be a database in UTF8")]
    Encoding {
        /// Where it is.
        url: String,
        /// How it keeps them.
        encoding: String,
    },
    /// There is no database, and none was to be made.
    #[error("there is no store at {url}")]
    Missing {
        /// Where it was looked for.
        url: String,
    },
    /// The database is none of ours, or older than this version.
    #[error(
        "the store at {url} has not the schema of this version; \
         `pizza migrate`, a worker or a gateway of this version brings it up to date"
    )]
    Outdated {
        /// Where it is.
        url: String,
    },
    /// The schema is not one that this version can bring up to date.
    #[error("the store's schema cannot be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The database is away, locked, full, read-only or overrun.
    #[error("the store did not answer")]
    Unavailable(#[source] sqlx::Error),
    /// The database has said nothing for so long that it is given up.
    #[error("the store did not answer within {waited:?}")]
    TooSlow {
        /// How long was waited.
        waited: Duration,
    },
    /// The database is damaged, or was asked for what it can never do.
    #[error("the store cannot do that")]
    Broken(#[source] sqlx::Error),
    /// A parked task that belongs to no order cannot be booked.
    #[error("the task names no order or no customer: {0}")]
    ForeignTask(#[source] pizza_domain::InvalidField),
    /// A row holds what this version never writes.
    #[error("the store holds an unreadable value: {0}")]
    Corrupt(#[from] pizza_domain::InvalidField),
}

impl StoreError {
    /// Whether the same may succeed later, without anybody's repair of the
    /// program, its configuration or the data. What was to be written may
    /// have been: whoever tries again does so under the same key.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            // The process with a replaced file ends; another one has the right one.
            Self::Unavailable(_) | Self::TooSlow { .. } | Self::Replaced { .. } => true,
            Self::Open { source, .. } => is_away(source),
            // A link that leads nowhere, or a file that was taken away, stays so.
            Self::File { source, .. } => {
                !trusted_files::is_untrusted(source) && source.kind() != io::ErrorKind::NotFound
            }
            Self::Migrate(sqlx::migrate::MigrateError::Execute(source)) => is_away(source),
            _ => false,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    /// The one way in which a statement's failure becomes ours, so it is
    /// counted here.
    fn from(error: sqlx::Error) -> Self {
        StoreFault::of(&error).count();
        if is_broken(&error) {
            Self::Broken(error)
        } else {
            Self::Unavailable(error)
        }
    }
}

/// Why a file is not opened.
#[derive(Debug)]
pub(super) enum OpenError {
    /// The URL is none of a file.
    Url(StoreError),
    /// The system does not open it, or it may not be trusted.
    File(io::Error),
    /// The database does not open it.
    Refused(sqlx::Error),
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        Self::Url(error)
    }
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        Self::Refused(error)
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

/// Whether no later try can have another answer. All else may pass: a table
/// that is not there yet is there once the schema is up to date.
fn is_broken(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => refusal(error.as_ref()).is_some_and(Refusal::is_final),
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_)
        | sqlx::Error::Encode(_)
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::TypeNotFound { .. }
        | sqlx::Error::RowNotFound => true,
        _ => false,
    }
}

/// Whether nobody is there yet, or not for us: a database that starts.
fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(error) => refusal(error.as_ref()) == Some(Refusal::Away),
        _ => false,
    }
}

/// Why a database refuses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// It is starting, stopping, overrun, locked, full or read-only.
    Away,
    /// It is damaged.
    Damaged,
    /// It will never take this value.
    Value,
}

impl Refusal {
    fn is_final(self) -> bool {
        self != Self::Away
    }
}

fn refusal(error: &dyn DatabaseError) -> Option<Refusal> {
    let code = error.code()?;
    if error.as_error().is::<sqlx::postgres::PgDatabaseError>() {
        refusal_of_postgres(&code)
    } else {
        refusal_of_sqlite(&code)
    }
}

/// PostgreSQL's codes have five characters, whose first two are a class
/// (appendix A of its manual).
fn refusal_of_postgres(code: &str) -> Option<Refusal> {
    match code.get(..2)? {
        // Connections, transactions that got into each other's way,
        // resources, locks, operators, the system.
        "08" | "40" | "53" | "55" | "57" | "58" => Some(Refusal::Away),
        // Read-only: a replica that is not the primary any more.
        "25" => Some(Refusal::Away),
        "22" | "23" => Some(Refusal::Value),
        "XX" => Some(Refusal::Damaged),
        _ => None,
    }
}

/// SQLite's codes are numbers, whose last eight bits are the primary one (its
/// `rescode.html`).
fn refusal_of_sqlite(code: &str) -> Option<Refusal> {
    match code.parse::<u32>().ok()? & 0xff {
        // Busy, locked, out of memory, read-only, I/O, full, cannot open.
        5 | 6 | 7 | 8 | 10 | 13 | 14 => Some(Refusal::Away),
        11 | 26 => Some(Refusal::Damaged),
        // Constraints, mismatches. A trigger's is somebody's own lock.
        19 if code != SQLITE_CONSTRAINT_TRIGGER => Some(Refusal::Value),
        20 => Some(Refusal::Value),
        _ => None,
    }
}

/// What a trigger of an operator raises who closes the books for a while.
const SQLITE_CONSTRAINT_TRIGGER: &str = "1811";
