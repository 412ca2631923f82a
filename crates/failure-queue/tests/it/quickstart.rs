//! The example of the README runs as it stands there.

use std::env::{consts::EXE_SUFFIX, current_exe};
use std::process::Stdio;

use tokio::process::Command;

use crate::harness::shared_server;

const EXAMPLE: &str = include_str!("../../examples/quickstart.rs");
const README: &str = include_str!("../../README.md");

#[test]
fn the_readme_shows_the_example_as_it_is() {
    let shown = README.split("```rust\n").nth(1).unwrap();
    let shown = shown.split("```").next().unwrap();
    assert!(
        shown == EXAMPLE,
        "README.md and examples/quickstart.rs differ"
    );
}

#[tokio::test]
async fn the_example_runs_by_itself() {
    let address = shared_server().await;
    let tests = current_exe().unwrap();
    let target = tests.parent().and_then(|deps| deps.parent()).unwrap();
    let example = target.join(format!("examples/quickstart{EXE_SUFFIX}"));
    assert!(
        example.exists(),
        "cargo builds the examples unless it is told to build one test alone"
    );
    let run = Command::new(example)
        .env("TEMPORAL_ADDRESS", address)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8(run.stdout).unwrap();
    assert!(run.status.success(), "{said}{:?}", run.stderr);
    for part in [
        "refunded: false",
        "is waiting: the bank is away after 3 attempts",
        "the bank refunds 1250 cents",
        "is done after 4 attempts",
        "alice redrove it: Done",
    ] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
}
