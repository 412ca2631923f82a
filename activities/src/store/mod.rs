//! The store: the read model of orders and the books of the simulated
//! parties, in one SQL database.
//!
//! The statements are plain enough for SQLite and for PostgreSQL alike, so
//! they go through sqlx's `Any` driver. SQLite is the embedded default.

mod accounts;
mod amendments;
mod changes;
mod customers;
mod failed_tasks;
mod idempotency_keys;
mod kitchen;
mod kitchen_simulation;
mod list_orders;
mod loyalty;
mod measures;
mod orders;
mod payments;
mod reconciliation;
mod sqlite;
#[cfg(test)]
mod tests;
mod timeline;

use std::fmt;
use std::sync::Once;
use std::time::{Duration, SystemTime};

use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::migrate::Migrator;
use sqlx::{Any, AnyPool, Transaction};

use crate::meters::StoreFault;

pub use accounts::{
    Account, AdjustmentRow, ChangeRow, FailedTaskRow, LedgerRow, RecordRow, StandingRow,
};
pub use changes::{LatestChange, OrderChange};
pub use failed_tasks::{FailedTaskState, OwedTask};
pub use idempotency_keys::KeptRequest;
pub use kitchen::{OpenTicket, TicketPlace};
pub use list_orders::{OrderFilter, OrderPosition};
pub use loyalty::{Award, Reclaim};
pub use measures::{Connections, Waiting};
pub(crate) use orders::Change;
pub use orders::OrderRecord;
pub use payments::Refund;
pub use timeline::{
    AmendmentEvent, BusinessHistory, ChangeEvent, LedgerEvent, NotificationEvent, ParkedTaskEvent,
    PizzaThen, ReportEvent,
};

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

/// Why the store could not be used.
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
    /// There is no database, and none was to be made.
    #[error("there is no store at {url}")]
    Missing {
        /// Where it was looked for.
        url: String,
    },
    /// The database is none of ours, or older than this version.
    #[error(
        "the store at {url} has not the schema of this version; \
         a worker or a gateway of this version brings it up to date"
    )]
    Outdated {
        /// Where it is.
        url: String,
    },
    /// The schema is not one that this version can bring up to date.
    #[error("the store's schema cannot be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The database is away, locked or full.
    #[error("the store did not answer")]
    Unavailable(#[source] sqlx::Error),
    /// A parked task that belongs to no order cannot be booked.
    #[error("the task names no order or no customer: {0}")]
    ForeignTask(#[source] pizza_domain::InvalidField),
    /// A row holds what this version never writes.
    #[error("the store holds an unreadable value: {0}")]
    Corrupt(#[from] pizza_domain::InvalidField),
}

impl From<sqlx::Error> for StoreError {
    /// The one way in which a statement's failure becomes ours, so it is
    /// counted here.
    fn from(error: sqlx::Error) -> Self {
        StoreFault::of(&error).count();
        Self::Unavailable(error)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

static DRIVERS: Once = Once::new();

fn migrations() -> Migrator {
    sqlx::migrate!("./migrations")
}

fn is_sqlite(url: &str) -> bool {
    url.starts_with("sqlite:")
}

fn pool_options() -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(BUSY_TIMEOUT)
}

impl Store {
    /// Opens the database at `url`, `sqlite:PATH` for example, creates it and
    /// its folder where there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// When it cannot be opened or migrated.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let store = if is_sqlite(url) {
            sqlite::make_folder(url).map_err(|source| StoreError::Open {
                url: without_password(url),
                source,
            })?;
            let options =
                pool_options().after_connect(|connection, _| Box::pin(sqlite::prepare(connection)));
            Self::connect(url, &sqlite::creating(url), options).await?
        } else {
            Self::connect(url, url, pool_options()).await?
        };
        store.migrate().await?;
        Ok(store)
    }

    /// Opens the database at `url` to look at it: creates nothing, migrates
    /// nothing, and cannot write.
    ///
    /// # Errors
    /// When there is none, when it has not the schema of this version or of a
    /// later one, or when it cannot be opened.
    pub async fn open_existing_read_only(url: &str) -> Result<Self, StoreError> {
        let store = if is_sqlite(url) {
            if !sqlite::exists(url) {
                return Err(StoreError::Missing {
                    url: without_password(url),
                });
            }
            let options = pool_options()
                .after_connect(|connection, _| Box::pin(sqlite::prepare_to_read(connection)));
            Self::connect(url, &sqlite::reading(url), options).await?
        } else {
            Self::connect(url, url, pool_options()).await?
        };
        if store.is_of_this_version().await {
            Ok(store)
        } else {
            Err(StoreError::Outdated {
                url: without_password(url),
            })
        }
    }

    async fn connect(
        url: &str,
        full_url: &str,
        options: AnyPoolOptions,
    ) -> Result<Self, StoreError> {
        DRIVERS.call_once(install_default_drivers);
        let pool = options
            .connect(full_url)
            .await
            .map_err(|source| StoreError::Open {
                url: without_password(url),
                source,
            })?;
        Ok(Self {
            pool,
            begin: if is_sqlite(url) {
                "BEGIN IMMEDIATE"
            } else {
                "BEGIN"
            },
        })
    }

    /// Whether every migration that this version knows was made. A database
    /// without the list of them is none of ours.
    async fn is_of_this_version(&self) -> bool {
        let made: Result<Vec<i64>, _> =
            sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success")
                .fetch_all(&self.pool)
                .await;
        made.is_ok_and(|made| {
            migrations()
                .iter()
                .all(|migration| made.contains(&migration.version))
        })
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
        migrations()
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

/// A URL for an error's text, which stands in logs.
fn without_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://...@{host}"),
        _ => url.to_owned(),
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
