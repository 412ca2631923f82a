//! `deploy/make-secrets.sh`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use super::compose::{compose, root};
use crate::harness::folder;
use crate::harness::process::PIZZA;

#[test]
fn every_secret_is_made_once_and_out_of_sight() {
    let folder = folder::new("secrets").join("made");
    let made = make(&folder);
    assert!(made.status.success(), "{made:?}");
    let secrets = read(&folder);
    for (name, secret) in compose()["secrets"].as_object().expect("secrets") {
        let path = secret["file"].as_str().expect("a file");
        assert_eq!(path, format!("deploy/secrets/{name}"));
        let text = secrets.get(name).unwrap_or_else(|| panic!("no {name}"));
        assert!(text.trim().len() >= 40, "{name}: {text}");
    }
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("codec_keys")), 0o644);
    assert!(!String::from_utf8_lossy(&made.stdout).contains("pizza_"));
    let password = secrets["pizza_database_password"].trim();
    assert!(secrets["pizza_database_url"].contains(password));
    assert!(secrets["operator_keys"].starts_with("operator:"));

    assert!(make(&folder).status.success());
    assert_eq!(read(&folder), secrets, "made again");

    // A fetch that failed leaves nothing that looks like a secret.
    fs::remove_file(folder.join("codec_keys")).expect("removed");
    let failed = command(&folder)
        .env("PIZZA", "false")
        .output()
        .expect("runs");
    assert!(!failed.status.success());
    assert!(!folder.join("codec_keys").exists());
}

#[test]
fn a_key_that_is_lost_is_made_anew_and_no_other_holder_loses_theirs() {
    let folder = folder::new("secrets").join("lost");
    assert!(make(&folder).status.success());
    let known = folder.join("customer_keys");
    let other = format!("ann:{}\n", "a".repeat(64));
    let mut entries = fs::OpenOptions::new()
        .append(true)
        .open(&known)
        .expect("to be added to");
    entries.write_all(other.as_bytes()).expect("added");
    let before = read(&folder);

    fs::remove_file(folder.join("customer.key")).expect("removed");
    assert!(make(&folder).status.success());
    let after = read(&folder);
    assert_ne!(after["customer.key"], before["customer.key"]);
    let entries = &after["customer_keys"];
    assert!(entries.contains(&other), "{entries}");
    // The new key opens the door, and the lost one does not any more.
    assert_eq!(entries.lines().count(), 2, "{entries}");
    assert_ne!(entries, &before["customer_keys"]);
    assert_eq!(after["kitchen_keys"], before["kitchen_keys"]);
}

#[test]
fn why_a_key_cannot_be_made_is_shown() {
    let folder = folder::new("secrets").join("refused");
    let failed = command(&folder).env("PIZZA", "/nonexistent").output();
    let failed = failed.expect("runs");
    let told = String::from_utf8_lossy(&failed.stderr);
    assert!(!failed.status.success());
    assert!(told.contains("/nonexistent"), "{told}");
    assert!(told.contains("operator.key cannot be made"), "{told}");
    assert!(!folder.join("operator_keys").exists());
}

fn make(folder: &Path) -> Output {
    command(folder).env("PIZZA", PIZZA).output().expect("runs")
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(root().join("deploy/make-secrets.sh"));
    command.env("SECRETS", folder);
    command
}

fn read(folder: &Path) -> BTreeMap<String, String> {
    let mut secrets = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        if !name.starts_with('.') {
            let text = fs::read_to_string(&path).expect("text");
            secrets.insert(name.into_owned(), text);
        }
    }
    secrets
}
