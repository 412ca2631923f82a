//! JSON bodies, read strictly: what a client got wrong, it is told, and not
//! left to find out from an order that is not what it meant.

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use http::{HeaderMap, header};
use pizza_contract::ErrorCode;
use pizza_contract::reading::{self, Fault, UniqueFields};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::gateway::AppState;
use crate::problem::Problem;

/// A body that is one JSON object: a request of the contract. An empty body is
/// one without fields.
pub(super) struct Body<T>(pub(super) T);

/// A request without fields.
#[derive(Deserialize)]
pub(super) struct NoFields {}

impl<T: DeserializeOwned> FromRequest<AppState> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        // It is there, and not too large: see `arrival`.
        let unread =
            |error: axum::Error| Problem::new(ErrorCode::InvalidRequest, error.to_string());
        let body = to_bytes(body, app.gateway.limits.body_bytes)
            .await
            .map_err(unread)?;
        let object = if body.is_empty() {
            Map::new()
        } else {
            check_media_type(&parts.headers)?;
            parse(&body)?
        };
        Ok(Self(reading::read(object)?))
    }
}

/// Reads a body that is one JSON object, each of its fields given once.
fn parse(body: &[u8]) -> Result<Map<String, Value>, Problem> {
    let object: UniqueFields = serde_json::from_slice(body).map_err(|error| {
        Problem::new(
            ErrorCode::InvalidJson,
            format!("the body is not a JSON object: {error}"),
        )
    })?;
    match object.repeated {
        None => Ok(object.fields.into_iter().collect()),
        Some(name) => Err(Fault::duplicate(&name).into()),
    }
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let refused = |detail: &str| Problem::new(ErrorCode::UnsupportedMediaType, detail);
    let encoded = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if encoded {
        return Err(refused("the body must not be compressed"));
    }
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    match (
        types.next().map(|media_type| media_type.to_str()),
        types.next(),
    ) {
        (Some(Ok(media_type)), None) if is_json(media_type) => Ok(()),
        _ => Err(refused("the content type must be application/json")),
    }
}

/// `application/json` or `application/*+json`, in UTF-8.
fn is_json(media_type: &str) -> bool {
    let media_type = media_type.to_ascii_lowercase();
    let mut parts = media_type.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let json = essence.strip_prefix("application/").is_some_and(|subtype| {
        subtype == "json"
            || subtype
                .strip_suffix("+json")
                .is_some_and(|name| !name.is_empty())
    });
    json && parts.all(|parameter| match parameter.split_once('=') {
        Some(("charset", charset)) => matches!(charset.trim_matches('"'), "utf-8" | "utf8"),
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_in_utf_8_is_json() {
        for good in [
            "application/json",
            "Application/JSON; Charset=UTF-8",
            "application/json;charset=\"utf-8\"",
            "application/vnd.pizza+json",
        ] {
            assert!(is_json(good), "{good}");
        }
        for bad in [
            "",
            "json",
            "text/json",
            "text/plain",
            "application/jsonx",
            "application/+json",
            "application/json; charset=latin1",
            "application/x-www-form-urlencoded",
        ] {
            assert!(!is_json(bad), "{bad}");
        }
    }
}
