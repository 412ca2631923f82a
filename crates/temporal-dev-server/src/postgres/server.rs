//! Runs PostgreSQL as a child process.
//!
//! It has a process group of its own, so that a Ctrl-C on the terminal does not reach it. A
//! guard, a shell that waits for our end of a pipe to close, ends it and removes its data when
//! this process has ended, in whichever way.

use std::{
    ffi::OsStr,
    fs, io,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{error::PostgresError, installation::Installation, user};
use crate::{
    child::{Guard, Log, PORT_ATTEMPTS, STEP, detach, take_port},
    program::output_of,
};

/// The one user of the database, who may do all.
const OWNER: &str = "pizza";

/// The server is ready half a second after its start; this is for a machine under load.
const READY_DEADLINE: Duration = Duration::from_secs(60);

/// How long `initdb` may take; it takes a second.
const INIT_DEADLINE: Duration = Duration::from_secs(120);

/// How long a server may take to end.
const STOP_DEADLINE: Duration = Duration::from_secs(20);

/// How many lines of the log's end an error shows.
const LOG_TAIL: usize = 20;

/// What the guard does: `$1` is the server, `$2` its folder. A server that is told to quit ends
/// within a moment, without writing anything.
const GUARD: &str = r#"kill -QUIT "$1"
i=0
while kill -0 "$1" 2>/dev/null && [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done
kill -KILL "$1" 2>/dev/null
rm -rf "$2""#;

/// Nothing here has to survive a power cut, and much is done at once.
const SETTINGS: [&str; 11] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=32MB",
    "dynamic_shared_memory_type=mmap",
    "max_parallel_workers_per_gather=0",
    "max_connections=300",
    "max_wal_size=256MB",
    "timezone=UTC",
    "lc_messages=C",
];

/// A running PostgreSQL on a data folder of its own, with one superuser and its password.
/// Dropped, it is ended, and its data are removed.
#[derive(Debug)]
pub struct PostgresServer {
    installation: Installation,
    folder: TempDir,
    password: String,
    port: u16,
    settings: Vec<String>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    guard: Option<Guard>,
}

impl PostgresServer {
    /// Makes a data folder and starts a server on it, on a free port of this machine.
    /// `settings` are `name=value`, as `postgres -c` takes them.
    ///
    /// # Errors
    /// [`PostgresError`]; then no process is left.
    pub async fn start(
        installation: Installation,
        settings: &[&str],
    ) -> Result<Self, PostgresError> {
        let folder = tempfile::Builder::new()
            .prefix("postgres-dev-server-")
            .tempdir()
            .map_err(PostgresError::system(std::env::temp_dir()))?;
        user::give(folder.path(), user::of_server())?;
        let password = Uuid::new_v4().simple().to_string();
        init(&installation, folder.path(), &password).await?;
        let mut server = Self {
            installation,
            folder,
            password,
            port: 0,
            settings: settings.iter().map(ToString::to_string).collect(),
            running: None,
        };
        for attempt in 1.. {
            (_, server.port) = take_port(Ipv4Addr::LOCALHOST.into(), 0)
                .map_err(PostgresError::system("127.0.0.1:0"))?;
            match server.start_again().await {
                Err(error) if attempt == PORT_ATTEMPTS || !is_lost_port(&error) => {
                    return Err(error);
                }
                Err(_) => {}
                Ok(()) => break,
            }
        }
        Ok(server)
    }

    /// Starts the server again where it was, after [`stop`](Self::stop) or
    /// [`crash`](Self::crash), and waits until it answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn start_again(&mut self) -> Result<(), PostgresError> {
        let log = self.folder.path().join("server.log");
        let (log, output) = Log::open(&log).map_err(PostgresError::system(&log))?;
        let program = self.installation.programs.join("postgres");
        let mut command = tokio::process::Command::new(&program);
        command.arg("-D").arg(data(self.folder.path()));
        command.args(["-p", &self.port.to_string()]);
        let settings = SETTINGS.iter().copied();
        for setting in settings.chain(self.settings.iter().map(String::as_str)) {
            command.args(["-c", setting]);
        }
        user::run_as(&mut command, user::of_server(), self.folder.path());
        // The child outlives the runtime of the test that started it.
        let mut command = command.into_std();
        let child = detach(&mut command, output)
            .and_then(|()| command.spawn())
            .map_err(PostgresError::system(program))?;
        let guard = guard(&child, self.folder.path()).ok();
        self.running = Some(Running { child, guard });
        self.until_ready(&log).await
    }

    /// Ends the server as its administrator would: it throws its clients out, and its books are
    /// in order. Its data and its port stay.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn stop(&mut self) -> Result<(), PostgresError> {
        self.end(Signal::INT).await
    }

    /// Ends the server at once, as its crash would.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn crash(&mut self) -> Result<(), PostgresError> {
        self.end(Signal::QUIT).await
    }

    /// The URL of a database, for its superuser.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://{OWNER}:{}@127.0.0.1:{}/{database}",
            self.password, self.port
        )
    }

    async fn until_ready(&mut self, log: &Log) -> Result<(), PostgresError> {
        let until = Instant::now() + READY_DEADLINE;
        let url = self.url("postgres");
        loop {
            let reason = match connect(&url).await {
                Ok(()) => return Ok(()),
                Err(error) => error.to_string(),
            };
            let ended = self.running.as_mut().and_then(|running| {
                let status = running.child.try_wait().ok().flatten()?;
                Some(format!("it ended ({status})"))
            });
            if ended.is_some() || Instant::now() > until {
                self.kill();
                return Err(PostgresError::NotReady {
                    deadline: READY_DEADLINE,
                    reason: ended.unwrap_or(reason),
                    tail: log.tail(LOG_TAIL),
                });
            }
            sleep(STEP).await;
        }
    }

    async fn end(&mut self, signal: Signal) -> Result<(), PostgresError> {
        let Some(running) = &mut self.running else {
            return Ok(());
        };
        let program = self.installation.programs.join("postgres");
        let failed = PostgresError::system(program);
        let Some(pid) = Pid::from_raw(running.child.id().cast_signed()) else {
            return Ok(());
        };
        if let Err(error) = kill_process(pid, signal) {
            return Err(failed(error.into()));
        }
        let until = Instant::now() + STOP_DEADLINE;
        loop {
            match running.child.try_wait() {
                Ok(Some(_)) => break,
                Ok(None) if Instant::now() < until => sleep(STEP).await,
                Ok(None) => return Err(failed(io::ErrorKind::TimedOut.into())),
                Err(error) => return Err(failed(error)),
            }
        }
        // The guard would remove the data.
        self.kill();
        Ok(())
    }

    /// Ends what still runs. First the guard: it removes the data, and later the server's id
    /// may belong to others.
    fn kill(&mut self) {
        let Some(Running { mut child, guard }) = self.running.take() else {
            return;
        };
        drop(guard);
        // Its children notice, and end.
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

async fn init(
    installation: &Installation,
    folder: &Path,
    password: &str,
) -> Result<(), PostgresError> {
    let secret = folder.join("password");
    fs::write(&secret, password).map_err(PostgresError::system(&secret))?;
    user::give(&secret, user::of_server())?;
    let mut command = tokio::process::Command::new(installation.programs.join("initdb"));
    command
        .args(["--auth", "password", "--username", OWNER, "--no-sync"])
        .args(["--encoding", "UTF8", "--locale", "C"])
        .arg("--pwfile")
        .arg(&secret)
        .arg("--pgdata")
        .arg(data(folder))
        .stdout(Stdio::null());
    user::run_as(&mut command, user::of_server(), folder);
    let output = output_of(command, INIT_DEADLINE)
        .await
        .map_err(PostgresError::InitDb)?;
    let _ = fs::remove_file(secret);
    if output.status.success() {
        Ok(())
    } else {
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(PostgresError::InitDb(errors))
    }
}

async fn connect(url: &str) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::query(AssertSqlSafe("SELECT 1"))
        .execute(&mut connection)
        .await?;
    connection.close().await
}

fn guard(server: &Child, folder: &Path) -> io::Result<Guard> {
    let server = server.id().to_string();
    let arguments = [OsStr::new(&server), folder.as_os_str()];
    Guard::start("postgres-dev-server-guard", GUARD, &arguments)
}

fn is_lost_port(error: &PostgresError) -> bool {
    matches!(error, PostgresError::NotReady { tail, .. } if tail.contains("Address already in use"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    async fn eventually(what: &str, is_so: impl Fn() -> bool) {
        let until = Instant::now() + STOP_DEADLINE;
        while !is_so() {
            assert!(Instant::now() < until, "never: {what}");
            tokio::task::yield_now().await;
        }
    }

    fn runs(id: u32) -> bool {
        let pid = Pid::from_raw(id.cast_signed()).unwrap();
        rustix::process::test_kill_process(pid).is_ok()
    }

    #[tokio::test]
    async fn a_server_is_stopped_and_started_again_with_its_data_and_leaves_nothing() {
        let installation = crate::postgres::locate().await.unwrap();
        let mut server = PostgresServer::start(installation, &["work_mem=3MB"])
            .await
            .unwrap();
        let url = server.url("postgres");
        let ask = async |statement: &'static str| {
            let mut connection = PgConnection::connect(&url).await.unwrap();
            let rows: Vec<String> = sqlx::query_scalar(statement)
                .fetch_all(&mut connection)
                .await
                .unwrap();
            rows
        };
        assert_eq!(ask("SHOW work_mem").await, ["3MB"]);
        ask("CREATE TABLE kept (word TEXT)").await;
        ask("INSERT INTO kept VALUES ('yes')").await;
        server.stop().await.unwrap();
        assert!(connect(&url).await.is_err());
        server.start_again().await.unwrap();
        assert_eq!(ask("SELECT word FROM kept").await, ["yes"]);
        server.crash().await.unwrap();
        server.start_again().await.unwrap();

        let folder = server.folder.path().to_owned();
        let running = server.running.as_mut().unwrap();
        let (child, guard) = (running.child.id(), running.guard.as_ref().unwrap().0.id());
        // What a kill of this process would do: its end of the pipe closes.
        drop(running.guard.as_mut().unwrap().0.stdin.take());
        running.child.wait().unwrap();
        running.guard.as_mut().unwrap().0.wait().unwrap();
        eventually("both are gone", || !runs(child) && !runs(guard)).await;
        assert!(!folder.exists());
    }
}
