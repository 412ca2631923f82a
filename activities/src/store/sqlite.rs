//! What SQLite needs to be a store that several processes share.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AnyConnection, AssertSqlSafe, Executor};

use super::engine::Access;

/// The same pool, each of whose connections is prepared for what it is for.
pub(super) fn prepared(
    options: AnyPoolOptions,
    patience: Duration,
    access: Access,
) -> AnyPoolOptions {
    options.after_connect(move |connection, _| {
        Box::pin(async move {
            wait_when_busy(connection, patience).await?;
            match access {
                Access::Write => prepare(connection).await,
                // Changes nothing about the file, and refuses to.
                Access::Read => {
                    connection.execute("PRAGMA query_only = ON").await?;
                    Ok(())
                }
            }
        })
    })
}

/// Readers beside one writer (WAL), which waits its turn instead of failing.
/// With `synchronous = NORMAL` a commit survives the death of every process;
/// only a power cut may take the last ones.
async fn prepare(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    connection.execute("PRAGMA journal_mode = WAL").await?;
    connection.execute("PRAGMA synchronous = NORMAL").await?;
    connection.execute("PRAGMA foreign_keys = ON").await?;
    Ok(())
}

/// Reads the file, which fails where it is none of SQLite's.
pub(super) async fn read_header(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    connection.execute("PRAGMA schema_version").await?;
    Ok(())
}

async fn wait_when_busy(
    connection: &mut AnyConnection,
    patience: Duration,
) -> Result<(), sqlx::Error> {
    let busy_timeout = format!("PRAGMA busy_timeout = {}", patience.as_millis());
    connection.execute(AssertSqlSafe(busy_timeout)).await?;
    Ok(())
}

/// The URL with the wish to create the file where there is none, or to use it
/// as it is. That it is only read is for the connection to see to: beside a
/// writer even a reader needs to write the list of readers.
pub(super) fn url(url: &str, access: Access) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    let mode = match access {
        Access::Write => "rwc",
        Access::Read => "rw",
    };
    format!("{url}{separator}mode={mode}")
}

/// Makes the folder that the file of `url` is to lie in.
pub(super) fn make_folder(url: &str) -> Result<(), sqlx::Error> {
    let file = file(url)?;
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    Ok(())
}

/// Whether the file of `url` is there.
pub(super) fn exists(url: &str) -> bool {
    file(url).is_ok_and(|file| file.is_file())
}

/// Whether the URL names a database that is in no file. Each connection would
/// have one of its own, and lose it when it ends.
pub(super) fn is_in_memory(url: &str) -> bool {
    let place = url.strip_prefix("sqlite:").unwrap_or(url);
    let place = place.strip_prefix("//").unwrap_or(place);
    let (file, parameters) = place.split_once('?').unwrap_or((place, ""));
    let file = file.strip_prefix("file:").unwrap_or(file);
    let asks = parameters.split('&').any(|parameter| {
        parameter
            .strip_prefix("mode=")
            .is_some_and(|mode| mode.eq_ignore_ascii_case("memory"))
    });
    asks || file.trim().is_empty() || file == ":memory:"
}

fn file(url: &str) -> Result<PathBuf, sqlx::Error> {
    let options = SqliteConnectOptions::from_str(url)?;
    Ok(options.get_filename().to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn books_that_would_be_lost_with_a_connection_are_refused() {
        for url in [
            "sqlite:",
            "sqlite://",
            "sqlite: ",
            "sqlite:?mode=rwc",
            "sqlite::memory:",
            "sqlite://:memory:",
            "sqlite:books.db?mode=memory",
            "sqlite:file:books?cache=shared&mode=memory",
        ] {
            assert!(is_in_memory(url), "{url}");
        }
        for url in [
            "sqlite:pizza.db",
            "sqlite:///var/lib/pizza.db",
            "sqlite:memory",
            "sqlite:pizza.db?mode=rwc",
        ] {
            assert!(!is_in_memory(url), "{url}");
        }
    }
}
