//! What the gateway is made of.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use http::Uri;
use http::uri::{Authority, Scheme};
use pizza_app::access::Viewer;
use pizza_app::keys::{Keyring, Role};
use pizza_app::{Changes, Feed, PlaceOrder, Placed, TemporalGateway, UseCases};
use pizza_domain::OrderId;
use pizza_store::Store;
use url::{Host, Url};

use crate::client::Client;
use crate::exchanges::Exchanges;
use crate::limits::Limits;
use crate::problem::Problem;
use crate::proxies::TrustedProxies;
use crate::public_url::{OwnHosts, PublicUrl};
use crate::rate_limits::{RateLimiter, RateLimits};
use crate::refusals::Refusals;
use crate::streams::{Place, Streams};
use crate::tls::Tls;

/// Everything that [`crate::run`] serves.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// What can be asked for.
    pub use_cases: UseCases,
    /// Whose calls are taken where a key is needed.
    pub keys: Keyring,
    /// Where clients reach the gateway, if that is not where it listens.
    pub public_url: Option<PublicUrl>,
    /// The hosts that an open gateway answers for, beside its own addresses
    /// and its public URL's.
    pub allowed_hosts: Vec<Host>,
    /// What clients may take up.
    pub limits: Limits,
    /// How often one client may ask.
    pub rate_limits: RateLimits,
    /// Whose word is believed on where a request came from.
    pub proxies: TrustedProxies,
    /// What the door is locked with; none for plain text.
    pub tls: Option<Tls>,
    /// Whether this is a developer's own gateway: whoever reaches its pages
    /// may sign in without a key.
    pub development: bool,
    /// Where the Temporal UI is, for links from the pages; none for none.
    pub temporal_ui: Option<Url>,
}

impl Gateway {
    /// A gateway with default settings and limits, which knows no keys, counts
    /// nobody's requests, believes no proxy and speaks plain text.
    #[must_use]
    pub fn new(temporal: TemporalGateway, store: Store) -> Self {
        Self {
            use_cases: UseCases::new(temporal, store),
            keys: Keyring::default(),
            public_url: None,
            allowed_hosts: Vec::new(),
            limits: Limits::default(),
            rate_limits: RateLimits::default(),
            proxies: TrustedProxies::default(),
            tls: None,
            development: false,
            temporal_ui: None,
        }
    }
}

/// The gateway at its address, shared by all requests.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) gateway: Gateway,
    /// The gateway's public URL, if it has one, read.
    public_uri: Option<Uri>,
    /// Its path.
    base_path: String,
    /// The hosts that it answers for while it is open.
    pub(crate) hosts: OwnHosts,
    /// What requests take up.
    pub(crate) exchanges: Exchanges,
    /// Who asked how often.
    pub(crate) rates: RateLimiter,
    /// How many were refused lately.
    pub(crate) refusals: Refusals,
    /// Who has which streams open.
    pub(crate) streams: Streams,
    /// What wakes those who watch.
    pub(crate) feed: Feed,
}

/// The gateway, as handlers share it.
#[derive(Clone, Debug)]
pub(crate) struct AppState(Arc<App>);

impl Deref for AppState {
    type Target = App;

    fn deref(&self) -> &App {
        &self.0
    }
}

impl AppState {
    pub(crate) fn new(gateway: Gateway, local_address: SocketAddr) -> Self {
        Self(Arc::new(App::new(gateway, local_address)))
    }
}

impl App {
    fn new(gateway: Gateway, local_address: SocketAddr) -> Self {
        let public_uri = gateway.public_url.as_ref().and_then(PublicUrl::uri);
        let base_path = public_uri.as_ref().map_or("", Uri::path);
        let base_path = base_path.trim_end_matches('/').to_owned();
        let hosts = OwnHosts::new(
            local_address,
            &gateway.allowed_hosts,
            gateway.public_url.as_ref(),
        );
        let limits = &gateway.limits;
        let exchanges = Exchanges::new(limits);
        let rates = RateLimiter::new(gateway.rate_limits);
        let streams = Streams::new(&gateway.limits);
        let feed = Feed::new(gateway.use_cases.store.clone());
        Self {
            gateway,
            public_uri,
            base_path,
            hosts,
            exchanges,
            rates,
            refusals: Refusals::default(),
            streams,
            feed,
        }
    }

    /// Places what a client asks for. A request is counted as one order before
    /// its body is read; `ALL` is eight, and the others are counted here.
    pub(crate) async fn place_order(
        &self,
        client: &Client,
        viewer: &Viewer,
        request: PlaceOrder,
    ) -> Result<Placed, Problem> {
        self.rates.more_orders(client, request.orders() - 1)?;
        Ok(self.use_cases().place_order(viewer, request).await?)
    }

    /// The changes of an order after a version; none when the order had ended
    /// by then.
    pub(crate) async fn watch(
        &self,
        place: Place,
        viewer: &Viewer,
        id: OrderId,
        after: i64,
    ) -> Result<Option<Changes<Place>>, Problem> {
        let use_cases = self.use_cases();
        let watched = use_cases.watch_order(&self.feed, viewer, id, after, place);
        Ok(watched.await?)
    }

    pub(crate) const fn use_cases(&self) -> &UseCases {
        &self.gateway.use_cases
    }

    /// The absolute address of an order's status, for a client that reached
    /// the gateway at `authority`.
    pub(crate) fn status_check(&self, authority: Option<&Authority>, order: OrderId) -> String {
        let scheme = self.scheme();
        match (&self.gateway.public_url, authority) {
            (Some(PublicUrl(base)), _) => format!("{base}/orders/{order}"),
            (None, Some(authority)) => format!("{scheme}://{authority}/orders/{order}"),
            // No request comes so far without its host.
            (None, None) => format!("/orders/{order}"),
        }
    }

    /// The scheme that the gateway itself speaks.
    pub(crate) const fn scheme(&self) -> Scheme {
        match self.gateway.tls {
            Some(_) => Scheme::HTTPS,
            None => Scheme::HTTP,
        }
    }

    /// Whether customers have no keys, so that everybody is one.
    pub(crate) fn is_open(&self) -> bool {
        !self.gateway.keys.knows(Role::Customer)
    }

    /// The path under which a proxy serves the gateway; empty for none.
    pub(crate) fn base_path(&self) -> &str {
        &self.base_path
    }

    /// The gateway's public URL, if it has one.
    pub(crate) fn public_url(&self) -> Option<Url> {
        let PublicUrl(url) = self.gateway.public_url.as_ref()?;
        Url::parse(url).ok()
    }

    /// Whether browsers reach the gateway over TLS, its own or a proxy's.
    pub(crate) fn is_reached_over_tls(&self) -> bool {
        match &self.public_uri {
            Some(uri) => uri.scheme() == Some(&Scheme::HTTPS),
            None => self.gateway.tls.is_some(),
        }
    }

    /// Where the pages on errors are: absolute where clients know the gateway
    /// by an URL, else relative to the address that they asked.
    pub(crate) fn error_pages(&self) -> String {
        let base = self.gateway.public_url.as_ref();
        format!("{}/errors/", base.map_or("", |PublicUrl(base)| base))
    }
}
