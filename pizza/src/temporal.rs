//! The connection to Temporal, from the variables and the file that every
//! Temporal tool reads.

use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use failure_queue::error_chain;
use payload_codec::Cipher;
use pizza_app::register_search_attributes;
use pizza_client::shown;
use temporalio_client::{Client, ClientOptions, Connection, ConnectionOptions};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{codec_keys, telemetry, temporal_settings};

/// How long a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a worker waits for a server that is not there yet.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it looks.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// The `TEMPORAL_*` variables and `temporal.toml`, read and checked.
pub(crate) fn options() -> anyhow::Result<(ConnectionOptions, ClientOptions)> {
    let (mut connection, client) = temporal_settings::load()?;
    identify(&mut connection);
    Ok((connection, telemetry::traced(encrypting(client)?)))
}

/// The settings of a server on this machine, `host:port`.
pub(crate) fn local_options(address: &str) -> anyhow::Result<(ConnectionOptions, ClientOptions)> {
    temporal_settings::check_address(address, "--temporal-address")?;
    let target =
        Url::parse(&format!("http://{address}")).context("--temporal-address is not HOST:PORT")?;
    let mut connection = ConnectionOptions::new(target).build();
    identify(&mut connection);
    let client = ClientOptions::new("default").build();
    Ok((connection, telemetry::traced(encrypting(client)?)))
}

/// The settings of a client that encrypts, where there are keys. Every role
/// that talks to Temporal has its settings from here.
fn encrypting(client: ClientOptions) -> anyhow::Result<ClientOptions> {
    Ok(match cipher()? {
        Some(cipher) => payload_codec::encrypting(client, &cipher),
        None => client,
    })
}

/// What encrypts; none without `--codec-keys`.
pub(crate) fn cipher() -> anyhow::Result<Option<Cipher>> {
    codec_keys::cipher()
}

fn identify(connection: &mut ConnectionOptions) {
    connection.identity = format!("pizza@{}", std::process::id());
    connection.connect_timeout = Some(CONNECT_TIMEOUT);
    connection.metrics_meter = telemetry::client_meter();
}

/// Connects by the variables and the file.
pub(crate) async fn connect() -> anyhow::Result<Client> {
    connect_to(options()?).await
}

/// Connects by the variables and the file, and registers what the namespace
/// lacks. Waits a while for a server that is starting too; none after
/// `shutdown`.
pub(crate) async fn connect_patiently(
    shutdown: &CancellationToken,
) -> anyhow::Result<Option<Client>> {
    // What is wrong with the settings, waiting does not mend.
    let options = options()?;
    let given_up = Instant::now() + PATIENCE;
    loop {
        let connected = async {
            let client = connect_to(options.clone()).await?;
            register_search_attributes(&client).await?;
            anyhow::Ok(client)
        };
        let error = match connected.await {
            Ok(client) => return Ok(Some(client)),
            Err(error) if Instant::now() >= given_up => return Err(error),
            Err(error) => error,
        };
        tracing::warn!(error = error_chain(error.as_ref()), "waiting for Temporal");
        tokio::select! {
            () = tokio::time::sleep(TRY_AGAIN) => {}
            () = shutdown.cancelled() => return Ok(None),
        }
    }
}

/// Connects by these settings.
pub(crate) async fn connect_to(
    (connection, client): (ConnectionOptions, ClientOptions),
) -> anyhow::Result<Client> {
    let address = shown(&connection.target);
    let advice = temporal_settings::advice(&connection);
    let connected = tokio::time::timeout(CONNECT_TIMEOUT, Connection::connect(connection))
        .await
        .with_context(|| {
            format!("Temporal at {address} did not answer within {CONNECT_TIMEOUT:?}")
        })?;
    let connected = connected.map_err(|error| {
        let reason = error_chain(&error);
        anyhow!("Temporal at {address} cannot be reached: {reason}; {advice}")
    })?;
    Ok(Client::new(connected, client)?)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use temporalio_common::telemetry::ensure_default_crypto_provider;

    use super::*;

    #[tokio::test]
    async fn a_refused_connection_is_told_with_the_address_and_the_reason_alone() {
        ensure_default_crypto_provider();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        drop(listener);
        let refused = connect_to(local_options(&address).expect("options")).await;
        let told = error_chain(refused.map(drop).expect_err("refused").as_ref());
        let expected = format!(
            "Temporal at http://{address}/ cannot be reached: Connection refused (os error 111); is \
             the address right?"
        );
        assert_eq!(told, expected);
    }
}
