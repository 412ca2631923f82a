//! What the layout promises, held against the build.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Crates through which a workflow could reach the world: sockets, files,
/// HTTP, SQL, and the Temporal client and worker themselves.
const OUTWARD: [&str; 12] = [
    "hyper",
    "hyper-util",
    "mio",
    "socket2",
    "rustls",
    "reqwest",
    "axum",
    "sqlx",
    "libsqlite3-sys",
    "temporalio-client",
    "temporalio-sdk",
    "temporalio-sdk-core",
];

#[test]
fn workflows_depend_on_nothing_that_can_do_io() {
    // The failure queues' own workflows are what is left without its features.
    for package in ["pizza-workflows", "failure-queue"] {
        let inward = dependencies(package);
        let outward = inward.iter().filter(|name| is_outward(name)).count();
        assert_eq!(outward, 0, "{package}: {inward:?}");
    }
    // The list would not be worth much if it did not know the others.
    assert!(dependencies("pizza").iter().any(|name| is_outward(name)));
}

#[test]
fn every_code_block_of_a_document_ends_before_the_next_heading() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut documents = 0;
    for folder in [".", "docs", "docs/decisions", "docs/errors"] {
        for entry in fs::read_dir(root.join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            documents += 1;
            let text = fs::read_to_string(&path).expect("text");
            let mut is_open = false;
            for line in text.lines() {
                is_open ^= line.trim_start().starts_with("```");
                // A heading has two signs; a comment of a script has one.
                assert!(!is_open || !line.starts_with("## "), "{path:?}: {line}");
            }
            assert!(!is_open, "{path:?}");
        }
    }
    assert!(documents > 40, "{documents}");
}

fn is_outward(name: &str) -> bool {
    OUTWARD.contains(&name)
}

/// The names of the crates that a package is built with.
fn dependencies(package: &str) -> BTreeSet<String> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--package", package, "--edges", "normal"])
        .args(["--prefix", "none", "--format", "{p}", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo tree");
    assert!(tree.status.success(), "{tree:?}");
    String::from_utf8(tree.stdout)
        .expect("text")
        .lines()
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect()
}
