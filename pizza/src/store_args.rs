//! Where the store is, for every command that uses it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::{ArgAction, Args};
use pizza_store::StoreOptions;

use crate::numbers::{number, whole};
use crate::secret_file;

/// The folder of `pizza dev`, seen from where it is started.
const DATA: &str = ".pizza";

/// The most connections of one process: PostgreSQL itself allows 100 by
/// default, for all that there are.
const MOST_CONNECTIONS: u32 = 200;

/// The longest that a statement may be waited for. The gateway gives a
/// request up after 15 seconds.
const LONGEST_TIMEOUT: f64 = 60.0;

/// The most bytes that are read of a file with a URL.
const MOST_BYTES: usize = 4096;

/// Where the store is, and how it is used.
#[derive(Args, Clone, Debug)]
pub(crate) struct StoreArgs {
    /// The store: `sqlite:PATH` or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`
    /// [default: the one that `pizza dev` keeps, pizza.db in the folder PIZZA_DATA, or .pizza]
    #[arg(
        long,
        value_name = "URL",
        env = "DATABASE_URL",
        hide_env_values = true,
        value_parser = secret,
        // Its help has the default; a URL may hold a password.
        action = ArgAction::Set
    )]
    database_url: Option<SecretUrl>,
    /// A file with the store's URL instead, which then no list of processes shows
    #[arg(
        long,
        value_name = "FILE",
        env = "DATABASE_URL_FILE",
        conflicts_with = "database_url"
    )]
    database_url_file: Option<PathBuf>,
    /// The most connections of this process to the store, 1 to 200 [default: 8]
    #[arg(
        long,
        value_name = "COUNT",
        env = "PIZZA_STORE_CONNECTIONS",
        value_parser = whole(1..=MOST_CONNECTIONS)
    )]
    store_connections: Option<u32>,
    /// How long to wait for a connection to the store, and for one of its
    /// statements, 0.1 to 60 [default: 5]
    #[arg(
        long,
        value_name = "SECONDS",
        env = "PIZZA_STORE_TIMEOUT_SECONDS",
        value_parser = seconds
    )]
    store_timeout_seconds: Option<Duration>,
}

/// A URL that may hold a password: `Debug` does not show it.
#[derive(Clone)]
struct SecretUrl(String);

impl std::fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        StoreOptions::new(&*self.0).shown_url().fmt(f)
    }
}

// The signature is clap's.
#[allow(clippy::unnecessary_wraps)]
fn secret(text: &str) -> Result<SecretUrl, String> {
    Ok(SecretUrl(text.to_owned()))
}

impl StoreArgs {
    /// What was told, read and checked.
    ///
    /// # Errors
    /// When the URL, or the file with it, is not one of a store. No text
    /// holds the URL's password.
    pub(crate) fn options(&self) -> anyhow::Result<StoreOptions> {
        let url = match (&self.database_url, &self.database_url_file) {
            (Some(url), _) => url.0.clone(),
            (None, Some(file)) => read(file)?,
            (None, None) => store_in(&data_folder()).url,
        };
        let mut options = StoreOptions::new(url);
        if let Err(error) = options.check() {
            let setting = match self.database_url_file {
                Some(_) if self.database_url.is_none() => "--database-url-file (DATABASE_URL_FILE)",
                None if self.database_url.is_none() => {
                    "--database-url, or the folder --data (PIZZA_DATA)"
                }
                _ => "--database-url (DATABASE_URL)",
            };
            bail!("{setting}: {error}");
        }
        if let Some(connections) = self.store_connections {
            options.connections = connections;
        }
        if let Some(timeout) = self.store_timeout_seconds {
            options.timeout = timeout;
        }
        Ok(options)
    }
}

/// The store of `pizza dev` in this folder.
pub(crate) fn store_in(data: &Path) -> StoreOptions {
    StoreOptions::in_file(&data.join("pizza.db"))
}

/// The folder of the `pizza dev` that was told the same.
pub(crate) fn data_folder() -> PathBuf {
    std::env::var_os("PIZZA_DATA").map_or_else(|| PathBuf::from(DATA), PathBuf::from)
}

/// Reads the one line of a file.
fn read(file: &Path) -> anyhow::Result<String> {
    let named = || {
        format!(
            "--database-url-file (DATABASE_URL_FILE), {}",
            file.display()
        )
    };
    let text = secret_file::read(file, MOST_BYTES).with_context(named)?;
    let url = text.trim();
    ensure!(
        !url.is_empty() && !url.contains(char::is_whitespace),
        "{}: it has to hold one URL, on a line of its own",
        named()
    );
    Ok(url.to_owned())
}

/// Reads a number of seconds.
fn seconds(text: &str) -> Result<Duration, String> {
    number(text, 0.1..=LONGEST_TIMEOUT, "number of seconds").map(Duration::from_secs_f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        store: StoreArgs,
    }

    fn parsed(arguments: &[&str]) -> Result<StoreArgs, clap::Error> {
        let arguments = [&["pizza"], arguments].concat();
        Command::try_parse_from(arguments).map(|command| command.store)
    }

    fn options(arguments: &[&str]) -> anyhow::Result<StoreOptions> {
        parsed(arguments)?.options()
    }

    #[test]
    fn a_store_is_named_by_a_url_or_by_a_file_with_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("url");
        std::fs::write(&file, "postgres://u:secret@h/db\n").expect("a file");
        let file = file.to_str().expect("UTF-8");
        let read = options(&["--database-url-file", file]).expect("read");
        assert_eq!(read.url, "postgres://u:secret@h/db");
        let named = options(&["--database-url", "sqlite:a.db"]).expect("read");
        assert_eq!(named.url, "sqlite:a.db");
        let of_dev = store_in(Path::new("/srv/shop"));
        assert_eq!(of_dev.url, "sqlite:/srv/shop/pizza.db");
        let sized = options(&["--store-connections", "3", "--store-timeout-seconds", "0.5"]);
        let sized = sized.expect("read");
        assert_eq!(
            (sized.connections, sized.timeout),
            (3, Duration::from_millis(500))
        );
    }

    #[test]
    fn a_bad_value_names_its_flag_and_its_limit() {
        for (arguments, named) in [
            (["--store-connections", "0"], "from 1 to 200"),
            (["--store-connections", "201"], "from 1 to 200"),
            (["--store-timeout-seconds", "0"], "from 0.1 to 60"),
            (["--store-timeout-seconds", "inf"], "from 0.1 to 60"),
            (["--store-timeout-seconds", "NaN"], "from 0.1 to 60"),
            (["--database-url", "mysql://h/db"], "postgres://"),
            (["--database-url", "pizza.db"], "sqlite:"),
            (["--database-url", "sqlite:"], "DATABASE_URL"),
            (["--database-url", "sqlite::memory:"], "in a file"),
            (["--database-url", "sqlite:a.db?mode=memory"], "in a file"),
            (["--database-url-file", "/no/such/file"], "/no/such/file"),
        ] {
            let error = options(&arguments).expect_err("refused").to_string();
            assert!(error.contains(named), "{arguments:?}: {error}");
            assert!(error.contains(arguments[0]), "{arguments:?}: {error}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let url = "postgres://u:secret@h/db";
        let arguments = parsed(&["--database-url", url]).expect("parsed");
        assert!(!format!("{arguments:?}").contains("secret"));
        let both = ["--database-url", url, "--database-url-file", "f"];
        let error = parsed(&both).expect_err("one of both").to_string();
        assert!(!error.contains("secret"), "{error}");
        for wrong in ["mysql://u:secret@h/db", "secret"] {
            let error = options(&["--database-url", wrong]).expect_err("refused");
            assert!(!format!("{error:#}").contains("secret"), "{error:#}");
        }
    }
}
