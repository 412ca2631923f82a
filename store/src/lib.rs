//! The store: the read model of orders and the books of the simulated
//! parties, in one SQL database.
//!
//! The statements are plain enough for SQLite and for PostgreSQL alike, so
//! they go through sqlx's `Any` driver. SQLite is the embedded default. What
//! differs between the two is in `engine.rs` and the two files beside it.

mod access;
mod accounts;
mod amendments;
mod changes;
mod customers;
mod ended;
mod engine;
mod error;
mod failed_tasks;
mod flavours;
mod idempotency_keys;
mod kitchen;
mod kitchen_simulation;
mod ledger;
mod list_orders;
mod measures;
pub mod meters;
mod options;
mod order_record;
mod order_status;
mod orders;
mod postgres;
mod reconciliation;
mod resolved_tasks;
mod sessions;
mod sqlite;
#[cfg(test)]
mod test_databases;
#[cfg(test)]
mod tests;
mod timeline;
mod url;

use std::fmt;
use std::sync::{Arc, LazyLock, Once};
use std::time::{Duration, SystemTime};

use pizza_domain::OrderId;
use sqlx::any::install_default_drivers;
use sqlx::migrate::Migration;
use sqlx::{Any, AnyConnection, AnyPool, AssertSqlSafe, Transaction};
use tokio::time::{sleep, timeout};

use access::Access;
pub use accounts::{
    Account, AdjustmentRow, AmendmentRow, CancelRow, ChangeRow, ContentRow, FailedTaskRow,
    LedgerRow, NotificationRow, RecordRow, ReportRow, StandingRow, TicketRow,
};
pub use changes::{LatestChange, OrderChange};
use engine::Engine;
use error::OpenError;
pub use error::StoreError;
pub use failed_tasks::{FailedTaskState, OwedTask};
pub use idempotency_keys::KeptRequest;
pub use kitchen::{OpenTicket, TicketPlace};
pub use ledger::{Entry, Given, Ledger, PAYMENTS, POINTS, TakenBack};
pub use list_orders::{OrderFilter, OrderPosition};
pub use measures::{Connections, Waiting};
pub use options::StoreOptions;
pub use order_record::OrderRecord;
pub use orders::Change;
pub use resolved_tasks::{ResolvedPosition, ResolvedTask};
pub use sessions::Session;
use sqlite::OpenFile;
pub use timeline::{
    AmendmentEvent, BusinessHistory, ChangeEvent, LedgerEvent, NotificationEvent, ParkedTaskEvent,
    PizzaThen, ReportEvent,
};

/// The database, opened and migrated. Clones share its connections.
#[derive(Clone)]
pub struct Store {
    pool: AnyPool,
    engine: Engine,
    options: StoreOptions,
    /// What SQLite keeps it in.
    file: Option<Arc<OpenFile>>,
}

/// What bringing the schema up to date came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The last migration that was made, which a later version may have.
    pub version: i64,
    /// How many were made now.
    pub made: usize,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// The version of a store that these migrations made.
fn last(made: &[(i64, Vec<u8>)]) -> i64 {
    made.iter().map(|(version, _)| *version).max().unwrap_or(0)
}

/// The tables that the migrations from this version on make. None takes one
/// away.
fn tables_since(version: i64) -> Vec<String> {
    let migrations = Engine::Sqlite.migrations();
    let since = migrations.iter().filter(|it| it.version >= version);
    let lines = since.flat_map(|it| it.sql.as_str().lines());
    let made = lines.filter_map(|line| line.strip_prefix("CREATE TABLE "));
    let names = made.filter_map(|rest| rest.split([' ', '(']).next());
    names.map(str::to_owned).collect()
}

/// Fails where one of the tables is not there.
static ALL_TABLES: LazyLock<String> = LazyLock::new(|| {
    let each = tables_since(1)
        .into_iter()
        .map(|table| format!("SELECT 1 FROM {table} WHERE 1 = 0"));
    each.collect::<Vec<_>>().join(" UNION ALL ")
});

/// How often is looked whether a file is still the one that was opened.
const LOOK_EVERY: Duration = Duration::from_secs(1);

static DRIVERS: Once = Once::new();

impl Store {
    /// Opens the database at a URL, `sqlite:PATH` or `postgres://...`, and
    /// brings its schema up to date. SQLite's file and its folder are made
    /// where there is none.
    ///
    /// # Errors
    /// When it cannot be opened or migrated.
    pub async fn open(options: impl Into<StoreOptions>) -> Result<Self, StoreError> {
        let store = Self::connect(options.into(), Access::Write).await?;
        store.migrate().await?;
        Ok(store)
    }

    /// Brings the schema of the database at a URL up to date, and does
    /// nothing else.
    ///
    /// # Errors
    /// When it cannot be opened or migrated.
    pub async fn migrate_only(options: impl Into<StoreOptions>) -> Result<Migrated, StoreError> {
        let store = Self::connect(options.into(), Access::Write).await?;
        let migrated = store.migrate().await;
        store.close().await;
        migrated
    }

    /// Opens the database at a URL to look at it: creates nothing, migrates
    /// nothing, and cannot write.
    ///
    /// # Errors
    /// When there is none, when it has not the schema of this version or of a
    /// later one, or when it cannot be opened.
    pub async fn open_existing_read_only(
        options: impl Into<StoreOptions>,
    ) -> Result<Self, StoreError> {
        let options = options.into();
        let engine = Engine::of(&options.url)?;
        if engine == Engine::Sqlite && !sqlite::exists(&options.url) {
            return Err(StoreError::Missing {
                url: options.shown_url(),
            });
        }
        let store = Self::connect(options, Access::Read).await?;
        if store.migrations_to_make().await? == 0 {
            Ok(store)
        } else {
            Err(StoreError::Outdated {
                url: store.options.shown_url(),
            })
        }
    }

    async fn connect(options: StoreOptions, access: Access) -> Result<Self, StoreError> {
        let engine = Engine::of(&options.url)?;
        engine.check(&options.url)?;
        DRIVERS.call_once(install_default_drivers);
        let opening = async {
            let (url, file) = match engine {
                Engine::Sqlite => {
                    let file = OpenFile::open(&options.url, options.timeout, access).await?;
                    (file.url.clone(), Some(Arc::new(file)))
                }
                Engine::Postgres => {
                    let url = postgres::url(&options, access)?;
                    postgres::try_out(&url, options.shown_url()).await?;
                    (url, None)
                }
            };
            let pool = engine.pool(&options, access).connect_lazy(&url)?;
            Ok((pool, file))
        };
        let opened = timeout(options.patience(), opening).await;
        let (pool, file) = opened
            .unwrap_or(Err(OpenError::Refused(sqlx::Error::PoolTimedOut)))
            .map_err(|error| match error {
                OpenError::Url(error) => error,
                OpenError::File(source) => StoreError::File {
                    url: options.shown_url(),
                    source,
                },
                OpenError::Refused(source) => StoreError::Open {
                    url: options.shown_url(),
                    source,
                },
            })?;
        Ok(Self {
            pool,
            engine,
            options,
            file,
        })
    }

    /// How many of the migrations that this version knows were not made as it
    /// knows them. A database without the list of them is none of ours.
    async fn migrations_to_make(&self) -> Result<usize, StoreError> {
        self.within(async {
            let made = self.made(&mut *self.pool.acquire().await?).await?;
            let migrations = self.engine.migrations();
            let is_made = |migration: &&Migration| {
                let same = (migration.version, migration.checksum.to_vec());
                made.contains(&same)
            };
            Ok(migrations.iter().filter(|it| !is_made(it)).count())
        })
        .await
    }

    /// The migrations that were made, with the checksums of what they were
    /// then.
    async fn made(
        &self,
        connection: &mut AnyConnection,
    ) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let is_there: i64 = sqlx::query_scalar(self.engine.has_list_of_migrations())
            .fetch_one(&mut *connection)
            .await?;
        if is_there == 0 {
            return Ok(Vec::new());
        }
        let list = "SELECT version, checksum FROM _sqlx_migrations WHERE success";
        Ok(sqlx::query_as(list).fetch_all(connection).await?)
    }

    /// Brings the schema up to date, all of it or nothing: of several
    /// processes that start at once, one migrates and the others find it
    /// done. Where nothing is to be done, nothing is locked, and no right to
    /// change the schema is needed.
    async fn migrate(&self) -> Result<Migrated, StoreError> {
        let migrations = self.engine.migrations();
        if self.migrations_to_make().await? == 0 {
            let made = self.made(&mut *self.pool.acquire().await?).await?;
            let version = last(&made);
            return Ok(Migrated { version, made: 0 });
        }
        let mut transaction = self
            .engine
            .begin_migration(&self.pool, &self.options)
            .await?;
        let made = self.made(&mut transaction).await?;
        let before = made.len();
        migrations
            .run_direct(None, &mut *transaction, false)
            .await?;
        if last(&made) < flavours::SINCE {
            flavours::note_all(&mut transaction).await?;
        }
        let all = self.made(&mut transaction).await?;
        transaction.commit().await?;
        Ok(Migrated {
            version: last(&all),
            made: all.len() - before,
        })
    }

    /// Proves that orders can be kept here right now: the database is the one
    /// that was opened, has the schema of this version, and takes what is
    /// written. That is rolled back.
    ///
    /// # Errors
    /// When one of it is not so.
    pub async fn prove(&self) -> Result<(), StoreError> {
        let outdated = || StoreError::Outdated {
            url: self.options.shown_url(),
        };
        if self.migrations_to_make().await? > 0 {
            return Err(outdated());
        }
        self.within(async {
            // The list of migrations does not know of a table that was dropped.
            match sqlx::query(AssertSqlSafe(&**ALL_TABLES))
                .execute(&self.pool)
                .await
            {
                Err(sqlx::Error::Database(_)) => return Err(outdated()),
                answer => answer?,
            };
            match &self.file {
                Some(file) => file.try_writing(self.options.timeout).await?,
                None => postgres::try_writing(&self.pool).await?,
            }
            Ok(())
        })
        .await
    }

    /// Waits until the file is not the one that was opened any more, and then
    /// lets nobody use the store. A process with such a store has to end:
    /// whatever it would write is lost.
    pub async fn lost(&self) -> StoreError {
        loop {
            if let Err(error) = self.check_file() {
                // From now on; that all have given theirs back is not waited for.
                drop(self.pool.close());
                return error;
            }
            sleep(LOOK_EVERY).await;
        }
    }

    fn check_file(&self) -> Result<(), StoreError> {
        self.file.as_ref().map_or(Ok(()), |file| file.check())
    }

    /// Closes the connections once they are free.
    pub async fn close(&self) {
        self.pool.close().await;
        if let Some(file) = &self.file {
            file.close().await;
        }
    }

    /// Begins a transaction that reads an order and writes to it, and shuts
    /// others out that would do the same. Every write that depends on what
    /// was read before it begins like this; one that is a single statement
    /// need not.
    async fn begin(&self, order: OrderId) -> Result<Transaction<'static, Any>, StoreError> {
        Ok(self.engine.begin(&self.pool, order).await?)
    }

    /// Begins a transaction that sees the store as it is at one moment.
    async fn snapshot(&self) -> Result<Transaction<'static, Any>, StoreError> {
        Ok(self.engine.snapshot(&self.pool).await?)
    }

    /// Carries out an operation, or gives it up: a server that was lost
    /// without a word would otherwise be waited for for ever. Each operation
    /// of the store goes through here.
    async fn within<T>(
        &self,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.check_file()?;
        let waited = self.options.patience();
        timeout(waited, operation)
            .await
            .unwrap_or(Err(StoreError::TooSlow { waited }))
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
