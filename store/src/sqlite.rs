//! What SQLite needs to be a store that several processes share.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::error::DatabaseError;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};
use trusted_files::{FileId, check_folder_of_files, check_link, check_owner, own_folder};

use super::access::Access;
use super::error::{OpenError, StoreError};

/// The longest absolute path of a file, in bytes. SQLite takes 512, with what
/// it appends for the files beside it.
const LONGEST_PATH: usize = 500;

/// Another connection holds the lock.
const SQLITE_BUSY: &str = "5";

/// Between two tries for a lock that SQLite does not wait for.
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// What SQLite appends to a file's name for those that it keeps beside it
/// while the file is open.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// Read and write for the owner alone.
const OWNER_ONLY: u32 = 0o600;

/// The same pool, each of whose connections is prepared for what it is for.
pub(super) fn prepared(
    options: AnyPoolOptions,
    patience: Duration,
    access: Access,
) -> AnyPoolOptions {
    options.after_connect(move |connection, _| Box::pin(prepare(connection, patience, access)))
}

/// Readers beside one writer (WAL), which waits its turn instead of failing.
/// With `synchronous = NORMAL` a commit survives the death of every process;
/// only a power cut may take the last ones.
async fn prepare(
    connection: &mut AnyConnection,
    patience: Duration,
    access: Access,
) -> Result<(), sqlx::Error> {
    let busy_timeout = format!("PRAGMA busy_timeout = {}", patience.as_millis());
    connection.execute(AssertSqlSafe(busy_timeout)).await?;
    match access {
        Access::Write => {
            switch_to_wal(connection, patience).await?;
            connection.execute("PRAGMA synchronous = NORMAL").await?;
            connection.execute("PRAGMA foreign_keys = ON").await?;
        }
        // Changes nothing about the file, and refuses to.
        Access::Read => {
            connection.execute("PRAGMA query_only = ON").await?;
        }
    }
    Ok(())
}

/// Of several processes that open a new file at once, one switches it. The
/// others are refused, and for this one statement SQLite ignores the busy
/// timeout.
async fn switch_to_wal(
    connection: &mut AnyConnection,
    patience: Duration,
) -> Result<(), sqlx::Error> {
    let until = Instant::now() + patience;
    loop {
        match connection.execute("PRAGMA journal_mode = WAL").await {
            Err(error) if is_busy(&error) && Instant::now() < until => sleep(BUSY_PAUSE).await,
            switched => return switched.map(drop),
        }
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.is_some_and(|code| code == SQLITE_BUSY)
}

/// The URL of a file. Nothing in the path means anything in the URL.
pub(super) fn url_of(file: &Path) -> String {
    use std::fmt::Write;
    use std::os::unix::ffi::OsStrExt;

    let path = file.as_os_str().as_bytes();
    // Two slashes after the colon are none of the path's.
    let scheme = if path.starts_with(b"//") {
        "sqlite://"
    } else {
        "sqlite:"
    };
    let mut url = scheme.to_owned();
    for &byte in path {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(&byte) {
            url.push(char::from(byte));
        } else {
            // Writing to a text does not fail.
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url
}

/// The file that a URL names, as it names it.
fn named(url: &str) -> Result<PathBuf, StoreError> {
    let refused = |reason| StoreError::Path { reason };
    let (place, parameters) = url.split_once('?').unwrap_or((url, ""));
    let has_a_mode_at_most = ["", "mode=rwc", "mode=rw"].contains(&parameters);
    if !has_a_mode_at_most {
        return Err(refused(
            "after a `?` nothing but mode=rw or mode=rwc can stand (in a path, `?` is written %3F)",
        ));
    }
    let options = SqliteConnectOptions::from_str(place)
        .map_err(|_| refused("its path is not in Unicode (UTF-8)"))?;
    let file = options.get_filename();
    let absolute = std::path::absolute(file).unwrap_or_default();
    if absolute.to_str().is_none() {
        return Err(refused("its absolute path is not in Unicode (UTF-8)"));
    }
    if absolute.as_os_str().len() > LONGEST_PATH {
        return Err(refused("its absolute path has more than 500 bytes"));
    }
    Ok(file.to_path_buf())
}

/// Whether a URL can be one of a file. One with a user and a password is a server's: as a path, its
/// password would stand in messages and in the name of a folder.
pub(super) fn check(url: &str) -> Result<(), StoreError> {
    let place = url.strip_prefix("sqlite:").unwrap_or(url);
    let before_at = place.split_once('@').map(|(before, _)| before);
    if before_at.is_some_and(|before| before.contains(':')) {
        return Err(StoreError::Path {
            reason: "a file has no user and no password (in a path, `:` is written %3A, `@` %40)",
        });
    }
    named(url).map(drop)
}

/// Whether the file of `url` is there.
pub(super) fn exists(url: &str) -> bool {
    named(url).is_ok_and(|file| file.is_file())
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

/// The file of `url` without links in its path, once nobody else can have put
/// it there: SQLite opens by name the file and those beside it. What another
/// user made of them would lock their owner out. The folder of a store that
/// is to be made is made, for its owner alone.
fn trusted(url: &str, access: Access) -> Result<PathBuf, OpenError> {
    let file = named(url)?;
    let no_name = || io::Error::from(io::ErrorKind::InvalidFilename);
    let name = file.file_name().ok_or_else(no_name)?;
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    if access == Access::Write && !folder.exists() {
        own_folder(folder, 0o700)?;
    }
    // The folders that lead to a link say as much of what is opened as those that lead to the file.
    check_folder_of_files(folder)?;
    let mut path = folder.canonicalize()?.join(name);
    if path.is_symlink() {
        check_link(&path)?;
        path = path.canonicalize().map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("the link {}: {error}", path.display()),
            )
        })?;
    }
    path.parent().map_or(Ok(()), check_folder_of_files)?;
    for file in with_those_beside(&path) {
        match check_owner(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    if access == Access::Write {
        refuse_left_behind(&path)?;
    }
    Ok(path)
}

/// What was written last stands beside the file. Where it is there and the file
/// is not, the file was taken away: SQLite would remove what is beside a new one.
fn refuse_left_behind(file: &Path) -> io::Result<()> {
    let [_, log, _] = with_those_beside(file);
    let holds_changes = log.metadata().is_ok_and(|about| about.len() > 0);
    if holds_changes && !file.exists() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!(
                "it is not there, and its last changes are, in {}: put it back first",
                log.display()
            ),
        ));
    }
    Ok(())
}

fn with_those_beside(file: &Path) -> [PathBuf; 3] {
    let beside = |suffix: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    };
    [file.to_owned(), beside(BESIDE[0]), beside(BESIDE[1])]
}

/// The file that a store is kept in, from its opening on.
pub(super) struct OpenFile {
    /// What connections open: they never make a file anew.
    pub(super) url: String,
    /// It and those beside it, as they were when it was opened.
    opened: Vec<(PathBuf, FileId)>,
    /// Open for as long as the store is: the last connection that closes
    /// removes the files beside, and others of these names are none that this
    /// process wrote to.
    connection: Mutex<Option<AnyConnection>>,
}

impl OpenFile {
    /// Opens the file of `url`; one that may be written is made where there
    /// is none, and from then on is its owner's alone.
    pub(super) async fn open(
        url: &str,
        patience: Duration,
        access: Access,
    ) -> Result<Self, OpenError> {
        let file = trusted(url, access)?;
        let url = url_of(&file);
        let mode = match access {
            Access::Write => "rwc",
            Access::Read => "rw",
        };
        let mut connection = AnyConnection::connect(&format!("{url}?mode={mode}")).await?;
        prepare(&mut connection, patience, access).await?;
        // Opens the files beside, and fails where this is none of SQLite's.
        connection
            .execute("SELECT COUNT(*) FROM sqlite_master")
            .await?;
        let mut opened = Vec::new();
        for path in with_those_beside(&file) {
            let about = match fs::metadata(&path) {
                Ok(about) => about,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error.into()),
            };
            // Set by name: were the file opened and closed here, SQLite's
            // locks on it would be gone.
            if access == Access::Write && about.mode() & 0o777 != OWNER_ONLY {
                fs::set_permissions(&path, fs::Permissions::from_mode(OWNER_ONLY))?;
            }
            opened.push((path, FileId::from(&about)));
        }
        Ok(Self {
            url: format!("{url}?mode=rw"),
            opened,
            connection: Mutex::new(Some(connection)),
        })
    }

    /// Whether the files are those that were opened: what is written to a
    /// file that was removed or replaced is lost.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let mut files = self.opened.iter();
        match files.find(|(path, opened)| !opened.is_still_at(path)) {
            Some((path, _)) => Err(StoreError::Replaced { path: path.clone() }),
            None => Ok(()),
        }
    }

    /// Writes more than a connection holds in memory, so that it reaches the
    /// disk, and rolls it back. On a connection of its own: one whose disk was
    /// full is of no use any more.
    pub(super) async fn try_writing(&self, patience: Duration) -> Result<(), sqlx::Error> {
        let mut connection = AnyConnection::connect(&self.url).await?;
        prepare(&mut connection, patience, Access::Write).await?;
        connection.execute("PRAGMA cache_size = 10").await?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        transaction
            .execute(
                "INSERT INTO idempotency_keys \
                 (customer_id, idempotency_key, fingerprint, order_ids, created_at_ms) \
                 VALUES ('', 'readiness', hex(zeroblob(65536)), '', 0)",
            )
            .await?;
        transaction.rollback().await?;
        connection.close().await
    }

    /// Closes the file, after all others have.
    pub(super) async fn close(&self) {
        if let Some(connection) = self.connection.lock().await.take() {
            // What was committed is in the file or beside it.
            let _ = connection.close().await;
        }
    }
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

    #[test]
    fn a_path_is_the_same_after_it_was_written_as_a_url() {
        for path in [
            "pizza.db",
            "/srv/C#/a b/100%/what?/pizza.db",
            "/srv/'\"`\\/{}<>|^/\n\t/pizza.db",
            "/srv/%41/%zz/&mode=memory/pizza.db",
            "sqlite:/x://y@z/пицца.db",
            "//srv//pizza.db",
        ] {
            let url = url_of(Path::new(path));
            assert_eq!(named(&url).expect("a path"), Path::new(path), "{url}");
            assert!(!is_in_memory(&url), "{url}");
        }
    }

    #[test]
    fn a_path_that_sqlite_cannot_open_is_refused_before_anything_is_made() {
        for (url, told) in [
            ("sqlite:/srv/%FF/pizza.db".to_owned(), "Unicode"),
            (format!("sqlite:/srv/{}.db", "a".repeat(500)), "500 bytes"),
            ("sqlite:a.db?cache=shared".to_owned(), "%3F"),
            ("sqlite:a?.db".to_owned(), "%3F"),
            ("sqlite://u:secret@h/d".to_owned(), "no password"),
        ] {
            let refused = check(&url).expect_err("refused");
            assert!(refused.to_string().contains(told), "{refused}");
        }
    }
}
