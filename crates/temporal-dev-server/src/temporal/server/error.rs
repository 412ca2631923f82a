//! Why the dev server does not run.

use std::{io, net::IpAddr, path::PathBuf, time::Duration};

/// Why the dev server does not run. Each text says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum DevServerError {
    /// Another process listens where we should.
    #[error(
        "port {port} on {ip} is taken: end the process that holds it, or choose another port \
         with {setting} (0 is any free one)"
    )]
    PortTaken {
        /// The address.
        ip: IpAddr,
        /// The port.
        port: u16,
        /// What sets it.
        setting: &'static str,
    },
    /// The port cannot be listened on for another reason.
    #[error("cannot listen on port {port} of {ip}: choose another port with {setting}")]
    PortUnusable {
        /// The address.
        ip: IpAddr,
        /// The port.
        port: u16,
        /// What sets it.
        setting: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The binary does not start.
    #[error("cannot run {}: name a Temporal CLI that runs with {setting}", path.display())]
    NotRunnable {
        /// The binary.
        path: PathBuf,
        /// What sets it.
        setting: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The database file, or its folder, cannot be written.
    #[error(
        "cannot write {}: make it writable for this user alone, or choose another data folder with \
         {setting}",
        path.display()
    )]
    DatabaseNotWritable {
        /// The file or folder.
        path: PathBuf,
        /// What sets the data folder.
        setting: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// A living process has a dev server on the same database file.
    #[error(
        "the database {} is in use by another running instance{}: end that one, or choose \
         another data folder with {setting}",
        path.display(), by(owner)
    )]
    DatabaseInUse {
        /// The database file.
        path: PathBuf,
        /// The process id of its owner, as far as known.
        owner: Option<String>,
        /// What sets the data folder.
        setting: &'static str,
    },
    /// The database file was removed or replaced while a server had it open.
    #[error(
        "{} is not the file that was opened: it was removed, or another one was put in its place; \
         what was written since is lost",
        path.display()
    )]
    DatabaseReplaced {
        /// The database file.
        path: PathBuf,
    },
    /// A server that an earlier, killed run left behind cannot be ended.
    #[error(
        "a dev server of an earlier run, process {pid}, still has the database {} open and \
         cannot be ended: end it with `kill -9 {pid}`", path.display()
    )]
    OrphanStays {
        /// The orphan's process id.
        pid: i32,
        /// The database file.
        path: PathBuf,
    },
    /// The log cannot be written.
    #[error("cannot write the dev server's log {}: make it writable", path.display())]
    LogNotWritable {
        /// The log.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The server ended by itself.
    #[error(
        "the dev server has ended ({how}). Its log, {}, says why; a database that it can no \
         longer read has to be moved away, with all that is in flight. The log's end:\n{tail}",
        log_file.display()
    )]
    Exited {
        /// Its exit status or signal, in words.
        how: String,
        /// The log.
        log_file: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// The server runs and does not answer.
    #[error(
        "the dev server did not answer within {} s: look into its log, {}, and start again when \
         the machine is less busy. The log's end:\n{tail}", deadline.as_secs(), log_file.display()
    )]
    NotReady {
        /// How long was waited.
        deadline: Duration,
        /// The log.
        log_file: PathBuf,
        /// The log's last lines.
        tail: String,
    },
}

fn by(owner: &Option<String>) -> String {
    owner
        .as_ref()
        .map_or_else(String::new, |pid| format!(" (process {pid})"))
}

impl DevServerError {
    /// Whether the server ended because a port was taken between our look and its bind. It also
    /// takes some at random for itself.
    pub(super) fn is_lost_port(&self) -> bool {
        matches!(self, Self::Exited { tail, .. } if tail.contains("address already in use"))
    }
}
