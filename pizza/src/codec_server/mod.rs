//! `pizza codec-server`: decrypts for the Temporal UI and CLI what they show,
//! and encrypts what operators enter there.
//!
//! It speaks Temporal's remote codec protocol: `POST /decode` and `POST
//! /encode` take and give `{"payloads": [...]}` in proto-JSON. Whoever asks is
//! an operator: by their key in `Authorization`, as the CLI sends it, or by a
//! session that their browser began at the gateway. For the UI can send an
//! access token of its own single sign-on, or the browser's cookies, and
//! nothing else: without single sign-on that leaves the gateway's cookie, which
//! the browser sends where the codec server has the gateway's host name,
//! whatever the port. A page of another origin than those that were named is
//! refused before anything else is looked at ([`access`]).

mod access;
mod app;
mod origin;
mod payloads;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use clap::Args;
use pizza_api::{Exchanges, Limits, Service};
use pizza_store::Store;
use serde_json::json;
use tokio::net::TcpListener;

use crate::client::output;
use crate::codec_keys::CodecKeysArgs;
use crate::keys::OperatorKeysArgs;
use crate::store_args::StoreArgs;
use crate::{shutdown, temporal};
use app::App;
use origin::Origin;

/// Its limits. Operators have connections, exchanges and places that strangers
/// cannot take; a body is read before one asks for a place for it, and no body
/// is read from strangers.
fn limits() -> Limits {
    Limits {
        grace: Duration::from_secs(5),
        connections: 128,
        // A browser opens six.
        connections_per_address: 32,
        staff_connections: 16,
        staff_connections_per_address: 4,
        exchanges: 64,
        exchanges_per_client: 16,
        staff_exchanges: 64,
        requests: 32,
        staff_requests: 32,
        ..Limits::default()
    }
}

#[derive(Args, Debug)]
pub(crate) struct CodecServerArgs {
    /// Where to listen; port 0 is any free one
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "PIZZA_CODEC_LISTEN",
        default_value = "127.0.0.1:8088"
    )]
    listen: SocketAddr,
    /// Where browsers have the Temporal UI from, `http://127.0.0.1:8233` for example (repeatable,
    /// or with commas between them). Pages of other origins are refused. With any, sessions are
    /// looked up in the gateway's store
    #[arg(
        long = "ui-origin",
        value_name = "ORIGIN",
        env = "PIZZA_CODEC_UI_ORIGINS",
        value_delimiter = ','
    )]
    ui_origins: Vec<Origin>,
    /// Refuse to encrypt: operators look, and send nothing
    #[arg(long, env = "PIZZA_CODEC_DECODE_ONLY", value_parser = clap::builder::BoolishValueParser::new())]
    decode_only: bool,
    /// Print one line of JSON with the server's URL when it serves
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    keys: OperatorKeysArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    pub(crate) codec_keys: CodecKeysArgs,
}

/// Serves until a signal stops it.
pub(crate) async fn run(args: CodecServerArgs) -> anyhow::Result<ExitCode> {
    let shutdown = shutdown::on_signal();
    let operators = args.keys.keyring()?;
    let cipher = temporal::cipher()?.context(
        "there is nothing to decrypt with: --codec-keys (PIZZA_CODEC_KEYS) names a file",
    )?;
    // No page may ask where none is named: then no session counts.
    let sessions = match args.ui_origins.is_empty() {
        true => None,
        false => Some(Store::open_existing_read_only(args.store.options()?).await?),
    };
    let listener = TcpListener::bind(args.listen).await.with_context(|| {
        let address = args.listen;
        format!("the codec server cannot listen on {address}; choose another with --listen")
    })?;
    let address = listener.local_addr()?;
    if !address.ip().to_canonical().is_loopback() {
        tracing::warn!(%address, "operators' keys and decrypted payloads pass this address in plain");
    }
    if args.json {
        output::announce(&json!({ "codecServer": format!("http://{address}") }).to_string());
    }
    tracing::info!(%address, ui_origins = ?args.ui_origins, "serving");
    let app = App {
        cipher,
        operators,
        sessions,
        ui_origins: args.ui_origins,
        decode_only: args.decode_only,
        exchanges: Exchanges::new(&limits()),
    };
    let service = Service::new(router(app), limits());
    service.serve(listener, shutdown).await;
    Ok(ExitCode::SUCCESS)
}

fn router(app: App) -> Router {
    let app = Arc::new(app);
    let codec = Router::new()
        .route("/decode", post(payloads::decode))
        .route("/encode", post(payloads::encode))
        .layer(from_fn_with_state(Arc::clone(&app), access::with_room))
        .layer(from_fn_with_state(Arc::clone(&app), access::operators_only));
    Router::new()
        .route(access::HEALTH, get(|| async { "ok" }))
        .merge(codec)
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(Arc::clone(&app), access::bounded))
        .with_state(app)
}

#[cfg(test)]
mod tests;
