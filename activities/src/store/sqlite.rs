//! What SQLite needs to be a store that several processes share.

use std::path::PathBuf;
use std::str::FromStr;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AnyConnection, Executor};

use super::BUSY_TIMEOUT;

/// Readers beside one writer (WAL), which waits its turn instead of failing.
/// With `synchronous = NORMAL` a commit survives the death of every process;
/// only a power cut may take the last ones.
pub(super) async fn prepare(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    wait_when_busy(connection).await?;
    connection.execute("PRAGMA journal_mode = WAL").await?;
    connection.execute("PRAGMA synchronous = NORMAL").await?;
    connection.execute("PRAGMA foreign_keys = ON").await?;
    Ok(())
}

/// Changes nothing about the file, and refuses to.
pub(super) async fn prepare_to_read(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    wait_when_busy(connection).await?;
    connection.execute("PRAGMA query_only = ON").await?;
    Ok(())
}

async fn wait_when_busy(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    let busy_timeout = format!("PRAGMA busy_timeout = {}", BUSY_TIMEOUT.as_millis());
    connection
        .execute(sqlx::AssertSqlSafe(busy_timeout))
        .await?;
    Ok(())
}

/// The URL with the wish to create the file where there is none.
pub(super) fn creating(url: &str) -> String {
    with_mode(url, "rwc")
}

/// The URL with the wish to use the file as it is. That it is only read is
/// for the connection to see to: beside a writer even a reader needs to write
/// the list of readers.
pub(super) fn reading(url: &str) -> String {
    with_mode(url, "rw")
}

fn with_mode(url: &str, mode: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
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

fn file(url: &str) -> Result<PathBuf, sqlx::Error> {
    let options = SqliteConnectOptions::from_str(url)?;
    Ok(options.get_filename().to_path_buf())
}
