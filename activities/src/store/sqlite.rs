//! What SQLite needs to be a store that several processes share.

use sqlx::{AnyConnection, Executor};

use super::BUSY_TIMEOUT;

/// Readers beside one writer (WAL), which waits its turn instead of failing.
/// With `synchronous = NORMAL` a commit survives the death of every process;
/// only a power cut may take the last ones.
pub(super) async fn prepare(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    let busy_timeout = format!("PRAGMA busy_timeout = {}", BUSY_TIMEOUT.as_millis());
    connection
        .execute(sqlx::AssertSqlSafe(busy_timeout))
        .await?;
    connection.execute("PRAGMA journal_mode = WAL").await?;
    connection.execute("PRAGMA synchronous = NORMAL").await?;
    connection.execute("PRAGMA foreign_keys = ON").await?;
    Ok(())
}

/// The URL with the wish to create the file where there is none.
pub(super) fn creating(url: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}mode=rwc")
}
