//! Temporal dev servers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use uuid::Uuid;

use super::cli::Cli;
use super::process::Process;
use super::{SOON, eventually, folder, ports};

/// A server that answers in milliseconds instead of in its default steps of
/// 50 ms and, for timers, a second; and that ends the polls of a worker that
/// stops, as `pizza dev`'s does.
const SETTINGS: [&str; 6] = [
    "frontend.enableCancelWorkerPollsOnShutdown=true",
    "history.transferProcessorMaxPollRPS=400",
    "history.timerProcessorMaxPollRPS=400",
    "history.timerProcessorMaxTimeShift=\"10ms\"",
    "matching.numTaskqueueReadPartitions=1",
    "matching.numTaskqueueWritePartitions=1",
];

/// A dev server.
pub(crate) struct Temporal {
    process: Process,
    address: String,
    folder: PathBuf,
}

impl Temporal {
    /// The server of this run: in memory, and ended by its guard when the run
    /// ends.
    pub(crate) async fn shared() -> &'static Self {
        static SHARED: OnceCell<Temporal> = OnceCell::const_new();
        SHARED
            .get_or_init(|| Self::start(ports::free(), None))
            .await
    }

    /// Starts a server of its own, in memory or on a file.
    pub(crate) async fn start(port: u16, database: Option<&Path>) -> Self {
        let folder = folder::new("temporal");
        let port_text = port.to_string();
        let mut arguments = vec![
            "temporal",
            "server",
            "start-dev",
            "--headless",
            "--ip",
            "127.0.0.1",
            "--port",
            &port_text,
            "--log-level",
            "warn",
        ];
        for value in SETTINGS {
            arguments.extend(["--dynamic-config-value", value]);
        }
        let database = database.map(|path| path.to_str().expect("a UTF-8 path"));
        if let Some(path) = database {
            arguments.extend(["--db-filename", path]);
        }
        let process = Process::pizza(&folder, "temporal", &arguments, &[]);
        let mut server = Self {
            process,
            address: format!("127.0.0.1:{port}"),
            folder,
        };
        server.until_ready().await;
        server
    }

    /// Where it answers, as `host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Makes a namespace that nobody else uses, and gives its name.
    pub(crate) async fn new_namespace(&self) -> String {
        let name = format!("world-{}", Uuid::new_v4());
        self.cli()
            .temporal(&["operator", "namespace", "create", "--namespace", &name])
            .await;
        name
    }

    /// Kills it, the way a power cut would.
    pub(crate) fn kill(self) {
        self.process.kill();
    }

    /// Shows the end of its log when the test fails.
    pub(crate) fn show_if_panicking(&self) {
        self.process.show_if_panicking();
    }

    async fn until_ready(&mut self) {
        // Asking takes a process; first see that somebody listens.
        eventually(SOON, "the Temporal server listens", async || {
            assert!(self.process.ended().is_none(), "the Temporal server ended");
            TcpStream::connect(&self.address).await.ok()
        })
        .await;
        eventually(SOON, "the Temporal server answers", async || {
            let cli = self.cli();
            let asking = cli.pizza(&["temporal", "operator", "namespace", "describe", "default"]);
            let answer = timeout(Duration::from_secs(10), asking).await.ok()?;
            (answer.code == Some(0)).then_some(())
        })
        .await;
    }

    fn cli(&self) -> Cli {
        Cli {
            folder: self.folder.clone(),
            variables: vec![("TEMPORAL_ADDRESS".to_owned(), self.address.clone())],
        }
    }
}
