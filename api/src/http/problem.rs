//! Errors as `application/problem+json` (RFC 9457).

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use pizza_contract::{self as contract, ErrorCode};

use crate::problem::Problem;
use crate::request::RequestId;

impl IntoResponse for Problem {
    /// An answer that [`finish`] gives its body, once it is known what the
    /// request is called.
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The problem that an answer carries. An error that came about on the way
/// here, and carries none, gets one.
pub(crate) fn carried(response: &mut Response) -> Option<Problem> {
    let carried = response.extensions_mut().remove::<Problem>();
    // A page says itself what is wrong.
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_page = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    carried.or_else(|| (!is_page).then(|| foreign(response.status()))?)
}

/// Writes out a problem in the answer that carried it. `pages` is where the
/// pages on errors are.
pub(crate) fn finish(
    mut response: Response,
    problem: &Problem,
    pages: &str,
    path: &str,
    request_id: &RequestId,
) -> Response {
    let body = contract::Problem {
        kind: format!("{pages}{}", problem.code.as_str()),
        title: problem.code.title().into(),
        status: problem.code.status().as_u16(),
        detail: problem.detail.clone(),
        instance: path.to_owned(),
        code: problem.code.as_str().into(),
        request_id: request_id.to_string(),
        field: problem.field.clone(),
        order_status: problem.order_status.map(|status| status.as_str().into()),
    };
    let json = serde_json::to_vec(&body).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(json.len()));
    if problem.code == ErrorCode::Unauthenticated {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(wait) = problem.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs()));
    }
    *response.status_mut() = problem.code.status();
    *response.body_mut() = Body::from(json);
    response
}

/// The problem for an error of the framework's own.
fn foreign(status: StatusCode) -> Option<Problem> {
    let code = match status {
        StatusCode::NOT_FOUND => ErrorCode::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => ErrorCode::MethodNotAllowed,
        StatusCode::REQUEST_TIMEOUT => ErrorCode::RequestTimeout,
        StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::BodyTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ErrorCode::UnsupportedMediaType,
        status if status.is_client_error() => ErrorCode::InvalidRequest,
        status if status.is_server_error() => ErrorCode::Internal,
        _ => return None,
    };
    Some(Problem::new(code, code.title()))
}
