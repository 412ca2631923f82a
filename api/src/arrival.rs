//! The arrival of a request's body.
//!
//! How long that takes is the client's choice, so a body is awaited before its
//! request takes a place among those under way, and before any handler runs.

use axum::body::{Body, BodyDataStream};
use axum::extract::Request;
use futures::StreamExt;
use http::{HeaderMap, header};
use hyper::body::Body as _;
use pizza_contract::ErrorCode;

use crate::problem::Problem;
use crate::routes;

/// How much of a body that is too large is read and thrown away, in bytes.
/// Many clients look for an answer only after they have sent everything.
const DISCARDED_BYTES: usize = 1024 * 1024;

/// What stands before a gRPC message, in bytes.
const GRPC_PREFIX_BYTES: usize = 5;

/// The request with its whole body, of at most `limit` bytes. A stream of
/// messages is left as it is: it ends with its answer.
///
/// # Errors
/// [`ErrorCode::BodyTooLarge`] when the body is larger,
/// [`ErrorCode::InvalidRequest`] when it ends too early.
pub(crate) async fn arrived(request: Request, limit: usize) -> Result<Request, Problem> {
    let is_grpc = routes::is_grpc(request.headers());
    if request.body().is_end_stream() || is_grpc && routes::takes_stream(request.uri().path()) {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    let most = if is_grpc {
        limit + GRPC_PREFIX_BYTES
    } else {
        limit
    };
    let too_large = || {
        let detail = format!("the body may have at most {limit} bytes");
        Problem::new(ErrorCode::BodyTooLarge, detail)
    };
    // A client that asks first whether it may send a body sends none of it.
    let asks_first = parts.headers.contains_key(header::EXPECT);
    if asks_first && announced(&parts.headers).is_some_and(|length| length > most) {
        return Err(too_large());
    }
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let broken = |_| Problem::new(ErrorCode::InvalidRequest, "the body broke off");
        bytes.extend_from_slice(&chunk.map_err(broken)?);
        if bytes.len() > most {
            discard(chunks).await;
            return Err(too_large());
        }
    }
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

fn announced(headers: &HeaderMap) -> Option<usize> {
    let length = headers.get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

async fn discard(mut chunks: BodyDataStream) {
    let mut discarded = 0;
    while let Some(Ok(chunk)) = chunks.next().await {
        discarded += chunk.len();
        if discarded > DISCARDED_BYTES {
            return;
        }
    }
}
