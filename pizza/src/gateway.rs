//! The gateway's role: reads its settings, binds its port, serves.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use clap::builder::FalseyValueParser;
use pizza_activities::store::Store;
use pizza_api::usecases::TemporalGateway;
use pizza_api::{Gateway, PublicUrl};
use pizza_domain::StageDeadlines;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::client::output;
use crate::operator_key::OperatorKeysArgs;
use crate::worker::StoreArgs;
use crate::{open_files, shutdown, temporal};

#[derive(Args, Debug)]
pub(crate) struct GatewayArgs {
    /// Where to listen; port 0 is any free one
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "PIZZA_LISTEN",
        default_value = "127.0.0.1:8080"
    )]
    listen: SocketAddr,
    /// Take simulated errors, and an unreliable simulated kitchen: for demonstrations
    #[arg(long, env = "PIZZA_FAULT_INJECTION", value_parser = FalseyValueParser::new())]
    fault_injection: bool,
    /// Print one line of JSON with the gateway's URL when it serves
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    store: StoreArgs,
}

/// What `gateway` and `dev` both let one set.
#[derive(Args, Clone, Debug)]
pub(crate) struct SettingsArgs {
    /// The longest silence of the kitchen before an order is given up
    #[arg(
        long,
        value_name = "SECONDS",
        env = "PIZZA_KITCHEN_DEADLINE_SECONDS",
        default_value = "10",
        value_parser = seconds
    )]
    pub(crate) kitchen_deadline_seconds: Duration,
    /// The URL that clients know this gateway by; by default the one they asked
    #[arg(long, value_name = "URL", env = "PIZZA_PUBLIC_URL")]
    pub(crate) public_url: Option<PublicUrl>,
    #[command(flatten)]
    pub(crate) operator_keys: OperatorKeysArgs,
}

/// Reads a number of seconds, from a tenth of one to a day.
fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .filter(|seconds| (0.1..=86_400.0).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "must be a number of seconds from 0.1 to 86400".to_owned())
}

/// Serves until a signal stops it. Starts while Temporal is away, and says so
/// on `/readyz`.
pub(crate) async fn run(args: GatewayArgs) -> anyhow::Result<ExitCode> {
    let shutdown = shutdown::on_signal();
    let keys = args.settings.operator_keys.keyring()?;
    let (connection, client) = temporal::options()?;
    let listener = bind(args.listen, "--listen").await?;
    let store = Store::open(&args.store.database_url).await?;
    let address = listener.local_addr()?;
    if args.json {
        output::data(&json!({ "gateway": format!("http://{address}") }).to_string());
    }
    tracing::info!(%address, "serving");
    let mut gateway = Gateway::new(TemporalGateway::new(connection, client), store);
    gateway.keys = keys;
    gateway.use_cases.settings.fault_injection = args.fault_injection;
    serve(listener, gateway, &args.settings, shutdown).await?;
    Ok(ExitCode::SUCCESS)
}

/// Binds a listener, or says which flag chooses another address.
pub(crate) async fn bind(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!(
            "the gateway cannot listen on {address}: end the process that holds port {}, or \
             choose another with {flag} (0 is any free one)",
            address.port()
        )
    })
}

/// Serves until `shutdown`, and until what is under way has ended.
pub(crate) async fn serve(
    listener: TcpListener,
    mut gateway: Gateway,
    settings: &SettingsArgs,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    gateway.use_cases.settings.stages = StageDeadlines::all(settings.kitchen_deadline_seconds);
    gateway.public_url = settings.public_url.clone();
    gateway.limits.connections = open_files::connections(gateway.limits.connections);
    pizza_api::run(listener, gateway, shutdown)
        .await
        .context("the gateway cannot serve")
}
