//! Real databases of both engines for tests, and tests that run on each.

use std::sync::Arc;

use tempfile::TempDir;
use temporal_dev_server::postgres::{SharedServer, shared};
use tokio::sync::OnceCell;

use super::{Store, StoreOptions};

/// An engine to test on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TestEngine {
    Sqlite,
    Postgres,
}

/// Makes a test on each engine of each of these functions, which take the
/// engine. One that is not listed is not used, and the build says so.
macro_rules! on_each_engine {
    ($($promise:ident,)+) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $promise() {
                let engine = crate::test_databases::TestEngine::Sqlite;
                super::$promise(engine).await;
            })+
        }

        mod postgres {
            $(#[tokio::test]
            async fn $promise() {
                let engine = crate::test_databases::TestEngine::Postgres;
                super::$promise(engine).await;
            })+
        }
    };
}

pub(crate) use on_each_engine;

/// A database of a test's own, which others may open as well.
pub(crate) struct Database {
    pub(crate) store: Store,
    pub(crate) url: String,
    _folder: Option<Arc<TempDir>>,
}

impl Database {
    /// Another process on the same database.
    pub(crate) async fn second_process(&self) -> Store {
        Store::open(&self.url).await.expect("a second process")
    }

    /// Another process that is in a hurry.
    pub(crate) async fn impatient(&self, options: impl FnOnce(&mut StoreOptions)) -> Store {
        let mut impatient = StoreOptions::new(&self.url);
        impatient.timeout = std::time::Duration::from_millis(400);
        options(&mut impatient);
        Store::open(impatient).await.expect("a second process")
    }
}

/// A database that nobody has opened.
pub(crate) struct Empty {
    pub(crate) url: String,
    folder: Option<Arc<TempDir>>,
}

/// A database with this version's schema.
pub(crate) async fn database(engine: TestEngine) -> Database {
    let empty = match engine {
        TestEngine::Sqlite => empty(engine).await,
        TestEngine::Postgres => Empty {
            url: copy_of_migrated().await,
            folder: None,
        },
    };
    Database {
        store: Store::open(&empty.url).await.expect("a store"),
        url: empty.url,
        _folder: empty.folder,
    }
}

/// A database without anything.
pub(crate) async fn empty(engine: TestEngine) -> Empty {
    match engine {
        TestEngine::Sqlite => {
            let folder = TempDir::new().expect("a folder");
            let url = format!("sqlite:{}", folder.path().join("pizza.db").display());
            Empty {
                url,
                folder: Some(Arc::new(folder)),
            }
        }
        TestEngine::Postgres => Empty {
            url: server().await.new_database().await.expect("a database"),
            folder: None,
        },
    }
}

/// The PostgreSQL of this process.
pub(crate) async fn server() -> &'static SharedServer {
    shared().await.expect("a PostgreSQL")
}

/// Migrated once for all tests: a copy is quicker.
async fn copy_of_migrated() -> String {
    static MIGRATED: OnceCell<String> = OnceCell::const_new();
    let migrate = || async {
        let url = server().await.new_database().await.expect("a database");
        Store::migrate_only(&url).await.expect("migrated");
        url
    };
    let migrated = MIGRATED.get_or_init(migrate).await;
    server().await.copy_of(migrated).await.expect("a copy")
}
