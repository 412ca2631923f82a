//! The command line of the dev server: how it is made, and told from others.

use std::path::Path;

use tokio::process::Command;

use super::{config::DevServerConfig, ports::Ports};
use crate::environment::clear_environment;

/// What the dev server needs for answers in milliseconds: by default it polls its queues 20
/// times a second and looks at its timers once a second. Bought with throughput that one
/// machine does not need.
const LATENCY_FLAGS: [&str; 5] = [
    "history.transferProcessorMaxPollRPS=400",
    "history.timerProcessorMaxPollRPS=400",
    "matching.numTaskqueueReadPartitions=1",
    "matching.numTaskqueueWritePartitions=1",
    "system.forceSearchAttributesCacheRefreshOnRead=false",
];

/// A worker that stops lets its polls end, and the server ends them at once. Without it a worker
/// drops them, and a task that was just handed to one is lost until its timeout.
const ENDED_POLLS: &str = "frontend.enableCancelWorkerPollsOnShutdown=true";

/// Also for latency. No server started by hand carries it with its database file, so it also
/// tells our own servers from others.
pub(super) const MARK: &str = "history.timerProcessorMaxTimeShift=\"10ms\"";

/// The command that runs the server.
pub(super) fn server_command(config: &DevServerConfig, ports: Ports) -> Command {
    // Its folder is another one.
    let cli = std::path::absolute(&config.cli).unwrap_or_else(|_| config.cli.clone());
    let mut command = Command::new(cli);
    clear_environment(command.as_std_mut(), &[]);
    command.args(["server", "start-dev"]);
    if let Some(database) = &config.database {
        // First, see `is_ours`.
        command.arg("--db-filename").arg(database);
        // The last one counts. The server makes a URL of it and a name of a file, which are only
        // the same where no character means anything in a URL.
        if let (Some(folder), Some(name)) = (database.parent(), database.file_name()) {
            command.current_dir(folder);
            command.arg("--db-filename").arg(name);
        }
        for pragma in ["journal_mode=WAL", "synchronous=NORMAL"] {
            command.args(["--sqlite-pragma", pragma]);
        }
    }
    command.args(["--ip", &config.ip.to_string()]);
    command.args(["--port", &ports.grpc.to_string()]);
    match ports.ui {
        Some(port) => command.args(["--ui-port", &port.to_string()]),
        None => command.arg("--headless"),
    };
    command.args(["--log-level", "warn"]);
    for (name, kind) in &config.search_attributes {
        command.args(["--search-attribute", &format!("{name}={kind}")]);
    }
    for value in LATENCY_FLAGS.into_iter().chain([ENDED_POLLS, MARK]) {
        command.args(["--dynamic-config-value", value]);
    }
    command.kill_on_drop(true);
    command
}

/// Whether a command line is that of [`server_command`] with this database.
pub(super) fn is_ours(command_line: &str, database: &Path) -> bool {
    let start = format!(" server start-dev --db-filename {} --", database.display());
    command_line.contains(&start) && command_line.contains(MARK)
}
