//! What a build id stands for.

use std::path::{Path, PathBuf};

use crate::harness::process::PIZZA;

#[path = "../pizza/sources.rs"]
mod sources;

/// The files that the compiler read for the binary, as it lists them.
fn compiled() -> Vec<PathBuf> {
    let list = Path::new(PIZZA).with_extension("d");
    let list = std::fs::read_to_string(list).expect("the compiler's list");
    let (_, files) = list.trim_end().split_once(": ").expect("files");
    // A space in a path is escaped.
    files
        .replace("\\ ", "\0")
        .split(' ')
        .map(|file| PathBuf::from(file.replace('\0', " ")))
        .collect()
}

#[test]
fn a_change_in_any_file_that_the_binary_is_made_of_changes_the_build_id() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let root = root.canonicalize().expect("the workspace");
    let sources = sources::sources(&root).expect("sources");
    let compiled = compiled();
    let ours = |path: &&PathBuf| path.starts_with(&root) && !path.starts_with(root.join("target"));
    let ours: Vec<_> = compiled.iter().filter(ours).collect();
    for expected in [
        "pizza/src/main.rs",
        "payload-codec/src/lib.rs",
        "docs/errors/README.md",
    ] {
        assert!(ours.contains(&&root.join(expected)), "{expected}: {ours:?}");
    }
    for file in ours {
        let is_known = sources.iter().any(|source| file.starts_with(source));
        assert!(is_known, "{} is not among the sources", file.display());
    }
}
