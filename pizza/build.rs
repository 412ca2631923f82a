//! Notes which commit the binary is built from.

mod sources;

use std::{env, error::Error, ffi::OsStr, fs, path::Path, process::Command};

/// The commit, for a build that has no git repository around it; and the name under which the
/// binary is told of it (`src/build_id.rs`).
const COMMIT: &str = "PIZZA_COMMIT";

/// Tells the compiler which commit this is. Without git, or with changes that are not committed,
/// nothing is told, and the binary is known by its checksum.
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={COMMIT}");
    let sources = sources::sources(Path::new(".."))?;
    for source in &sources {
        println!("cargo::rerun-if-changed={}", source.display());
    }
    if let Some(commit) = env::var(COMMIT).ok().filter(|commit| !commit.is_empty()) {
        println!("cargo::rustc-env={COMMIT}={commit}");
        return Ok(());
    }
    // It gets a line with each commit and checkout; where there is none, cargo would always rerun.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"])
        && fs::exists(&log).unwrap_or_default()
    {
        println!("cargo::rerun-if-changed={log}");
    }
    let mut changes: Vec<&OsStr> = ["status", "--porcelain", "--"].map(OsStr::new).to_vec();
    changes.extend(sources.iter().map(|source| source.as_os_str()));
    let is_clean = git(&changes).is_some_and(|changes| changes.is_empty());
    if is_clean && let Some(commit) = git(&["rev-parse", "--short=7", "HEAD"]) {
        println!("cargo::rustc-env={COMMIT}={commit}");
    }
    Ok(())
}

/// What git prints; none where it is missing or refuses.
fn git(arguments: &[impl AsRef<OsStr>]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
