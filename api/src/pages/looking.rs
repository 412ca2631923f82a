//! Streams of what kitchens and operators look at. Nobody tells of a change
//! there, so each page looks again now and then.

use std::time::Duration;

use axum::response::Response;
use futures::future::BoxFuture;
use futures::stream;
use maud::Markup;
use pizza_store::now_ms;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::layout::Site;
use super::live::stream_of;
use super::session::Visitor;
use crate::client::Client;
use crate::connection::Closing;
use crate::gateway::AppState;
use crate::problem::Problem;
use crate::streams::Place;

/// Who looks.
#[derive(Clone)]
pub(super) struct Looker {
    pub(super) app: AppState,
    pub(super) visitor: Visitor,
    /// When they began to, in milliseconds since the Unix epoch. Times are
    /// told relative to this, so that a part changes only when what it shows
    /// does; the script says them anew each second.
    pub(super) since_ms: i64,
}

impl Looker {
    pub(super) fn site(&self) -> Site<'_> {
        self.visitor.site(&self.app)
    }
}

/// What a look found.
pub(super) enum Look {
    /// The parts as they are now.
    Now(Markup),
    /// The same, and they change no more.
    Last(Markup),
    /// Nothing that can be told now.
    Away,
    /// There is nothing to look at any more.
    Gone,
}

/// Looks as often as this, until nothing changes any more, or whoever looks
/// has signed out. The client's place is theirs until then.
///
/// # Errors
/// When there is no place for the client.
pub(super) fn looking(
    app: &AppState,
    client: &Client,
    closing: Closing,
    visitor: Visitor,
    every: Duration,
    look: impl Fn(Looker) -> BoxFuture<'static, Look> + Send + Sync + 'static,
) -> Result<Response, Problem> {
    let place = app.streams.place(client)?;
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let looks_on = visitor.clone();
    let watch = Watch {
        looker: Looker {
            app: app.clone(),
            visitor,
            since_ms: now_ms(),
        },
        ticks,
        look,
        place,
    };
    let states = stream::unfold(Some(watch), async |watch| {
        let mut watch = watch?;
        match watch.next().await? {
            (parts, true) => Some((parts, Some(watch))),
            (parts, false) => Some((parts, None)),
        }
    });
    Ok(stream_of(app, closing, looks_on, states))
}

struct Watch<F> {
    looker: Looker,
    ticks: Interval,
    look: F,
    place: Place,
}

impl<F: Fn(Looker) -> BoxFuture<'static, Look>> Watch<F> {
    /// The parts, and whether they may change once more.
    async fn next(&mut self) -> Option<(Markup, bool)> {
        loop {
            self.ticks.tick().await;
            let Looker { app, visitor, .. } = &self.looker;
            let found = {
                let _turn = self.place.turn_to_draw().await;
                if visitor.has_left(app).await {
                    return None;
                }
                (self.look)(self.looker.clone()).await
            };
            match found {
                Look::Now(parts) => return Some((parts, true)),
                Look::Last(parts) => return Some((parts, false)),
                Look::Away => {}
                Look::Gone => return None,
            }
        }
    }
}
