//! `pizza codec-server`: decrypts for the Temporal UI and CLI what they show,
//! and encrypts what operators enter there.
//!
//! It speaks Temporal's remote codec protocol: `POST /decode` and `POST
//! /encode` take and give `{"payloads": [...]}` in proto-JSON. Whoever asks is
//! an operator: by their key in `Authorization`, as the CLI sends it, or by a
//! session that their browser began at `/sign-in`, since the UI cannot send a
//! key ([`sessions`]). A page of another origin than those that were named is
//! refused before anything else is looked at ([`door`]).

mod door;
mod listener;
mod payloads;
mod sessions;
mod sign_in;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use clap::Args;
use payload_codec::Cipher;
use pizza_api::Keyring;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::client::output;
use crate::keys::OperatorKeysArgs;
use crate::{shutdown, temporal};
use door::Origin;
use sessions::Sessions;

/// The largest body, in bytes. A page of a history has up to 4 MiB, which
/// base64 makes a third more.
const LARGEST_BODY: usize = 8 * 1024 * 1024;

/// Requests that may be under way at once.
const AT_ONCE: usize = 32;

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
    /// or with commas between them). Pages of other origins are refused
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
}

/// What every request needs.
struct App {
    cipher: Cipher,
    operators: Keyring,
    ui_origins: Vec<Origin>,
    decode_only: bool,
    sessions: Sessions,
    /// One permit for each request that may be under way.
    places: Semaphore,
}

/// Serves until a signal stops it.
pub(crate) async fn run(args: CodecServerArgs) -> anyhow::Result<ExitCode> {
    let shutdown = shutdown::on_signal();
    let operators = args.keys.keyring()?;
    let cipher = temporal::cipher()?.context(
        "there is nothing to decrypt with: --codec-keys (PIZZA_CODEC_KEYS) names a file",
    )?;
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
        sessions: Sessions::new(door::is_https(&args.ui_origins)),
        ui_origins: args.ui_origins,
        decode_only: args.decode_only,
        places: Semaphore::new(AT_ONCE),
    };
    listener::serve(listener, router(app), shutdown).await;
    Ok(ExitCode::SUCCESS)
}

fn router(app: App) -> Router {
    let app = Arc::new(app);
    let codec = Router::new()
        .route("/decode", post(payloads::decode))
        .route("/encode", post(payloads::encode))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn_with_state(Arc::clone(&app), door::operators_only));
    Router::new()
        .route("/sign-in", get(sign_in::page).post(sign_in::begin))
        .route("/sign-out", post(sign_in::end))
        .layer(DefaultBodyLimit::max(sign_in::LARGEST_FORM))
        .merge(codec)
        .layer(from_fn_with_state(Arc::clone(&app), door::bounded))
        .route("/healthz", get(|| async { "ok" }))
        .with_state(app)
}

#[cfg(test)]
mod tests;
