//! `pizza dev`: everything on this machine, from nothing.
//!
//! What it keeps stands in one folder: the Temporal server's database, the
//! store, its kitchen's key, and an operator's when it is given none. A new
//! start on the same folder goes on where the last one ended, however it ended.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use pizza_app::keys::{Keyring, Role};
use pizza_app::{TemporalGateway, register_search_attributes};
use pizza_client::{Gateway, KitchenApi};
use pizza_store::Store;
use pizza_workflows::names::{search_attribute, task_queue};
use serde_json::json;
use temporal_dev_server::{DevServer, DevServerConfig};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use trusted_files::{open_own, own_folder};
use url::Url;

use crate::client::output;
use crate::client::shown_key::ShownKey;
use crate::codec_keys::CodecKeysArgs;
use crate::gateway::{self, Checked, SettingsArgs, reached_at};
use crate::keys::KeptKey;
use crate::kitchen::cook;
use crate::numbers::whole;
use crate::reconciliation::{self, ReconciliationArgs};
use crate::telemetry::{MetricsArgs, Part};
use crate::temporal_command::{CliArgs, SETTING_NAMES};
use crate::worker::{RecycleArgs, WorkerPool, Workers};
use crate::{shutdown, store_args, temporal};

/// Everything but the gateway listens on this machine alone.
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[derive(Args, Clone, Debug)]
pub(crate) struct DevArgs {
    /// The folder that everything is kept in
    #[arg(long, value_name = "DIR", env = "PIZZA_DATA", default_value = ".pizza")]
    data: PathBuf,
    /// The gateway's address; all else listens on this machine alone
    #[arg(long, value_name = "ADDRESS", default_value_t = LOOPBACK)]
    ip: IpAddr,
    /// The gateway's port; 0 is any free one
    #[arg(long, default_value_t = 8080, value_parser = whole(0..=u16::MAX))]
    port: u16,
    /// The Temporal server's port; 0 is any free one
    #[arg(long, value_name = "PORT", default_value_t = 7233, value_parser = whole(0..=u16::MAX))]
    temporal_port: u16,
    /// The Temporal UI's port; 0 is any free one
    #[arg(long, value_name = "PORT", default_value_t = 8233, value_parser = whole(0..=u16::MAX))]
    ui_port: u16,
    /// Use the Temporal server at this `host:port` instead of starting one
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["temporal_port", "ui_port"])]
    temporal_address: Option<String>,
    /// Print one line of JSON when all is ready, and nothing else
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    cli: CliArgs,
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    reconciliation: ReconciliationArgs,
    #[command(flatten)]
    recycle: RecycleArgs,
    #[command(flatten)]
    metrics: MetricsArgs,
    #[command(flatten)]
    pub(crate) codec_keys: CodecKeysArgs,
}

/// Runs everything until a signal stops it.
pub(crate) async fn run(args: DevArgs) -> anyhow::Result<ExitCode> {
    let shutdown = shutdown::on_signal();
    let mut checked = args.settings.check(args.ip, "--ip")?;
    temporal::cipher()?;
    prepare_folder(&args.data)?;
    let kept = KeptKeys::add_to(&mut checked.keys, &args.data)?;
    let listener = gateway::bind(SocketAddr::new(args.ip, args.port), "--port").await?;
    let server = tokio::select! {
        server = Server::start(&args) => server?,
        () = shutdown.cancelled() => return Ok(ExitCode::SUCCESS),
    };
    let ended = tokio::select! {
        ended = serve(&args, checked, kept, listener, &server, shutdown.clone()) => ended,
        failure = server.failure() => Err(failure),
    };
    // Whoever asked it to end hears nothing more from it.
    shutdown.cancel();
    server.stop().await;
    ended.map(|()| ExitCode::SUCCESS)
}

/// Runs gateway, kitchen and workers against the server, until `shutdown`.
/// The door closes first, the hands stop last.
async fn serve(
    args: &DevArgs,
    checked: Checked,
    kept: KeptKeys,
    listener: TcpListener,
    server: &Server,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    // Before the client, which is counted from its first call on.
    let parts = task_queue::ALL.map(|queue| Part::Worker(queue.to_owned()));
    let parts = parts.into_iter().chain([Part::Gateway]).collect();
    let metrics = args.metrics.open(parts).await?;
    let options = temporal::local_options(server.address())?;
    let connect = async || temporal::connect_to(options.clone()).await;
    let client = connect().await?;
    register_search_attributes(&client).await?;
    let store = Store::open(store_args::store_in(&args.data)).await?;
    if let Some(metrics) = metrics {
        metrics.serve(&store, &shutdown);
    }
    let url = Url::parse(&format!("http://{}", reached_at(listener.local_addr()?)))?;
    let is_open = checked.is_open();

    let temporal = TemporalGateway::from_client(client.clone()).with_cipher(temporal::cipher()?);
    let mut gateway = pizza_api::Gateway::new(temporal, store.clone());
    gateway.use_cases.settings.fault_injection = true;
    // Everybody is one address here.
    gateway.limits.watchers_per_client = usize::MAX;
    gateway.limits.connections_per_address = usize::MAX;
    // Whoever else reaches the gateway needs a key for what needs one.
    gateway.development = args.ip.is_loopback();
    gateway.temporal_ui = server.ui().and_then(|url| url.parse().ok());
    // Large; boxed, it stays off the stack.
    let door = gateway::serve(listener, gateway, &args.settings, checked, shutdown.clone());
    let door = Box::pin(door);
    let key = ShownKey::known(Role::Kitchen, kept.kitchen.secret());
    let at_the_door = KitchenApi::new(Gateway::new(url.clone(), None)?.with_key(key.into()));
    let cook = tokio::spawn(cook(at_the_door, shutdown.clone()));
    let queues = task_queue::ALL.map(str::to_owned).to_vec();
    // Nobody promotes builds here, and each `cargo run` may make another one.
    let pool = WorkerPool::new(store.clone(), queues, None)?;
    let workers = Workers::new(pool, &client, args.recycle)?;
    reconciliation::keep(&client, &args.reconciliation).await;
    let hands = CancellationToken::new();

    announce(args, &url, is_open, server, &kept);
    let door = async {
        let closed = door.await;
        hands.cancel();
        closed
    };
    let working = async {
        let ended = workers.run(&connect, &hands).await;
        shutdown.cancel();
        ended
    };
    let (door, working) = tokio::select! {
        ended = async { tokio::join!(door, working) } => ended,
        error = store.lost() => return Err(error.into()),
    };
    cook.await?;
    store.close().await;
    door?;
    working
}

/// The keys that are kept in the data folder.
struct KeptKeys {
    /// For the failure queues, whoever can read the folder, unless others were
    /// named.
    operator: Option<KeptKey>,
    /// The simulated kitchen, beside those that were named.
    kitchen: KeptKey,
}

impl KeptKeys {
    fn add_to(keys: &mut Keyring, data: &Path) -> anyhow::Result<Self> {
        let kitchen = KeptKey::in_folder(Role::Kitchen, data)?;
        kitchen.add_to(keys)?;
        let mut operator = None;
        if !keys.knows(Role::Operator) {
            let kept = KeptKey::in_folder(Role::Operator, data)?;
            kept.add_to(keys)?;
            operator = Some(kept);
        }
        Ok(Self { operator, kitchen })
    }
}

/// The Temporal server: one of our own, or one that was given.
enum Server {
    Own { server: DevServer, address: String },
    Given { address: String },
}

impl Server {
    async fn start(args: &DevArgs) -> anyhow::Result<Self> {
        if let Some(address) = &args.temporal_address {
            return Ok(Self::Given {
                address: address.clone(),
            });
        }
        let cli = args.cli.locate(args.json).await?;
        tracing::info!(path = %cli.path.display(), "the Temporal CLI, {}", cli.origin);
        let server = DevServer::start(DevServerConfig {
            cli: cli.path,
            database: Some(args.data.join("temporal.db")),
            ip: LOOPBACK,
            port: args.temporal_port,
            ui_port: Some(args.ui_port),
            search_attributes: search_attribute::all()
                .into_iter()
                .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
                .collect(),
            log_file: args.data.join("temporal.log"),
            names: SETTING_NAMES,
        })
        .await?;
        let address = server.address();
        Ok(Self::Own { server, address })
    }

    fn address(&self) -> &str {
        match self {
            Self::Own { address, .. } | Self::Given { address } => address,
        }
    }

    fn ui(&self) -> Option<String> {
        match self {
            Self::Own { server, .. } => server.ui_url(),
            Self::Given { .. } => None,
        }
    }

    /// Resolves when our own server dies, or loses its database.
    async fn failure(&self) -> anyhow::Error {
        match self {
            Self::Own { server, .. } => tokio::select! {
                error = server.exited() => error.into(),
                error = server.database_lost() => error.into(),
            },
            Self::Given { .. } => std::future::pending().await,
        }
    }

    async fn stop(self) {
        if let Self::Own { server, .. } = self {
            server.stop().await;
        }
    }
}

/// Makes the folder, for its owner alone: orders lie in it beside the keys.
/// Finds out now whether it can be written to, and by nobody else.
fn prepare_folder(data: &Path) -> anyhow::Result<()> {
    let try_out = || {
        // Before anything is written: SQLite opens no path of any kind.
        store_args::store_in(data).check()?;
        own_folder(data, 0o700)?;
        let probe = data.join(".writable");
        open_own(&probe, File::options().create(true).append(true))?;
        std::fs::remove_file(probe)?;
        anyhow::Ok(())
    };
    try_out().with_context(|| {
        format!(
            "the data folder {} cannot be used; choose another with --data",
            data.display()
        )
    })
}

/// Says that all is ready, and what to do next.
fn announce(args: &DevArgs, gateway: &Url, is_open: bool, server: &Server, kept: &KeptKeys) {
    let gateway = gateway.as_str().trim_end_matches('/');
    if args.json {
        let ready = json!({
            "gateway": gateway,
            "open": is_open,
            "temporal": server.address(),
            "ui": server.ui(),
            "operatorKeyFile": kept.operator.as_ref().map(|key| key.path.display().to_string()),
            "kitchenKeyFile": kept.kitchen.path.display().to_string(),
        });
        output::announce(&ready.to_string());
        return;
    }
    let ui = server.ui().unwrap_or_else(|| "none of ours".to_owned());
    output::announce(&format!(
        "
  All is ready. Order a pizza, in a browser:

    {gateway}/

  or without one:

    curl -X POST {gateway}/orders -H 'content-type: application/json' -d '{{\"flavour\":\"hawaiian\"}}'
    pizza order --flavour hawaiian --watch --gateway {gateway}

  Every way an order can end:   pizza scenarios --gateway {gateway}
  The API:                      {gateway}/openapi.json
  The Temporal UI:              {ui}
  Temporal:                     {temporal}
  Kept in:                      {data}
  The operator's key:           {key}
  The kitchen's key:            in {kitchen_key}
  Customers:                    {customers}

  Ctrl-C stops everything; orders under way go on at the next start.
",
        temporal = server.address(),
        data = args.data.display(),
        customers = if is_open {
            "open: whoever reaches the gateway may order, and see every order"
        } else {
            "with a key alone, and each sees their own orders"
        },
        kitchen_key = kept.kitchen.path.display(),
        key = kept
            .operator
            .as_ref()
            .map_or_else(|| "one of those given".to_owned(), told),
    ));
}

/// The key itself at the start that made it, and from then on where it is.
fn told(key: &KeptKey) -> String {
    let path = key.path.display();
    match key.shown() {
        Some(key) => format!("{key} (shown this once; kept in {path})"),
        None => format!("in {path}"),
    }
}
