//! Streams of what pages show.
//!
//! An event `parts` has the parts of a page that may change, as they are now;
//! the script puts each in the place of the one with the same name. It says
//! everything anew, so a stream that was cut is simply opened again. An event
//! `end` says that nothing more is told: since nothing changes any more, or
//! since whoever looks on has signed out.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};
use maud::Markup;
use pizza_store::now_ms;
use serde_json::json;

use super::session::Visitor;
use crate::connection::Closing;
use crate::gateway::AppState;
use crate::streams::NO_BUFFERING;

/// How long a browser waits before it opens a stream again that was cut.
const OPEN_AGAIN: Duration = Duration::from_secs(1);

/// The answer that tells each of these states of a page, as it comes, and at
/// last that there will be no more, and why.
pub(super) fn stream_of(
    app: &AppState,
    closing: Closing,
    visitor: Visitor,
    states: impl Stream<Item = Markup> + Send + 'static,
) -> Response {
    let changed = changes(states).map(parts);
    let gateway = app.clone();
    let end = stream::once(async move {
        let why = match visitor.has_left(&gateway).await {
            true => "signed-out",
            false => "settled",
        };
        Event::default().event("end").data(why)
    });
    // What is cut when the gateway stops is not at its end.
    let events = changed.chain(end).take_until(closing.asked());
    let keep_alive = KeepAlive::new().interval(app.gateway.limits.keep_alive);
    let events = Sse::new(events.map(Ok::<_, Infallible>)).keep_alive(keep_alive);
    ([NO_BUFFERING], events).into_response()
}

/// What differs from the state before.
pub(super) fn changes(
    states: impl Stream<Item = Markup> + Send + 'static,
) -> impl Stream<Item = Markup> + Send + 'static {
    let mut before = None;
    states.filter(move |state| {
        let is_new = before.as_ref() != Some(&state.0);
        before = Some(state.0.clone());
        std::future::ready(is_new)
    })
}

fn parts(state: Markup) -> Event {
    let data = json!({ "now": now_ms(), "html": state.0 });
    Event::default()
        .retry(OPEN_AGAIN)
        .event("parts")
        .data(data.to_string())
}
