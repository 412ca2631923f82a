//! The HTTP door.

mod amend_order;
mod bulk;
mod cancel_order;
mod discard_failure;
mod error_pages;
mod failure_queues;
mod failures;
mod get_menu;
mod get_order;
mod get_timeline;
mod json;
mod kitchen_simulation;
mod list_failures;
mod list_orders;
mod list_tickets;
mod list_workflows;
mod openapi;
mod place_order;
mod probes;
pub(crate) mod problem;
mod queue_policy;
mod redrive_failure;
mod report_kitchen_event;
mod show_failure;
mod watch_order;

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use jiff::Timestamp;
use pizza_domain::OrderId;

use crate::gateway::App;
use crate::origin::ReachedAt;
use crate::problem::{ErrorCode, Problem};

pub use openapi::openapi_json;
pub(crate) use place_order::MESSAGE as PLACED_MESSAGE;
pub(crate) use probes::{is_polled, is_probe};
pub(crate) use watch_order::NO_BUFFERING;

/// The routes of the HTTP door.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let (routes, _) = openapi::routes().split_for_parts();
    routes
        .route("/openapi.json", axum::routing::get(openapi::serve))
        .route("/errors", axum::routing::get(error_pages::index))
        .route("/errors/{code}", axum::routing::get(error_pages::page))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
        .with_state(Arc::clone(app))
}

/// Whether this address is for holders of an operator's or a kitchen's key
/// alone. Requests without a known key are refused there before their body has
/// come.
pub(crate) fn is_for_staff(path: &str) -> bool {
    let roots = ["/failures", "/failure-queues", "/kitchen/"];
    roots.iter().any(|root| path.starts_with(root))
}

async fn not_found() -> Problem {
    Problem::new(ErrorCode::NotFound, "nothing is served at this address")
}

async fn method_not_allowed() -> Problem {
    let detail = "this address is served with the methods that the header Allow lists";
    Problem::new(ErrorCode::MethodNotAllowed, detail)
}

/// The order's id in the address.
pub(crate) struct OrderIdInPath(pub(crate) OrderId);

impl<S: Send + Sync> FromRequestParts<S> for OrderIdInPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id: Result<Path<String>, PathRejection> = Path::from_request_parts(parts, state).await;
        let invalid = |detail| Problem::new(ErrorCode::InvalidOrderId, detail).field("id");
        let Path(id) = id.map_err(|rejection| invalid(rejection.body_text()))?;
        id.parse()
            .map(Self)
            .map_err(|refusal: pizza_domain::InvalidField| {
                invalid(format!("the id in the address {}", refusal.expected))
            })
    }
}

/// The host by which the client reached the gateway.
pub(crate) struct Authority(pub(crate) Option<http::uri::Authority>);

impl<S: Send + Sync> FromRequestParts<S> for Authority {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let reached_at = parts.extensions.get::<ReachedAt>();
        Ok(Self(
            reached_at.map(|ReachedAt(authority)| authority.clone()),
        ))
    }
}

/// A time in milliseconds since the Unix epoch, as RFC 3339 in UTC. One
/// beyond the year 9999 is not a time that this gateway wrote.
pub(crate) fn rfc_3339(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_time_is_written_in_utc() {
        assert_eq!(super::rfc_3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(
            super::rfc_3339(1_763_810_000_123),
            "2025-11-22T11:13:20.123Z"
        );
    }
}
