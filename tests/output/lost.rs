//! Output that cannot be written is an error, and a reader that has gone is
//! none.

use std::fs::File;
use std::io::pipe;
use std::path::Path;

use serde_json::json;

use crate::harness::World;
use crate::harness::cli::{Cli, Output};

/// The exit code of a command whose output was lost.
const UNWRITTEN: Option<i32> = Some(74);

/// Commands that print on stdout and leave the shop as it is; `ID` is an
/// order, `HISTORY` a recorded one.
const COMMANDS: [&str; 31] = [
    "--version",
    "--help",
    "help order",
    "order --help",
    "codec-key k",
    "operator-key k",
    "customer-key k",
    "kitchen-key k",
    "menu",
    "menu --json",
    "orders --limit 1",
    "orders --limit 1 --json",
    "status ID",
    "status ID --json",
    "status ID --timeline",
    "status ID --timeline --json",
    "status --file HISTORY",
    "order --flavour plain",
    "order --flavour plain --json",
    "tickets --json",
    "kitchen-simulation",
    "kitchen-simulation --json",
    "failures queues",
    "failures queues --json",
    "failures list --json",
    "failures policy refund-payment",
    "audit --store-only",
    "audit --store-only --json",
    "migrate --json",
    "replay HISTORY",
    "replay HISTORY --json",
];

/// Each of them with the arguments that it is run with.
async fn commands(world: &World) -> Vec<Vec<String>> {
    let order = world.gateway().place(json!({ "flavour": "plain" })).await;
    world.gateway().until_ended(&order).await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/histories/0.3.0");
    let history = std::fs::read_dir(folder)
        .expect("histories")
        .map(|file| file.expect("a file").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .min()
        .expect("a history");
    let history = history.to_str().expect("UTF-8");
    let word = |word: &str| word.replace("HISTORY", history).replace("ID", &order);
    let words = |line: &&str| line.split_whitespace().map(word).collect();
    COMMANDS.iter().map(words).collect()
}

async fn run(cli: &Cli, words: &[String], stdout: impl Into<std::process::Stdio>) -> Outcome {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = cli.into(&words, stdout).await;
    Outcome {
        code: output.code,
        stderr: output.stderr,
    }
}

struct Outcome {
    code: Option<i32>,
    stderr: String,
}

#[tokio::test]
async fn a_command_whose_output_cannot_be_written_says_so_and_has_an_exit_code_for_it() {
    let world = World::shared().await;
    let cli = world.cli();
    for words in commands(&world).await {
        let full = File::options().write(true).open("/dev/full").expect("it");
        let Outcome { code, stderr } = run(&cli, &words, full).await;
        assert_eq!(code, UNWRITTEN, "pizza {words:?}: {stderr}");
        let last = stderr.lines().last().unwrap_or_default();
        let expected = "error: the output could not be written to stdout: No space left on device";
        assert!(last.starts_with(expected), "pizza {words:?}: {stderr}");
    }
}

#[tokio::test]
async fn a_reader_that_has_read_enough_is_no_error() {
    let world = World::shared().await;
    let cli = world.cli();
    for words in commands(&world).await {
        let (reader, closed) = pipe().expect("a pipe");
        drop(reader);
        let Outcome { code, stderr } = run(&cli, &words, closed).await;
        assert_eq!(code, Some(0), "pizza {words:?}: {stderr}");
        let complains = stderr.contains("error") || stderr.contains("panicked");
        assert!(!complains, "pizza {words:?}: {stderr}");
    }
}

/// What a command comes to whose streams a shell redirects.
async fn redirected(command: &str, redirection: &str) -> Output {
    let script = format!("exec \"$0\" {command} {redirection}");
    let pizza = crate::harness::process::PIZZA;
    let cli = World::shared().await.cli();
    cli.program("sh", &["-c", &script, pizza]).await
}

#[tokio::test]
async fn a_key_without_its_entry_is_lost_output_too() {
    // The entry for the gateway's configuration goes to stderr.
    let output = redirected("operator-key k", "2>/dev/full").await;
    assert_eq!(output.code, UNWRITTEN, "{output:?}");
    assert!(output.stdout.starts_with("pizza_op_"), "{output:?}");
}

#[tokio::test]
async fn a_key_is_lost_where_stdout_is_closed_and_not_where_it_is_not_wanted() {
    for command in [
        "operator-key k",
        "customer-key k",
        "kitchen-key k",
        "codec-key k",
    ] {
        let output = redirected(command, ">&-").await;
        assert_eq!(output.code, UNWRITTEN, "{command}: {output:?}");
        let expected = "error: the output could not be written to stdout: it was closed";
        assert!(output.stderr.contains(expected), "{command}: {output:?}");
        let output = redirected(command, ">/dev/null").await;
        assert_eq!(output.code, Some(0), "{command}: {output:?}");
    }
}
