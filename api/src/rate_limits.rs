//! How often one client may ask, and who counts as one.
//!
//! Whoever shows a known key is counted under it, everybody else by address,
//! an IPv6 one by its /64, which is what a single customer is given. A request
//! that comes too early is answered `rate-limited` before anything of it is
//! looked at, so it has no effect. The algorithm is GCRA (`governor`): a
//! bucket that holds a burst and fills up evenly.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::Quota;
use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::DashMapStateStore;
use http::{Method, Request};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use crate::keys::{Keyring, Principal, Role};
use crate::operator::bearer;
use crate::problem::Problem;
use crate::{grpc, http as web};

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
}

/// The buckets of all clients.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    orders: Option<Buckets>,
    requests: Option<Buckets>,
    staff: Option<Buckets>,
    wrong_keys: Option<Buckets>,
}

impl RateLimiter {
    pub(crate) fn new(limits: RateLimits) -> Self {
        let buckets = |rate: Option<Rate>| rate.map(|rate| Buckets::new(rate, TOLD_APART));
        Self {
            orders: buckets(limits.orders),
            requests: buckets(limits.requests),
            staff: buckets(limits.staff),
            wrong_keys: buckets(limits.wrong_keys),
        }
    }

    /// Lets a request in, or says when to come again. `address` is the
    /// client's. Probes always are let in: who asks decides on a restart.
    pub(crate) fn admit<B>(
        &self,
        request: &Request<B>,
        keys: &Keyring,
        address: IpAddr,
    ) -> Result<(), Problem> {
        if is_probe(request) {
            return Ok(());
        }
        let holder = bearer(request.headers()).and_then(|key| keys.holder(key));
        let client = Client::new(holder, address);
        if holder.is_some_and(|holder| holder.role != Role::Customer) {
            return take(self.staff.as_ref(), &client, "requests");
        }
        take(self.requests.as_ref(), &client, "requests")?;
        if is_costly(request) {
            take(self.orders.as_ref(), &client, "orders and changes")?;
        }
        Ok(())
    }

    /// Counts a call that was turned away for want of a known key. Whoever
    /// makes too many of them is told no more whether a key is known; a known
    /// key from the same address is served all the same, or anybody behind a
    /// shared address could shut out all others there.
    pub(crate) fn wrong_key(&self, address: IpAddr) -> Result<(), Problem> {
        let client = Client::new(None, address);
        take(
            self.wrong_keys.as_ref(),
            &client,
            "calls without a known key",
        )
    }

    /// Forgets whoever has not asked for a while, until `shutdown`.
    pub(crate) async fn forget(&self, shutdown: CancellationToken) {
        let mut ticks = interval(FORGET_EVERY);
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            let all = [&self.orders, &self.requests, &self.staff, &self.wrong_keys];
            all.into_iter().flatten().for_each(Buckets::forget);
        }
    }
}

/// Takes from a client's bucket; without a limit there is no bottom.
fn take(buckets: Option<&Buckets>, client: &Client, what: &str) -> Result<(), Problem> {
    let Some(wait) = buckets.and_then(|buckets| buckets.take(client).err()) else {
        return Ok(());
    };
    let whose = match client {
        Client::Holder(_) => "under this key",
        Client::Address(_) | Client::Crowd(_) => "from this address",
    };
    Err(Problem::rate_limited(what, whose, wait))
}

/// Who is counted as one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Client {
    /// Whoever holds a known key.
    Holder(Principal),
    /// An address; of an IPv6 one the first 64 bits.
    Address(IpAddr),
    /// Some of those whom there is no more room to tell apart.
    Crowd(u64),
}

impl Client {
    fn new(holder: Option<&Principal>, address: IpAddr) -> Self {
        holder.map_or_else(
            || Self::Address(network(address)),
            |holder| Self::Holder(holder.clone()),
        )
    }
}

/// The address that stands for all that one customer of a provider has.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let prefix = address.to_bits() & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from_bits(prefix))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// The buckets of one limit.
#[derive(Debug)]
struct Buckets {
    state: governor::RateLimiter<Client, DashMapStateStore<Client>, DefaultClock>,
    told_apart: usize,
    crowds: RandomState,
}

impl Buckets {
    fn new(rate: Rate, told_apart: usize) -> Self {
        // A period of 0 is the one that is none.
        let quota = Quota::with_period(rate.every.max(Duration::from_nanos(1)))
            .unwrap_or(Quota::per_second(rate.burst));
        Self {
            state: governor::RateLimiter::dashmap(quota.allow_burst(rate.burst)),
            told_apart,
            crowds: RandomState::new(),
        }
    }

    /// Takes one, or says how long it takes until there is one.
    fn take(&self, client: &Client) -> Result<(), Duration> {
        let in_a_crowd;
        let client = if self.state.len() < self.told_apart {
            client
        } else {
            in_a_crowd = self.crowd_of(client);
            &in_a_crowd
        };
        self.state.check_key(client).map_err(|not_until| {
            let now = DefaultClock::default().now();
            not_until.wait_time_from(now)
        })
    }

    /// Which crowd a client is of. Nobody outside can tell who else is.
    fn crowd_of(&self, client: &Client) -> Client {
        match client {
            // There are as many of them as the configuration names.
            Client::Holder(_) => client.clone(),
            _ => Client::Crowd(self.crowds.hash_one(client) % CROWDS),
        }
    }

    fn forget(&self) {
        self.state.retain_recent();
        self.state.shrink_to_fit();
    }
}

/// Whether it asks only if the gateway is alive or ready, through either door.
fn is_probe<B>(request: &Request<B>) -> bool {
    let path = request.uri().path();
    web::is_probe(path) || path.starts_with("/grpc.health.v1.Health/")
}

/// Whether a request places or changes something. A gRPC method that does not
/// say by its name that it only looks does.
fn is_costly<B>(request: &Request<B>) -> bool {
    const LOOKS: [&str; 5] = ["Get", "List", "Watch", "Show", "ServerReflection"];
    if !grpc::is_grpc(request.headers()) {
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
    use std::thread;

    use super::*;

    fn rate(per_second: f64, burst: u32) -> Rate {
        let burst = NonZeroU32::new(burst).expect("above 0");
        let rate = Rate::per_second(per_second, burst).expect("a rate");
        rate.expect("a limit")
    }

    fn address(text: &str) -> Client {
        Client::new(None, text.parse().expect("an address"))
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
        let buckets = Buckets::new(rate(0.1, 3), 100);
        let ann = address("192.0.2.1");
        for _ in 0..3 {
            assert_eq!(buckets.take(&ann), Ok(()));
        }
        let wait = buckets.take(&ann).expect_err("too early");
        assert!(wait > Duration::from_secs(5) && wait <= Duration::from_secs(10));
        assert_eq!(buckets.take(&address("192.0.2.2")), Ok(()));
    }

    #[test]
    fn whoever_has_a_whole_network_is_one() {
        assert_eq!(address("2001:db8::1"), address("2001:db8::ffff:2:3:4"));
        assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
        assert_eq!(address("::ffff:192.0.2.1"), address("192.0.2.1"));
        assert_ne!(address("192.0.2.1"), address("192.0.2.2"));
    }

    #[test]
    fn a_flood_of_addresses_takes_bounded_memory_and_is_forgotten() {
        let buckets = Buckets::new(rate(1000.0, 1), 100);
        for number in 0..20_000_u32 {
            let _ = buckets.take(&Client::new(None, IpAddr::V4(number.into())));
        }
        let most = 100 + usize::try_from(CROWDS).expect("a small number");
        assert!((100..=most).contains(&buckets.state.len()));
        while !buckets.state.is_empty() {
            buckets.forget();
            thread::yield_now();
        }
        assert_eq!(buckets.take(&address("192.0.2.1")), Ok(()));
        assert_eq!(buckets.state.len(), 1);
    }

    #[test]
    fn a_key_is_told_apart_in_any_flood() {
        let buckets = Buckets::new(rate(0.01, 1), 0);
        let holder = |name: &str| {
            let (name, role) = (name.to_owned(), Role::Customer);
            Client::Holder(Principal { name, role })
        };
        for number in 0..5000 {
            assert_eq!(buckets.take(&holder(&number.to_string())), Ok(()));
        }
        assert!(buckets.take(&holder("17")).is_err());
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
            ("/cloud_pizza.v1.FailureQueueService/ListFailures", false),
            ("/orders", true),
        ] {
            let request = request("POST", path, "application/grpc");
            assert_eq!(is_costly(&request), costly, "{path}");
        }
        for path in ["/healthz", "/readyz", "/grpc.health.v1.Health/Check"] {
            assert!(is_probe(&request("GET", path, json)), "{path}");
        }
        assert!(!is_probe(&request("GET", "/healthz/", json)));
    }
}
