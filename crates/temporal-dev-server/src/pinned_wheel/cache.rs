//! The folder that is fetched into.

use std::{
    env,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rustix::process::geteuid;
use trusted_files::own_folder;

/// The age from which a fetch directory is one that a killed fetch left behind.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// The prefix of the directories, inside the cache, into which is fetched.
const FETCH_PREFIX: &str = ".fetch-";

/// What the environment variable `own` says, else `$XDG_CACHE_HOME/<folder>`, else
/// `$HOME/.cache/<folder>`, where without a `HOME` the system's list of users says where that is.
/// For a user without a home it is a folder of the user's own among the temporary files.
#[must_use]
pub fn cache_dir(own: &str, folder: &str) -> PathBuf {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let home = env::home_dir().filter(|home| home.is_absolute() && home.is_dir());
    cache_dir_from(variable, home, own, folder)
}

fn cache_dir_from(
    variable: impl Fn(&str) -> Option<OsString>,
    home: Option<PathBuf>,
    own: &str,
    folder: &str,
) -> PathBuf {
    if let Some(dir) = variable(own) {
        return dir.into();
    }
    let caches = variable("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| variable("HOME").map(|home| Path::new(&home).join(".cache")))
        .or_else(|| home.map(|home| home.join(".cache")));
    match caches {
        Some(caches) => caches.join(folder),
        // Anybody may make folders there: who made it is checked before it is used.
        None => env::temp_dir().join(format!("{folder}-{}", geteuid().as_raw())),
    }
}

/// A directory of its own inside the cache.
pub(super) fn staging(cache: &Path) -> io::Result<tempfile::TempDir> {
    own_folder(cache, 0o700)?;
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
    fn a_cache_that_others_may_write_to_is_refused() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        drop(staging(&cache).unwrap());
        for mode in [0o777, 0o1777, 0o775] {
            fs::set_permissions(&cache, fs::Permissions::from_mode(mode)).unwrap();
            let refused = staging(&cache).unwrap_err().to_string();
            assert!(refused.contains("others may write"), "{refused}");
        }
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
            let dir = cache_dir_from(variable, None, "OWN_CACHE", "folder");
            assert_eq!(dir, Path::new(expected));
        }
        let home = Some(PathBuf::from("/home/me"));
        let listed = cache_dir_from(|_| None, home, "OWN_CACHE", "folder");
        assert_eq!(listed, Path::new("/home/me/.cache/folder"));
        let bare = cache_dir_from(|_| None, None, "OWN_CACHE", "folder");
        let own = format!("folder-{}", geteuid().as_raw());
        assert_eq!(bare, env::temp_dir().join(own));
    }
}
