//! What PostgreSQL needs to be the store.

use std::time::Duration;

use pizza_domain::OrderId;
use sqlx::any::AnyConnectOptions;
use sqlx::migrate::Migrator;
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, Connection, Executor, SqlSafeStr};

use super::StoreOptions;
use super::access::Access;
use super::error::{OpenError, StoreError};

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

/// The parameters of a URL that the driver knows. It would log any other with
/// its value.
const PARAMETERS: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// What `sslmode` may say; the driver would repeat anything else.
const SSL_MODES: [&str; 6] = [
    "disable",
    "allow",
    "prefer",
    "require",
    "verify-ca",
    "verify-full",
];

/// Whether a URL has its parts where they belong. The server and the system
/// repeat a user's, a host's and a database's name in their errors; a password
/// that slipped into one of them, by a `/` too many or too few or by a `:`
/// that was encoded, would be repeated as well.
pub(super) fn check(url: &str) -> Result<(), StoreError> {
    let refused = |reason| Err(StoreError::PostgresUrl { reason });
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return refused("`postgres:` is followed by two slashes");
    }
    let Ok(AnyConnectOptions {
        database_url: url, ..
    }) = url.parse()
    else {
        return refused(
            "it cannot be read; in a user's name or a password, `/ ? # @ : %` are percent-encoded",
        );
    };
    if url.fragment().is_some() {
        return refused("it has a `#`, which is written %23");
    }
    let mut names = vec![url.username().to_owned(), url.path().to_owned()];
    names.extend(url.host_str().map(|host| host.replace(['[', ']'], "")));
    // Colons stand in the addresses of IPv6.
    let is_ipv6 = url.host_str().is_some_and(|host| host.starts_with('['));
    for (key, value) in url.query_pairs() {
        let is_known = PARAMETERS.contains(&&*key) || key.starts_with("options[");
        if !is_known {
            return refused("it has a parameter that is none of PostgreSQL's");
        }
        if ["sslmode", "ssl-mode"].contains(&&*key) && !SSL_MODES.contains(&&*value.to_lowercase())
        {
            return refused(
                "its `sslmode` is none of disable allow prefer require verify-ca verify-full",
            );
        }
        if ["host", "port", "dbname", "user"].contains(&&*key) {
            names.push(value.into_owned());
        }
    }
    let is_mixed_up = |name: &String| {
        let name = name.to_ascii_lowercase();
        let has_colon = name.contains("%3a") || (name.contains(':') && !is_ipv6);
        has_colon || name.contains('@') || name.contains("%40")
    };
    if names.iter().any(is_mixed_up) {
        return refused("a `:` or an `@` stands in the name of its user, host or database");
    }
    Ok(())
}

/// What the server is told at the start of each connection, so that none of
/// them holds what others wait for longer than they wait. The URL's own
/// parameters come first, and `options` of it last.
pub(super) fn url(options: &StoreOptions, access: Access) -> Result<String, sqlx::Error> {
    let mut url = options.url.parse::<AnyConnectOptions>()?.database_url;
    let ms = options.timeout.as_millis();
    // A lock that is waited for in vain is an error of its own.
    let lock = (ms / 2).max(1);
    let mut settings = format!(
        "-c statement_timeout={ms} -c lock_timeout={lock} \
         -c idle_in_transaction_session_timeout={ms}"
    );
    if access == Access::Read {
        settings.push_str(" -c default_transaction_read_only=on");
    }
    for (name, value) in [("application_name", "pizza"), ("options", &settings)] {
        let option = format!("{name}[");
        let is_given = |key: &str| key == name || key.starts_with(&option);
        if !url.query_pairs().any(|(key, _)| is_given(&key)) {
            url.query_pairs_mut().append_pair(name, value);
        }
    }
    Ok(url.into())
}

/// Opens the database once, before there is a pool: that would try again and
/// again, and keep the reason to itself.
pub(super) async fn try_out(url: &str, shown: String) -> Result<(), OpenError> {
    let mut connection = AnyConnection::connect(url).await?;
    let encoding = foreign_encoding(&mut connection).await?;
    connection.close().await?;
    match encoding {
        Some(encoding) => Err(OpenError::Url(StoreError::Encoding {
            url: shown,
            encoding,
        })),
        None => Ok(()),
    }
}

/// Writes a row, and rolls it back.
pub(super) async fn try_writing(pool: &AnyPool) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin_with(BEGIN).await?;
    transaction
        .execute(
            "INSERT INTO idempotency_keys \
             (customer_id, idempotency_key, fingerprint, order_ids, created_at_ms) \
             VALUES ('', CAST(gen_random_uuid() AS TEXT), '', '', 0)",
        )
        .await?;
    transaction.rollback().await
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
async fn foreign_encoding(connection: &mut AnyConnection) -> Result<Option<String>, sqlx::Error> {
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
        let url = |given: &str| url(&StoreOptions::new(given), Access::Read).expect("a URL");
        assert_eq!(
            url("postgres://h/db"),
            "postgres://h/db?application_name=pizza&options=-c+statement_timeout%3D5000\
             +-c+lock_timeout%3D2500+-c+idle_in_transaction_session_timeout%3D5000\
             +-c+default_transaction_read_only%3Don"
        );
        let own = "postgres://h/db?application_name=mine&options=-c%20work_mem%3D1MB";
        assert_eq!(url(own), own);
        // A parameter's name in a password is none.
        let password = "postgres://u:options=application_name=@h/db";
        assert!(url(password).contains("statement_timeout"));
    }

    #[test]
    fn a_url_whose_parts_are_mixed_up_is_refused_without_being_repeated() {
        for url in [
            "postgres:/u:secret@h/d",
            "postgres:u:secret@h/d",
            "postgres:///u:secret@h/d",
            "postgres://h/u:secret@h/d",
            "postgres://u:sec/ret@h/d",
            "postgres://u:sec?ret@h/d",
            "postgres://u:sec#ret@h/d",
            "postgres://u%3Asecret@h/d",
            "postgres://u%3asecret%40h/d",
            "postgres:///u%3Asecret%40h%2Fd",
            "postgres://u:p@h/d#secret",
            "postgres://h/d?host=u:secret@h",
            "postgres://h/d?user=u:secret",
            "postgres://h/d?passwort=secret",
            "postgres://h/d?sslmode=secret",
        ] {
            let refused = check(url).expect_err(url);
            let told = format!("{refused:?} {refused}");
            assert!(!told.contains("cret") && !told.contains("ret@"), "{told}");
            let shown = StoreOptions::new(url).shown_url();
            assert!(
                !shown.contains("cret") && !shown.contains("ret@"),
                "{shown}"
            );
        }
        for url in [
            "postgres://u:se%2Fcr%40et@h:5432/db",
            "postgresql://[::1]:5432/db",
            "postgres://%2Frun%2Fpostgresql/db",
            "postgres:///db?host=/run/postgresql&user=u&password=a:b@c",
            "postgres://h/db?options[work_mem]=1MB&sslmode=verify-full",
        ] {
            assert!(check(url).is_ok(), "{url}");
        }
    }
}
