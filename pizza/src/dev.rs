//! `pizza dev`: everything on this machine, from nothing.
//!
//! What it keeps stands in one folder: the Temporal server's database, the
//! store, the simulated kitchen's key, and an operator's when it is given none.
//! A new start on the same folder goes on where the last one ended, however it
//! ended.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use pizza_activities::store::Store;
use pizza_api::usecases::{TemporalGateway, register_search_attributes};
use pizza_api::{Keyring, Role};
use pizza_workflows::names::{search_attribute, task_queue};
use serde_json::json;
use temporal_dev_server::{DevServer, DevServerConfig};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::client::gateway::{Gateway, KitchenDoor};
use crate::client::kitchen_key::KitchenKey;
use crate::client::output;
use crate::gateway::{self, SettingsArgs};
use crate::kitchen::cook;
use crate::operator_key::{KITCHEN, KeptKey, OPERATOR};
use crate::reconciliation::{self, ReconciliationArgs};
use crate::temporal_command::{CliArgs, SETTING_NAMES};
use crate::worker::Workers;
use crate::{shutdown, temporal};

/// Everything listens on this machine alone.
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[derive(Args, Clone, Debug)]
pub(crate) struct DevArgs {
    /// The folder that everything is kept in
    #[arg(long, value_name = "DIR", env = "PIZZA_DATA", default_value = ".pizza")]
    data: PathBuf,
    /// The gateway's port; 0 is any free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// The Temporal server's port; 0 is any free one
    #[arg(long, value_name = "PORT", default_value_t = 7233)]
    temporal_port: u16,
    /// The Temporal UI's port; 0 is any free one
    #[arg(long, value_name = "PORT", default_value_t = 8233)]
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
}

/// Runs everything until a signal stops it.
pub(crate) async fn run(args: DevArgs) -> anyhow::Result<ExitCode> {
    let shutdown = shutdown::on_signal();
    let keys = args.settings.operator_keys.keyring()?;
    prepare_folder(&args.data)?;
    let keys = Keys::new(keys, &args.data)?;
    let listener = gateway::bind(SocketAddr::new(LOOPBACK, args.port), "--port").await?;
    let server = tokio::select! {
        server = Server::start(&args) => server?,
        () = shutdown.cancelled() => return Ok(ExitCode::SUCCESS),
    };
    let ended = tokio::select! {
        ended = serve(&args, keys, listener, &server, shutdown.clone()) => ended,
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
    keys: Keys,
    listener: TcpListener,
    server: &Server,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let client = temporal::connect_to(temporal::local_options(server.address())?).await?;
    register_search_attributes(&client).await?;
    let store = Store::open(&store_url(&args.data)).await?;
    let url = Url::parse(&format!("http://{}", listener.local_addr()?))?;

    let temporal = TemporalGateway::from_client(client.clone());
    let mut gateway = pizza_api::Gateway::new(temporal, store.clone());
    gateway.keys = keys.all;
    gateway.use_cases.settings.fault_injection = true;
    let door = gateway::serve(listener, gateway, &args.settings, shutdown.clone());
    let key = KitchenKey::known(keys.kitchen.secret());
    let at_the_door = KitchenDoor::new(Gateway::new(url.clone())?, key);
    let cook = tokio::spawn(cook(at_the_door, shutdown.clone()));
    let workers = Workers::new(&client, &store, &task_queue::ALL.map(str::to_owned))?;
    reconciliation::keep(&client, &args.reconciliation).await;
    let hands = CancellationToken::new();

    announce(args, &url, server, keys.operator.as_ref(), &keys.kitchen);
    let door = async {
        let closed = door.await;
        hands.cancel();
        closed
    };
    let working = async {
        let ended = workers.run(hands.clone()).await;
        shutdown.cancel();
        ended
    };
    let (door, working) = tokio::join!(door, working);
    cook.await?;
    store.close().await;
    door?;
    working
}

/// Who may do what.
struct Keys {
    all: Keyring,
    /// For the failure queues, whoever can read the data folder, unless others
    /// were named.
    operator: Option<KeptKey>,
    /// The simulated kitchen, beside those that were named.
    kitchen: KeptKey,
}

impl Keys {
    fn new(mut all: Keyring, data: &Path) -> anyhow::Result<Self> {
        let kitchen = KeptKey::in_folder(KITCHEN, data)?;
        kitchen.add_to(&mut all)?;
        let mut operator = None;
        if !all.knows(Role::Operator) {
            let kept = KeptKey::in_folder(OPERATOR, data)?;
            kept.add_to(&mut all)?;
            operator = Some(kept);
        }
        Ok(Self {
            all,
            operator,
            kitchen,
        })
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

    /// Resolves when our own server dies.
    async fn failure(&self) -> anyhow::Error {
        match self {
            Self::Own { server, .. } => server.exited().await.into(),
            Self::Given { .. } => std::future::pending().await,
        }
    }

    async fn stop(self) {
        if let Self::Own { server, .. } = self {
            server.stop().await;
        }
    }
}

/// Makes the folder, and finds out now whether it can be written to.
fn prepare_folder(data: &Path) -> anyhow::Result<()> {
    let try_out = || {
        std::fs::create_dir_all(data)?;
        let probe = data.join(".writable");
        std::fs::write(&probe, b"")?;
        std::fs::remove_file(probe)
    };
    try_out().with_context(|| {
        format!(
            "the data folder {} cannot be written to; choose another with --data",
            data.display()
        )
    })
}

fn store_url(data: &Path) -> String {
    format!("sqlite:{}", data.join("pizza.db").display())
}

/// Says that all is ready, and what to do next.
fn announce(
    args: &DevArgs,
    gateway: &Url,
    server: &Server,
    key: Option<&KeptKey>,
    kitchen_key: &KeptKey,
) {
    let gateway = gateway.as_str().trim_end_matches('/');
    if args.json {
        let ready = json!({
            "gateway": gateway,
            "temporal": server.address(),
            "ui": server.ui(),
            "operatorKeyFile": key.map(|key| key.path.display().to_string()),
            "kitchenKeyFile": kitchen_key.path.display().to_string(),
        });
        output::data(&ready.to_string());
        return;
    }
    let ui = server.ui().unwrap_or_else(|| "none of ours".to_owned());
    output::data(&format!(
        "
  All is ready. Order a pizza:

    curl -X POST {gateway}/orders -H 'content-type: application/json' -d '{{\"flavour\":\"hawaiian\"}}'
    pizza order --flavour hawaiian --watch --gateway {gateway}

  Every way an order can end:   pizza scenarios --gateway {gateway}
  The API:                      {gateway}/openapi.json
  The Temporal UI:              {ui}
  Temporal:                     {temporal}
  Kept in:                      {data}
  The operator's key:           {key}
  The kitchen's key:            in {kitchen_key}

  Ctrl-C stops everything; orders under way go on at the next start.
",
        temporal = server.address(),
        data = args.data.display(),
        kitchen_key = kitchen_key.path.display(),
        key = key.map_or_else(|| "one of those given".to_owned(), told),
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
