//! One log line for many requests that were refused.
//!
//! How often somebody is refused is up to them, so a line for each would put
//! the size of the log in a stranger's hands. They are counted, and told
//! together.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::client::Client;

/// How often they are told, if there were any.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// How a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Refusal {
    /// With this HTTP status.
    Http(u16),
    /// With this gRPC code, by its number.
    Grpc(i32),
}

impl Refusal {
    /// How an answer refuses a client's request, if it is one that the client
    /// can bring about as often as it likes: whoever asks too often, or while
    /// there is no room, and whatever is wrong with a stranger's request.
    pub(crate) fn of_http(client: &Client, status: StatusCode, is_overload: bool) -> Option<Self> {
        let is_flood = status == StatusCode::TOO_MANY_REQUESTS || is_overload;
        let is_strangers = status.is_client_error() && !client.has_known_key();
        (is_flood || is_strangers).then_some(Self::Http(status.as_u16()))
    }

    /// The same of a gRPC call.
    pub(crate) fn of_grpc(client: &Client, code: Code) -> Option<Self> {
        // What the gateway or what is behind it is to blame for.
        let is_a_fault = matches!(
            code,
            Code::Unknown | Code::Internal | Code::Unavailable | Code::DataLoss
        );
        let is_flood = code == Code::ResourceExhausted;
        let is_strangers = code != Code::Ok && !is_a_fault && !client.has_known_key();
        (is_flood || is_strangers).then_some(Self::Grpc(code as i32))
    }
}

/// How many requests were refused since that was told last.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<BTreeMap<Refusal, u64>>);

impl Refusals {
    pub(crate) fn count(&self, refusal: Refusal) {
        *self.counts().entry(refusal).or_default() += 1;
    }

    /// Tells of them now and then, and a last time at the `shutdown`.
    pub(crate) async fn tell(&self, shutdown: CancellationToken) {
        let mut ticks = interval(TELL_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            self.tell_now();
        }
        self.tell_now();
    }

    fn tell_now(&self) {
        for (refusal, count) in std::mem::take(&mut *self.counts()) {
            match refusal {
                Refusal::Http(status) => {
                    tracing::warn!(count, status, "requests were refused");
                }
                Refusal::Grpc(code) => {
                    let grpc_code = code;
                    tracing::warn!(count, grpc_code, "requests were refused");
                }
            }
        }
    }

    /// The counts. A panic cannot leave them half changed.
    fn counts(&self) -> MutexGuard<'_, BTreeMap<Refusal, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pizza_app::keys::{Principal, Role};

    #[test]
    fn what_a_stranger_can_bring_about_at_will_is_told_together() {
        let stranger = Client::at([192, 0, 2, 1].into());
        let (name, role) = ("ann".to_owned(), Role::Customer);
        let known = Client::Holder(Principal { name, role });
        for (status, is_overload, of_stranger, of_known) in [
            (200, false, false, false),
            (303, false, false, false),
            (400, false, true, false),
            (401, false, true, false),
            (404, false, true, false),
            (429, false, true, true),
            (500, false, false, false),
            (503, false, false, false),
            (503, true, true, true),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            let is_told = |client| Refusal::of_http(client, status, is_overload).is_some();
            assert_eq!(
                (is_told(&stranger), is_told(&known)),
                (of_stranger, of_known),
                "{status}"
            );
        }
        for (code, of_stranger, of_known) in [
            (Code::Ok, false, false),
            (Code::NotFound, true, false),
            (Code::Unauthenticated, true, false),
            (Code::ResourceExhausted, true, true),
            (Code::Unavailable, false, false),
        ] {
            let is_told = |client| Refusal::of_grpc(client, code).is_some();
            assert_eq!(
                (is_told(&stranger), is_told(&known)),
                (of_stranger, of_known),
                "{code:?}"
            );
        }
    }

    #[test]
    fn each_kind_is_counted_until_it_is_told() {
        let refusals = Refusals::default();
        for _ in 0..1000 {
            refusals.count(Refusal::Http(429));
        }
        refusals.count(Refusal::Grpc(8));
        let counts: Vec<_> = refusals.counts().values().copied().collect();
        assert_eq!(counts, [1000, 1]);
        refusals.tell_now();
        assert!(refusals.counts().is_empty());
    }
}
