//! Which address a request came from, where proxies stand in between.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::{Extensions, HeaderMap, HeaderName, header};
use ipnet::IpNet;

/// The address at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

impl Peer {
    /// The address of a request's peer. Without one, as in tests, it is none
    /// that anybody has.
    pub(crate) fn address(extensions: &Extensions) -> IpAddr {
        let peer = extensions.get::<Self>();
        let address = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Self(peer)| peer.ip());
        address.to_canonical()
    }
}

/// The header in which proxies say for whom they ask. Only one is believed:
/// most proxies write one of them and hand the other on as the client sent it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// The proxies whose word is believed on where a request came from.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    /// Where they stand.
    pub networks: Vec<IpNet>,
    /// Where they say it.
    pub header: ForwardedHeader,
}

impl TrustedProxies {
    /// The client's address: that of the peer, unless it is a trusted proxy;
    /// then the last one in its header that no trusted proxy has. Where the
    /// header has none, or something else, it is the last proxy's own: what
    /// stands further left was written by whoever asked.
    pub(crate) fn client(&self, extensions: &Extensions, headers: &HeaderMap) -> IpAddr {
        let mut client = Peer::address(extensions);
        let mut hops = self.hops(headers);
        while self.trusts(client) {
            let Some(Some(hop)) = hops.next() else {
                break;
            };
            client = hop.to_canonical();
        }
        client
    }

    /// Whether one of them has this address.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.networks
            .iter()
            .any(|network| network.contains(&address))
    }

    /// The hops that the header tells of, the nearest first; none in place of
    /// what is no address.
    fn hops<'a>(&self, headers: &'a HeaderMap) -> impl Iterator<Item = Option<IpAddr>> + use<'a> {
        const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
        let (name, read): (_, fn(&str) -> Option<IpAddr>) = match self.header {
            ForwardedHeader::XForwardedFor => (X_FORWARDED_FOR, node),
            ForwardedHeader::Forwarded => (header::FORWARDED, forwarded_for),
        };
        let lines: Vec<&[u8]> = headers.get_all(name).iter().map(AsRef::as_ref).collect();
        lines
            .into_iter()
            .rev()
            .flat_map(|line| line.rsplit(|byte| *byte == b','))
            .map(move |hop| read(std::str::from_utf8(hop).ok()?.trim()))
    }
}

/// The address in an element of `Forwarded`. The line was split at every
/// comma, also within quotes: no address has one, and what is torn apart so
/// has a quote too many.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    if element.contains('\\') || element.matches('"').count() % 2 == 1 {
        return None;
    }
    let mut named = element.split(';').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value)
    });
    let (Some(only), None) = (named.next(), named.next()) else {
        return None;
    };
    node(only.trim().trim_matches('"'))
}

/// An address, in brackets or not, with a port or not.
fn node(text: &str) -> Option<IpAddr> {
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    text.parse().ok().or_else(with_port).or_else(bare)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn proxies(header: ForwardedHeader) -> TrustedProxies {
        let networks = ["10.0.0.0/8", "2001:db8:aa::/48"];
        TrustedProxies {
            networks: networks.map(|it| it.parse().expect("a network")).into(),
            header,
        }
    }

    fn client(proxies: &TrustedProxies, peer: &str, lines: &[(&str, &str)]) -> String {
        let mut extensions = Extensions::new();
        let peer: IpAddr = peer.parse().expect("an address");
        extensions.insert(Peer(SocketAddr::new(peer, 4711)));
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name: HeaderName = name.parse().expect("a name");
            headers.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        proxies.client(&extensions, &headers).to_string()
    }

    #[test]
    fn a_stranger_is_not_believed() {
        let told = [("x-forwarded-for", "198.51.100.1")];
        for header in [ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded] {
            assert_eq!(
                client(&proxies(header), "203.0.113.9", &told),
                "203.0.113.9"
            );
        }
        let nobody = TrustedProxies::default();
        assert_eq!(client(&nobody, "10.0.0.1", &told), "10.0.0.1");
    }

    #[test]
    fn a_trusted_proxy_is_believed_up_to_the_last_that_is_not() {
        let proxies = proxies(ForwardedHeader::XForwardedFor);
        for (lines, expected) in [
            (&["198.51.100.1"][..], "198.51.100.1"),
            (&["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
            (&["1.1.1.1, 198.51.100.1, 10.2.3.4"], "198.51.100.1"),
            (&["1.1.1.1", "198.51.100.1:80 ,10.2.3.4"], "198.51.100.1"),
            (&["[2001:db8::7]:443"], "2001:db8::7"),
            (&["2001:db8::7, 2001:db8:aa::1"], "2001:db8::7"),
            (&["::ffff:198.51.100.1"], "198.51.100.1"),
            // All proxies: the first of them.
            (&["10.9.9.9, 10.2.3.4"], "10.9.9.9"),
            // What is no address ends the chain.
            (&["198.51.100.1, unknown"], "10.0.0.1"),
            (&["198.51.100.1, unknown, 10.2.3.4"], "10.2.3.4"),
            (&[""], "10.0.0.1"),
            (&[], "10.0.0.1"),
        ] {
            let lines: Vec<_> = lines.iter().map(|it| ("x-forwarded-for", *it)).collect();
            assert_eq!(client(&proxies, "10.0.0.1", &lines), expected, "{lines:?}");
        }
        let mapped = client(
            &proxies,
            "::ffff:10.0.0.1",
            &[("x-forwarded-for", "1.1.1.1")],
        );
        assert_eq!(mapped, "1.1.1.1");
        let other = [("forwarded", "for=1.1.1.1")];
        assert_eq!(client(&proxies, "10.0.0.1", &other), "10.0.0.1");
    }

    #[test]
    fn the_standard_header_is_read_as_well_and_cannot_be_forged() {
        let proxies = proxies(ForwardedHeader::Forwarded);
        for (line, expected) in [
            ("for=198.51.100.1;proto=https;by=10.0.0.1", "198.51.100.1"),
            ("for=1.1.1.1, For=\"198.51.100.1:80\"", "198.51.100.1"),
            ("for=\"[2001:db8::7]:4711\"", "2001:db8::7"),
            ("for=198.51.100.1, for=10.2.3.4", "198.51.100.1"),
            ("for=_hidden", "10.0.0.1"),
            ("proto=https", "10.0.0.1"),
            ("for=1.1.1.1;for=2.2.2.2", "10.0.0.1"),
            ("for=198.51.100.1;host=\"x,for=1.1.1.1\"", "10.0.0.1"),
            (
                "for=198.51.100.1;host=\"x\\\",for=1.1.1.1;a=\\\"\"",
                "10.0.0.1",
            ),
        ] {
            let told = [("forwarded", line)];
            assert_eq!(client(&proxies, "10.0.0.1", &told), expected, "{line}");
        }
        let other = [("x-forwarded-for", "1.1.1.1")];
        assert_eq!(client(&proxies, "10.0.0.1", &other), "10.0.0.1");
    }
}
