//! Processes of the product, each with its output in files, none of which
//! outlives the test.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::cli::Cli;
use super::{SOON, eventually};

/// The binary under test.
pub(crate) const PIZZA: &str = env!("CARGO_BIN_EXE_pizza");

/// Ends a process group (`$1`) when the other end of its input is closed, as
/// the system does when this test run is itself killed.
const GUARD: &str = "read -r line; kill -9 \"-$1\"";

/// How much of the end of a log a failed test shows, in lines.
const TAIL: usize = 25;

/// Variables of whoever runs the tests that would change what is tested.
const FOREIGN: [&str; 5] = ["TEMPORAL_", "PIZZA_", "DATABASE_URL", "RUST_LOG", "OTEL_"];

/// Those of them that say where the Temporal CLI is.
const KEPT: [&str; 2] = ["PIZZA_CACHE_DIR", "PIZZA_TEMPORAL_CLI"];

/// The names of the variables that the processes must not inherit.
pub(crate) fn foreign_variables() -> Vec<String> {
    std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| FOREIGN.iter().any(|prefix| name.starts_with(prefix)))
        .filter(|name| !KEPT.contains(&name.as_str()))
        .collect()
}

/// A running process of the product. Dropped, it is killed with all that it
/// started.
pub(crate) struct Process {
    name: String,
    child: Child,
    guard: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Process {
    /// Starts `pizza` with `arguments`; its output goes to files in `folder`.
    pub(crate) fn pizza(
        folder: &Path,
        name: &str,
        arguments: &[&str],
        variables: &[(String, String)],
    ) -> Self {
        Self::program(Path::new(PIZZA), folder, name, arguments, variables)
    }

    /// The same, but with its output going elsewhere, where that is named.
    pub(crate) fn pizza_into(
        cli: &Cli,
        name: &str,
        arguments: &[&str],
        stdout: Option<Stdio>,
        stderr: Stdio,
    ) -> Self {
        let (folder, variables) = (&cli.folder, &cli.variables);
        Self::start(
            Path::new(PIZZA),
            folder,
            name,
            arguments,
            variables,
            (stdout, Some(stderr)),
        )
    }

    /// Starts another program, as [`Self::pizza`] does.
    pub(crate) fn program(
        program: &Path,
        folder: &Path,
        name: &str,
        arguments: &[&str],
        variables: &[(String, String)],
    ) -> Self {
        Self::start(program, folder, name, arguments, variables, (None, None))
    }

    fn start(
        program: &Path,
        folder: &Path,
        name: &str,
        arguments: &[&str],
        variables: &[(String, String)],
        (into_stdout, into_stderr): (Option<Stdio>, Option<Stdio>),
    ) -> Self {
        let (stdout, stderr) = new_logs(folder, name);
        let file = |path: &Path| Stdio::from(File::create(path).expect("a log"));
        let mut command = Command::new(program);
        for foreign in foreign_variables() {
            command.env_remove(foreign);
        }
        let child = command
            .args(arguments)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(into_stdout.unwrap_or_else(|| file(&stdout)))
            .stderr(into_stderr.unwrap_or_else(|| file(&stderr)))
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()));
        let guard = guard(&child);
        Self {
            name: name.to_owned(),
            child,
            guard,
            stdout,
            stderr,
        }
    }

    /// What it wrote to stdout so far.
    pub(crate) fn stdout(&self) -> String {
        fs::read_to_string(&self.stdout).unwrap_or_default()
    }

    /// What it wrote to stderr so far.
    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of ours")
    }

    /// Waits for the first line on stdout, which is JSON.
    pub(crate) async fn announcement(&mut self) -> serde_json::Value {
        let what = format!("{} says that it is ready", self.name);
        eventually(SOON, &what, async || {
            let text = self.stdout();
            if let Some((line, _)) = text.split_once('\n') {
                return Some(serde_json::from_str(line).expect("a line of JSON"));
            }
            let ended = self.ended();
            assert!(ended.is_none(), "{} ended: {}", self.name, self.tails());
            None
        })
        .await
    }

    /// Waits for its end.
    pub(crate) async fn wait(&mut self, deadline: Duration) -> ExitStatus {
        let what = format!("{} ends", self.name);
        eventually(deadline, &what, async || self.ended()).await
    }

    /// Asks it to end, as a service manager does.
    pub(crate) fn terminate(&self) {
        kill_process(pid(&self.child), Signal::TERM).expect("the process is there");
    }

    /// Presses Ctrl-C.
    pub(crate) fn interrupt(&self) {
        kill_process(pid(&self.child), Signal::INT).expect("the process is there");
    }

    /// Kills it, and all that it started, the way a power cut would.
    pub(crate) fn kill(mut self) {
        let status = self.end();
        assert_eq!(
            status.signal(),
            Some(9),
            "{} had ended before it was killed: {}",
            self.name,
            self.tails()
        );
    }

    /// It and all its descendants that still run.
    pub(crate) fn tree(&self) -> Vec<Pid> {
        let mut tree = vec![pid(&self.child)];
        tree.extend(descendants(pid(&self.child)));
        tree
    }

    fn end(&mut self) -> ExitStatus {
        // First the guard: later its group's id may belong to others.
        let _ = self.guard.kill();
        let _ = self.guard.wait();
        for process in self.tree() {
            let _ = kill_process(process, Signal::KILL);
        }
        let _ = kill_process_group(pid(&self.child), Signal::KILL);
        self.child.wait().expect("a child of ours")
    }

    fn tails(&self) -> String {
        let stdout = tail(&self.stdout());
        let stderr = tail(&self.stderr());
        format!(
            "\n--- {} stdout\n{stdout}\n--- {} stderr\n{stderr}\n",
            self.name, self.name
        )
    }

    /// Shows the ends of its logs when the test fails.
    pub(crate) fn show_if_panicking(&self) {
        if std::thread::panicking() {
            println!("{}", self.tails());
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.show_if_panicking();
        if self.ended().is_none() {
            self.end();
        }
        let _ = self.guard.kill();
        let _ = self.guard.wait();
    }
}

/// Two new files in `folder`: a process of the same name may have run before.
fn new_logs(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let number = (1..)
        .find(|number| !folder.join(format!("{name}-{number}.out")).exists())
        .unwrap_or_default();
    let log = |end: &str| folder.join(format!("{name}-{number}.{end}"));
    (log("out"), log("err"))
}

fn guard(child: &Child) -> Child {
    Command::new("sh")
        .args(["-c", GUARD, "journeys-guard", &child.id().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("a shell starts")
}

fn pid(child: &Child) -> Pid {
    let id = i32::try_from(child.id()).expect("a process id");
    Pid::from_raw(id).expect("a process id")
}

/// Whether a process is over. One that nobody has taken note of yet is listed
/// as a zombie, and over all the same.
pub(crate) fn is_over(process: Pid) -> bool {
    let id = process.as_raw_nonzero().get();
    !processes().iter().any(|(running, _)| *running == id)
}

/// Everything that a process started, directly or not, and that runs.
fn descendants(root: Pid) -> Vec<Pid> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for (process, parent) in processes() {
        children.entry(parent).or_default().push(process);
    }
    let mut found = Vec::new();
    let mut queue = vec![root.as_raw_nonzero().get()];
    while let Some(parent) = queue.pop() {
        for child in children.remove(&parent).unwrap_or_default() {
            queue.push(child);
            found.extend(Pid::from_raw(child));
        }
    }
    found
}

/// Each running process of this machine with its parent.
fn processes() -> Vec<(i32, i32)> {
    let listed = Command::new("ps")
        .args(["-A", "-o", "pid=,ppid=,stat="])
        .output()
        .expect("ps runs");
    String::from_utf8_lossy(&listed.stdout)
        .lines()
        .filter_map(|line| {
            let mut columns = line.split_whitespace();
            let process = columns.next()?.parse().ok()?;
            let parent = columns.next()?.parse().ok()?;
            let is_zombie = columns.next()?.starts_with('Z');
            (!is_zombie).then_some((process, parent))
        })
        .collect()
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}
