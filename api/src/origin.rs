//! By which host a request came, and from whose page.
//!
//! A page of another site can make a browser send requests here. It can do so
//! under a host name of its own that it made lead here (DNS rebinding), or
//! straight to this gateway; what it cannot do is choose the headers in which
//! the browser tells both. Programs that are no browsers send what they like,
//! and are let through: they could do the same without any page.

use std::net::IpAddr;

use axum::extract::Request;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};
use pizza_contract::ErrorCode;
use url::{Host, Origin, Url};

use crate::gateway::App;
use crate::problem::Problem;
use crate::proxies::Peer;
use crate::request::ReachedAt;
use crate::routes::is_http_probe;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// How long a browser shall ask this host over TLS alone: a year.
const STRICT_TRANSPORT: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// How the names of headers begin in which proxies say that they hand a request
/// on. Browsers send none that begins with `x-` of their own accord; the others
/// are the standard's, and those of services that lead strangers to a machine.
const PROXYS_BEGINNINGS: [&str; 12] = [
    "x-",
    "forwarded",
    "proxy-",
    "remote-",
    "cdn-",
    "akamai-",
    "cf-",
    "cloudfront-",
    "fastly-",
    "fly-",
    "ngrok-",
    "tailscale-",
];
/// How others of them end: with the client's address.
const PROXYS_ENDS: [&str; 2] = ["-ip", "-for"];
/// What programs and pages send themselves, although it begins as those do.
const CLIENTS_OWN: [&str; 2] = ["x-request-id", "x-requested-with"];

/// Lets a request through that names a host, that names one of ours where
/// the gateway is open, and that no page of another site had sent; and tells
/// what comes after at which host it came. Probes are asked neither: they have
/// no effect, and say the same to everybody.
///
/// # Errors
/// [`ErrorCode::InvalidRequest`], [`ErrorCode::MisdirectedRequest`] or
/// [`ErrorCode::CrossSiteRequest`].
pub(crate) fn admit(app: &App, request: &mut Request) -> Result<(), Problem> {
    let scheme = app.scheme();
    let named = host(request, scheme.as_str())?;
    if is_http_probe(request.uri().path()) {
        return Ok(());
    }
    let (host, url) = named.ok_or_else(|| invalid("is missing"))?;
    if is_unspecified(&url) {
        return Err(invalid(
            "stands for all addresses of a machine, and is none",
        ));
    }
    let is_ours = url.host().is_some_and(|host| app.hosts.contain(&host));
    if app.is_open() && !is_ours {
        let detail = "this gateway has no customers' keys, so it answers for its own hosts alone: \
                      localhost, its addresses, the host of --public-url and those of \
                      --allowed-hosts (PIZZA_ALLOWED_HOSTS)";
        return Err(Problem::new(ErrorCode::MisdirectedRequest, detail));
    }
    if !is_safe(request.method()) && !is_from(request.headers(), &own_origins(app, &url)) {
        let detail = "the request was sent by a page of another site";
        return Err(Problem::new(ErrorCode::CrossSiteRequest, detail));
    }
    request.extensions_mut().insert(ReachedAt(host));
    Ok(())
}

/// The origins of our own pages, for a request to this address. Behind a proxy
/// that ends TLS, a page of the public URL's host that came without TLS is not
/// ours, although the gateway itself speaks none.
fn own_origins(app: &App, asked: &Url) -> [Option<Origin>; 2] {
    let public = app.public_url();
    let is_over_tls_alone = public
        .as_ref()
        .is_some_and(|url| url.host() == asked.host() && url.scheme() != asked.scheme());
    let asked = (!is_over_tls_alone).then(|| asked.origin());
    [asked, public.map(|url| url.origin())]
}

/// The one host that a request names, also as a URL; none for an HTTP/1.0
/// request that names none. HTTP/2 says it in the address (`:authority`),
/// HTTP/1 in a header, or in both.
fn host(request: &Request, scheme: &str) -> Result<Option<(Authority, Url)>, Problem> {
    let mut headers = request.headers().get_all(header::HOST).iter();
    let in_header = headers.next().map(|host| {
        let host = Authority::try_from(host.as_bytes());
        host.map_err(|_| invalid("is not a host's name, or address, and its port"))
    });
    if headers.next().is_some() {
        return Err(invalid("is given twice"));
    }
    let in_header = in_header.transpose()?;
    let named = request.uri().authority().cloned();
    let read = |host: Authority| match Url::parse(&format!("{scheme}://{host}")) {
        Ok(url) if !host.as_str().contains('@') => Ok((host, url)),
        _ => Err(invalid("is not a host's name, or address, and its port")),
    };
    match (
        named.map(read).transpose()?,
        in_header.map(read).transpose()?,
    ) {
        (Some((_, named)), Some((_, header))) if named != header => {
            Err(invalid("is another host than the address names"))
        }
        (None, None) if request.version() > Version::HTTP_10 => Err(invalid("is missing")),
        (named, header) => Ok(named.or(header)),
    }
}

/// Whether a URL's host is an address that listeners alone have: by `0.0.0.0`
/// and `::` a client reaches itself at best, and no other one it tells.
fn is_unspecified(url: &Url) -> bool {
    let ip: IpAddr = match url.host() {
        Some(Host::Ipv4(ip)) => ip.into(),
        Some(Host::Ipv6(ip)) => ip.into(),
        Some(Host::Domain(_)) | None => return false,
    };
    ip.to_canonical().is_unspecified()
}

fn invalid(fault: &str) -> Problem {
    Problem::new(ErrorCode::InvalidRequest, format!("Host {fault}")).field("Host")
}

/// Whether nothing is changed by such a request.
fn is_safe(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}

/// Whether the page that sent a request is of one of these origins, as far as
/// the browser says. A program says nothing.
fn is_from(headers: &HeaderMap, own: &[Option<Origin>]) -> bool {
    if headers.contains_key(SEC_FETCH_SITE) {
        let mut sites = headers.get_all(SEC_FETCH_SITE).iter();
        return sites.all(|site| site == "same-origin" || site == "none");
    }
    headers.get_all(header::ORIGIN).iter().all(|origin| {
        let url = origin.to_str().ok().and_then(|it| Url::parse(it).ok());
        // Of a page that has none (`null`), nobody can say whose it is.
        let origin = url.map(|url| url.origin());
        origin.is_some_and(|origin| origin.is_tuple() && own.contains(&Some(origin)))
    })
}

/// Whether a request came straight from a program on this machine: no proxy
/// says that it handed it on for somebody else, and no page elsewhere led a
/// browser here by a name of its own.
pub(crate) fn is_from_this_machine(extensions: &http::Extensions, headers: &HeaderMap) -> bool {
    let Some(ReachedAt(host)) = extensions.get() else {
        return false;
    };
    let host = host.host().trim_matches(['[', ']']);
    let is_loopback = |ip: IpAddr| ip.to_canonical().is_loopback();
    let names_it = host == "localhost" || host.parse().is_ok_and(is_loopback);
    let comes_from_it = extensions
        .get()
        .is_some_and(|Peer(peer)| is_loopback(peer.ip()));
    names_it && comes_from_it && !headers.keys().any(is_of_a_proxy)
}

/// Whether a header is one in which a proxy says that it hands a request on.
fn is_of_a_proxy(name: &HeaderName) -> bool {
    let text = name.as_str();
    let begins = |beginning: &&str| text.starts_with(beginning);
    let ends = |end: &&str| text.ends_with(end);
    name == header::VIA
        || !CLIENTS_OWN.contains(&text)
            && (PROXYS_BEGINNINGS.iter().any(begins) || PROXYS_ENDS.iter().any(ends))
}

/// Tells browsers to come over TLS alone from now on, where they can: the
/// gateway has a certificate, or is known by an `https` URL.
pub(crate) fn insist_on_tls(app: &App, headers: &mut HeaderMap) {
    if app.is_reached_over_tls() {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::public_url::{OwnHosts, PublicUrl};

    fn asked(version: Version, address: &str, hosts: &[&str]) -> Result<Option<String>, Problem> {
        let mut request = Request::builder().version(version).uri(address);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        let request = request.body(axum::body::Body::empty()).expect("a request");
        let host = host(&request, "http")?;
        Ok(host.map(|(host, _)| host.to_string()))
    }

    #[test]
    fn a_request_names_one_host() {
        for (version, address, hosts, named) in [
            (Version::HTTP_11, "/", &["a:80"][..], Some("a:80")),
            (Version::HTTP_11, "http://a/", &["a"], Some("a")),
            (Version::HTTP_11, "http://a:80/", &["A"], Some("a:80")),
            (Version::HTTP_2, "http://a/", &[], Some("a")),
            (Version::HTTP_2, "http://a/", &["a"], Some("a")),
            (Version::HTTP_11, "/", &["[::1]:8080"], Some("[::1]:8080")),
            (Version::HTTP_10, "/", &["a"], Some("a")),
            (Version::HTTP_10, "/", &[], None),
        ] {
            let host = asked(version, address, hosts);
            assert_eq!(host, Ok(named.map(str::to_owned)), "{address} {hosts:?}");
        }
        for (version, address, hosts) in [
            (Version::HTTP_11, "/", &[][..]),
            (Version::HTTP_2, "/", &[]),
            (Version::HTTP_11, "/", &[""]),
            (Version::HTTP_11, "/", &["a b"]),
            (Version::HTTP_11, "/", &["ann@a"]),
            (Version::HTTP_11, "/", &["a", "a"]),
            (Version::HTTP_10, "/", &["a", "b"]),
            (Version::HTTP_11, "http://a/", &["b"]),
            (Version::HTTP_11, "http://a/", &["a:81"]),
            (Version::HTTP_2, "http://a/", &["b"]),
        ] {
            let refused = asked(version, address, hosts).expect_err("refused");
            assert_eq!(
                refused.code,
                ErrorCode::InvalidRequest,
                "{address} {hosts:?}"
            );
            assert_eq!(refused.field.as_deref(), Some("Host"));
        }
    }

    fn own_hosts(address: &str) -> OwnHosts {
        let allowed = [Host::parse("gateway").expect("a name")];
        let public: PublicUrl = "https://Pizza.example/shop".parse().expect("a URL");
        let address = address.parse().expect("an address");
        OwnHosts::new(address, &allowed, Some(&public))
    }

    fn answers(hosts: &OwnHosts, host: &str) -> bool {
        let url = Url::parse(&format!("http://{host}")).expect("a URL");
        hosts.contain(&url.host().expect("a host"))
    }

    #[test]
    fn an_open_gateway_answers_for_its_own_hosts_alone() {
        let here = own_hosts("127.0.0.1:8080");
        let everywhere = own_hosts("0.0.0.0:8080");
        for own in [
            "localhost",
            "LocalHost:8080",
            "127.0.0.1:8080",
            "127.8.0.1",
            "[::1]:8080",
            "pizza.example",
            "PIZZA.example:443",
            "gateway:8080",
        ] {
            assert!(answers(&here, own) && answers(&everywhere, own), "{own}");
        }
        for foreign in [
            "evil.example",
            "localhost.evil.example",
            "evil.localhost",
            "127.0.0.1.nip.io",
            "shop.pizza.example",
        ] {
            assert!(!answers(&here, foreign), "{foreign}");
            assert!(!answers(&everywhere, foreign), "{foreign}");
        }
        for elsewhere in ["192.0.2.1", "[2001:db8::1]:80"] {
            assert!(!answers(&here, elsewhere), "{elsewhere}");
            assert!(answers(&everywhere, elsewhere), "{elsewhere}");
        }
    }

    #[test]
    fn an_address_of_listeners_alone_is_no_host() {
        let is_unspecified = |host: &str| {
            let url = Url::parse(&format!("http://{host}/")).expect("a URL");
            is_unspecified(&url)
        };
        for none in [
            "0.0.0.0:8080",
            "[::]:8080",
            "[::ffff:0.0.0.0]",
            "0",
            "0x0.0",
        ] {
            assert!(is_unspecified(none), "{none}");
        }
        for own in [
            "127.0.0.1",
            "[::1]",
            "0.0.0.1",
            "localhost",
            "0.0.0.0.nip.io",
        ] {
            assert!(!is_unspecified(own), "{own}");
        }
    }

    #[test]
    fn a_page_is_known_by_scheme_host_and_port() {
        let origin = |url: &str| Some(Url::parse(url).expect("a URL").origin());
        let own = [
            origin("http://a:8080"),
            origin("https://pizza.example/shop"),
        ];
        let is_from = |lines: &[(HeaderName, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(name, HeaderValue::from_str(value).expect("a value"));
            }
            is_from(&headers, &own)
        };
        assert!(is_from(&[]));
        for origin in [
            "http://a:8080",
            "https://pizza.example",
            "https://pizza.example:443",
        ] {
            assert!(is_from(&[(header::ORIGIN, origin)]), "{origin}");
        }
        for origin in [
            "https://a:8080",
            "http://a",
            "http://pizza.example",
            "http://pizza.example:443",
            "https://evil.example",
            "null",
            "",
            "file://",
        ] {
            assert!(!is_from(&[(header::ORIGIN, origin)]), "{origin}");
        }
        for (site, is_own) in [
            ("same-origin", true),
            ("none", true),
            ("same-site", false),
            ("cross-site", false),
            ("", false),
        ] {
            let site = (SEC_FETCH_SITE, site);
            assert_eq!(is_from(std::slice::from_ref(&site)), is_own, "{site:?}");
            // What the browser says of the site counts.
            let with_origin = [site, (header::ORIGIN, "https://proxied.example")];
            assert_eq!(is_from(&with_origin), is_own, "{with_origin:?}");
        }
    }

    #[test]
    fn this_machine_is_known_by_its_own_names_alone_and_asks_without_a_proxy() {
        let is_local = |host: &str, peer: &str, forwarded: Option<HeaderName>| {
            let mut extensions = http::Extensions::new();
            extensions.insert(ReachedAt(host.parse().expect("an authority")));
            extensions.insert(Peer(peer.parse().expect("an address")));
            let mut headers = HeaderMap::new();
            headers.extend(forwarded.map(|name| (name, HeaderValue::from_static("198.51.100.1"))));
            is_from_this_machine(&extensions, &headers)
        };
        let here = "127.0.0.1:4711";
        for host in ["localhost:8080", "127.0.0.1:8080", "[::1]:8080"] {
            assert!(is_local(host, here, None), "{host}");
            assert!(is_local(host, "[::1]:4711", None), "{host}");
            assert!(!is_local(host, "192.0.2.1:4711", None), "{host}");
        }
        for host in ["pizza.example:8080", "localhost.pizza.example", "192.0.2.1"] {
            assert!(!is_local(host, here, None), "{host}");
        }
        for name in ["x-forwarded-for", "via", "cf-connecting-ip"] {
            let name = HeaderName::from_static(name);
            assert!(!is_local("localhost", here, Some(name.clone())), "{name}");
        }
        let own = Some(HeaderName::from_static("x-request-id"));
        assert!(is_local("localhost", here, own));
    }

    #[test]
    fn a_proxy_is_known_by_its_headers() {
        let is_of_a_proxy = |name| is_of_a_proxy(&HeaderName::from_static(name));
        for name in [
            "akamai-origin-hop",
            "cdn-loop",
            "cf-connecting-ip",
            "cf-connecting-ipv6",
            "cf-ray",
            "client-ip",
            "cloudfront-viewer-address",
            "do-connecting-ip",
            "fastly-client-ip",
            "fly-client-ip",
            "forwarded",
            "forwarded-for",
            "ngrok-auth-user-email",
            "proxy-connection",
            "remote-addr",
            "tailscale-user-login",
            "true-client-ip",
            "via",
            "x-amzn-trace-id",
            "x-appengine-user-ip",
            "x-azure-clientip",
            "x-client-ip",
            "x-cluster-client-ip",
            "x-envoy-external-address",
            "x-forwarded",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-original-forwarded-for",
            "x-original-host",
            "x-proxyuser-ip",
            "x-real-ip",
            "x-whatever-comes-next",
        ] {
            assert!(is_of_a_proxy(name), "{name}");
        }
        for name in [
            "accept",
            "accept-encoding",
            "accept-language",
            "authorization",
            "cache-control",
            "connection",
            "content-length",
            "content-type",
            "cookie",
            "dnt",
            "host",
            "idempotency-key",
            "if-none-match",
            "last-event-id",
            "origin",
            "pragma",
            "priority",
            "referer",
            "save-data",
            "sec-ch-ua-platform",
            "sec-fetch-site",
            "sec-gpc",
            "te",
            "traceparent",
            "upgrade-insecure-requests",
            "user-agent",
            "viewport-width",
            "x-request-id",
            "x-requested-with",
        ] {
            assert!(!is_of_a_proxy(name), "{name}");
        }
    }
}
