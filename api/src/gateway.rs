//! What the gateway is made of.

use std::net::SocketAddr;
use std::str::FromStr;

use http::Uri;
use http::uri::{Authority, Scheme};
use pizza_activities::store::Store;
use pizza_domain::OrderId;
use tokio::sync::Semaphore;

use crate::keys::Keyring;
use crate::limits::Limits;
use crate::usecases::{Settings, TemporalGateway, UseCases};

/// Everything that [`crate::run`] serves.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// What can be asked for.
    pub use_cases: UseCases,
    /// Whose calls are taken where a key is needed.
    pub keys: Keyring,
    /// Where clients reach the gateway, if that is not where it listens.
    pub public_url: Option<PublicUrl>,
    /// What clients may take up.
    pub limits: Limits,
}

impl Gateway {
    /// A gateway with default settings and limits, which knows no keys.
    #[must_use]
    pub fn new(temporal: TemporalGateway, store: Store) -> Self {
        Self {
            use_cases: UseCases {
                temporal,
                store,
                settings: Settings::default(),
            },
            keys: Keyring::default(),
            public_url: None,
            limits: Limits::default(),
        }
    }
}

/// The gateway at its address, shared by all requests.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) gateway: Gateway,
    local_address: SocketAddr,
    /// One permit for each request that may be under way.
    pub(crate) requests: Semaphore,
}

impl App {
    pub(crate) fn new(gateway: Gateway, local_address: SocketAddr) -> Self {
        let requests = Semaphore::new(gateway.limits.requests);
        Self {
            gateway,
            local_address,
            requests,
        }
    }

    pub(crate) const fn use_cases(&self) -> &UseCases {
        &self.gateway.use_cases
    }

    /// The absolute address of an order's status, for a client that reached
    /// the gateway at `authority`.
    pub(crate) fn status_check(&self, authority: Option<&Authority>, order: OrderId) -> String {
        match (&self.gateway.public_url, authority) {
            (Some(PublicUrl(base)), _) => format!("{base}/orders/{order}"),
            (None, Some(authority)) => format!("http://{authority}/orders/{order}"),
            (None, None) => format!("http://{}/orders/{order}", self.local_address),
        }
    }
}

/// Where clients reach the gateway, `https://pizza.example` for example; may
/// have a path, under which a proxy serves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

/// Why a text is not a [`PublicUrl`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an http or https URL without query, such as https://pizza.example")]
pub struct PublicUrlError;

impl FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text.parse().map_err(|_| PublicUrlError)?;
        let known_scheme = uri
            .scheme()
            .is_some_and(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS);
        if !known_scheme || uri.query().is_some() || text.contains('#') {
            return Err(PublicUrlError);
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_names_scheme_and_host_alone() {
        for good in ["http://a", "https://pizza.example/", "http://[::1]:80/shop"] {
            assert!(good.parse::<PublicUrl>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "a",
            "/a",
            "ftp://a",
            "http://",
            "http://a/?b",
            "http://a/#b",
        ] {
            assert_eq!(bad.parse::<PublicUrl>(), Err(PublicUrlError), "{bad}");
        }
    }
}
