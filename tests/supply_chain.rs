//! Where what is linked comes from, and what is said of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use toml::Table;

/// Where the workspace is.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn table(file: &str) -> Table {
    let text = std::fs::read_to_string(root().join(file)).expect("a file");
    text.parse().expect("TOML")
}

/// The packages of Cargo.lock.
fn locked() -> Vec<Table> {
    let lock = table("Cargo.lock");
    let packages = lock["package"].as_array().expect("a list");
    let tables = packages
        .iter()
        .map(|it| it.as_table().expect("a table").clone());
    tables.collect()
}

fn text<'a>(table: &'a Table, key: &str) -> &'a str {
    let value = table.get(key).and_then(toml::Value::as_str);
    value.unwrap_or_default()
}

/// A version, so that they can be put in order.
fn numbers(version: &str) -> Vec<u64> {
    let core = version.split(['-', '+']).next().unwrap_or_default();
    core.split('.')
        .map(|part| part.parse().expect("a number"))
        .collect()
}

#[test]
fn every_crate_comes_from_crates_io_as_it_was_locked() {
    const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";
    let ours: BTreeSet<String> = table("Cargo.toml")["workspace"]["members"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|member| {
            let member = member.as_str().expect("a folder");
            let manifest = table(&format!("{member}/Cargo.toml"));
            manifest["package"]["name"]
                .as_str()
                .expect("a name")
                .to_owned()
        })
        .collect();
    let mut found = BTreeSet::new();
    for package in locked() {
        let name = text(&package, "name");
        if !package.contains_key("source") {
            found.insert(name.to_owned());
            continue;
        }
        assert_eq!(text(&package, "source"), CRATES_IO, "{name}");
        let checksum = text(&package, "checksum");
        let is_hash = checksum.len() == 64 && checksum.bytes().all(|it| it.is_ascii_hexdigit());
        assert!(is_hash, "{name} is locked to no archive");
    }
    assert_eq!(
        found, ours,
        "crates without a source are those of this workspace"
    );
}

#[test]
fn every_crate_that_is_there_twice_has_a_reason_and_no_reason_is_left_over() {
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in locked() {
        let version = text(&package, "version").to_owned();
        versions
            .entry(text(&package, "name").to_owned())
            .or_default()
            .push(version);
    }
    let mut older = BTreeSet::new();
    for (name, mut versions) in versions {
        versions.sort_by_key(|version| numbers(version));
        versions.pop();
        older.extend(versions.iter().map(|version| format!("{name}@{version}")));
    }
    let deny = table("deny.toml");
    let skipped = deny["bans"]["skip"].as_array().expect("a list");
    let mut named = BTreeSet::new();
    for skip in skipped {
        let skip = skip.as_table().expect("a table");
        assert!(
            !text(skip, "reason").trim().is_empty(),
            "{skip} has no reason"
        );
        let is_new = named.insert(text(skip, "crate").to_owned());
        assert!(is_new, "{skip} is named twice");
    }
    assert_eq!(
        named, older,
        "deny.toml (left) and Cargo.lock (right) disagree"
    );
    assert_eq!(
        text(
            deny["bans"].as_table().expect("a table"),
            "multiple-versions"
        ),
        "deny"
    );
}

#[test]
fn the_sbom_names_all_that_is_linked_with_its_licence_and_its_archive() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let made = Command::new("python3")
        .arg(root().join("deploy/sbom.py"))
        .env("CARGO", &cargo)
        .env("CARGO_NET_OFFLINE", "true")
        .output()
        .expect("python3 runs");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let sbom: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    assert_eq!(
        (&sbom["bomFormat"], &sbom["specVersion"]),
        (&"CycloneDX".into(), &"1.5".into())
    );
    assert_eq!(sbom["metadata"]["component"]["name"], "pizza");

    let checksums: BTreeMap<String, String> = locked()
        .iter()
        .map(|package| {
            let id = format!("{}@{}", text(package, "name"), text(package, "version"));
            (id, text(package, "checksum").to_owned())
        })
        .collect();
    let mut listed = BTreeMap::new();
    for component in sbom["components"].as_array().expect("a list") {
        let field = |name: &str| component[name].as_str().unwrap_or_default();
        let id = format!("{}@{}", field("name"), field("version"));
        assert_eq!(field("purl"), format!("pkg:cargo/{id}"));
        let licence = &component["licenses"][0];
        let licence = licence["expression"]
            .as_str()
            .or(licence["license"]["id"].as_str());
        assert!(
            licence.is_some_and(|it| !it.contains('/')),
            "{id}: {component}"
        );
        let hash = component["hashes"][0]["content"]
            .as_str()
            .unwrap_or_default();
        assert_eq!(Some(hash), checksums.get(&id).map(String::as_str), "{id}");
        listed.insert(id, field("scope").to_owned());
    }

    let tree = Command::new(&cargo)
        .args(["tree", "--offline", "--locked", "--package", "pizza"])
        .args(["--edges", "normal,no-proc-macro", "--prefix", "none"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        tree.status.success(),
        "{}",
        String::from_utf8_lossy(&tree.stderr)
    );
    let tree = String::from_utf8(tree.stdout).expect("text");
    let mut linked = BTreeSet::new();
    for line in tree.lines().skip(1).filter(|line| !line.is_empty()) {
        let (name, rest) = line.split_once(" v").expect("a name and a version");
        let version = rest.split(' ').next().expect("a version");
        linked.insert(format!("{name}@{version}"));
    }
    assert!(linked.len() > 100, "{tree}");
    for id in linked.iter().filter(|id| !id.starts_with("pizza@")) {
        assert_eq!(listed.get(id).map(String::as_str), Some("required"), "{id}");
    }
}
