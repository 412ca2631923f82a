//! pip, which checks the hashes. Where Python has none, as on systems that ship it apart, pip's own
//! wheel is fetched first, pinned by hash, and run from the file.

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
    program::{FETCH_DEADLINE, PROBE_DEADLINE, find_program, hash_of, last_lines, output_of},
};

/// The names under which a Python is looked for, in order.
const PYTHONS: [&str; 2] = ["python3", "python"];

/// Asks a Python where it really is. It fails after that where it has no pip.
const WHERE_IS_PYTHON: &str = "import sys; print(sys.executable, flush=True); import pip";

/// Fetches a URL into a file.
const FETCH: &str = "\
import sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=60) as answer, open(sys.argv[2], 'wb') as file:
    file.write(answer.read())";

/// pip 25.3 as the Python Package Index has it; it runs on Python 3.9 and newer.
const PIP: PipWheel<'_> = PipWheel {
    url: "https://files.pythonhosted.org/packages/44/3c/\
d717024885424591d5376220b5e836c2d5293ce2011523c9de23ff7bf068/pip-25.3-py3-none-any.whl",
    hash: "9655943313a94722b7774661c21049070f6bbb0a1516bf02f7c8d5d9201514cd",
};

/// Where a wheel of pip is fetched from, and its SHA-256.
#[derive(Clone, Copy)]
struct PipWheel<'a> {
    url: &'a str,
    hash: &'a str,
}

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

/// A Python, by the path that it gives of itself.
pub(super) struct Python {
    pub(super) path: PathBuf,
    has_pip: bool,
}

/// The first Python that has pip, else the first.
///
/// What is on the search path may be a version manager's shim, which does work of its own after
/// each pip (pyenv's rewrites its folder of shims, and fails when two do so at once).
pub(super) async fn find_python(search_path: &OsStr) -> Option<Python> {
    let mut without_pip = None;
    for name in PYTHONS {
        let Some(program) = find_program(name, search_path) else {
            continue;
        };
        let mut probe = Command::new(&program);
        clear_environment(probe.as_std_mut(), &[&NEEDED, &PROXIES]);
        probe.args(["-c", WHERE_IS_PYTHON]).stdout(Stdio::piped());
        let Ok(output) = output_of(probe, PROBE_DEADLINE).await else {
            continue;
        };
        let path = String::from_utf8_lossy(&output.stdout);
        let python = Python {
            path: PathBuf::from(path.trim_end()),
            has_pip: output.status.success(),
        };
        if python.has_pip {
            return Some(python);
        }
        if !path.is_empty() && without_pip.is_none() {
            without_pip = Some(python);
        }
    }
    without_pip
}

/// Installs a wheel into `folder`; what pip is told is written to `staging`.
pub(super) async fn install(
    python: &Python,
    wheel: &Wheel<'_>,
    staging: &Path,
    folder: &Path,
    quiet: bool,
) -> Result<(), String> {
    let requirements = staging.join("requirements.txt");
    fs::write(&requirements, wheel.requirements).map_err(|error| error.to_string())?;
    let mut pip = pip_of(python, &PIP, staging).await?;
    pip.args(["install", "--require-hashes", "--no-deps"])
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

/// pip, which is fetched to `staging` where Python has none.
async fn pip_of(python: &Python, wheel: &PipWheel<'_>, staging: &Path) -> Result<Command, String> {
    let mut pip = Command::new(&python.path);
    clear_environment(pip.as_std_mut(), &[&NEEDED, &PROXIES]);
    if python.has_pip {
        pip.args(["-m", "pip"]);
    } else {
        let place = staging.join("pip.whl");
        fetch_pip(&python.path, wheel, &place).await?;
        // A Python runs what is inside an archive.
        pip.arg(place.join("pip"));
    }
    Ok(pip)
}

async fn fetch_pip(python: &Path, wheel: &PipWheel<'_>, place: &Path) -> Result<(), String> {
    let mut fetch = Command::new(python);
    clear_environment(fetch.as_std_mut(), &[&NEEDED, &PROXIES]);
    fetch.args(["-c", FETCH, wheel.url]).arg(place);
    let output = output_of(fetch, FETCH_DEADLINE).await?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        let last = without_secrets(&last_lines(&errors, 1).join(" "));
        return Err(format!(
            "it has no pip, and pip could not be fetched ({last})"
        ));
    }
    match hash_of(place) {
        Ok(hash) if hash == wheel.hash => Ok(()),
        Ok(_) => Err("it has no pip, and what was fetched as pip is not the pinned one".to_owned()),
        Err(error) => Err(error.to_string()),
    }
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
        let program = |name: &str, script: &str| {
            let path = folder.path().join(name);
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        };
        program("python3", "echo /opt/bare; exit 1");
        let found = find_python(folder.path().as_os_str()).await.unwrap();
        assert_eq!(found.path, Path::new("/opt/bare"));
        assert!(!found.has_pip);

        program("python", "echo /opt/python");
        let found = find_python(folder.path().as_os_str()).await.unwrap();
        assert_eq!(found.path, Path::new("/opt/python"));
        assert!(found.has_pip);

        program("python", "exit 1");
        program("python3", "exit 1");
        assert!(find_python(folder.path().as_os_str()).await.is_none());
    }

    #[tokio::test]
    async fn a_python_without_pip_is_given_the_pinned_one_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        // An archive with a package whose program says that it is there.
        let make = "import sys, zipfile\n\
with zipfile.ZipFile(sys.argv[1], 'w') as wheel:\n    \
    wheel.writestr('pip/__main__.py', 'print(\"pip is here\")')";
        let made = path.join("made.whl");
        let search_path = std::env::var_os("PATH").unwrap();
        let mut python = find_python(&search_path).await.unwrap();
        let mut program = Command::new(&python.path);
        program.args(["-c", make]).arg(&made);
        assert!(program.status().await.unwrap().success());

        python.has_pip = false;
        let url = format!("file://{}", made.display());
        let hash = hash_of(&made).unwrap();
        let wheel = PipWheel {
            url: &url,
            hash: &hash,
        };
        let mut pip = pip_of(&python, &wheel, path).await.unwrap();
        let output = pip.output().await.unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "pip is here\n");

        let other = PipWheel {
            hash: "00",
            ..wheel
        };
        let refused = pip_of(&python, &other, path).await.unwrap_err();
        assert!(refused.ends_with("is not the pinned one"), "{refused}");
        let absent = PipWheel {
            url: "file:///no/such/file",
            ..wheel
        };
        let refused = pip_of(&python, &absent, path).await.unwrap_err();
        assert!(refused.contains("could not be fetched"), "{refused}");
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
