//! The store: the read model of orders and the books of the simulated
//! parties, in one SQL database.
//!
//! The statements are plain enough for SQLite and for PostgreSQL alike, so
//! they go through sqlx's `Any` driver. SQLite is the embedded default.

mod customers;
mod kitchen;
mod loyalty;
mod orders;
mod payments;
mod sqlite;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Once;
use std::time::{Duration, SystemTime};

use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::{Any, AnyPool, Transaction};

pub use loyalty::Reclaim;
pub(crate) use orders::Change;
pub use orders::OrderRecord;
pub use payments::Refund;

/// How long a caller waits for a free connection, or for another process to
/// let go of the database, before it is told that the store is busy.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections of one process. SQLite has one writer at a time; the others
/// serve readers.
const CONNECTIONS: u32 = 8;

/// The database, opened and migrated. Clones share its connections.
#[derive(Clone)]
pub struct Store {
    pool: AnyPool,
    /// What begins a writing transaction. SQLite has to be told up front that
    /// it will write, or two that began by reading block each other.
    begin: &'static str,
}

/// Why the store could not be used. All but [`StoreError::Corrupt`] may pass.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be opened or brought to this version's schema.
    #[error("the store at {url} cannot be opened")]
    Open {
        /// Where it was looked for.
        url: String,
        /// What went wrong.
        source: sqlx::Error,
    },
    /// The schema is not one that this version can bring up to date.
    #[error("the store's schema cannot be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The database is away, locked or full.
    #[error("the store did not answer")]
    Unavailable(#[from] sqlx::Error),
    /// A row holds what this version never writes.
    #[error("the store holds an unreadable value: {0}")]
    Corrupt(#[from] pizza_domain::InvalidField),
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

static DRIVERS: Once = Once::new();

impl Store {
    /// Opens the database at `url`, `sqlite:PATH` for example, creates it
    /// where there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// When it cannot be opened or migrated.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        DRIVERS.call_once(install_default_drivers);
        let open = |source| StoreError::Open {
            url: url.to_owned(),
            source,
        };
        let is_sqlite = url.starts_with("sqlite:");
        let mut options = AnyPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(BUSY_TIMEOUT);
        if is_sqlite {
            options = options.after_connect(|connection, _| Box::pin(sqlite::prepare(connection)));
        }
        let url = if is_sqlite {
            sqlite::creating(url)
        } else {
            url.to_owned()
        };
        let pool = options.connect(&url).await.map_err(open)?;
        let store = Self {
            pool,
            begin: if is_sqlite {
                "BEGIN IMMEDIATE"
            } else {
                "BEGIN"
            },
        };
        store.migrate().await?;
        Ok(store)
    }

    /// Brings the schema up to date, all of it or nothing. SQLite has no lock
    /// for migrations as such, so a writing transaction stands in for one:
    /// of several processes that start at once, one migrates and the others
    /// find it done.
    ///
    /// A schema that is ahead of this version is left alone: migrations only
    /// add, so that the previous version's processes go on beside the next's.
    async fn migrate(&self) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::migrate!("./migrations")
            .set_ignore_missing(true)
            .run_direct(None, &mut *transaction, false)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Answers when the database does.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Closes the connections once they are free.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Begins a transaction that writes.
    async fn begin(&self) -> Result<Transaction<'static, Any>, StoreError> {
        Ok(self.pool.begin_with(self.begin).await?)
    }
}

/// Now, in milliseconds since the Unix epoch.
#[must_use]
pub fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or_default()
}
