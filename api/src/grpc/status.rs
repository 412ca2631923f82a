//! Errors as gRPC statuses. The message is the problem's detail; the stable
//! code and the field travel in the metadata.

use axum::response::Response;
use http::StatusCode;
use pizza_contract::ErrorCode;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use tonic::{Code, Status};

use crate::problem::Problem;

/// Where the stable code of an error is found.
const CODE: &str = "pizza-error-code";
/// Where the field is found that an error is about, by its HTTP name.
const FIELD: &str = "pizza-error-field";
/// Where the status of the order is found that a refused report was about.
const ORDER_STATUS: &str = "pizza-order-status";
/// How many seconds to wait before another try.
const RETRY_AFTER: &str = "retry-after";

/// The status for a problem.
pub(super) fn of(problem: &Problem) -> Status {
    let mut metadata = MetadataMap::new();
    let code = problem.code.as_str();
    metadata.insert(CODE, MetadataValue::from_static(code));
    let field = problem
        .field
        .as_deref()
        .map(MetadataValue::<Ascii>::try_from);
    if let Some(Ok(field)) = field {
        metadata.insert(FIELD, field);
    }
    if let Some(status) = problem.order_status {
        metadata.insert(ORDER_STATUS, MetadataValue::from_static(status.as_str()));
    }
    if let Some(wait) = problem.retry_after {
        metadata.insert(RETRY_AFTER, MetadataValue::from(wait.as_secs()));
    }
    Status::with_metadata(
        (problem.code.grpc() as i32).into(),
        &problem.detail,
        metadata,
    )
}

/// The code of an answer, as far as its header tells: that of a stream comes
/// at its end.
pub(crate) fn code(headers: &http::HeaderMap) -> Code {
    Status::from_header_map(headers).map_or(Code::Ok, |status| status.code())
}

/// Writes out the problem that an answer carries, or the error that came
/// about in the protocol's own code, as a status with a code of ours.
pub(crate) fn finish(mut response: Response) -> Response {
    let carried = response.extensions_mut().remove::<Problem>();
    let problem = carried.or_else(|| match Status::from_header_map(response.headers()) {
        Some(status) => foreign(&status),
        None if response.status() == StatusCode::OK => None,
        None => Some(Problem::new(
            ErrorCode::Internal,
            response.status().as_str(),
        )),
    });
    problem.map_or(response, |problem| of(&problem).into_http())
}

/// The problem for an error of the protocol's own code, which knows nothing
/// of ours: a message that is too long, that cannot be read, that is for an
/// unknown method, or that came compressed.
fn foreign(status: &Status) -> Option<Problem> {
    if status.metadata().contains_key(CODE) {
        return None;
    }
    let code = match status.code() {
        Code::OutOfRange => ErrorCode::BodyTooLarge,
        Code::Unimplemented => ErrorCode::NotFound,
        Code::NotFound => return None,
        Code::Internal | Code::InvalidArgument | Code::Unknown => ErrorCode::InvalidRequest,
        _ => return None,
    };
    Some(Problem::new(code, status.message()))
}
