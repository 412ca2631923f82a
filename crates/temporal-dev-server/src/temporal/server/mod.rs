//! Runs Temporal's dev server as a child process.
//!
//! Nobody but us may end the server, and it must not outlive us:
//!
//! - It has a process group of its own, so that a Ctrl-C on the terminal reaches us alone and
//!   the workers stop before the server does.
//! - A guard, a shell that does nothing but wait for our end of a pipe to close, ends the server
//!   when we were killed.
//! - Where the guard was killed as well, the next start on the same database file finds the
//!   orphan by its command line and ends it. A lock next to the file tells an orphan from a
//!   server whose owner is alive.

mod command;
mod config;
mod database;
mod error;
mod orphans;
mod ports;
#[cfg(test)]
mod tests;

use std::{
    ffi::OsStr, fs::File, future::pending, io, net::SocketAddr, process::ExitStatus, sync::Arc,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use temporalio_client::{Connection, ConnectionOptions};
use tokio::{
    net::TcpStream,
    process::Child,
    sync::{oneshot, watch},
    time::{sleep, timeout},
};
use url::Url;

use command::server_command;
pub use config::DevServerConfig;
use database::{Database, OpenFile};
pub use error::DevServerError;
use orphans::STOP_DEADLINE;
use ports::{Ports, connectable};

use crate::child::{Guard, Log, PORT_ATTEMPTS, STEP, detach};

/// The server is ready 0.2 to 0.4 s after its start; this is for a machine under load.
const READY_DEADLINE: Duration = Duration::from_secs(30);

/// How many lines of the log's end an error shows.
const LOG_TAIL: usize = 8;

/// A running dev server. Dropping it kills the server; [`DevServer::stop`] ends it in order.
#[derive(Debug)]
pub struct DevServer {
    address: SocketAddr,
    ui: Option<SocketAddr>,
    /// What it has open, unless that is in memory.
    database: Option<OpenFile>,
    log: Log,
    stop: oneshot::Sender<()>,
    end: watch::Receiver<Option<End>>,
    #[cfg(test)]
    pid: Pid,
}

/// How the child ended.
#[derive(Debug, Clone)]
struct End {
    how: String,
    asked: bool,
}

impl DevServer {
    /// Starts the server and waits until it answers a call.
    ///
    /// An orphan of an earlier run on the same database file is ended first. A database whose
    /// first start was killed before the server answered holds nothing, and is made anew.
    ///
    /// # Errors
    /// [`DevServerError`]; then no process is left.
    pub async fn start(config: DevServerConfig) -> Result<Self, DevServerError> {
        Self::start_within(config, READY_DEADLINE).await
    }

    async fn start_within(
        mut config: DevServerConfig,
        deadline: Duration,
    ) -> Result<Self, DevServerError> {
        let database = match &config.database {
            Some(path) => Some(Database::claim(path, config.names.data).await?),
            None => None,
        };
        config.database = database.as_ref().map(|database| database.path.clone());
        let lock = database.as_ref().map(|database| Arc::clone(&database.lock));
        let mut attempt = 0;
        loop {
            attempt += 1;
            let mut server = Self::launch(&config, Ports::choose(&config)?, lock.clone())?;
            let Err(error) = server.wait_until_ready(deadline).await else {
                server.database = database.map(Database::settle).transpose()?;
                return Ok(server);
            };
            server.stop().await;
            if attempt == PORT_ATTEMPTS || !error.is_lost_port() {
                return Err(error);
            }
        }
    }

    fn launch(
        config: &DevServerConfig,
        ports: Ports,
        lock: Option<Arc<File>>,
    ) -> Result<Self, DevServerError> {
        let (log, output) =
            Log::open(&config.log_file).map_err(|source| DevServerError::LogNotWritable {
                path: config.log_file.clone(),
                source,
            })?;
        let not_runnable = |source| DevServerError::NotRunnable {
            path: config.cli.clone(),
            setting: config.names.cli,
            source,
        };
        let mut command = server_command(config, ports);
        let child = detach(command.as_std_mut(), output)
            .and_then(|()| command.spawn())
            .map_err(not_runnable)?;
        let pid =
            id_of(&child).ok_or_else(|| not_runnable(io::Error::other("the process has no id")))?;
        let (stop, asked) = oneshot::channel();
        let (ended, end) = watch::channel(None);
        tokio::spawn(supervise(child, guard(pid), lock, asked, ended));
        let ip = connectable(config.ip);
        Ok(Self {
            address: SocketAddr::new(ip, ports.grpc),
            ui: ports.ui.map(|port| SocketAddr::new(ip, port)),
            database: None,
            log,
            stop,
            end,
            #[cfg(test)]
            pid,
        })
    }

    /// Where the server answers gRPC, as `host:port`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// The web UI, where there is one.
    pub fn ui_url(&self) -> Option<String> {
        self.ui.map(|address| format!("http://{address}"))
    }

    /// Resolves when the server ends unasked, with the error that says so; otherwise never.
    pub fn exited(&self) -> impl Future<Output = DevServerError> + Send + use<> {
        let (mut end, log) = (self.end.clone(), self.log.clone());
        async move {
            let ended = end.wait_for(Option::is_some).await;
            match ended.ok().and_then(|end| end.clone()) {
                Some(End { how, asked: false }) => DevServerError::Exited {
                    how,
                    tail: log.tail(LOG_TAIL),
                    log_file: log.path,
                },
                _ => pending().await,
            }
        }
    }

    /// Resolves when the database file is not the one any more that the server has opened, with the
    /// error that says so; otherwise never. What the server goes on to write is lost then.
    pub fn database_lost(&self) -> impl Future<Output = DevServerError> + Send + use<> {
        let database = self.database.clone();
        async move {
            match database {
                Some(file) => file.lost().await,
                None => pending().await,
            }
        }
    }

    /// Ends the server in order, or kills it after ten seconds. Then no process is left, and the
    /// ports and the database file are free.
    pub async fn stop(self) {
        let Self { stop, mut end, .. } = self;
        // Both fail only where the server has ended already.
        let _ = stop.send(());
        let _ = end.wait_for(Option::is_some).await;
    }

    async fn wait_until_ready(&self, deadline: Duration) -> Result<(), DevServerError> {
        tokio::select! {
            error = self.exited() => Err(error),
            ready = timeout(deadline, answers(self.address)) => {
                ready.map_err(|_| DevServerError::NotReady {
                    deadline,
                    log_file: self.log.path.clone(),
                    tail: self.log.tail(LOG_TAIL),
                })
            }
        }
    }
}

/// Owns the child until its end. The lock on its database goes only after it.
async fn supervise(
    mut child: Child,
    guard: Option<Guard>,
    lock: Option<Arc<File>>,
    stop: oneshot::Receiver<()>,
    end: watch::Sender<Option<End>>,
) {
    let (status, asked) = tokio::select! {
        status = child.wait() => (status, false),
        stop = stop => (end_child(&mut child, stop.is_ok()).await, true),
    };
    // Before the id of the ended server can belong to another process.
    drop(guard);
    drop(lock);
    let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
    // Nobody listens any more when the handle was dropped.
    let _ = end.send(Some(End { how, asked }));
}

async fn end_child(child: &mut Child, in_order: bool) -> io::Result<ExitStatus> {
    if in_order && let Some(pid) = id_of(child) {
        kill_process(pid, Signal::TERM)?;
        if let Ok(status) = timeout(STOP_DEADLINE, child.wait()).await {
            return status;
        }
        tracing::warn!(
            deadline_s = STOP_DEADLINE.as_secs(),
            "the dev server did not end when asked and is killed"
        );
    }
    child.start_kill()?;
    child.wait().await
}

fn id_of(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| Pid::from_raw(id.cast_signed()))
}

/// Starts the process that ends the server when we were killed.
fn guard(server: Pid) -> Option<Guard> {
    let server = server.as_raw_nonzero().to_string();
    let arguments = [OsStr::new(&server)];
    Guard::start("temporal-dev-server-guard", "kill -TERM \"$1\"", &arguments)
        .inspect_err(|error| {
            tracing::warn!(
                %error,
                "no guard: were this process killed, the dev server would run on until the next start"
            );
        })
        .ok()
}

/// Resolves when the server answers a gRPC call.
async fn answers(address: SocketAddr) {
    loop {
        // First without gRPC, which takes long to notice that nobody listens.
        if listens(address).await && connects(address).await {
            return;
        }
        sleep(STEP).await;
    }
}

async fn listens(address: SocketAddr) -> bool {
    // A socket may connect to itself where nobody listens and the port is one that the system
    // hands out.
    TcpStream::connect(address)
        .await
        .and_then(|stream| Ok(stream.local_addr()? != stream.peer_addr()?))
        .unwrap_or(false)
}

async fn connects(address: SocketAddr) -> bool {
    let Ok(target) = Url::parse(&format!("http://{address}")) else {
        return false;
    };
    let options = ConnectionOptions::new(target)
        .identity("temporal-dev-server".to_owned())
        .dns_load_balancing(None)
        .build();
    let connection = Box::pin(Connection::connect(options));
    matches!(timeout(Duration::from_secs(1), connection).await, Ok(Ok(_)))
}
