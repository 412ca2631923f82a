//! Commands that run to their end: the product's clients, and the Temporal
//! CLI that `pizza temporal` becomes.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use temporal_dev_server::{LocateOptions, cache_dir, locate};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::process::{PIZZA, foreign_variables};
use super::{LATER, SOON, eventually};

/// Where commands run, and the variables that they see.
pub(crate) struct Cli {
    pub(crate) folder: PathBuf,
    pub(crate) variables: Vec<(String, String)>,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// Its stdout as lines of JSON.
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect()
    }
}

impl Cli {
    /// The same, without a variable.
    pub(crate) fn without(mut self, variable: &str) -> Self {
        self.variables.retain(|(name, _)| name != variable);
        self
    }

    /// The same, with this variable on top.
    pub(crate) fn with(mut self, variable: &str, value: &str) -> Self {
        self.variables.push((variable.to_owned(), value.to_owned()));
        self
    }

    /// Runs `pizza` with `arguments`.
    pub(crate) async fn pizza(&self, arguments: &[&str]) -> Output {
        self.with_input(arguments, "").await
    }

    /// Runs `pizza` with `arguments`, and with `input` on its stdin.
    pub(crate) async fn with_input(&self, arguments: &[&str], input: &str) -> Output {
        self.run(Path::new(PIZZA), arguments, input, Stdio::piped())
            .await
    }

    /// Runs `pizza` with `arguments`, and with its stdout going elsewhere.
    pub(crate) async fn into(&self, arguments: &[&str], stdout: impl Into<Stdio>) -> Output {
        self.run(Path::new(PIZZA), arguments, "", stdout.into())
            .await
    }

    /// Runs another program.
    pub(crate) async fn program(&self, program: &str, arguments: &[&str]) -> Output {
        self.run(Path::new(program), arguments, "", Stdio::piped())
            .await
    }

    async fn run(&self, program: &Path, arguments: &[&str], input: &str, stdout: Stdio) -> Output {
        let mut command = Command::new(program);
        for foreign in foreign_variables() {
            command.env_remove(foreign);
        }
        let mut child = command
            .args(arguments)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        let input = input.to_owned();
        // A command that does not read its input is not to be waited for.
        let writing = tokio::spawn(async move { stdin.write_all(input.as_bytes()).await });
        let output = timeout(LATER, child.wait_with_output())
            .await
            .unwrap_or_else(|_| panic!("{} {arguments:?} does not end", program.display()))
            .expect("the command ran");
        writing.abort();
        Output {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }

    /// Runs `pizza` with `arguments`, which has to go well, and gives its
    /// stdout.
    pub(crate) async fn ok(&self, arguments: &[&str]) -> String {
        let output = self.pizza(arguments).await;
        assert_eq!(output.code, Some(0), "pizza {arguments:?}: {output:?}");
        output.stdout
    }

    /// Runs the Temporal CLI, which has to go well, and gives its stdout.
    ///
    /// Not through `pizza temporal`, which looks at the CLI anew each time:
    /// that is two more processes for each of a thousand calls.
    pub(crate) async fn temporal(&self, arguments: &[&str]) -> String {
        let program = temporal_cli().await;
        let output = eventually(SOON, "Temporal is not busy", async || {
            let output = self.run(program, arguments, "", Stdio::piped()).await;
            // The server asks to be asked again; nothing came of it.
            (!output.stderr.contains("Workflow is busy")).then_some(output)
        })
        .await;
        assert_eq!(output.code, Some(0), "temporal {arguments:?}: {output:?}");
        output.stdout
    }

    /// Runs the Temporal CLI with `-o json` and reads what it prints.
    pub(crate) async fn temporal_json(&self, arguments: &[&str]) -> Value {
        let text = self.temporal(&[arguments, &["-o", "json"]].concat()).await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

/// The Temporal CLI that `pizza temporal` becomes.
async fn temporal_cli() -> &'static Path {
    static FOUND: OnceCell<PathBuf> = OnceCell::const_new();
    let find = || async {
        let options = LocateOptions {
            explicit: std::env::var_os("PIZZA_TEMPORAL_CLI").map(PathBuf::from),
            cache: cache_dir("PIZZA_CACHE_DIR", "cloud-pizza"),
            ..LocateOptions::default()
        };
        locate(&options).await.expect("a Temporal CLI").path
    };
    FOUND.get_or_init(find).await
}
