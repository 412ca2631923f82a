//! The two engines, and all that differs between them.

use std::time::Duration;

use pizza_domain::OrderId;
use sqlx::any::AnyPoolOptions;
use sqlx::migrate::Migrator;
use sqlx::{Any, AnyConnection, AnyPool, Connection, Transaction};
use tokio::time::timeout;

use super::access::Access;
use super::{StoreError, StoreOptions, postgres, sqlite};

/// What the store is kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    Sqlite,
    Postgres,
}

/// Whether a connection that is given back can be used again. One on which
/// nobody answers is not waited for. One that is still in a transaction has
/// lost count: a full SQLite rolls back by itself, and the driver does not
/// notice; it would fail whatever begins on it for as long as it lives.
async fn is_of_use(
    connection: &mut AnyConnection,
    patience: Duration,
) -> Result<bool, sqlx::Error> {
    match timeout(patience, connection.ping()).await {
        Ok(answer) => answer.map(|()| !connection.is_in_transaction()),
        Err(_) => Err(sqlx::Error::PoolTimedOut),
    }
}

impl Engine {
    /// The engine that a URL names.
    pub(super) fn of(url: &str) -> Result<Self, StoreError> {
        let scheme = url.split(':').next().unwrap_or_default();
        match scheme {
            "sqlite" if sqlite::is_in_memory(url) => Err(StoreError::InMemory),
            "sqlite" => Ok(Self::Sqlite),
            "postgres" | "postgresql" => Ok(Self::Postgres),
            // It is not repeated: it may be anything, a password included.
            _ => Err(StoreError::Scheme),
        }
    }

    /// Whether a URL names something that this engine can open.
    pub(super) fn check(self, url: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite => sqlite::check(url),
            Self::Postgres => postgres::check(url),
        }
    }

    /// The pool, not yet opened.
    pub(super) fn pool(self, options: &StoreOptions, access: Access) -> AnyPoolOptions {
        let patience = options.timeout;
        let pool = AnyPoolOptions::new()
            .max_connections(options.connections)
            .acquire_timeout(patience)
            // One that the server has ended is noticed before it is used.
            .test_before_acquire(true)
            .after_release(move |connection, _| Box::pin(is_of_use(connection, patience)));
        match self {
            Self::Sqlite => sqlite::prepared(pool, patience, access),
            Self::Postgres => pool,
        }
    }

    /// Begins a transaction that reads an order and writes to it. Until its
    /// end nobody else can begin one for the same order, so what is read
    /// holds until what follows from it is written.
    pub(super) async fn begin(
        self,
        pool: &AnyPool,
        order: OrderId,
    ) -> Result<Transaction<'static, Any>, sqlx::Error> {
        match self {
            // One writer at a time, whatever the order. It has to be said up
            // front that it will write, or two that began by reading block
            // each other.
            Self::Sqlite => pool.begin_with("BEGIN IMMEDIATE").await,
            Self::Postgres => {
                let mut transaction = pool.begin_with(postgres::BEGIN).await?;
                postgres::lock(&mut transaction, order).await?;
                Ok(transaction)
            }
        }
    }

    /// Begins a transaction that sees the store as it is at one moment.
    pub(super) async fn snapshot(
        self,
        pool: &AnyPool,
    ) -> Result<Transaction<'static, Any>, sqlx::Error> {
        match self {
            Self::Sqlite => pool.begin().await,
            Self::Postgres => pool.begin_with(postgres::BEGIN_SNAPSHOT).await,
        }
    }

    /// Begins the transaction in which the schema is brought up to date: of
    /// several at once, the others wait.
    pub(super) async fn begin_migration(
        self,
        pool: &AnyPool,
        options: &StoreOptions,
    ) -> Result<Transaction<'static, Any>, sqlx::Error> {
        match self {
            // SQLite has no lock for migrations as such; that of the one
            // writer stands in for it.
            Self::Sqlite => pool.begin_with("BEGIN IMMEDIATE").await,
            Self::Postgres => {
                let mut transaction = pool.begin_with(postgres::BEGIN).await?;
                postgres::lock_for_migration(&mut transaction, options.timeout).await?;
                Ok(transaction)
            }
        }
    }

    /// The migrations, in this engine's words.
    pub(super) fn migrations(self) -> Migrator {
        let mut migrations = sqlx::migrate!("./migrations");
        // The transaction sees to that.
        migrations.set_locking(false);
        // A schema that is ahead of this version is left alone: migrations
        // only add, so that the previous version's processes go on beside the
        // next's.
        migrations.set_ignore_missing(true);
        if self == Self::Postgres {
            postgres::compare_texts_by_their_bytes(&mut migrations);
        }
        migrations
    }

    /// A statement that gives 1 where there is a list of the migrations that
    /// were made, otherwise 0.
    pub(super) fn has_list_of_migrations(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT COUNT(*) FROM sqlite_master WHERE name = '_sqlx_migrations'",
            // From the table itself: a look-up by name may come from what this
            // session remembers of before it waited for others who migrate.
            Self::Postgres => {
                "SELECT COUNT(*) FROM pg_catalog.pg_class \
                 WHERE relname = '_sqlx_migrations' AND pg_table_is_visible(oid)"
            }
        }
    }
}
