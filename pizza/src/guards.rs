//! What guards the gateway's door: TLS, and how often one client may ask.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use ipnet::IpNet;
use pizza_api::{ForwardedHeader, Limits, Rate, RateLimits, Tls, TrustedProxies};

use crate::numbers::{decimal, whole};

/// How often the certificate's files are looked at. A renewal is due weeks
/// before it is needed.
const LOOK_EVERY: Duration = Duration::from_secs(10);

#[derive(Args, Clone, Debug)]
pub(crate) struct GuardsArgs {
    #[command(flatten)]
    tls: TlsArgs,
    #[command(flatten)]
    rates: RatesArgs,
    #[command(flatten)]
    proxies: ProxiesArgs,
}

/// What the door is to be locked with.
#[derive(Args, Clone, Debug)]
struct TlsArgs {
    /// The gateway's certificate and those above it, in PEM: with it, the gateway
    /// speaks TLS alone. The file may change while the gateway runs
    #[arg(
        long,
        value_name = "FILE",
        env = "PIZZA_TLS_CERTIFICATE",
        requires = "tls_key"
    )]
    tls_certificate: Option<PathBuf>,
    /// The certificate's private key, in PEM, not encrypted
    #[arg(
        long,
        value_name = "FILE",
        env = "PIZZA_TLS_KEY",
        requires = "tls_certificate"
    )]
    tls_key: Option<PathBuf>,
}

/// How often one client may ask. The defaults are explained in the runbook.
#[derive(Args, Clone, Debug)]
struct RatesArgs {
    /// How many orders and changes a second a customer may ask for, or an address; 0: any number
    #[arg(
        long,
        value_name = "RATE",
        env = "PIZZA_ORDERS_PER_SECOND",
        default_value_t = 5.0,
        value_parser = decimal(0.0..=100_000.0)
    )]
    orders_per_second: f64,
    /// How many of them at once
    #[arg(
        long,
        value_name = "COUNT",
        env = "PIZZA_ORDERS_BURST",
        default_value = "20",
        value_parser = whole(NonZeroU32::MIN..=NonZeroU32::MAX)
    )]
    orders_burst: NonZeroU32,
    /// How many requests of any kind a second; 0: any number
    #[arg(
        long,
        value_name = "RATE",
        env = "PIZZA_REQUESTS_PER_SECOND",
        default_value_t = 50.0,
        value_parser = decimal(0.0..=100_000.0)
    )]
    requests_per_second: f64,
    /// How many of them at once
    #[arg(
        long,
        value_name = "COUNT",
        env = "PIZZA_REQUESTS_BURST",
        default_value = "200",
        value_parser = whole(NonZeroU32::MIN..=NonZeroU32::MAX)
    )]
    requests_burst: NonZeroU32,
    /// How many requests a second a kitchen or an operator may make; 0: any number
    #[arg(
        long,
        value_name = "RATE",
        env = "PIZZA_STAFF_REQUESTS_PER_SECOND",
        default_value_t = 500.0,
        value_parser = decimal(0.0..=100_000.0)
    )]
    staff_requests_per_second: f64,
    /// How many of them at once
    #[arg(
        long,
        value_name = "COUNT",
        env = "PIZZA_STAFF_REQUESTS_BURST",
        default_value = "1000",
        value_parser = whole(NonZeroU32::MIN..=NonZeroU32::MAX)
    )]
    staff_requests_burst: NonZeroU32,
    /// How many calls a second an address may make that lack a known key; 0: any number
    #[arg(
        long,
        value_name = "RATE",
        env = "PIZZA_WRONG_KEYS_PER_SECOND",
        default_value_t = 1.0,
        value_parser = decimal(0.0..=100_000.0)
    )]
    wrong_keys_per_second: f64,
    /// How many of them at once
    #[arg(
        long,
        value_name = "COUNT",
        env = "PIZZA_WRONG_KEYS_BURST",
        default_value = "20",
        value_parser = whole(NonZeroU32::MIN..=NonZeroU32::MAX)
    )]
    wrong_keys_burst: NonZeroU32,
    /// How many gRPC health checks a second one client may make; 0: any number
    #[arg(
        long,
        value_name = "RATE",
        env = "PIZZA_HEALTH_CHECKS_PER_SECOND",
        default_value_t = 100.0,
        value_parser = decimal(0.0..=100_000.0)
    )]
    health_checks_per_second: f64,
    /// How many of them at once
    #[arg(
        long,
        value_name = "COUNT",
        env = "PIZZA_HEALTH_CHECKS_BURST",
        default_value = "1000",
        value_parser = whole(NonZeroU32::MIN..=NonZeroU32::MAX)
    )]
    health_checks_burst: NonZeroU32,
    /// How many orders and boards one client may watch at once; 0: any number
    #[arg(
        long,
        value_name = "COUNT",
        env = "PIZZA_WATCHERS_PER_CLIENT",
        default_value_t = Limits::default().watchers_per_client,
        value_parser = whole(0..=usize::MAX)
    )]
    watchers_per_client: usize,
    /// How many connections one address may have open; 0: any number. Never more than half of all
    #[arg(
        long,
        value_name = "COUNT",
        env = "PIZZA_CONNECTIONS_PER_ADDRESS",
        default_value_t = Limits::default().connections_per_address,
        value_parser = whole(0..=usize::MAX)
    )]
    connections_per_address: usize,
}

/// How many there may be, where 0 stands for any number.
const fn bound(most: usize) -> usize {
    match most {
        0 => usize::MAX,
        most => most,
    }
}

/// Who may say where a request came from.
#[derive(Args, Clone, Debug)]
struct ProxiesArgs {
    /// A network of proxies, 10.0.0.0/8 for example, that are believed on whose requests they
    /// hand on; may be given several times, or with commas
    #[arg(
        long = "trusted-proxy",
        value_name = "CIDR",
        env = "PIZZA_TRUSTED_PROXIES",
        value_delimiter = ',',
        value_parser = network
    )]
    trusted_proxies: Vec<IpNet>,
    /// The header that they say it in
    #[arg(
        long,
        value_name = "HEADER",
        env = "PIZZA_FORWARDED_HEADER",
        value_enum,
        default_value_t = HeaderArg::XForwardedFor
    )]
    forwarded_header: HeaderArg,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum HeaderArg {
    XForwardedFor,
    Forwarded,
}

/// Reads a network, or a single address.
fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    text.parse()
        .or_else(|_| {
            text.parse()
                .map(|address: std::net::IpAddr| IpNet::from(address))
        })
        .map_err(|_| "must be a network such as 10.0.0.0/8, or an address".to_owned())
}

/// What was told, read and checked.
pub(crate) struct Guards {
    tls: Option<Tls>,
    rate_limits: RateLimits,
    watchers_per_client: usize,
    connections_per_address: usize,
    proxies: TrustedProxies,
}

impl GuardsArgs {
    pub(crate) fn check(&self) -> anyhow::Result<Guards> {
        Ok(Guards {
            tls: self.tls.read()?,
            rate_limits: self.rates.limits()?,
            watchers_per_client: bound(self.rates.watchers_per_client),
            connections_per_address: bound(self.rates.connections_per_address),
            proxies: self.proxies.trusted(),
        })
    }
}

impl Guards {
    /// What a URL of the gateway begins with.
    pub(crate) const fn scheme(&self) -> &'static str {
        match self.tls {
            Some(_) => "https",
            None => "http",
        }
    }

    /// Sets the gateway's guards.
    pub(crate) fn mount(self, gateway: &mut pizza_api::Gateway) {
        gateway.tls = self.tls;
        gateway.rate_limits = self.rate_limits;
        gateway.limits.watchers_per_client = self.watchers_per_client;
        gateway.limits.connections_per_address = self.connections_per_address;
        gateway.proxies = self.proxies;
    }
}

impl TlsArgs {
    fn read(&self) -> anyhow::Result<Option<Tls>> {
        let (Some(certificate), Some(key)) = (&self.tls_certificate, &self.tls_key) else {
            return Ok(None);
        };
        let tls = Tls::read(certificate.clone(), key.clone(), LOOK_EVERY).context(
            "--tls-certificate (PIZZA_TLS_CERTIFICATE) and --tls-key (PIZZA_TLS_KEY) are of no use",
        )?;
        Ok(Some(tls))
    }
}

impl RatesArgs {
    fn limits(&self) -> anyhow::Result<RateLimits> {
        let rate = |per_second, burst, setting: &'static str| {
            Rate::per_second(per_second, burst).context(setting)
        };
        Ok(RateLimits {
            orders: rate(
                self.orders_per_second,
                self.orders_burst,
                "--orders-per-second (PIZZA_ORDERS_PER_SECOND)",
            )?,
            requests: rate(
                self.requests_per_second,
                self.requests_burst,
                "--requests-per-second (PIZZA_REQUESTS_PER_SECOND)",
            )?,
            staff: rate(
                self.staff_requests_per_second,
                self.staff_requests_burst,
                "--staff-requests-per-second (PIZZA_STAFF_REQUESTS_PER_SECOND)",
            )?,
            wrong_keys: rate(
                self.wrong_keys_per_second,
                self.wrong_keys_burst,
                "--wrong-keys-per-second (PIZZA_WRONG_KEYS_PER_SECOND)",
            )?,
            health_checks: rate(
                self.health_checks_per_second,
                self.health_checks_burst,
                "--health-checks-per-second (PIZZA_HEALTH_CHECKS_PER_SECOND)",
            )?,
        })
    }
}

impl ProxiesArgs {
    fn trusted(&self) -> TrustedProxies {
        TrustedProxies {
            networks: self.trusted_proxies.clone(),
            header: match self.forwarded_header {
                HeaderArg::XForwardedFor => ForwardedHeader::XForwardedFor,
                HeaderArg::Forwarded => ForwardedHeader::Forwarded,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        guards: GuardsArgs,
    }

    fn guards(arguments: &[&str]) -> Result<Guards, String> {
        let line = Line::try_parse_from([&["pizza"], arguments].concat());
        let line = line.map_err(|error| error.to_string())?;
        line.guards.check().map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn limits_are_on_unless_they_are_switched_off() {
        let limits = guards(&[]).expect("guards").rate_limits;
        assert!(limits.orders.is_some() && limits.requests.is_some());
        assert!(limits.staff.is_some() && limits.wrong_keys.is_some());
        assert!(limits.health_checks.is_some());
        let off = guards(&["--orders-per-second", "0"]).expect("guards");
        assert_eq!(off.rate_limits.orders, None);
        assert_eq!(off.rate_limits.requests, limits.requests);
    }

    #[test]
    fn what_cannot_be_is_named_with_its_flag() {
        for (arguments, named) in [
            (&["--orders-per-second=-1"][..], "--orders-per-second"),
            (&["--requests-per-second=nan"], "--requests-per-second"),
            (&["--staff-requests-per-second=1e9"], "from 0 to 100000"),
            (&["--wrong-keys-per-second=0.001"], "PIZZA_WRONG_KEYS"),
            (&["--health-checks-per-second=0.001"], "PIZZA_HEALTH_CHECKS"),
            (&["--orders-burst=0"], "--orders-burst"),
            (&["--watchers-per-client=-1"], "--watchers-per-client"),
            (
                &["--connections-per-address=-1"],
                "--connections-per-address",
            ),
            (&["--trusted-proxy=10.0.0.0/33"], "--trusted-proxy"),
            (&["--trusted-proxy=proxy.example"], "--trusted-proxy"),
            (&["--forwarded-header=via"], "--forwarded-header"),
            (&["--tls-certificate=a.pem"], "--tls-key"),
            (&["--tls-key=a.pem"], "--tls-certificate"),
            (&["--tls-certificate=a", "--tls-key=/none"], "PIZZA_TLS_"),
        ] {
            let refusal = guards(arguments).err().expect("refused");
            assert!(refusal.contains(named), "{arguments:?}: {refusal}");
        }
    }

    #[test]
    fn proxies_are_networks_or_addresses() {
        let given = [
            "--trusted-proxy",
            "10.0.0.0/8,192.0.2.7",
            "--trusted-proxy",
            "2001:db8::/32",
        ];
        let networks = guards(&given).expect("guards").proxies.networks;
        let named: Vec<String> = networks.iter().map(ToString::to_string).collect();
        assert_eq!(named, ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32"]);
    }
}
