//! Who counts as one client: for rates, streams, and whatever else is bounded
//! for each of them.

use std::net::{IpAddr, Ipv6Addr};

use http::Request;
use pizza_app::keys::{Principal, Role};

use crate::proxies::Peer;

/// One client. Requests with a known key, and those of a session that was
/// opened with one, are the key holder's, wherever they come from; all others
/// are their address's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// The holder of a known key.
    Holder(Principal),
    /// An address; of an IPv6 one the first 64 bits, which is what a single
    /// customer of a provider is given.
    Address(IpAddr),
}

impl Client {
    /// Who sent a request that shows the key of `holder`, or came from
    /// `address`.
    pub(crate) fn of(holder: Option<&Principal>, address: IpAddr) -> Self {
        holder.map_or_else(|| Self::at(address), |holder| Self::Holder(holder.clone()))
    }

    /// Whoever is at the other end of a request's connection.
    #[must_use]
    pub fn at_peer<B>(request: &Request<B>) -> Self {
        Self::at(Peer::address(request.extensions()))
    }

    /// Whoever has this address.
    pub(crate) fn at(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => {
                let prefix = address.to_bits() & (u128::MAX << 64);
                IpAddr::V6(Ipv6Addr::from_bits(prefix))
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }

    /// Whether it is a kitchen or an operator.
    #[must_use]
    pub fn is_staff(&self) -> bool {
        match self {
            Self::Holder(holder) => holder.role != Role::Customer,
            Self::Address(_) => false,
        }
    }

    /// Whether its requests have a known key, or a session's.
    pub(crate) const fn has_known_key(&self) -> bool {
        matches!(self, Self::Holder(_))
    }

    /// How an answer to the client calls it.
    pub(crate) const fn told(&self) -> &'static str {
        match self {
            Self::Holder(_) => "under this key",
            Self::Address(_) => "from this address",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Client {
        Client::at(text.parse().expect("an address"))
    }

    #[test]
    fn a_whole_network_of_ipv6_is_one_client() {
        assert_eq!(at("2001:db8::1"), at("2001:db8::ffff:2:3:4"));
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
        assert_eq!(at("::ffff:192.0.2.1"), at("192.0.2.1"));
        assert_ne!(at("192.0.2.1"), at("192.0.2.2"));
    }
}
