//! `GET /orders/{id}/events`.

use std::convert::Infallible;

use axum::Extension;
use axum::extract::{FromRequestParts, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use pizza_app::access::Viewer;
use pizza_contract as contract;
use pizza_contract::ErrorCode;
use pizza_store::OrderChange;

use super::orders;
use crate::client::Client;
use crate::connection::Closing;
use crate::extract::OrderIdInPath;
use crate::gateway::AppState;
use crate::problem::Problem;
use crate::streams::NO_BUFFERING;

/// Where a client says which event it saw last.
const LAST_EVENT_ID: &str = "Last-Event-ID";

/// The event that a client saw last, by its number; 0 is before all.
pub(super) struct LastEventId(i64);

impl<S: Send + Sync> FromRequestParts<S> for LastEventId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let mut given = parts.headers.get_all(LAST_EVENT_ID).iter();
        match (given.next(), given.next()) {
            (None, _) => Ok(Self(0)),
            (Some(id), None) => version(id).map(Self).ok_or_else(|| {
                let detail = format!("{LAST_EVENT_ID} must be the id of an event, a whole number");
                Problem::new(ErrorCode::InvalidRequest, detail).field(LAST_EVENT_ID)
            }),
            (Some(_), Some(_)) => {
                let detail = format!("{LAST_EVENT_ID} is given twice");
                Err(Problem::new(ErrorCode::DuplicateField, detail).field(LAST_EVENT_ID))
            }
        }
    }
}

/// Digits and nothing else.
fn version(id: &HeaderValue) -> Option<i64> {
    let id = id.to_str().ok()?;
    let is_number = id.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| id.parse().ok())?
}

/// Watch an order.
///
/// Server-sent events: each change of the order once, in its order, from its
/// first on or from the one after `Last-Event-ID`. The stream ends after the
/// event with a final status. It also ends when the gateway closes the
/// connection, which it does when it stops or the connection is old: go on
/// with `Last-Event-ID`. An id beyond the order's newest waits for those
/// beyond it. A comment comes when nothing else did for a while.
#[utoipa::path(
    get, path = "/orders/{id}/events", operation_id = "watchOrder", tag = "orders",
    params(
        ("id" = String, Path, format = "uuid", description = "The order's id."),
        ("Last-Event-ID" = Option<i64>, Header, minimum = 0, description = "The id of the event that was seen last."),
    ),
    responses(
        (status = 200, description = "The changes, as they come: events `change` with this as their data.",
         body = contract::OrderChange, content_type = "text/event-stream"),
        (status = 204, description = "The order had ended with that event or before; there is nothing more to watch."),
        (status = 400, description = "The id is not one, or `Last-Event-ID` is no event's."),
        (status = 401, description = "This gateway knows its customers, and no known key was given."),
        (status = 403, description = "The key is not a customer's."),
        (status = 404, description = "There is no such order."),
        (status = 503, description = "Nobody can tell right now, or too many orders are being watched."),
    ),
    security((), ("customerKey" = []), ("operatorKey" = [])),
)]
pub(super) async fn watch_order(
    State(app): State<AppState>,
    Extension(closing): Extension<Closing>,
    Extension(client): Extension<Client>,
    viewer: Viewer,
    OrderIdInPath(id): OrderIdInPath,
    LastEventId(after): LastEventId,
) -> Result<Response, Problem> {
    let place = app.streams.place(&client)?;
    let Some(changes) = app.watch(place, &viewer, id, after).await? else {
        // What makes a browser stop asking.
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let changes = stream::unfold(changes, async |mut changes| {
        let change = changes.next().await?;
        Some((change, changes))
    });
    let events = changes
        .map(|change| Ok::<_, Infallible>(event(change)))
        .take_until(closing.asked());
    let keep_alive = KeepAlive::new().interval(app.gateway.limits.keep_alive);
    let events = Sse::new(events).keep_alive(keep_alive);
    Ok(([NO_BUFFERING], events).into_response())
}

fn event(change: OrderChange) -> Event {
    let version = change.version;
    let body = orders::change(change);
    // A body that was built from types can be serialized, onto one line.
    let data = serde_json::to_string(&body).unwrap_or_default();
    Event::default()
        .id(version.to_string())
        .event("change")
        .data(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_events_id_is_a_whole_number() {
        let read = |id: &'static str| version(&HeaderValue::from_static(id));
        assert_eq!(read("0"), Some(0));
        assert_eq!(read("12"), Some(12));
        for bad in [
            "",
            "-1",
            "+1",
            "1.0",
            "1 2",
            "0x1",
            "seven",
            "9223372036854775808",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
