//! pip, which checks the hashes.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::Command;

use super::wheel::Wheel;
use crate::{
    environment::{PROXIES, clear_environment},
    program::{FETCH_DEADLINE, PROBE_DEADLINE, find_program, last_lines, output_of},
};

/// The names under which a Python is looked for, in order.
const PYTHONS: [&str; 2] = ["python3", "python"];

/// Asks a Python that has pip where it really is.
const WHERE_IS_PYTHON: &str = "import pip, sys; print(sys.executable)";

/// What pip needs of the environment, beside [`PROXIES`]: its own settings, in which the way to a
/// private index may stand.
const NEEDED: [&str; 6] = [
    "PIP_",
    "PYTHONHOME",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
];

/// The first Python that has pip, by the path that it gives of itself.
///
/// What is on the search path may be a version manager's shim, which does work of its own after
/// each pip (pyenv's rewrites its folder of shims, and fails when two do so at once).
pub(super) async fn find_python(search_path: &OsStr) -> Option<PathBuf> {
    for name in PYTHONS {
        let Some(program) = find_program(name, search_path) else {
            continue;
        };
        let mut probe = Command::new(&program);
        clear_environment(probe.as_std_mut(), &[&NEEDED, &PROXIES]);
        probe.args(["-c", WHERE_IS_PYTHON]).stdout(Stdio::piped());
        if let Ok(output) = output_of(probe, PROBE_DEADLINE).await
            && output.status.success()
        {
            let itself = String::from_utf8_lossy(&output.stdout);
            return Some(PathBuf::from(itself.trim_end()));
        }
    }
    None
}

/// Installs a wheel into `folder`; what pip is told is written to `staging`.
pub(super) async fn install(
    python: &Path,
    wheel: &Wheel<'_>,
    staging: &Path,
    folder: &Path,
    quiet: bool,
) -> Result<(), String> {
    let requirements = staging.join("requirements.txt");
    fs::write(&requirements, wheel.requirements).map_err(|error| error.to_string())?;
    let mut pip = Command::new(python);
    clear_environment(pip.as_std_mut(), &[&NEEDED, &PROXIES]);
    pip.args(["-m", "pip", "install", "--require-hashes", "--no-deps"])
        .args(["--only-binary=:all:", "--progress-bar"])
        .arg(if quiet { "off" } else { "on" })
        .arg("--target")
        .arg(folder)
        .arg("--requirement")
        .arg(&requirements);
    if let Some(version) = wheel.built_for {
        let abi = format!("cp{}", version.replace('.', ""));
        pip.args(["--python-version", version])
            .args(["--implementation", "cp", "--abi", &abi])
            // It would compile what belongs to another Python.
            .arg("--no-compile");
    }
    // A user's own settings that contradict --target, and pip's advice about itself. As
    // variables, because an older pip ignores those that it does not know.
    pip.env("PIP_USER", "0")
        .env("PIP_REQUIRE_VIRTUALENV", "0")
        .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
        .env("PIP_NO_INPUT", "1")
        .env("PIP_ROOT_USER_ACTION", "ignore");
    // pip's progress goes to its stdout; ours is for data alone.
    pip.stdout(if quiet {
        Stdio::null()
    } else {
        Stdio::from(io::stderr())
    });
    let output = output_of(pip, FETCH_DEADLINE).await?;
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let last = without_secrets(&last_lines(&errors, 3).join("\n    "));
    Err(format!("pip failed ({}):\n    {last}", output.status))
}

/// A text without what may be a password in its URLs: pip repeats a proxy's that it cannot read.
fn without_secrets(text: &str) -> String {
    text.split_inclusive(char::is_whitespace)
        .map(|word| {
            let Some((scheme, rest)) = word.split_once("://") else {
                return word.to_owned();
            };
            let end = &word[word.trim_end().len()..];
            let rest = rest.trim_end().split(['?', '#']).next().unwrap_or_default();
            let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
            format!("{scheme}://{place}{end}")
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn the_next_python_is_tried_where_one_has_no_pip() {
        let folder = tempfile::tempdir().unwrap();
        for (name, script) in [("python3", "exit 1"), ("python", "echo /opt/python")] {
            let path = folder.path().join(name);
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let found = find_python(folder.path().as_os_str()).await;
        assert_eq!(found.as_deref(), Some(Path::new("/opt/python")));
    }

    #[test]
    fn a_password_in_a_url_is_not_repeated() {
        for (told, expected) in [
            (
                "Failed to parse: http://u:secret@h:port\n",
                "Failed to parse: http://h:port\n",
            ),
            (
                "'https://h/simple?token=secret', then more",
                "'https://h/simple then more",
            ),
            ("a b@c  d", "a b@c  d"),
        ] {
            assert_eq!(without_secrets(told), expected);
        }
    }
}
