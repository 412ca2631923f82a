//! Temporal dev servers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use temporalio_client::{Connection, ConnectionOptions, Url};
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
use temporalio_common::protos::temporal::api::enums::v1::HistoryEventFilterType;
use temporalio_common::protos::temporal::api::workflowservice::v1::GetWorkflowExecutionHistoryRequest;
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tonic::IntoRequest;
use uuid::Uuid;

use super::cli::Cli;
use super::process::Process;
use super::{SOON, eventually, folder, ports};

/// A server that answers in milliseconds instead of in its default steps of
/// 50 ms and, for timers, a second; and that ends the polls of a worker that
/// stops, as `pizza dev`'s does; and on which a workflow can be paused.
const SETTINGS: [&str; 7] = [
    "frontend.WorkflowPauseEnabled=true",
    "frontend.enableCancelWorkerPollsOnShutdown=true",
    "history.transferProcessorMaxPollRPS=400",
    "history.timerProcessorMaxPollRPS=400",
    "history.timerProcessorMaxTimeShift=\"10ms\"",
    "matching.numTaskqueueReadPartitions=1",
    "matching.numTaskqueueWritePartitions=1",
];

/// Lets the server's garbage grow to three times what lives before it is
/// collected, which saves a tenth of its processor time.
const GARBAGE: (&str, &str) = ("GOGC", "300");

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
        let (name, value) = GARBAGE;
        let variables = [(name.to_owned(), value.to_owned())];
        let process = Process::pizza(&folder, "temporal", &arguments, &variables);
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

/// Whether the latest run of a workflow has ended. The server keeps the
/// question until it does, for some twenty seconds.
pub(crate) async fn is_closed(address: &str, namespace: &str, workflow_id: &str) -> bool {
    let target = Url::parse(&format!("http://{address}")).expect("an address");
    let options = ConnectionOptions::new(target)
        .identity("journeys".to_owned())
        .build();
    let Ok(connection) = Connection::connect(options).await else {
        return false;
    };
    let mut request = GetWorkflowExecutionHistoryRequest {
        namespace: namespace.to_owned(),
        execution: Some(WorkflowExecution {
            workflow_id: workflow_id.to_owned(),
            run_id: String::new(),
        }),
        wait_new_event: true,
        history_event_filter_type: HistoryEventFilterType::CloseEvent.into(),
        ..Default::default()
    }
    .into_request();
    request.set_timeout(SOON);
    let mut service = connection.workflow_service();
    let answer = service.get_workflow_execution_history(request).await;
    let last = answer.ok().and_then(|answer| answer.into_inner().history);
    last.is_some_and(|history| !history.events.is_empty())
}
