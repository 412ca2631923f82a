//! What the layout promises, held against the build.

mod circles;
mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use circles::{circles_of, describe};
use imports::imports_of;

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

/// What the gateway's crates do without: the worker's SDK.
const WORKER_SDK: [&str; 2] = ["temporalio-sdk", "temporalio-sdk-core"];

/// The largest circle of files that is allowed.
const LARGEST_CIRCLE: usize = 3;

/// What each crate may depend on, and all that those may depend on in turn.
/// The crates under `crates/` know nothing of pizza; of them only the failure
/// queues have a place here, since nothing below the workflows may use them.
const ARROWS: [(&str, &[&str]); 10] = [
    ("pizza", &["pizza-api", "pizza-activities", "pizza-client"]),
    ("pizza-api", &["pizza-app", "pizza-contract"]),
    (
        "pizza-app",
        &["pizza-store", "pizza-workflows", "pizza-contract"],
    ),
    ("pizza-activities", &["pizza-store"]),
    ("pizza-store", &["pizza-workflows"]),
    ("pizza-workflows", &["pizza-domain", "failure-queue"]),
    ("pizza-client", &["pizza-contract"]),
    ("pizza-contract", &["pizza-domain"]),
    ("pizza-domain", &[]),
    ("failure-queue", &[]),
];

/// A crate of the workspace.
#[derive(serde::Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
    targets: Vec<Target>,
}

#[derive(serde::Deserialize)]
struct Dependency {
    name: String,
    /// None for a normal one.
    kind: Option<String>,
}

#[derive(serde::Deserialize)]
struct Target {
    kind: Vec<String>,
    src_path: PathBuf,
}

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
fn crates_depend_on_each_other_one_way() {
    let packages = packages();
    assert!(packages.len() > 10, "{}", packages.len());
    let depends = packages.iter().flat_map(|package| {
        let normal = package.dependencies.iter().filter(|it| it.kind.is_none());
        normal.map(|it| (package.name.as_str(), it.name.as_str()))
    });
    let wrong: Vec<_> = depends.filter(|(from, to)| !is_allowed(from, to)).collect();
    assert!(wrong.is_empty(), "not in the table of arrows: {wrong:?}");
    // A new crate of pizza gets a place in the table.
    for package in &packages {
        let is_general = package.manifest_path.iter().any(|part| part == "crates");
        let has_place = ARROWS.iter().any(|(name, _)| *name == package.name);
        assert!(is_general || has_place, "{} has no arrows", package.name);
        assert!(!is_general || !is_of_pizza(&package.name));
    }
}

#[test]
fn an_arrow_that_points_up_is_noticed() {
    for (from, to) in [
        ("pizza", "pizza-domain"),
        ("pizza-api", "pizza-store"),
        ("pizza-store", "failure-queue"),
        ("pizza-store", "sqlx"),
        ("failure-queue", "temporal-dev-server"),
    ] {
        assert!(is_allowed(from, to), "{from} -> {to}");
    }
    for (from, to) in [
        ("pizza-app", "pizza-api"),
        ("pizza-api", "pizza-activities"),
        ("pizza-store", "pizza-activities"),
        ("pizza-workflows", "pizza-store"),
        ("pizza-domain", "failure-queue"),
        ("pizza-contract", "pizza-workflows"),
        ("pizza-client", "pizza-app"),
        ("failure-queue", "pizza-domain"),
        ("payload-codec", "pizza-domain"),
        ("payload-codec", "pizza"),
    ] {
        assert!(!is_allowed(from, to), "{from} -> {to}");
    }
}

#[test]
fn the_gateway_does_without_the_sdk_of_workers_and_its_use_cases_without_a_server() {
    for package in packages() {
        let is_gateway = ["pizza-api", "pizza-app"].contains(&package.name.as_str());
        if is_gateway {
            let reached = dependencies(&package.name);
            let sdk = WORKER_SDK.iter().filter(|name| reached.contains(**name));
            assert_eq!(sdk.count(), 0, "{}: {reached:?}", package.name);
        }
        if package.name == "pizza-app" {
            let normal = package.dependencies.iter().filter(|it| it.kind.is_none());
            let mut servers = normal.filter(|it| ["axum", "tonic"].contains(&it.name.as_str()));
            let server = servers.next().map(|it| &it.name);
            assert_eq!(server, None, "a dependency of pizza-app");
        }
    }
    // A worker has it.
    let reached = dependencies("pizza-activities");
    assert!(reached.contains(WORKER_SDK[0]), "{reached:?}");
}

#[test]
fn a_client_of_the_gateway_is_built_without_its_server_and_without_the_command_line() {
    let reached = dependencies("pizza-client");
    let foreign = [
        "axum",
        "tonic",
        "sqlx",
        "clap",
        "utoipa",
        "temporalio-client",
    ];
    let mut foreign = foreign.into_iter().filter(|name| reached.contains(*name));
    assert_eq!(foreign.next(), None, "{reached:?}");
}

#[test]
fn no_circle_of_files_is_large() {
    let mut files = 0;
    let mut large = Vec::new();
    for package in packages() {
        for target in &package.targets {
            if !target
                .kind
                .iter()
                .any(|kind| kind == "lib" || kind == "bin")
            {
                continue;
            }
            let imports = imports_of(&target.src_path);
            files += imports.files.len();
            for circle in circles_of(&imports) {
                if circle.len() > LARGEST_CIRCLE {
                    let circle = describe(&circle, &imports);
                    large.push(format!("{}: {circle}", package.name));
                }
            }
        }
    }
    assert!(files > 200, "{files}");
    assert!(large.is_empty(), "{}", large.join("\n"));
}

/// A tree with a circle of four files: `a` imports from `b` through a name of
/// the root, `b` from `c/d` through a name of `c` and a glob, `c/d` from `e`
/// with `super::` in a macro, and `e` from `a`.
const TREE: [(&str, &str); 7] = [
    (
        "lib.rs",
        "pub use b::Beta; mod a; mod b; mod c; mod e; mod f;",
    ),
    (
        "a.rs",
        "use super::Beta; pub struct Alpha(Beta); use crate::f;",
    ),
    (
        "b.rs",
        "use crate::c::*; pub struct Beta(Gamma); fn f() { crate::f::go() }",
    ),
    ("c/mod.rs", "mod d; pub use self::d::Delta as Gamma;"),
    (
        "c/d.rs",
        "pub struct Delta; fn f() { assert!(super::super::e::is_there()); }",
    ),
    (
        "e.rs",
        "pub fn is_there() -> bool { matches!(crate::a::Alpha::new(), _) }",
    ),
    (
        "f.rs",
        "pub(super) fn go() {} #[cfg(test)] mod tests { use super::*; use crate::a::Alpha; }",
    ),
];

#[test]
fn a_circle_through_other_modules_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let imports = imports_of_tree(folder.path(), &TREE);
    let circles = circles_of(&imports);
    assert_eq!(circles.len(), 1);
    assert_eq!(
        describe(&circles[0], &imports),
        "a circle of 4 files\n  \
         a.rs -> b.rs: Beta\n  \
         b.rs -> c/d.rs: Delta\n  \
         c/d.rs -> e.rs: is_there\n  \
         e.rs -> a.rs: Alpha"
    );
}

#[test]
fn files_that_import_one_way_are_no_circle() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut tree = TREE;
    tree[5].1 = "pub fn is_there() -> bool { true } #[cfg(test)] use crate::a::Alpha;";
    let imports = imports_of_tree(folder.path(), &tree);
    assert_eq!(imports.files.len(), tree.len());
    assert!(circles_of(&imports).is_empty());
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

fn imports_of_tree(folder: &Path, tree: &[(&str, &str)]) -> imports::Imports {
    for (file, text) in tree {
        let file = folder.join(file);
        fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        fs::write(file, text).expect("written");
    }
    imports_of(&folder.join("lib.rs"))
}

/// Whether a crate may depend on another one. What is outside of the workspace
/// may always be depended on.
fn is_allowed(from: &str, to: &str) -> bool {
    let arrows = BTreeMap::from(ARROWS);
    let Some(_) = arrows.get(to) else {
        return true;
    };
    let mut next: Vec<_> = arrows.get(from).copied().unwrap_or_default().to_vec();
    while let Some(name) = next.pop() {
        if name == to {
            return true;
        }
        next.extend(arrows.get(name).copied().unwrap_or_default());
    }
    false
}

fn is_of_pizza(name: &str) -> bool {
    name == "pizza" || name.starts_with("pizza-")
}

/// The crates of the workspace.
fn packages() -> Vec<Package> {
    #[derive(serde::Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    let metadata = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata");
    assert!(metadata.status.success(), "{metadata:?}");
    let metadata: Metadata = serde_json::from_slice(&metadata.stdout).expect("metadata");
    metadata.packages
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
