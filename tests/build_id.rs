//! What a build id stands for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::harness::process::PIZZA;

#[path = "../pizza/sources.rs"]
mod sources;

/// The workspace's files that the compiler read for the crates of the binary,
/// as it lists them in a file for each crate.
fn compiled(crates: &[String]) -> BTreeSet<PathBuf> {
    let lists = Path::new(PIZZA).with_file_name("deps");
    let mut files = BTreeSet::new();
    for list in std::fs::read_dir(lists).expect("the compiler's lists") {
        let list = list.expect("a list").path();
        let stem = list.file_stem().and_then(|stem| stem.to_str());
        let name = stem.and_then(|stem| Some(stem.rsplit_once('-')?.0));
        let is_ours = name.is_some_and(|name| crates.iter().any(|ours| ours == name));
        if !is_ours || list.extension().is_none_or(|kind| kind != "d") {
            continue;
        }
        let text = std::fs::read_to_string(list).expect("text");
        let listed = text.lines().next().unwrap_or_default();
        let (_, listed) = listed.split_once(": ").unwrap_or_default();
        // A space in a path is escaped.
        let listed = listed.replace("\\ ", "\0");
        files.extend(
            listed
                .split(' ')
                .map(|file| PathBuf::from(file.replace('\0', " "))),
        );
    }
    files
}

#[test]
fn a_change_in_any_file_that_the_binary_is_made_of_changes_the_build_id() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let root = root.canonicalize().expect("the workspace");
    let sources = sources::sources(&root).expect("sources");
    let names = sources.iter().filter_map(|source| package(source));
    let crates: Vec<_> = names.map(|name| name.replace('-', "_")).collect();
    // A list of an earlier build may name what is not there any more.
    let ours: BTreeSet<_> = compiled(&crates)
        .into_iter()
        .filter_map(|file| root.join(file).canonicalize().ok())
        .filter(|file| file.starts_with(&root) && !file.starts_with(root.join("target")))
        .collect();
    for expected in [
        "pizza/src/main.rs",
        "crates/payload-codec/src/lib.rs",
        "docs/errors/README.md",
    ] {
        assert!(ours.contains(&root.join(expected)), "{expected}: {ours:?}");
    }
    for file in ours {
        let is_known = sources.iter().any(|source| file.starts_with(source));
        assert!(is_known, "{} is not among the sources", file.display());
    }
}

/// The name of the package in a folder; none where it holds none.
fn package(folder: &Path) -> Option<String> {
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).ok()?;
    let manifest: toml::Table = manifest.parse().ok()?;
    Some(manifest.get("package")?.get("name")?.as_str()?.to_owned())
}
