//! The gateway's role: reads its settings, binds its port, serves.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use clap::builder::BoolishValueParser;
use pizza_api::{Gateway, PublicUrl};
use pizza_app::TemporalGateway;
use pizza_app::keys::{Keyring, Role};
use pizza_client::is_bare;
use pizza_domain::{Menu, Pace, StageDeadlines};
use pizza_store::Store;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::{Host, Url};

use crate::client::output;
use crate::codec_keys::CodecKeysArgs;
use crate::guards::GuardsArgs;
use crate::keys::KeysArgs;
use crate::menu::MenuArgs;
use crate::numbers::number;
use crate::store_args::StoreArgs;
use crate::telemetry::{MetricsArgs, Part};
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
    #[arg(long, env = "PIZZA_FAULT_INJECTION", value_parser = BoolishValueParser::new())]
    fault_injection: bool,
    /// The longest `perStepDelaySeconds` that an order may ask for, up to 3600
    #[arg(
        long,
        value_name = "SECONDS",
        env = "PIZZA_MAX_STEP_DELAY_SECONDS",
        default_value = "60",
        value_parser = pace
    )]
    max_step_delay_seconds: Pace,
    /// Print one line of JSON with the gateway's URL when it serves
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    guards: GuardsArgs,
    #[command(flatten)]
    metrics: MetricsArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    pub(crate) codec_keys: CodecKeysArgs,
}

/// What `gateway` and `dev` both let one set.
#[derive(Args, Clone, Debug)]
pub(crate) struct SettingsArgs {
    /// The longest that the kitchen may take for a stage before an order is given up
    #[arg(
        long,
        value_name = "SECONDS",
        env = "PIZZA_KITCHEN_DEADLINE_SECONDS",
        default_value = "10",
        value_parser = seconds
    )]
    pub(crate) kitchen_deadline_seconds: Duration,
    #[command(flatten)]
    stages: StagesArgs,
    /// The URL that clients know this gateway by; by default the one they asked
    #[arg(long, value_name = "URL", env = "PIZZA_PUBLIC_URL")]
    pub(crate) public_url: Option<PublicUrl>,
    /// Hosts, without port, that a gateway without customers' keys answers for beside localhost,
    /// its addresses and its public URL's (with commas between them, or repeated)
    #[arg(
        long,
        value_name = "HOST",
        env = "PIZZA_ALLOWED_HOSTS",
        value_delimiter = ',',
        value_parser = host
    )]
    allowed_hosts: Vec<Host>,
    /// Where the Temporal UI is, for links from the operators' pages
    #[arg(long, value_name = "URL", env = "PIZZA_TEMPORAL_UI", value_parser = web_url)]
    temporal_ui: Option<Url>,
    /// Let everybody order and see every order, on an address that others can
    /// reach: without customers' keys that is refused otherwise
    #[arg(long, env = "PIZZA_OPEN", value_parser = BoolishValueParser::new())]
    open: bool,
    #[command(flatten)]
    menu: MenuArgs,
    #[command(flatten)]
    keys: KeysArgs,
}

/// What `gateway` and `dev` were told, read and checked.
pub(crate) struct Checked {
    pub(crate) keys: Keyring,
    pub(crate) menu: Arc<Menu>,
}

impl Checked {
    /// Whether everybody may order, and see every order.
    pub(crate) fn is_open(&self) -> bool {
        !self.keys.knows(Role::Customer)
    }
}

impl SettingsArgs {
    /// Reads what was told, and refuses a gateway that would be open by
    /// oversight. `address_setting` is what chooses the address.
    pub(crate) fn check(&self, ip: IpAddr, address_setting: &str) -> anyhow::Result<Checked> {
        let checked = Checked {
            keys: self.keys.keyring()?,
            menu: self.menu.read()?,
        };
        let is_reached_by_others = !ip.to_canonical().is_loopback();
        ensure!(
            !checked.is_open() || self.open || !is_reached_by_others,
            "on {ip} whoever reaches the gateway could order, and see every order: give customers \
             keys with --customer-keys (PIZZA_CUSTOMER_KEYS; `pizza customer-key` makes them), \
             choose a loopback address with {address_setting}, or let everybody in with --open \
             (PIZZA_OPEN=true)"
        );
        Ok(checked)
    }
}

/// How long the kitchen may take for single stages.
#[derive(Args, Clone, Debug)]
struct StagesArgs {
    /// The same for the stage that `accepted` ends [default: the kitchen's deadline]
    #[arg(long, value_name = "SECONDS", env = "PIZZA_ACCEPT_DEADLINE_SECONDS", value_parser = seconds)]
    accept_deadline_seconds: Option<Duration>,
    /// The same for the stage that `cooked` ends [default: the kitchen's deadline]
    #[arg(long, value_name = "SECONDS", env = "PIZZA_COOK_DEADLINE_SECONDS", value_parser = seconds)]
    cook_deadline_seconds: Option<Duration>,
    /// The same for the stage that `pickedUp` ends [default: the kitchen's deadline]
    #[arg(long, value_name = "SECONDS", env = "PIZZA_PICKUP_DEADLINE_SECONDS", value_parser = seconds)]
    pickup_deadline_seconds: Option<Duration>,
    /// The same for the stage that `delivered` ends [default: the kitchen's deadline]
    #[arg(long, value_name = "SECONDS", env = "PIZZA_DELIVERY_DEADLINE_SECONDS", value_parser = seconds)]
    delivery_deadline_seconds: Option<Duration>,
}

impl SettingsArgs {
    /// How long the kitchen may take for each stage.
    fn stages(&self) -> StageDeadlines {
        let each = StageDeadlines::all(self.kitchen_deadline_seconds);
        let or = |own: Option<Duration>, default: u64| {
            own.and_then(|own| u64::try_from(own.as_millis()).ok())
                .unwrap_or(default)
        };
        StageDeadlines {
            accepted_ms: or(self.stages.accept_deadline_seconds, each.accepted_ms),
            cooked_ms: or(self.stages.cook_deadline_seconds, each.cooked_ms),
            picked_up_ms: or(self.stages.pickup_deadline_seconds, each.picked_up_ms),
            delivered_ms: or(self.stages.delivery_deadline_seconds, each.delivered_ms),
        }
    }
}

/// Reads a number of seconds, from a tenth of one to a day.
fn seconds(text: &str) -> Result<Duration, String> {
    number(text, 0.1..=86_400.0, "number of seconds").map(Duration::from_secs_f64)
}

/// Reads a host's name or address.
fn host(text: &str) -> Result<Host, String> {
    Host::parse(text)
        .map_err(|_| "must be a host's name or address, without scheme and port".to_owned())
}

/// Reads the address of something that browsers open.
fn web_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https"));
    url.filter(is_bare).ok_or_else(|| {
        "must begin with http:// or https:// and hold no user, no query and no fragment".to_owned()
    })
}

/// Reads a pace in seconds.
fn pace(text: &str) -> Result<Pace, String> {
    let seconds = text.parse().unwrap_or(f64::NAN);
    Pace::from_seconds(seconds).map_err(|refusal| refusal.expected)
}

/// Serves until a signal stops it. Starts while Temporal is away, and says so
/// on `/readyz`.
pub(crate) async fn run(args: GatewayArgs) -> anyhow::Result<ExitCode> {
    let shutdown = shutdown::on_signal();
    let settings = &args.settings;
    let checked = settings.check(args.listen.ip(), "--listen (PIZZA_LISTEN)")?;
    let is_open = checked.is_open();
    let guards = args.guards.check()?;
    // Before the client, which is counted from its first call on.
    let metrics = args.metrics.open(vec![Part::Gateway]).await?;
    let (connection, client) = temporal::options()?;
    let store = args.store.options()?;
    let cipher = temporal::cipher()?;
    let listener = bind(args.listen, "--listen").await?;
    let store = Store::open(store).await?;
    if let Some(metrics) = metrics {
        metrics.serve(&store, &shutdown);
    }
    let address = listener.local_addr()?;
    if args.json {
        let url = format!("{}://{}", guards.scheme(), reached_at(address));
        let ready = json!({ "gateway": url, "open": is_open });
        output::announce(&ready.to_string());
    }
    tracing::info!(%address, scheme = guards.scheme(), open = is_open, "serving");
    let temporal = TemporalGateway::new(connection, client).with_cipher(cipher);
    let mut gateway = Gateway::new(temporal, store.clone());
    gateway.use_cases.settings.fault_injection = args.fault_injection;
    gateway.use_cases.settings.longest_pace = args.max_step_delay_seconds;
    guards.mount(&mut gateway);
    tokio::select! {
        // Large; boxed, it stays off the stack.
        served = Box::pin(serve(listener, gateway, settings, checked, shutdown)) => served?,
        error = store.lost() => return Err(error.into()),
    }
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

/// Where this machine reaches what listens at `address`: on all addresses is
/// no address to call.
pub(crate) fn reached_at(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// Serves until `shutdown`, and until what is under way has ended.
pub(crate) async fn serve(
    listener: TcpListener,
    mut gateway: Gateway,
    settings: &SettingsArgs,
    checked: Checked,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    gateway.use_cases.settings.stages = settings.stages();
    gateway.keys = checked.keys;
    gateway.use_cases.settings.menu = checked.menu;
    gateway.public_url = settings.public_url.clone();
    gateway.allowed_hosts.clone_from(&settings.allowed_hosts);
    if let Some(url) = &settings.temporal_ui {
        gateway.temporal_ui = Some(url.clone());
    }
    gateway.limits.connections = open_files::connections(gateway.limits.connections);
    Box::pin(pizza_api::run(listener, gateway, shutdown))
        .await
        .context("the gateway cannot serve")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_on_all_addresses_is_reached_on_this_machine() {
        for (bound, reached) in [
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:1", "[::1]:1"),
            ("192.0.2.7:1", "192.0.2.7:1"),
        ] {
            let address = bound.parse().expect("an address");
            assert_eq!(reached_at(address).to_string(), reached);
        }
    }
}
