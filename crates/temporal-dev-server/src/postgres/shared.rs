//! One server for all tests of a process, a database for each.

use std::env;

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::{error::PostgresError, installation::locate, server::PostgresServer};

/// Names a server that tests are to use instead of one of their own: the URL of a database
/// whose user may create others. What is created there stays.
const SERVER_VARIABLE: &str = "PIZZA_TEST_POSTGRES_URL";

/// A PostgreSQL that tests share.
#[derive(Debug)]
pub struct SharedServer {
    /// The URL of a database that is always there.
    admin_url: String,
    /// Whether the server can compare texts as people do, hyphens last.
    has_icu: bool,
    _own: Option<PostgresServer>,
}

/// The server of this process, started when the first test asks for it. It lives as long as the
/// process.
///
/// # Errors
/// [`PostgresError`]; the next call tries again.
pub async fn shared() -> Result<&'static SharedServer, PostgresError> {
    static SHARED: OnceCell<SharedServer> = OnceCell::const_new();
    SHARED.get_or_try_init(SharedServer::start).await
}

impl SharedServer {
    async fn start() -> Result<Self, PostgresError> {
        let (admin_url, own) = match env::var(SERVER_VARIABLE) {
            Ok(url) if !url.is_empty() => (url, None),
            _ => {
                let server = PostgresServer::start(locate().await?, &[]).await?;
                (server.url("postgres"), Some(server))
            }
        };
        let mut connection = PgConnection::connect(&admin_url).await?;
        let has_icu = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM pg_collation WHERE collprovider = 'i') \
             AND current_setting('server_version_num')::int >= 150000",
        )
        .fetch_one(&mut connection)
        .await?;
        Ok(Self {
            admin_url,
            has_icu,
            _own: own,
        })
    }

    /// Creates an empty database and gives its URL. Where the server can, it sorts texts as
    /// English people do, which is not the order of their bytes.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn new_database(&self) -> Result<String, PostgresError> {
        let order = if self.has_icu {
            "LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"
        } else {
            ""
        };
        self.create(&format!("TEMPLATE template0 {order}")).await
    }

    /// Creates a copy of a database of this server, which nobody may be connected to, and gives
    /// its URL.
    ///
    /// # Errors
    /// When the server refuses, or `url` is not one that [`new_database`](Self::new_database)
    /// gave.
    pub async fn copy_of(&self, url: &str) -> Result<String, PostgresError> {
        let (_, template) = split(url)?;
        self.create(&format!("TEMPLATE {template}")).await
    }

    /// Runs a statement that is none for a test's own database, `ALTER DATABASE` for example.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn execute(&self, statement: &str) -> Result<(), PostgresError> {
        let mut connection = PgConnection::connect(&self.admin_url).await?;
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
            .execute(&mut connection)
            .await?;
        connection.close().await?;
        Ok(())
    }

    async fn create(&self, how: &str) -> Result<String, PostgresError> {
        let name = format!("test_{}", Uuid::new_v4().simple());
        self.execute(&format!("CREATE DATABASE {name} {how}"))
            .await?;
        let (server, _) = split(&self.admin_url)?;
        Ok(format!("{server}/{name}"))
    }
}

/// A URL without its database, and the database.
fn split(url: &str) -> Result<(&str, &str), PostgresError> {
    let url = url.split('?').next().unwrap_or_default();
    url.rsplit_once('/').ok_or(PostgresError::Url {
        variable: SERVER_VARIABLE,
    })
}
