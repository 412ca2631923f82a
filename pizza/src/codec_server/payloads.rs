//! The remote codec protocol.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use failure_queue::{Bytes, StoredPayload};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use temporalio_common::protos::temporal::api::common::v1::Payload;

use super::access::{Operator, refusal};
use super::app::App;

/// The most payloads of one request.
const MOST_PAYLOADS: usize = 10_000;

/// Payloads, as proto-JSON has them.
#[derive(Serialize, Deserialize)]
pub(super) struct Payloads {
    #[serde(default)]
    payloads: Vec<StoredPayload>,
}

type Asked = Result<Json<Payloads>, JsonRejection>;

/// Decrypts. What is not encrypted comes back as it is.
pub(super) async fn decode(
    State(app): State<Arc<App>>,
    Extension(operator): Extension<Operator>,
    asked: Asked,
) -> Response {
    answer(asked, &operator, "decode", |payload| {
        app.cipher.open(payload)
    })
}

/// Encrypts, with the key that writes.
pub(super) async fn encode(
    State(app): State<Arc<App>>,
    Extension(operator): Extension<Operator>,
    asked: Asked,
) -> Response {
    if app.decode_only {
        let why = "this codec server only decrypts; it was started with --decode-only";
        return refusal(StatusCode::FORBIDDEN, why);
    }
    answer(asked, &operator, "encode", |payload| {
        app.cipher.seal(&payload)
    })
}

fn answer<E: std::fmt::Display>(
    asked: Asked,
    operator: &Operator,
    what: &str,
    each: impl Fn(Payload) -> Result<Payload, E>,
) -> Response {
    let payloads = match asked {
        Ok(Json(asked)) => asked.payloads,
        Err(rejected) => return rejection(&rejected),
    };
    let count = payloads.len();
    if count > MOST_PAYLOADS {
        let why = format!("payloads: must be no more than {MOST_PAYLOADS}");
        return refusal(StatusCode::UNPROCESSABLE_ENTITY, why);
    }
    let mut done = Vec::with_capacity(count);
    for (place, payload) in payloads.into_iter().enumerate() {
        match each(proto(payload)) {
            Ok(payload) => done.push(StoredPayload::from(payload)),
            Err(error) => {
                tracing::warn!(operator = operator.0, what, %error, "refused");
                let why = format!("payload {place}: {error}");
                return refusal(StatusCode::UNPROCESSABLE_ENTITY, why);
            }
        }
    }
    tracing::info!(operator = operator.0, what, payloads = count, "served");
    Json(Payloads { payloads: done }).into_response()
}

/// What is wrong with a body, without a word of it.
fn rejection(rejected: &JsonRejection) -> Response {
    let why = match rejected.status() {
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "the body must be application/json",
        _ => "the body must be {\"payloads\": [...]} with metadata and data in base64",
    };
    refusal(rejected.status(), why)
}

fn proto(stored: StoredPayload) -> Payload {
    let Bytes(data) = stored.data;
    let metadata = stored.metadata.into_iter();
    Payload {
        metadata: metadata.map(|(name, Bytes(value))| (name, value)).collect(),
        data,
        ..Payload::default()
    }
}
