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

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    future::pending,
    io::{self, Read, Seek, SeekFrom, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use temporalio_client::{Connection, ConnectionOptions};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    sync::{oneshot, watch},
    time::{Instant, sleep, timeout},
};
use url::Url;

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

/// Also for latency. No server started by hand carries it with its database file, so it also
/// tells our own servers from others.
const MARK: &str = "history.timerProcessorMaxTimeShift=\"10ms\"";

/// The server is ready 0.2 to 0.4 s after its start; this is for a machine under load.
const READY_DEADLINE: Duration = Duration::from_secs(30);

/// How often is looked whether something has come about.
const STEP: Duration = Duration::from_millis(20);

/// How long a server may take to end when asked; it takes 1.3 s.
const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// How long a killed process may take to be gone.
const KILL_DEADLINE: Duration = Duration::from_secs(5);

/// How often a start is tried anew when a port that was free is taken at the bind.
const PORT_ATTEMPTS: u32 = 5;

/// The log's size, in bytes, from which a start sets it aside as `<log>.old`.
const LOG_LIMIT: u64 = 16 * 1024 * 1024;

/// How much of the log's end an error shows.
const LOG_TAIL_LINES: usize = 8;

/// How much of a line of it, in characters.
const LOG_TAIL_COLUMNS: usize = 300;

/// How much of the log is read for that.
const LOG_TAIL_BYTES: u64 = 64 * 1024;

/// The guard: `$0` is its name in a process list, `$1` the server.
const GUARD: &str = "read -r line; kill -TERM \"$1\"";

/// How to run the dev server.
#[derive(Debug, Clone)]
pub(crate) struct DevServerConfig {
    /// The Temporal CLI.
    pub(crate) cli: PathBuf,
    /// The database file; its folder is made. `None` is a database in memory.
    pub(crate) database: Option<PathBuf>,
    /// Where the server listens, the UI too.
    pub(crate) ip: IpAddr,
    /// The gRPC port; 0 is any free one.
    pub(crate) port: u16,
    /// The port of the web UI; 0 is any free one, `None` is no UI.
    pub(crate) ui_port: Option<u16>,
    /// Search attributes, name and type (`Keyword`, `Int`, ...). The server registers them when
    /// it *creates* its database; for a file made earlier with others it ignores them silently.
    pub(crate) search_attributes: Vec<(String, String)>,
    /// The file to which the server's output is appended.
    pub(crate) log_file: PathBuf,
}

/// Why the dev server does not run. Each text says what to do about it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DevServerError {
    /// Another process listens where we should.
    #[error(
        "port {port} on {ip} is taken: end the process that holds it, or choose another port \
         with {flag} (0 is any free one)"
    )]
    PortTaken {
        /// The address.
        ip: IpAddr,
        /// The port.
        port: u16,
        /// The flag that sets it.
        flag: &'static str,
    },
    /// The port cannot be listened on for another reason.
    #[error("cannot listen on port {port} of {ip}: choose another port with {flag}")]
    PortUnusable {
        /// The address.
        ip: IpAddr,
        /// The port.
        port: u16,
        /// The flag that sets it.
        flag: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The binary does not start.
    #[error("cannot run {}: name a Temporal CLI that runs with --temporal-cli", path.display())]
    NotRunnable {
        /// The binary.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The database file, or its folder, cannot be written.
    #[error(
        "cannot write {}: make it writable, or choose another data folder with --data",
        path.display()
    )]
    DatabaseNotWritable {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A living process has a dev server on the same database file.
    #[error(
        "the database {} is in use by another running instance{}: end that one, or choose \
         another data folder with --data",
        path.display(), by(owner)
    )]
    DatabaseInUse {
        /// The database file.
        path: PathBuf,
        /// The process id of its owner, as far as known.
        owner: Option<String>,
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
         longer read has to be moved away, with the orders in flight. The log's end:\n{tail}",
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

/// A running dev server. Dropping it kills the server; [`DevServer::stop`] ends it in order.
#[derive(Debug)]
pub(crate) struct DevServer {
    address: SocketAddr,
    ui: Option<SocketAddr>,
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
    pub(crate) async fn start(config: DevServerConfig) -> Result<Self, DevServerError> {
        Self::start_within(config, READY_DEADLINE).await
    }

    async fn start_within(
        mut config: DevServerConfig,
        deadline: Duration,
    ) -> Result<Self, DevServerError> {
        let database = match &config.database {
            Some(path) => Some(Database::claim(path).await?),
            None => None,
        };
        config.database = database.as_ref().map(|database| database.path.clone());
        let lock = database.as_ref().map(|database| Arc::clone(&database.lock));
        let mut attempt = 0;
        loop {
            attempt += 1;
            let server = Self::launch(&config, Ports::choose(&config)?, lock.clone())?;
            let Err(error) = server.wait_until_ready(deadline).await else {
                database.map_or(Ok(()), |database| database.settle())?;
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
        let (log, output) = Log::open(&config.log_file)?;
        let not_runnable = |source| DevServerError::NotRunnable {
            path: config.cli.clone(),
            source,
        };
        let errors = output.try_clone().map_err(not_runnable)?;
        let child = server_command(config, ports)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
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
            log,
            stop,
            end,
            #[cfg(test)]
            pid,
        })
    }

    /// Where the server answers gRPC, as `host:port`.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// The web UI, where there is one.
    pub(crate) fn ui_url(&self) -> Option<String> {
        self.ui.map(|address| format!("http://{address}"))
    }

    /// Resolves when the server ends unasked, with the error that says so; otherwise never.
    pub(crate) fn exited(&self) -> impl Future<Output = DevServerError> + Send + use<> {
        let (mut end, log) = (self.end.clone(), self.log.clone());
        async move {
            let ended = end.wait_for(Option::is_some).await;
            match ended.ok().and_then(|end| end.clone()) {
                Some(End { how, asked: false }) => DevServerError::Exited {
                    how,
                    tail: log.tail(),
                    log_file: log.path,
                },
                _ => pending().await,
            }
        }
    }

    /// Ends the server in order, or kills it after ten seconds. Then no process is left, and the
    /// ports and the database file are free.
    pub(crate) async fn stop(self) {
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
                    tail: self.log.tail(),
                })
            }
        }
    }
}

impl DevServerError {
    /// Whether the server ended because a port was taken between our look and its bind. It also
    /// takes some at random for itself.
    fn is_lost_port(&self) -> bool {
        matches!(self, Self::Exited { tail, .. } if tail.contains("address already in use"))
    }
}

/// Owns the child until its end. The lock on its database goes only after it.
async fn supervise(
    mut child: Child,
    guard: Option<Child>,
    lock: Option<Arc<File>>,
    stop: oneshot::Receiver<()>,
    end: watch::Sender<Option<End>>,
) {
    let (status, asked) = tokio::select! {
        status = child.wait() => (status, false),
        stop = stop => (end_child(&mut child, stop.is_ok()).await, true),
    };
    // Before the id of the ended server can belong to another process.
    if let Some(mut guard) = guard {
        let _ = guard.kill().await;
    }
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
fn guard(server: Pid) -> Option<Child> {
    let spawned = Command::new("sh")
        .args(["-c", GUARD, "pizza-dev-server-guard"])
        .arg(server.as_raw_nonzero().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    spawned
        .inspect_err(|error| {
            tracing::warn!(
                %error,
                "no guard: were this process killed, the dev server would run on until the next start"
            );
        })
        .ok()
}

fn server_command(config: &DevServerConfig, ports: Ports) -> Command {
    let mut command = Command::new(&config.cli);
    command.args(["server", "start-dev"]);
    if let Some(database) = &config.database {
        // First, see `is_ours`.
        command.arg("--db-filename").arg(database);
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
    for value in LATENCY_FLAGS.into_iter().chain([MARK]) {
        command.args(["--dynamic-config-value", value]);
    }
    command.process_group(0).kill_on_drop(true);
    command
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
        .identity("pizza-dev-server".to_owned())
        .dns_load_balancing(None)
        .build();
    let connection = Box::pin(Connection::connect(options));
    matches!(timeout(Duration::from_secs(1), connection).await, Ok(Ok(_)))
}

/// The address at which a server that listens on `ip` can be reached from this machine.
fn connectable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

/// The ports of one start, free when they were chosen.
#[derive(Debug, Clone, Copy)]
struct Ports {
    grpc: u16,
    ui: Option<u16>,
}

impl Ports {
    fn choose(config: &DevServerConfig) -> Result<Self, DevServerError> {
        // Both are held until both are known: two free ones have to differ.
        let grpc = hold(config.ip, config.port, "--temporal-port")?;
        let ui = config
            .ui_port
            .map(|port| hold(config.ip, port, "--ui-port"))
            .transpose()?;
        Ok(Self {
            grpc: grpc.1,
            ui: ui.map(|ui| ui.1),
        })
    }
}

fn hold(ip: IpAddr, port: u16, flag: &'static str) -> Result<(TcpListener, u16), DevServerError> {
    let held = TcpListener::bind((ip, port)).and_then(|listener| {
        let port = listener.local_addr()?.port();
        Ok((listener, port))
    });
    held.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => DevServerError::PortTaken { ip, port, flag },
        _ => DevServerError::PortUnusable {
            ip,
            port,
            flag,
            source,
        },
    })
}

/// The database file, locked against other instances.
#[derive(Debug)]
struct Database {
    /// Absolute, so that the process list tells which server has it.
    path: PathBuf,
    /// Next to the file, as the server's own locks on it must not meet ours. The system drops it
    /// with our process, however that ends.
    lock: Arc<File>,
}

impl Database {
    /// Makes the file ours alone: no other instance, no orphan, nothing half made.
    async fn claim(path: &Path) -> Result<Self, DevServerError> {
        let path = absolute(path)?;
        let lock = Arc::new(lock(&path)?);
        end_orphans(&path).await?;
        let database = Self { path, lock };
        database.prepare()?;
        Ok(database)
    }

    /// Checks that the file can be written. Removes it when its first start never ended well:
    /// the server makes its tables in many steps, and does not start on half of them. Nothing is
    /// lost, as nobody was told of that server.
    fn prepare(&self) -> Result<(), DevServerError> {
        let unfinished = self.unfinished();
        if unfinished.exists() {
            for suffix in ["", "-wal", "-shm", "-journal"] {
                remove_if_there(&with_suffix(&self.path, suffix))?;
            }
        }
        if self.path.exists() {
            let opened = OpenOptions::new().append(true).open(&self.path);
            opened.map_err(not_writable(&self.path))?;
        } else {
            File::create(&unfinished).map_err(not_writable(&unfinished))?;
        }
        Ok(())
    }

    /// The server has answered: its tables are complete.
    fn settle(&self) -> Result<(), DevServerError> {
        remove_if_there(&self.unfinished())
    }

    fn unfinished(&self) -> PathBuf {
        with_suffix(&self.path, ".unfinished")
    }
}

fn absolute(path: &Path) -> Result<PathBuf, DevServerError> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let folder = fs::create_dir_all(folder)
        .and_then(|()| folder.canonicalize())
        .map_err(not_writable(folder))?;
    match path.file_name() {
        Some(name) => Ok(folder.join(name)),
        None => Err(not_writable(path)(io::ErrorKind::InvalidFilename.into())),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn remove_if_there(path: &Path) -> Result<(), DevServerError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(not_writable(path)(error)),
        _ => Ok(()),
    }
}

fn not_writable(path: &Path) -> impl Fn(io::Error) -> DevServerError {
    move |source| DevServerError::DatabaseNotWritable {
        path: path.to_owned(),
        source,
    }
}

fn lock(database: &Path) -> Result<File, DevServerError> {
    let path = with_suffix(database, ".lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(not_writable(&path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            let read = file.read_to_string(&mut owner);
            return Err(DevServerError::DatabaseInUse {
                path: database.to_owned(),
                owner: read.ok().map(|_| owner).filter(|owner| !owner.is_empty()),
            });
        }
        Err(TryLockError::Error(error)) => return Err(not_writable(&path)(error)),
    }
    // For the message of the next who comes.
    file.set_len(0)
        .and_then(|()| write!(file, "{}", std::process::id()))
        .map_err(not_writable(&path))?;
    Ok(file)
}

/// Ends the servers of ours that have the file open. With the lock held, their owner is gone.
async fn end_orphans(database: &Path) -> Result<(), DevServerError> {
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

/// Whether a command line is that of [`server_command`] with this database.
fn is_ours(command_line: &str, database: &Path) -> bool {
    let start = format!(
        " server start-dev --db-filename {} --sqlite-pragma ",
        database.display()
    );
    command_line.contains(&start) && command_line.contains(MARK)
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

fn parse_ps(output: &str) -> Vec<(i32, String)> {
    output
        .lines()
        .filter_map(|line| {
            let (pid, command_line) = line.trim_start().split_once(' ')?;
            Some((pid.parse().ok()?, command_line.to_owned()))
        })
        .collect()
}

/// The server's log, from where this start began to write.
#[derive(Debug, Clone)]
struct Log {
    path: PathBuf,
    /// In bytes.
    start: u64,
}

impl Log {
    fn open(path: &Path) -> Result<(Self, File), DevServerError> {
        let open = || -> io::Result<(u64, File)> {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            if fs::metadata(path).is_ok_and(|metadata| metadata.len() > LOG_LIMIT) {
                fs::rename(path, with_suffix(path, ".old"))?;
            }
            let file = OpenOptions::new().create(true).append(true).open(path)?;
            Ok((file.metadata()?.len(), file))
        };
        let (start, file) = open().map_err(|source| DevServerError::LogNotWritable {
            path: path.to_owned(),
            source,
        })?;
        let path = path.to_owned();
        Ok((Self { path, start }, file))
    }

    /// The last lines since this start, each cut to a readable length.
    fn tail(&self) -> String {
        let read = || -> io::Result<String> {
            let mut file = File::open(&self.path)?;
            let from = file.metadata()?.len().saturating_sub(LOG_TAIL_BYTES);
            file.seek(SeekFrom::Start(from.max(self.start)))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let text = read().unwrap_or_default();
        let lines: Vec<String> = text
            .lines()
            .filter(|line| !line.is_empty())
            .map(|line| line.chars().take(LOG_TAIL_COLUMNS).collect())
            .collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use std::env;

    use tempfile::TempDir;
    use temporalio_client::tonic::Request;
    use temporalio_common::protos::temporal::api::{
        common::v1::{WorkflowExecution, WorkflowType},
        operatorservice::v1::ListSearchAttributesRequest,
        taskqueue::v1::TaskQueue,
        workflowservice::v1::{DescribeWorkflowExecutionRequest, StartWorkflowExecutionRequest},
    };
    use tokio::{
        io::{AsyncBufReadExt, BufReader},
        sync::OnceCell,
    };

    use super::*;
    use crate::temporal_cli::{LocateOptions, default_cache_dir, locate};

    /// The folder, when this test binary runs as a parent that is to be killed.
    const PARENT: &str = "PIZZA_TEST_DEV_SERVER_PARENT";

    async fn cli() -> PathBuf {
        static CLI: OnceCell<PathBuf> = OnceCell::const_new();
        let options = LocateOptions {
            explicit: None,
            cache: default_cache_dir(),
            quiet: true,
        };
        let find = || async { locate(&options).await.unwrap().path };
        CLI.get_or_init(find).await.clone()
    }

    async fn config(folder: &Path) -> DevServerConfig {
        DevServerConfig {
            cli: cli().await,
            database: Some(folder.join("temporal.db")),
            ip: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            ui_port: None,
            search_attributes: vec![("PizzaOrder".to_owned(), "Keyword".to_owned())],
            log_file: folder.join("temporal.log"),
        }
    }

    fn folder() -> TempDir {
        tempfile::tempdir().unwrap()
    }

    fn runs(pid: Pid) -> bool {
        rustix::process::test_kill_process(pid).is_ok()
    }

    async fn until(what: &str, condition: impl Fn() -> bool) {
        let wait = async {
            while !condition() {
                sleep(STEP).await;
            }
        };
        let waited = timeout(Duration::from_secs(30), wait).await;
        assert!(waited.is_ok(), "waited in vain: {what}");
    }

    /// A script, written by a process of its own: a file that this one has open for writing
    /// cannot be run while a child forked meanwhile still holds it.
    fn script(folder: &Path, text: &str) -> PathBuf {
        let path = folder.join("script");
        let status = std::process::Command::new("sh")
            .args([
                "-c",
                r#"printf '#!/bin/sh\n%s\n' "$1" > "$2" && chmod +x "$2""#,
            ])
            .args(["write", text])
            .arg(&path)
            .status()
            .unwrap();
        assert!(status.success());
        path
    }

    async fn connection(server: &DevServer) -> Connection {
        let target = Url::parse(&format!("http://{}", server.address())).unwrap();
        Connection::connect(ConnectionOptions::new(target).build())
            .await
            .unwrap()
    }

    async fn start_workflow(server: &DevServer, id: &str) {
        let request = StartWorkflowExecutionRequest {
            namespace: "default".to_owned(),
            workflow_id: id.to_owned(),
            workflow_type: Some(WorkflowType {
                name: "Nothing".to_owned(),
            }),
            task_queue: Some(TaskQueue {
                name: "nobody".to_owned(),
                ..Default::default()
            }),
            request_id: id.to_owned(),
            ..Default::default()
        };
        let mut service = connection(server).await.workflow_service();
        service
            .start_workflow_execution(Request::new(request))
            .await
            .unwrap();
    }

    async fn has_workflow(server: &DevServer, id: &str) -> bool {
        let request = DescribeWorkflowExecutionRequest {
            namespace: "default".to_owned(),
            execution: Some(WorkflowExecution {
                workflow_id: id.to_owned(),
                ..Default::default()
            }),
        };
        let mut service = connection(server).await.workflow_service();
        service
            .describe_workflow_execution(Request::new(request))
            .await
            .is_ok()
    }

    async fn has_search_attribute(server: &DevServer) -> bool {
        let request = ListSearchAttributesRequest {
            namespace: "default".to_owned(),
        };
        let mut service = connection(server).await.operator_service();
        let answer = service.list_search_attributes(Request::new(request)).await;
        let attributes = answer.unwrap().into_inner().custom_attributes;
        attributes.contains_key("PizzaOrder")
    }

    #[tokio::test]
    async fn a_start_in_memory_answers_at_once_and_a_stop_leaves_nothing() {
        let folder = folder();
        let config = DevServerConfig {
            database: None,
            ui_port: Some(0),
            ..config(folder.path()).await
        };
        let server = DevServer::start(config.clone()).await.unwrap();
        start_workflow(&server, "first").await;
        assert!(has_search_attribute(&server).await);
        let ui = server.ui_url().unwrap();
        let ui: SocketAddr = ui.strip_prefix("http://").unwrap().parse().unwrap();
        assert!(listens(ui).await, "the UI at {ui}");

        let (pid, port) = (server.pid, server.address.port());
        server.stop().await;
        assert!(!runs(pid));
        let again = DevServerConfig { port, ..config };
        Ports::choose(&again).unwrap();
    }

    #[tokio::test]
    async fn a_taken_port_is_named_with_its_flag() {
        let folder = folder();
        let (_taken, port) = hold(Ipv4Addr::LOCALHOST.into(), 0, "").unwrap();
        let free = config(folder.path()).await;
        let grpc = DevServerConfig {
            port,
            ..free.clone()
        };
        let ui = DevServerConfig {
            ui_port: Some(port),
            ..free
        };
        for (config, flag) in [(grpc, "--temporal-port"), (ui, "--ui-port")] {
            let text = DevServer::start(config).await.unwrap_err().to_string();
            assert!(text.contains(&format!("port {port}")), "{text}");
            assert!(text.contains(flag), "{text}");
        }
    }

    #[tokio::test]
    async fn what_was_started_survives_a_kill_of_the_server() {
        let folder = folder();
        let config = config(folder.path()).await;
        let server = DevServer::start(config.clone()).await.unwrap();
        start_workflow(&server, "order").await;

        kill_process(server.pid, Signal::KILL).unwrap();
        let error = timeout(READY_DEADLINE, server.exited()).await.unwrap();
        assert!(error.to_string().contains("signal: 9"), "{error}");

        let again = DevServer::start(config).await.unwrap();
        assert!(has_workflow(&again, "order").await);
        assert!(has_search_attribute(&again).await);
        again.stop().await;
    }

    #[tokio::test]
    async fn an_orphan_on_the_same_port_and_database_is_replaced() {
        let folder = folder();
        let mut config = config(folder.path()).await;
        let database = absolute(config.database.as_ref().unwrap()).unwrap();
        config.database = Some(database);
        let ports = Ports::choose(&config).unwrap();
        config.port = ports.grpc;
        let mut orphan = server_command(&config, ports)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let address = SocketAddr::new(config.ip, ports.grpc);
        timeout(READY_DEADLINE, answers(address)).await.unwrap();

        let server = DevServer::start(config).await.unwrap();
        assert_eq!(server.address, address);
        let ended = orphan.try_wait().unwrap();
        assert!(ended.is_some(), "the orphan runs on");
        start_workflow(&server, "order").await;
        server.stop().await;
    }

    /// Not a test of its own: the process that the next test kills.
    #[tokio::test]
    async fn a_parent_to_be_killed() {
        let Some(folder) = env::var_os(PARENT) else {
            return;
        };
        let config = config(Path::new(&folder)).await;
        let server = DevServer::start(config).await.unwrap();
        start_workflow(&server, "order").await;
        let pid = server.pid.as_raw_nonzero();
        println!("\nserver {pid} {}", server.address.port());
        pending::<()>().await;
    }

    #[tokio::test]
    async fn the_server_does_not_outlive_its_killed_parent_and_a_new_start_goes_on() {
        let folder = folder();
        // Fetched here, where no one is killed meanwhile.
        let mut config = config(folder.path()).await;
        let mut parent = Command::new(env::current_exe().unwrap())
            .args(["--exact", "dev_server::tests::a_parent_to_be_killed"])
            .arg("--nocapture")
            .env(PARENT, folder.path())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines();
        let (pid, port) = loop {
            let line = lines.next_line().await.unwrap().unwrap();
            if let Some(rest) = line.strip_prefix("server ") {
                let (pid, port) = rest.split_once(' ').unwrap();
                break (pid.parse().unwrap(), port.parse().unwrap());
            }
        };
        parent.kill().await.unwrap();

        config.port = port;
        let server = DevServer::start(config).await.unwrap();
        assert!(has_workflow(&server, "order").await);
        let old = Pid::from_raw(pid).unwrap();
        until("the first server's end", || !runs(old)).await;
        server.stop().await;
    }

    #[tokio::test]
    async fn the_guard_alone_ends_the_server_of_a_killed_parent() {
        let mut server = Command::new("sleep").arg("600").spawn().unwrap();
        let mut guard = guard(id_of(&server).unwrap()).unwrap();
        assert!(server.try_wait().unwrap().is_none());
        // What the system does with a killed process's pipes.
        drop(guard.stdin.take());
        let status = timeout(READY_DEADLINE, server.wait()).await;
        assert!(!status.unwrap().unwrap().success());
    }

    #[tokio::test]
    async fn a_second_instance_on_the_same_database_is_refused_and_harms_nothing() {
        let folder = folder();
        let config = config(folder.path()).await;
        let server = DevServer::start(config.clone()).await.unwrap();
        let text = DevServer::start(config).await.unwrap_err().to_string();
        let owner = format!("(process {})", std::process::id());
        assert!(text.contains(&owner), "{text}");
        assert!(text.contains("--data"), "{text}");
        start_workflow(&server, "order").await;
        server.stop().await;
    }

    #[tokio::test]
    async fn a_database_whose_first_start_was_killed_is_made_anew() {
        let folder = folder();
        let config = config(folder.path()).await;
        let database = config.database.clone().unwrap();
        fs::write(&database, "half a database").unwrap();
        fs::write(with_suffix(&database, ".unfinished"), "").unwrap();
        let server = DevServer::start(config.clone()).await.unwrap();
        start_workflow(&server, "order").await;
        server.stop().await;

        let again = DevServer::start(config).await.unwrap();
        assert!(has_workflow(&again, "order").await, "and only once");
        again.stop().await;
    }

    #[tokio::test]
    async fn an_early_end_shows_the_end_of_the_log() {
        let folder = folder();
        let config = DevServerConfig {
            search_attributes: vec![("PizzaOrder".to_owned(), "Dough".to_owned())],
            ..config(folder.path()).await
        };
        fs::write(&config.log_file, "of an earlier run\n").unwrap();
        let error = DevServer::start(config).await.unwrap_err();
        let DevServerError::Exited { how, tail, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(how, "exit status: 1");
        assert!(tail.contains("Dough"), "{tail}");
        assert!(!tail.contains("earlier"), "{tail}");
    }

    #[tokio::test]
    async fn a_server_that_never_answers_is_given_up_and_ended() {
        let folder = folder();
        let config = DevServerConfig {
            cli: script(folder.path(), "echo $$; exec sleep 600"),
            ..config(folder.path()).await
        };
        let start = DevServer::start_within(config, Duration::from_secs(1));
        let error = start.await.unwrap_err();
        let DevServerError::NotReady { tail, .. } = error else {
            panic!("{error}");
        };
        let pid = Pid::from_raw(tail.parse().unwrap()).unwrap();
        assert!(!runs(pid));
    }

    #[tokio::test]
    async fn what_cannot_be_run_or_written_is_named_with_what_to_do() {
        let folder = folder();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let good = config(folder.path()).await;
        let cli = DevServerConfig {
            cli: file.clone(),
            ..good.clone()
        };
        let database = DevServerConfig {
            database: Some(file.join("temporal.db")),
            ..good.clone()
        };
        let log = DevServerConfig {
            log_file: file.join("temporal.log"),
            ..good
        };
        for (config, advice) in [
            (cli, "--temporal-cli"),
            (database, "--data"),
            (log, "writable"),
        ] {
            let text = DevServer::start(config).await.unwrap_err().to_string();
            assert!(text.contains(file.to_str().unwrap()), "{text}");
            assert!(text.contains(advice), "{text}");
        }
    }

    #[tokio::test]
    async fn a_dropped_server_is_killed() {
        let folder = folder();
        let server = DevServer::start(config(folder.path()).await).await.unwrap();
        let pid = server.pid;
        drop(server);
        until("the server's end", || !runs(pid)).await;
    }

    #[test]
    fn only_our_own_server_with_this_database_counts_as_an_orphan() {
        let command = |arguments: &str, mark| format!("/bin/temporal {arguments} -x {mark} ");
        let ours = "server start-dev --db-filename /data/t.db --sqlite-pragma a=b";
        let other = "server start-dev --db-filename /data/t.db.old --sqlite-pragma a=b";
        let database = Path::new("/data/t.db");
        assert!(is_ours(&command(ours, MARK), database));
        assert!(!is_ours(&command(ours, "by hand"), database));
        assert!(!is_ours(&command(other, MARK), database));
    }

    #[test]
    fn a_process_list_is_read() {
        let list = parse_ps("    1 /sbin/init\n 4711 temporal server start-dev\nodd\n");
        let expected = [(1, "/sbin/init"), (4711, "temporal server start-dev")];
        assert_eq!(
            list,
            expected.map(|(pid, command)| (pid, command.to_owned()))
        );
    }

    #[test]
    fn a_large_log_is_set_aside() {
        let folder = folder();
        let path = folder.path().join("log");
        File::create(&path)
            .and_then(|file| file.set_len(LOG_LIMIT + 1))
            .unwrap();
        let (log, mut file) = Log::open(&path).unwrap();
        writeln!(file, "new").unwrap();
        assert_eq!(log.tail(), "new");
        assert!(with_suffix(&path, ".old").exists());
    }
}
