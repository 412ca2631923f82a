//! How often one client may ask.
//!
//! A request that comes too early is answered `rate-limited` before anything
//! of it is looked at, so it has no effect. The algorithm is GCRA
//! (`governor`): a bucket that holds a burst and fills up evenly. A request
//! takes as much from it as it weighs ([`crate::weights`]).

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::Quota;
use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::DashMapStateStore;
use http::{Method, Request};
use metrics::counter;
use pizza_store::meters;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::problem::Problem;
use crate::routes;
use crate::weights::weight;

/// How many clients are told apart by one limit. Of the ones beyond, several
/// share a bucket: 65,536 take some 6 MB, whoever they are.
const TOLD_APART: usize = 65_536;

/// How many buckets the ones beyond share.
const CROWDS: u64 = 1024;

/// How often clients are forgotten whose buckets are full again.
const FORGET_EVERY: Duration = Duration::from_secs(10);

/// How often something may be done: evenly so often a second, and a burst at
/// once after a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The time after which one more is allowed.
    every: Duration,
    burst: NonZeroU32,
}

/// Why there is no such [`Rate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a number from 0.01 to 100000, or 0 for no limit")]
pub struct RateError;

impl Rate {
    /// So many a second, and so many at once; none, without a limit, for 0.
    ///
    /// # Errors
    /// When `per_second` is neither 0 nor from 0.01 to 100,000.
    pub fn per_second(per_second: f64, burst: NonZeroU32) -> Result<Option<Self>, RateError> {
        if per_second == 0.0 {
            return Ok(None);
        }
        if !(0.01..=100_000.0).contains(&per_second) {
            return Err(RateError);
        }
        let every = Duration::from_secs_f64(per_second.recip());
        Ok(Some(Self { every, burst }))
    }
}

/// How often one client may ask. What is none is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// Placing and changing, by a customer or by an address. It is what costs:
    /// each starts or wakes a workflow.
    pub orders: Option<Rate>,
    /// Everything, by a customer or by an address. Of a stream, its opening.
    pub requests: Option<Rate>,
    /// Everything, by a kitchen or by an operator.
    pub staff: Option<Rate>,
    /// Calls that are turned away for want of a known key, by an address.
    pub wrong_keys: Option<Rate>,
    /// Calls of the gRPC health service, by any client.
    pub health_checks: Option<Rate>,
}

/// The buckets of all clients.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    orders: Option<Buckets>,
    requests: Option<Buckets>,
    staff: Option<Buckets>,
    wrong_keys: Option<Buckets>,
    health_checks: Option<Buckets>,
}

impl RateLimiter {
    pub(crate) fn new(limits: RateLimits) -> Self {
        let of = |rate: Option<Rate>, name, what| {
            rate.map(|rate| Buckets::new(rate, TOLD_APART, name, what))
        };
        Self {
            orders: of(limits.orders, "orders", "orders and changes"),
            requests: of(limits.requests, "requests", "requests"),
            staff: of(limits.staff, "staff", "requests"),
            wrong_keys: of(limits.wrong_keys, "wrong-keys", "calls without a known key"),
            health_checks: of(limits.health_checks, "health-checks", "health checks"),
        }
    }

    /// Lets a client's request in, or says when to come again. `/healthz` and
    /// `/readyz` always are let in: they cost no more than a refusal, and
    /// whoever asks decides on a restart.
    pub(crate) fn admit<B>(&self, request: &Request<B>, client: &Client) -> Result<(), Problem> {
        let path = request.uri().path();
        if routes::is_http_probe(path) {
            return Ok(());
        }
        let one = NonZeroU32::MIN;
        if path.starts_with("/grpc.health.v1.Health/") {
            return take(self.health_checks.as_ref(), client, one);
        }
        let weight = weight(request);
        if client.is_staff() {
            return take(self.staff.as_ref(), client, weight);
        }
        take(self.requests.as_ref(), client, weight)?;
        if is_costly(request) {
            take(self.orders.as_ref(), client, one)?;
        }
        Ok(())
    }

    /// Counts the orders that a request of this client places beyond the one
    /// that it was let in for. A bucket that holds fewer is emptied.
    pub(crate) fn more_orders(&self, client: &Client, more: u32) -> Result<(), Problem> {
        let buckets = if client.is_staff() {
            self.staff.as_ref()
        } else {
            self.orders.as_ref()
        };
        let room = buckets.map_or(0, |buckets| buckets.burst.get() - 1);
        NonZeroU32::new(more.min(room)).map_or(Ok(()), |more| take(buckets, client, more))
    }

    /// Counts a call that was turned away for want of a known key. Whoever
    /// makes too many of them is told no more whether a key is known; a known
    /// key from the same address is served all the same, or anybody behind a
    /// shared address could shut out all others there.
    pub(crate) fn wrong_key(&self, address: &Client) -> Result<(), Problem> {
        take(self.wrong_keys.as_ref(), address, NonZeroU32::MIN)
    }

    /// Forgets whoever has not asked for a while, until `shutdown`.
    pub(crate) async fn forget(&self, shutdown: CancellationToken) {
        let mut ticks = interval(FORGET_EVERY);
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            let all = [
                &self.orders,
                &self.requests,
                &self.staff,
                &self.wrong_keys,
                &self.health_checks,
            ];
            all.into_iter().flatten().for_each(Buckets::forget);
        }
    }
}

/// Takes from a client's bucket; without a limit there is no bottom.
fn take(buckets: Option<&Buckets>, client: &Client, weight: NonZeroU32) -> Result<(), Problem> {
    let Some(buckets) = buckets else {
        return Ok(());
    };
    buckets.take(client, weight).map_err(|wait| {
        counter!(meters::RATE_LIMITED.name, "limit" => buckets.name).increment(1);
        Problem::rate_limited(buckets.what, client.told(), wait)
    })
}

/// Whose bucket it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Owner {
    One(Client),
    /// Some of those whom there is no more room to tell apart.
    Crowd(u64),
}

/// The buckets of one limit.
#[derive(Debug)]
struct Buckets {
    /// The limit, a label of [`meters::RATE_LIMITED`].
    name: &'static str,
    /// Of what there was too much, in an answer.
    what: &'static str,
    state: governor::RateLimiter<Owner, DashMapStateStore<Owner>, DefaultClock>,
    burst: NonZeroU32,
    told_apart: usize,
    crowds: RandomState,
}

impl Buckets {
    fn new(rate: Rate, told_apart: usize, name: &'static str, what: &'static str) -> Self {
        // A period of 0 is the one that is none.
        let quota = Quota::with_period(rate.every.max(Duration::from_nanos(1)))
            .unwrap_or(Quota::per_second(rate.burst));
        Self {
            name,
            what,
            state: governor::RateLimiter::dashmap(quota.allow_burst(rate.burst)),
            burst: rate.burst,
            told_apart,
            crowds: RandomState::new(),
        }
    }

    /// Takes as much as this, or says how long it takes until there is so
    /// much. What weighs more than a bucket holds takes all of it.
    fn take(&self, client: &Client, weight: NonZeroU32) -> Result<(), Duration> {
        let taken = self
            .state
            .check_key_n(&self.owner(client), weight.min(self.burst));
        // What is at most the burst always comes to fit.
        taken.unwrap_or(Ok(())).map_err(|not_until| {
            let now = DefaultClock::default().now();
            not_until.wait_time_from(now)
        })
    }

    /// Whose bucket a client takes from. Nobody outside can tell who else
    /// takes from a crowd's.
    fn owner(&self, client: &Client) -> Owner {
        match client {
            Client::Address(_) if self.state.len() >= self.told_apart => {
                Owner::Crowd(self.crowds.hash_one(client) % CROWDS)
            }
            // There are as many key holders as the configuration names.
            _ => Owner::One(client.clone()),
        }
    }

    fn forget(&self) {
        self.state.retain_recent();
        self.state.shrink_to_fit();
    }
}

/// Whether a request places or changes something. A gRPC method that does not
/// say by its name that it only looks does.
fn is_costly<B>(request: &Request<B>) -> bool {
    const LOOKS: [&str; 5] = ["Get", "List", "Watch", "Show", "ServerReflection"];
    if !routes::is_grpc(request.headers()) {
        return !matches!(
            *request.method(),
            Method::GET | Method::HEAD | Method::OPTIONS
        );
    }
    let method = request.uri().path().rsplit('/').next().unwrap_or_default();
    !LOOKS.iter().any(|look| method.starts_with(look))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::thread;

    use super::*;
    use pizza_app::keys::{Principal, Role};

    const ONE: NonZeroU32 = NonZeroU32::MIN;

    fn rate(per_second: f64, burst: u32) -> Rate {
        let burst = NonZeroU32::new(burst).expect("above 0");
        let rate = Rate::per_second(per_second, burst).expect("a rate");
        rate.expect("a limit")
    }

    fn buckets(rate: Rate, told_apart: usize) -> Buckets {
        Buckets::new(rate, told_apart, "requests", "requests")
    }

    fn address(text: &str) -> Client {
        Client::at(text.parse().expect("an address"))
    }

    #[test]
    fn a_rate_is_in_its_bounds_or_none() {
        let burst = NonZeroU32::MIN;
        assert_eq!(Rate::per_second(0.0, burst), Ok(None));
        assert_eq!(Rate::per_second(-0.0, burst), Ok(None));
        for bad in [0.009, -1.0, 100_001.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Rate::per_second(bad, burst), Err(RateError), "{bad}");
        }
        assert_eq!(rate(4.0, 1).every, Duration::from_millis(250));
    }

    #[test]
    fn each_has_a_burst_of_their_own_and_is_told_when_there_is_more() {
        let buckets = buckets(rate(0.1, 3), 100);
        let ann = address("192.0.2.1");
        for _ in 0..3 {
            assert_eq!(buckets.take(&ann, ONE), Ok(()));
        }
        let wait = buckets.take(&ann, ONE).expect_err("too early");
        assert!(wait > Duration::from_secs(5) && wait <= Duration::from_secs(10));
        assert_eq!(buckets.take(&address("192.0.2.2"), ONE), Ok(()));
    }

    #[test]
    fn what_weighs_more_takes_more_and_never_more_than_there_can_be() {
        let buckets = buckets(rate(0.01, 10), 100);
        let weight = |weight| NonZeroU32::new(weight).expect("above 0");
        let (ann, ben) = (address("192.0.2.1"), address("192.0.2.2"));
        assert_eq!(buckets.take(&ann, weight(7)), Ok(()));
        let wait = buckets.take(&ann, weight(5)).expect_err("two too many");
        assert!((100..=200).contains(&wait.as_secs()), "{wait:?}");
        assert_eq!(buckets.take(&ann, weight(3)), Ok(()));
        assert_eq!(buckets.take(&ben, weight(1000)), Ok(()));
        assert!(buckets.take(&ben, ONE).is_err());
    }

    #[test]
    fn a_flood_of_addresses_takes_bounded_memory_and_is_forgotten() {
        let buckets = buckets(rate(1000.0, 1), 100);
        for number in 0..20_000_u32 {
            let _ = buckets.take(&Client::at(IpAddr::V4(number.into())), ONE);
        }
        let most = 100 + usize::try_from(CROWDS).expect("a small number");
        assert!((100..=most).contains(&buckets.state.len()));
        while !buckets.state.is_empty() {
            buckets.forget();
            thread::yield_now();
        }
        assert_eq!(buckets.take(&address("192.0.2.1"), ONE), Ok(()));
        assert_eq!(buckets.state.len(), 1);
    }

    #[test]
    fn a_key_is_told_apart_in_any_flood() {
        let buckets = buckets(rate(0.01, 1), 0);
        let holder = |name: &str| {
            let (name, role) = (name.to_owned(), Role::Customer);
            Client::Holder(Principal { name, role })
        };
        for number in 0..5000 {
            assert_eq!(buckets.take(&holder(&number.to_string()), ONE), Ok(()));
        }
        assert!(buckets.take(&holder("17"), ONE).is_err());
    }

    #[test]
    fn what_only_looks_is_no_order() {
        let request = |method: &str, path: &str, media_type: &str| {
            Request::builder()
                .method(method)
                .uri(path)
                .header("content-type", media_type)
                .body(())
                .expect("a request")
        };
        let json = "application/json";
        for (method, path, costly) in [
            ("GET", "/orders", false),
            ("HEAD", "/orders", false),
            ("POST", "/orders", true),
            ("PATCH", "/orders/1", true),
            ("DELETE", "/orders/1", true),
        ] {
            assert_eq!(is_costly(&request(method, path, json)), costly, "{method}");
        }
        for (path, costly) in [
            ("/cloud_pizza.v1.OrderService/WatchOrder", false),
            ("/cloud_pizza.v1.OrderService/GetOrder", false),
            ("/cloud_pizza.v1.OrderService/PlaceOrder", true),
            ("/cloud_pizza.v1.OrderService/CancelOrder", true),
            ("/cloud_pizza.v1.KitchenService/ReportKitchenEvent", true),
            ("/orders", true),
        ] {
            let request = request("POST", path, "application/grpc");
            assert_eq!(is_costly(&request), costly, "{path}");
        }
    }
}
