//! Where clients reach the gateway: its public URL, and the hosts that it
//! answers for.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use http::Uri;
use http::uri::Scheme;
use url::{Host, Url};

/// Where clients reach the gateway, `https://pizza.example` for example; may
/// have a path, under which a proxy serves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(pub(crate) String);

/// Why a text is not a [`PublicUrl`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an http or https URL without query, such as https://pizza.example")]
pub struct PublicUrlError;

impl PublicUrl {
    /// Its host.
    pub(crate) fn host(&self) -> Option<Host> {
        Url::parse(&self.0).ok()?.host().map(|host| host.to_owned())
    }

    /// Its parts.
    pub(crate) fn uri(&self) -> Option<Uri> {
        self.0.parse().ok()
    }
}

impl FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text.parse().map_err(|_| PublicUrlError)?;
        let known_scheme = uri
            .scheme()
            .is_some_and(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS);
        let names_user = uri
            .authority()
            .is_some_and(|authority| authority.as_str().contains('@'));
        if !known_scheme || names_user || uri.query().is_some() || text.contains('#') {
            return Err(PublicUrlError);
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

/// The hosts that an open gateway answers for.
#[derive(Clone, Debug)]
pub(crate) struct OwnHosts {
    /// Where it listens.
    listens_on: IpAddr,
    /// Those that it was told of.
    named: Vec<Host>,
}

impl OwnHosts {
    /// Those of a gateway that listens at `address`.
    pub(crate) fn new(
        address: SocketAddr,
        allowed: &[Host],
        public_url: Option<&PublicUrl>,
    ) -> Self {
        let public = public_url.and_then(PublicUrl::host);
        Self {
            listens_on: address.ip().to_canonical(),
            named: allowed.iter().cloned().chain(public).collect(),
        }
    }

    /// Whether a browser that asked this host meant this gateway. Nobody can
    /// make an address lead elsewhere, as they can a name; but what listens on
    /// this machine alone has no other address.
    pub(crate) fn contain(&self, host: &Host<&str>) -> bool {
        let is_own = match host {
            Host::Domain(name) => *name == "localhost",
            Host::Ipv4(ip) => self.is_own_address((*ip).into()),
            Host::Ipv6(ip) => self.is_own_address((*ip).into()),
        };
        is_own || self.named.iter().any(|named| named == host)
    }

    fn is_own_address(&self, ip: IpAddr) -> bool {
        ip.to_canonical().is_loopback() || !self.listens_on.is_loopback()
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
            "http://user:password@a",
            "http://",
            "http://a/?b",
            "http://a/#b",
        ] {
            assert_eq!(bad.parse::<PublicUrl>(), Err(PublicUrlError), "{bad}");
        }
    }
}
