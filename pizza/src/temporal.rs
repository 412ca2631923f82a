//! The connection to Temporal, from the variables and the file that every
//! Temporal tool reads.

use std::time::Duration;

use anyhow::Context;
use pizza_workflows::names::search_attribute;
use temporalio_client::envconfig::LoadClientConfigProfileOptions;
use temporalio_client::{Client, ClientOptions, Connection, ConnectionOptions, NamespacedClient};
use temporalio_common::protos::temporal::api::enums::v1::IndexedValueType;
use temporalio_common::protos::temporal::api::operatorservice::v1::{
    AddSearchAttributesRequest, ListSearchAttributesRequest,
};
use tonic::Request;
use url::Url;

/// How long a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The `TEMPORAL_*` variables and `temporal.toml`, read and checked.
pub(crate) fn options() -> anyhow::Result<(ConnectionOptions, ClientOptions)> {
    let (mut connection, client) =
        ClientOptions::load_from_config(LoadClientConfigProfileOptions::default())
            // The error is not `Send`; its text is what matters.
            .map_err(|error| anyhow::anyhow!("{error}"))
            .context("the Temporal connection settings (TEMPORAL_*, temporal.toml) are unusable")?;
    identify(&mut connection);
    Ok((connection, client))
}

/// The settings of a server on this machine, `host:port`.
pub(crate) fn local_options(address: &str) -> anyhow::Result<(ConnectionOptions, ClientOptions)> {
    let target = Url::parse(&format!("http://{address}"))
        .with_context(|| format!("{address} is not an address"))?;
    let mut connection = ConnectionOptions::new(target).build();
    identify(&mut connection);
    Ok((connection, ClientOptions::new("default").build()))
}

fn identify(connection: &mut ConnectionOptions) {
    connection.identity = format!("pizza@{}", std::process::id());
    connection.connect_timeout = Some(CONNECT_TIMEOUT);
}

/// Connects by the variables and the file.
pub(crate) async fn connect() -> anyhow::Result<Client> {
    connect_to(options()?).await
}

/// Connects by these settings.
pub(crate) async fn connect_to(
    (connection, client): (ConnectionOptions, ClientOptions),
) -> anyhow::Result<Client> {
    let address = connection.target.to_string();
    let connected = tokio::time::timeout(CONNECT_TIMEOUT, Connection::connect(connection))
        .await
        .with_context(|| {
            format!("Temporal at {address} did not answer within {CONNECT_TIMEOUT:?}")
        })?
        .with_context(|| {
            format!("Temporal at {address} cannot be reached; is TEMPORAL_ADDRESS right?")
        })?;
    Ok(Client::new(connected, client)?)
}

/// Makes sure that the namespace knows our search attributes. A namespace
/// where only an administrator may add them has to know them already.
pub(crate) async fn register_search_attributes(client: &Client) -> anyhow::Result<()> {
    let mut operator = client.connection().operator_service();
    let namespace = client.namespace();
    let known = operator
        .list_search_attributes(Request::new(ListSearchAttributesRequest {
            namespace: namespace.clone(),
        }))
        .await
        .context("the search attributes of the namespace cannot be listed")?
        .into_inner()
        .custom_attributes;
    let missing: Vec<&str> = search_attribute::ALL
        .iter()
        .map(|key| key.name())
        .filter(|name| !known.contains_key(*name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    operator
        .add_search_attributes(Request::new(AddSearchAttributesRequest {
            namespace,
            search_attributes: missing
                .iter()
                .map(|name| ((*name).to_owned(), IndexedValueType::Keyword as i32))
                .collect(),
        }))
        .await
        .with_context(|| {
            format!("the namespace lacks the search attributes {missing:?} (all of type Keyword)")
        })?;
    tracing::info!(?missing, "registered search attributes");
    Ok(())
}
