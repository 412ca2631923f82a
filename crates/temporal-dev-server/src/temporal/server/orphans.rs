//! Servers whose owner was killed.

use std::{fs, path::Path, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use super::{command::is_ours, error::DevServerError};
use crate::child::STEP;

/// How long a server may take to end when asked; it takes 1.3 s.
pub(super) const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// How long a killed process may take to be gone.
const KILL_DEADLINE: Duration = Duration::from_secs(5);

/// Ends the servers of ours that have the file open. With the lock held, their owner is gone.
pub(super) async fn end_orphans(database: &Path) -> Result<(), DevServerError> {
    for (signal, patience) in [(Signal::TERM, STOP_DEADLINE), (Signal::KILL, KILL_DEADLINE)] {
        for pid in servers_of(database) {
            tracing::warn!(
                pid = pid.as_raw_nonzero().get(),
                "ending the dev server that a killed run left behind"
            );
            // What has ended meanwhile is not there to be signalled; what cannot be, stays.
            let _ = kill_process(pid, signal);
        }
        let until = Instant::now() + patience;
        while !servers_of(database).is_empty() && Instant::now() < until {
            sleep(STEP).await;
        }
    }
    match servers_of(database).first() {
        None => Ok(()),
        Some(pid) => Err(DevServerError::OrphanStays {
            pid: pid.as_raw_nonzero().get(),
            path: database.to_owned(),
        }),
    }
}

fn servers_of(database: &Path) -> Vec<Pid> {
    processes()
        .into_iter()
        .filter(|(_, command_line)| is_ours(command_line, database))
        .filter_map(|(pid, _)| Pid::from_raw(pid))
        .collect()
}

/// The id and the command line, joined with spaces, of every process that can be seen. An ended
/// one whose parent has not yet noticed has no command line any more.
fn processes() -> Vec<(i32, String)> {
    match fs::read_dir("/proc") {
        Ok(entries) => entries
            .flatten()
            .filter_map(|entry| {
                let pid = entry.file_name().to_str()?.parse().ok()?;
                let line = fs::read(entry.path().join("cmdline")).ok()?;
                Some((pid, String::from_utf8_lossy(&line).replace('\0', " ")))
            })
            .collect(),
        // Not Linux.
        Err(_) => std::process::Command::new("ps")
            .args(["-axww", "-o", "pid=,command="])
            .output()
            .map(|output| parse_ps(&String::from_utf8_lossy(&output.stdout)))
            .unwrap_or_default(),
    }
}

pub(super) fn parse_ps(output: &str) -> Vec<(i32, String)> {
    output
        .lines()
        .filter_map(|line| {
            let (pid, command_line) = line.trim_start().split_once(' ')?;
            Some((pid.parse().ok()?, command_line.to_owned()))
        })
        .collect()
}
