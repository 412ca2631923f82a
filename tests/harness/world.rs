//! A shop of its own: a namespace, a store, and its processes.

use std::fs::Permissions;
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

use super::books::Books;
use super::cli::Cli;
use super::gateway::Gateway;
use super::history::History;
use super::process::Process;
use super::temporal::{Temporal, is_closed};
use super::{SOON, eventually, folder};

/// The key of the operator `journeys`.
pub(crate) const OPERATOR_KEY: &str = "pizza_op_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE";

/// That key as gateways are told of it.
const OPERATOR_KEYS: &str =
    "journeys:576dd99c7531308a222ecbcca4325c816e230ad84540a4018ea0facdfac3251b";

/// The key of the kitchen `journeys`.
pub(crate) const KITCHEN_KEY: &str = "pizza_kitchen_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE";

/// That key as gateways are told of it.
const KITCHEN_KEYS: &str =
    "journeys:de78608bb591edd12b5be73dc2e0d598b1ab63a20ea1b70b6dc03935b31932e1";

/// How many worlds of single journeys live at once: each costs a worker, a
/// gateway and the memory of both.
const AT_ONCE: usize = 3;

/// Journeys ask as often as they can, all from one address.
const NO_RATE_LIMITS: [&str; 6] = [
    "PIZZA_ORDERS_PER_SECOND",
    "PIZZA_REQUESTS_PER_SECOND",
    "PIZZA_STAFF_REQUESTS_PER_SECOND",
    "PIZZA_WRONG_KEYS_PER_SECOND",
    "PIZZA_HEALTH_CHECKS_PER_SECOND",
    "PIZZA_WATCHERS_PER_CLIENT",
];

static WORLDS: Semaphore = Semaphore::const_new(AT_ONCE);

/// What a world's store is kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// A file in the world's folder.
    Sqlite,
    /// A database of its own in the PostgreSQL of this run.
    Postgres,
}

impl Engine {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    /// The URL of a store that nobody has opened, for a world in this folder.
    pub(crate) async fn new_store(self, folder: &Path) -> String {
        match self {
            Self::Sqlite => format!("sqlite:{}", folder.join("pizza.db").display()),
            Self::Postgres => {
                let server = temporal_dev_server::postgres::shared()
                    .await
                    .expect("a PostgreSQL");
                server.new_database().await.expect("a database")
            }
        }
    }
}

/// What a world is to be like.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// Whether a kitchen cooks.
    pub(crate) kitchen: bool,
    /// How long the kitchen may keep silent, in seconds.
    pub(crate) kitchen_deadline_seconds: f64,
    /// How often records are held against Temporal, and how long they are left
    /// alone after a change. Where that is not what is tried out, never.
    pub(crate) reconcile_every_seconds: u32,
    pub(crate) reconcile_grace_seconds: u32,
    /// More flags of the gateway.
    pub(crate) gateway_flags: &'static [&'static str],
    /// The Temporal server; none for the shared one.
    pub(crate) temporal: Option<String>,
    /// What the store is kept in.
    pub(crate) engine: Engine,
    /// Whether the gateway simulates errors.
    pub(crate) fault_injection: bool,
    /// What every process is told on top, by its variables.
    pub(crate) variables: Vec<(String, String)>,
    /// What is in the file of codec keys, if there is one.
    pub(crate) codec_keys: Option<String>,
    /// What the gateway alone is told on top, by its variables.
    pub(crate) gateway_variables: Vec<(String, String)>,
    /// What the worker alone is told on top, by its variables.
    pub(crate) worker_variables: Vec<(String, String)>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            kitchen: true,
            kitchen_deadline_seconds: 10.0,
            reconcile_every_seconds: 86_400,
            reconcile_grace_seconds: 30,
            gateway_flags: &[],
            temporal: None,
            engine: Engine::Sqlite,
            fault_injection: true,
            variables: Vec::new(),
            codec_keys: None,
            gateway_variables: Vec::new(),
            worker_variables: Vec::new(),
        }
    }
}

/// A shop and its processes.
pub(crate) struct World {
    setup: Setup,
    folder: PathBuf,
    store: String,
    temporal: String,
    namespace: String,
    gateway_url: String,
    /// Where the next gateway is to listen.
    listen: String,
    pub(crate) worker: Option<Process>,
    pub(crate) gateway: Option<Process>,
    pub(crate) kitchen: Option<Process>,
    /// None for the shared worlds, which live as long as the run.
    _place: Option<SemaphorePermit<'static>>,
}

impl World {
    /// A world for one journey, in which everything runs.
    pub(crate) async fn start(setup: Setup) -> Self {
        let mut world = Self::found(setup).await;
        world.start_all().await;
        world
    }

    /// A world for one journey, in which nothing runs yet.
    pub(crate) async fn found(setup: Setup) -> Self {
        let place = WORLDS.acquire().await.expect("never closed");
        Self::new(setup, Some(place)).await
    }

    /// The world of the journeys that break nothing.
    pub(crate) async fn shared() -> Shared {
        static WORLD: OnceCell<World> = OnceCell::const_new();
        Shared::of(&WORLD, Setup::default()).await
    }

    /// The world of the journeys that are the kitchen themselves.
    pub(crate) async fn shared_without_kitchen() -> Shared {
        static WORLD: OnceCell<World> = OnceCell::const_new();
        let setup = Setup {
            kitchen: false,
            // Long enough for a test on a busy machine to report in time,
            // short enough to wait for.
            kitchen_deadline_seconds: 6.0,
            ..Setup::default()
        };
        Shared::of(&WORLD, setup).await
    }

    async fn new(setup: Setup, place: Option<SemaphorePermit<'static>>) -> Self {
        let (temporal, namespace) = match &setup.temporal {
            Some(address) => (address.clone(), "default".to_owned()),
            None => {
                let server = Temporal::shared().await;
                (server.address().to_owned(), server.new_namespace().await)
            }
        };
        let folder = folder::new("world");
        Self {
            store: setup.engine.new_store(&folder).await,
            setup,
            folder,
            temporal,
            namespace,
            gateway_url: String::new(),
            listen: "127.0.0.1:0".to_owned(),
            worker: None,
            gateway: None,
            kitchen: None,
            _place: place,
        }
    }

    /// From now on these are the codec keys, for whatever is started.
    pub(crate) fn use_codec_keys(&mut self, lines: &str) {
        self.setup.codec_keys = Some(lines.to_owned());
    }

    /// Starts a codec server for a UI at `origin`, and gives it with its URL.
    pub(crate) async fn codec_server(&self, origin: &str) -> (Process, String) {
        let arguments = [
            "codec-server",
            "--json",
            "--listen",
            "127.0.0.1:0",
            "--ui-origin",
            origin,
        ];
        let mut process = self.run("codec-server", &arguments);
        let announcement = process.announcement().await;
        let url = announcement["codecServer"]
            .as_str()
            .expect("a URL")
            .to_owned();
        (process, url)
    }

    /// Starts worker and gateway at the same time, and the kitchen, if there
    /// is to be one, as soon as there is a door to report at.
    pub(crate) async fn start_all(&mut self) {
        self.start_worker();
        self.start_gateway().await;
        if self.setup.kitchen {
            self.start_kitchen();
        }
    }

    /// Starts a worker.
    pub(crate) fn start_worker(&mut self) {
        self.start_worker_on(&self.temporal.clone());
    }

    /// Starts a worker on the Temporal at `address`.
    pub(crate) fn start_worker_on(&mut self, address: &str) {
        let mut variables = self.variables();
        variables.push(("TEMPORAL_ADDRESS".to_owned(), address.to_owned()));
        variables.extend(self.setup.worker_variables.iter().cloned());
        let worker = Process::pizza(&self.folder, "worker", &["worker"], &variables);
        self.worker = Some(worker);
    }

    /// Starts a worker with these arguments, beside the world's own.
    pub(crate) fn worker_with(&self, arguments: &[&str]) -> Process {
        self.run("worker", &[&["worker"], arguments].concat())
    }

    /// Starts a worker that is told this on top, by its variables.
    pub(crate) fn worker_told(&self, told: &[(&str, &str)]) -> Process {
        let told = told
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let variables: Vec<_> = self.variables().into_iter().chain(told).collect();
        Process::pizza(&self.folder, "worker", &["worker"], &variables)
    }

    /// Starts a gateway on the world's Temporal, and waits until it listens.
    pub(crate) async fn start_gateway(&mut self) {
        self.start_gateway_on(&self.temporal.clone()).await;
    }

    /// Starts a gateway where the one before listened, and waits until it
    /// does.
    pub(crate) async fn start_gateway_again(&mut self) {
        let (_, address) = self.gateway_url.split_once("://").expect("a URL");
        self.listen = address.to_owned();
        self.start_gateway().await;
    }

    /// Starts a gateway on the Temporal at `address`, and waits until it
    /// listens.
    pub(crate) async fn start_gateway_on(&mut self, address: &str) {
        let (process, url) = self.gateway_on(&self.listen, address).await;
        self.gateway_url = url;
        self.gateway = Some(process);
    }

    /// Starts a gateway beside the world's own, and gives its URL.
    pub(crate) async fn another_gateway(&self) -> (Process, String) {
        self.gateway_on("127.0.0.1:0", &self.temporal).await
    }

    async fn gateway_on(&self, listen: &str, address: &str) -> (Process, String) {
        let deadline = self.setup.kitchen_deadline_seconds.to_string();
        let mut arguments = vec![
            "gateway",
            "--json",
            "--listen",
            listen,
            "--kitchen-deadline-seconds",
            &deadline,
        ];
        arguments.extend(self.setup.gateway_flags);
        if self.setup.fault_injection {
            arguments.push("--fault-injection");
        }
        let mut variables = self.variables();
        variables.push(("TEMPORAL_ADDRESS".to_owned(), address.to_owned()));
        variables.extend(NO_RATE_LIMITS.map(|name| (name.to_owned(), "0".to_owned())));
        variables.extend(self.setup.gateway_variables.iter().cloned());
        let mut process = Process::pizza(&self.folder, "gateway", &arguments, &variables);
        let announcement = process.announcement().await;
        let url = announcement["gateway"].as_str().expect("a URL");
        let url = url.trim_end_matches('/').to_owned();
        (process, url)
    }

    /// From now on Temporal remembers nothing of what was before, as after the
    /// retention of all of it. Whatever runs is to be started anew.
    pub(crate) async fn forget_workflows(&mut self) {
        self.namespace = Temporal::shared().await.new_namespace().await;
    }

    /// From now on what is started uses the namespace of this name, whether or
    /// not there is one.
    pub(crate) fn use_namespace(&mut self, name: &str) {
        self.namespace = name.to_owned();
    }

    /// Starts a kitchen that reports at the gateway.
    pub(crate) fn start_kitchen(&mut self) {
        self.kitchen = Some(self.kitchen_at(&self.gateway_url));
    }

    /// Starts a kitchen that reports at the gateway with this URL.
    pub(crate) fn kitchen_at(&self, url: &str) -> Process {
        self.run("kitchen", &["kitchen", "--gateway", url])
    }

    /// A client of the gateway.
    pub(crate) fn gateway(&self) -> Gateway {
        Gateway::new(&self.gateway_url)
    }

    /// A client of the gateway with an operator's key.
    pub(crate) fn operator(&self) -> Gateway {
        Gateway::with_key(&self.gateway_url, Some(OPERATOR_KEY))
    }

    /// A client of the gateway with a kitchen's key.
    pub(crate) fn cook(&self) -> Gateway {
        Gateway::with_key(&self.gateway_url, Some(KITCHEN_KEY))
    }

    /// Where the gateway listens.
    pub(crate) fn gateway_url(&self) -> &str {
        &self.gateway_url
    }

    /// The address of the world's Temporal, `host:port`.
    pub(crate) fn temporal(&self) -> &str {
        &self.temporal
    }

    /// The world's namespace.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The command line, in this world.
    pub(crate) fn cli(&self) -> Cli {
        Cli {
            folder: self.folder.clone(),
            variables: self.variables(),
        }
    }

    /// The books, as they stand.
    pub(crate) async fn books(&self) -> Books {
        Books::open(&self.store).await
    }

    /// An order whose ticket the kitchen has, and has not accepted.
    pub(crate) async fn handed_over(&self) -> String {
        let id = self.gateway().place(serde_json::json!({})).await;
        self.ticket_is_there(&id).await;
        id
    }

    /// Waits until the kitchen has the ticket of an order.
    pub(crate) async fn ticket_is_there(&self, id: &str) {
        let mut books = self.books().await;
        let query = "SELECT stage FROM kitchen_tickets WHERE order_id = $1";
        let what = format!("the kitchen has the ticket of {id}");
        eventually(SOON, &what, async || books.text(query, id).await).await;
    }

    /// The history of a workflow.
    pub(crate) async fn history(&self, workflow_id: &str) -> History {
        let arguments = ["workflow", "show", "--workflow-id", workflow_id];
        History::of(self.cli().temporal_json(&arguments).await)
    }

    /// The history of a workflow once that has ended, which may be a moment
    /// after the order's record says so.
    pub(crate) async fn final_history(&self, workflow_id: &str) -> History {
        let what = format!("{workflow_id} ends");
        eventually(SOON, &what, async || {
            if !is_closed(&self.temporal, &self.namespace, workflow_id).await {
                return None;
            }
            let history = self.history(workflow_id).await;
            history.has_ended().then_some(history)
        })
        .await
    }

    /// An order once its workflow has ended. The order's own record is final
    /// a moment before, and its points may still change then.
    pub(crate) async fn finished(&self, id: &str) -> Value {
        self.gateway().watched_to_its_end(id).await;
        let workflow = format!("order-{id}");
        let what = format!("{workflow} ends");
        eventually(SOON, &what, async || {
            is_closed(&self.temporal, &self.namespace, &workflow)
                .await
                .then_some(())
        })
        .await;
        self.gateway().order(id).await
    }

    /// Starts `pizza` with these arguments, in this world.
    pub(crate) fn run(&self, name: &str, arguments: &[&str]) -> Process {
        Process::pizza(&self.folder, name, arguments, &self.variables())
    }

    /// What each process of this world sees. The empty file keeps the
    /// settings of whoever runs the tests out.
    fn variables(&self) -> Vec<(String, String)> {
        let settings = self.folder.join("temporal.toml");
        if !settings.exists() {
            std::fs::write(&settings, "").expect("a file");
        }
        let keys = self.setup.codec_keys.as_ref().map(|lines| {
            let file = self.folder.join("codec.keys");
            std::fs::write(&file, lines).expect("a file");
            std::fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("allowed");
            file.display().to_string()
        });
        let every = self.setup.reconcile_every_seconds.to_string();
        let grace = self.setup.reconcile_grace_seconds.to_string();
        [
            ("TEMPORAL_ADDRESS", self.temporal.clone()),
            ("TEMPORAL_NAMESPACE", self.namespace.clone()),
            ("TEMPORAL_CONFIG_FILE", settings.display().to_string()),
            ("DATABASE_URL", self.store.clone()),
            ("PIZZA_GATEWAY", self.gateway_url.clone()),
            ("PIZZA_OPERATOR_KEYS", OPERATOR_KEYS.to_owned()),
            ("PIZZA_OPERATOR_KEY", OPERATOR_KEY.to_owned()),
            ("PIZZA_RECONCILE_EVERY_SECONDS", every),
            ("PIZZA_RECONCILE_GRACE_SECONDS", grace),
            ("PIZZA_KITCHEN_KEYS", KITCHEN_KEYS.to_owned()),
            ("PIZZA_KITCHEN_KEY", KITCHEN_KEY.to_owned()),
            ("PIZZA_CODEC_KEYS", keys.unwrap_or_default()),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.to_owned(), value))
        .chain(self.setup.variables.iter().cloned())
        .collect()
    }

    fn show_if_panicking(&self) {
        let processes = [&self.worker, &self.gateway, &self.kitchen];
        for process in processes.into_iter().flatten() {
            process.show_if_panicking();
        }
    }
}

/// A world that others use as well. It outlives the test, and still shows its
/// logs when the test fails.
pub(crate) struct Shared {
    world: &'static World,
    server: &'static Temporal,
}

impl Shared {
    /// The world of this cell, which is started for the first who asks.
    pub(crate) async fn of(cell: &'static OnceCell<World>, setup: Setup) -> Self {
        let start = || async {
            let mut world = World::new(setup, None).await;
            world.start_all().await;
            world
        };
        Self {
            world: cell.get_or_init(start).await,
            server: Temporal::shared().await,
        }
    }
}

impl Deref for Shared {
    type Target = World;

    fn deref(&self) -> &World {
        self.world
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.world.show_if_panicking();
        self.server.show_if_panicking();
    }
}
