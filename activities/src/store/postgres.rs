//! What PostgreSQL needs to be the store.

use std::time::Duration;

use pizza_domain::OrderId;
use sqlx::migrate::Migrator;
use sqlx::{AnyConnection, AssertSqlSafe, Executor, SqlSafeStr};

use super::StoreOptions;
use super::engine::Access;

/// Each statement sees what was committed before it, the one after the lock
/// what its last holder did. A database may have another default.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// All statements see the same.
pub(super) const BEGIN_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// The lock of those who migrate; no order's. The digits spell "pizza".
const MIGRATION: i64 = 0x70_69_7a_7a_61;

/// How long a process waits for another that migrates.
const MIGRATION_PATIENCE: Duration = Duration::from_secs(60);

/// How long one statement of a migration may take.
const MIGRATION_STATEMENT: Duration = Duration::from_secs(600);

/// What the server is told at the start of each connection, so that none of
/// them holds what others wait for longer than they wait. The URL's own
/// parameters come first, and `options` of it last.
pub(super) fn url(options: &StoreOptions, access: Access) -> String {
    let given = &options.url;
    let mut url = given.clone();
    let ms = options.timeout.as_millis();
    let mut separator = if given.contains('?') { '&' } else { '?' };
    let mut add = |name: &str, value: &str| {
        if !given.contains(&format!("{name}=")) && !given.contains(&format!("[{name}]=")) {
            url.push(separator);
            url.push_str(name);
            url.push('=');
            url.push_str(value);
            separator = '&';
        }
    };
    add("application_name", "pizza");
    // A lock that is waited for in vain is an error of its own.
    let lock = (ms / 2).max(1);
    let mut settings = format!(
        "-c%20statement_timeout%3D{ms}%20-c%20lock_timeout%3D{lock}\
         %20-c%20idle_in_transaction_session_timeout%3D{ms}"
    );
    if access == Access::Read {
        settings.push_str("%20-c%20default_transaction_read_only%3Don");
    }
    add("options", &settings);
    url
}

/// Takes the lock of an order until the transaction's end. It is not a row's:
/// the books may know an order that has no record.
pub(super) async fn lock(
    connection: &mut AnyConnection,
    order: OrderId,
) -> Result<(), sqlx::Error> {
    // Of two orders with the same half of their ids one waits for the other.
    let (half, _) = order.uuid().as_u64_pair();
    take(connection, half.cast_signed()).await
}

async fn take(connection: &mut AnyConnection, key: i64) -> Result<(), sqlx::Error> {
    // Not selected: the driver does not know the type of nothing.
    sqlx::query("SELECT 1 FROM (SELECT pg_advisory_xact_lock($1)) AS locked")
        .bind(key)
        .execute(connection)
        .await?;
    Ok(())
}

/// Waits for others who migrate, patiently; then for others who use the
/// tables, no longer than anybody: whoever comes after would wait as well.
pub(super) async fn lock_for_migration(
    connection: &mut AnyConnection,
    patience: Duration,
) -> Result<(), sqlx::Error> {
    set(connection, "statement_timeout", MIGRATION_STATEMENT).await?;
    set(connection, "lock_timeout", MIGRATION_PATIENCE).await?;
    take(connection, MIGRATION).await?;
    set(connection, "lock_timeout", patience).await
}

async fn set(
    connection: &mut AnyConnection,
    setting: &str,
    value: Duration,
) -> Result<(), sqlx::Error> {
    let statement = format!("SET LOCAL {setting} = {}", value.as_millis());
    connection.execute(AssertSqlSafe(statement)).await?;
    Ok(())
}

/// Has every column of text compared by its bytes, as SQLite does: a database
/// of another order would list ids in that order, which may change with the
/// system's libraries. A migration's checksum stays that of its file.
pub(super) fn compare_texts_by_their_bytes(migrations: &mut Migrator) {
    for migration in migrations.migrations.to_mut() {
        let sql = migration
            .sql
            .as_str()
            .replace(" TEXT", " TEXT COLLATE \"C\"");
        migration.sql = AssertSqlSafe(sql).into_sql_str();
    }
}

/// How the database keeps texts, where that is not as Unicode.
pub(super) async fn foreign_encoding(
    connection: &mut AnyConnection,
) -> Result<Option<String>, sqlx::Error> {
    let encoding: String = sqlx::query_scalar("SELECT current_setting('server_encoding')")
        .fetch_one(connection)
        .await?;
    Ok((encoding != "UTF8").then_some(encoding))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_url_says_itself_is_left_alone() {
        let url = |given: &str| url(&StoreOptions::new(given), Access::Read);
        assert_eq!(
            url("postgres://h/db"),
            "postgres://h/db?application_name=pizza&options=-c%20statement_timeout%3D5000\
             %20-c%20lock_timeout%3D2500%20-c%20idle_in_transaction_session_timeout%3D5000\
             %20-c%20default_transaction_read_only%3Don"
        );
        let own = "postgres://h/db?application_name=mine&options=-c%20work_mem%3D1MB";
        assert_eq!(url(own), own);
    }
}
