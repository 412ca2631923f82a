//! The folder that is fetched into.

use std::{
    env,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// The age from which a fetch directory is one that a killed fetch left behind.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// The prefix of the directories, inside the cache, into which is fetched.
const FETCH_PREFIX: &str = ".fetch-";

/// What the environment variable `own` says, else `$XDG_CACHE_HOME/<folder>`, else
/// `$HOME/.cache/<folder>`, else a folder under the system's temporary one.
#[must_use]
pub fn cache_dir(own: &str, folder: &str) -> PathBuf {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    cache_dir_from(variable, own, folder)
}

fn cache_dir_from(variable: impl Fn(&str) -> Option<OsString>, own: &str, folder: &str) -> PathBuf {
    if let Some(dir) = variable(own) {
        return dir.into();
    }
    let caches = variable("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| variable("HOME").map(|home| Path::new(&home).join(".cache")))
        .unwrap_or_else(|| env::temp_dir().join(".cache"));
    caches.join(folder)
}

/// A directory of its own inside the cache.
pub(crate) fn staging(cache: &Path) -> io::Result<tempfile::TempDir> {
    fs::create_dir_all(cache)?;
    remove_abandoned(cache);
    tempfile::Builder::new()
        .prefix(FETCH_PREFIX)
        .tempdir_in(cache)
}

/// Best effort: what cannot be removed only takes room.
fn remove_abandoned(cache: &Path) {
    let Ok(entries) = fs::read_dir(cache) else {
        return;
    };
    for entry in entries.flatten() {
        let ours = entry
            .file_name()
            .to_string_lossy()
            .starts_with(FETCH_PREFIX);
        let age = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .ok()
            .and_then(|modified| SystemTime::now().duration_since(modified).ok());
        if ours && age.is_some_and(|age| age > ABANDONED) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_fetch_left_goes_a_day_later() {
        let cache = tempfile::tempdir().unwrap();
        let old = cache.path().join(".fetch-old");
        let young = cache.path().join(".fetch-young");
        fs::create_dir(&old).unwrap();
        fs::create_dir(&young).unwrap();
        let then = SystemTime::now() - ABANDONED * 2;
        fs::File::open(&old).unwrap().set_modified(then).unwrap();
        remove_abandoned(cache.path());
        assert!(!old.exists() && young.exists());
    }

    #[test]
    fn the_cache_goes_where_the_environment_says() {
        let all = [
            ("OWN_CACHE", "/own"),
            ("XDG_CACHE_HOME", "/xdg"),
            ("HOME", "/home/me"),
        ];
        let expected = ["/own", "/xdg/folder", "/home/me/.cache/folder"];
        for (first, expected) in expected.into_iter().enumerate() {
            let set = &all[first..];
            let variable = |name: &str| {
                let found = set.iter().find(|(key, _)| *key == name)?;
                Some(found.1.into())
            };
            let dir = cache_dir_from(variable, "OWN_CACHE", "folder");
            assert_eq!(dir, Path::new(expected));
        }
        let bare = cache_dir_from(|_| None, "OWN_CACHE", "folder");
        assert!(bare.starts_with(env::temp_dir()), "{}", bare.display());
    }
}
