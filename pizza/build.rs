//! Keeps what `pizza replay` needs of the Temporal API's descriptor set, and notes which commit the
//! binary is built from.
//!
//! `temporalio-protos` compiles the API and tells dependent build scripts where it left the
//! descriptor set. Only the file that defines a workflow history, and what it imports, is put into
//! the binary: about a tenth of the whole.

mod sources;

use std::{
    collections::HashSet,
    env,
    error::Error,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use prost::Message;
use prost_types::FileDescriptorSet;

/// Set by the `links` key of `temporalio-protos`: the path of its compiled descriptor set.
const DESCRIPTOR_SET: &str = "DEP_TEMPORALIO_PROTOS_DESCRIPTOR_PATH";
/// Defines `temporal.api.history.v1.History`.
const ROOT: &str = "temporal/api/history/v1/message.proto";
/// The file in `OUT_DIR` that `replay::history_json` includes.
const OUTPUT: &str = "history_descriptors.bin";

/// The commit, for a build that has no git repository around it; and the name under which the
/// binary is told of it (`src/build_id.rs`).
const COMMIT: &str = "PIZZA_COMMIT";
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    note_commit()?;
    println!("cargo::rerun-if-env-changed={DESCRIPTOR_SET}");
    let source = env::var(DESCRIPTOR_SET)
        .map_err(|error| format!("temporalio-protos did not export {DESCRIPTOR_SET}: {error}"))?;
    println!("cargo::rerun-if-changed={source}");
    let all = FileDescriptorSet::decode(fs::read(&source)?.as_slice())?;
    let kept = closure(all, ROOT)?;
    let target = PathBuf::from(env::var("OUT_DIR")?).join(OUTPUT);
    fs::write(target, kept.encode_to_vec())?;
    Ok(())
}

/// The file `root` and everything it imports, directly or not, in the order of `all`, where each
/// file follows its imports. Comments and positions in the sources are dropped.
fn closure(all: FileDescriptorSet, root: &str) -> Result<FileDescriptorSet, String> {
    let mut wanted = HashSet::new();
    let mut queue = vec![root.to_owned()];
    while let Some(name) = queue.pop() {
        let file = all
            .file
            .iter()
            .find(|file| file.name() == name)
            .ok_or_else(|| format!("the descriptor set lacks {name}"))?;
        if wanted.insert(name) {
            queue.extend(file.dependency.iter().cloned());
        }
    }
    let mut file = all.file;
    file.retain(|file| wanted.contains(file.name()));
    for kept in &mut file {
        kept.source_code_info = None;
    }
    Ok(FileDescriptorSet { file })
}

/// Tells the compiler which commit this is. Without git, or with changes that are not committed,
/// nothing is told, and the binary is known by its checksum.
fn note_commit() -> Result<(), Box<dyn Error>> {
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
