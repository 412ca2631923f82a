//! By which host a request may come, and from whose page.

use http::{HeaderName, HeaderValue};
use pizza_api::proto::menu_service_client::MenuServiceClient;
use pizza_api::proto::order_service_client::OrderServiceClient;
use pizza_api::proto::{GetMenuRequest, PlaceOrderRequest};
use pizza_app::keys::{KeyHash, Role};
use reqwest::Response;
use tonic::Code;
use tonic::transport::Endpoint;

use crate::grpc::code;
use crate::support::{OPERATOR_KEY, TestGateway, problem};

/// Whose page asks, as a browser says it.
type Headers<'a> = &'a [(&'static str, &'a str)];

const ORDER: &str = "/orders/6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";

async fn ask(gateway: &TestGateway, method: &str, path: &str, headers: Headers<'_>) -> Response {
    let method = method.parse().expect("a method");
    let mut request = gateway.http.request(method, gateway.url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("an answer")
}

/// What the raw bytes of a request are answered with, its status line first.
async fn raw(gateway: &TestGateway, request: &str) -> String {
    let mut client = gateway.connect().await;
    client.send(request).await;
    client.rest().await
}

async fn closed() -> TestGateway {
    TestGateway::with(|gateway| {
        let hash = KeyHash::of("ann");
        let added = gateway.keys.add_hash(Role::Customer, "ann", hash);
        added.expect("a key");
    })
    .await
}

#[tokio::test]
async fn a_name_that_was_made_to_lead_here_is_not_answered_for_while_the_shop_is_open() {
    let gateway = TestGateway::with(|gateway| {
        gateway.public_url = Some("https://pizza.example/shop".parse().expect("a URL"));
    })
    .await;
    let evil = [("host", "evil.example")];
    for (method, path) in [
        ("GET", "/menu"),
        ("GET", "/orders"),
        ("POST", "/orders"),
        ("DELETE", ORDER),
        ("GET", "/openapi.json"),
    ] {
        let answer = ask(&gateway, method, path, &evil).await;
        assert_eq!(answer.status(), 421, "{method} {path}");
        let answer: serde_json::Value = answer.json().await.expect("JSON");
        assert_eq!(answer["code"], "misdirected-request", "{method} {path}");
    }
    let page = [evil[0], ("accept", "text/html")];
    let page = ask(&gateway, "GET", "/", &page).await;
    assert_eq!(page.status(), 421);
    // They have no effect, and say the same to everybody.
    for probe in ["/healthz", "/readyz"] {
        assert_ne!(ask(&gateway, "GET", probe, &evil).await.status(), 421);
    }
    let own = gateway.address.to_string();
    for own in [
        &own,
        "localhost:1",
        "[::1]",
        "a:80",
        "pizza.example",
        "PIZZA.example:443",
    ] {
        let answer = ask(&gateway, "GET", "/menu", &[("host", own)]).await;
        assert_eq!(answer.status(), 200, "{own}");
    }

    let closed = closed().await;
    assert_eq!(ask(&closed, "GET", "/menu", &evil).await.status(), 200);
    let refused = problem(ask(&closed, "GET", "/orders", &evil).await).await;
    assert_eq!(refused["code"], "unauthenticated");
}

#[tokio::test]
async fn a_grpc_call_names_a_host_of_ours_too() {
    let gateway = TestGateway::start().await;
    let endpoint = Endpoint::try_from(gateway.url("")).expect("an address");
    let evil = endpoint
        .clone()
        .origin("http://evil.example".parse().expect("an origin"));
    let mut menus = MenuServiceClient::new(evil.connect().await.expect("a connection"));
    let refused = menus
        .get_menu(GetMenuRequest {})
        .await
        .expect_err("refused");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(code(&refused), "misdirected-request");
    let mut menus = MenuServiceClient::new(endpoint.connect().await.expect("a connection"));
    menus.get_menu(GetMenuRequest {}).await.expect("a menu");
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    for gateway in [TestGateway::start().await, closed().await] {
        let own = gateway.url("");
        let https = own.replace("http:", "https:");
        let foreign: [Headers<'_>; 6] = [
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("origin", "https://evil.example")],
            &[("origin", "null")],
            &[("origin", &https)],
            &[("sec-fetch-site", "cross-site"), ("origin", &own)],
        ];
        let task = "/failures/failed-refund-payment-6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";
        let redrive = format!("{task}/redrive");
        let report = "/kitchen/tickets/6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11/events";
        for headers in foreign {
            for (method, path) in [
                ("POST", "/orders"),
                ("PATCH", ORDER),
                ("DELETE", ORDER),
                ("PUT", "/kitchen/simulation"),
                ("POST", report),
                ("POST", &redrive),
                ("POST", "/shop/orders"),
                ("POST", "/sign-in"),
            ] {
                let refused = ask(&gateway, method, path, headers).await;
                assert_eq!(refused.status(), 403, "{method} {path} {headers:?}");
                let refused = problem(refused).await;
                assert_eq!(refused["code"], "cross-site-request", "{method} {path}");
            }
            // A link from elsewhere leads here.
            let answer = ask(&gateway, "GET", "/menu", headers).await;
            assert_eq!(answer.status(), 200, "{headers:?}");
        }
        let own: [Headers<'_>; 5] = [
            &[],
            &[("origin", &own)],
            &[("sec-fetch-site", "same-origin"), ("origin", &own)],
            &[("sec-fetch-site", "none")],
            // Behind a proxy that the gateway was not told of.
            &[("sec-fetch-site", "same-origin"), ("origin", "https://a")],
        ];
        for headers in own {
            let answer = ask(&gateway, "PATCH", ORDER, headers).await;
            assert_ne!(answer.status(), 403, "{headers:?}");
        }
    }
}

#[tokio::test]
async fn a_page_of_the_public_url_is_the_gateways_own() {
    let gateway = TestGateway::with(|gateway| {
        gateway.public_url = Some("https://pizza.example".parse().expect("a URL"));
    })
    .await;
    for (origin, is_own) in [
        ("https://pizza.example", true),
        ("https://pizza.example:443", true),
        ("http://pizza.example", false),
        ("https://pizza.example:8443", false),
    ] {
        // As a proxy asks that tells its own name for the gateway, or the public one.
        let own = gateway.address.to_string();
        for host in [own.as_str(), "pizza.example"] {
            let headers = [("host", host), ("origin", origin)];
            let answer = ask(&gateway, "PATCH", ORDER, &headers).await;
            assert_eq!(answer.status() != 403, is_own, "{origin} at {host}");
        }
    }
}

#[tokio::test]
async fn a_grpc_call_of_a_page_of_another_site_is_refused() {
    let gateway = TestGateway::start().await;
    let endpoint = Endpoint::try_from(gateway.url("")).expect("an address");
    let mut orders = OrderServiceClient::new(endpoint.connect().await.expect("a connection"));
    let mut request = tonic::Request::new(PlaceOrderRequest::default());
    let site = "cross-site".parse().expect("a value");
    request.metadata_mut().insert("sec-fetch-site", site);
    let refused = orders.place_order(request).await.expect_err("refused");
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(code(&refused), "cross-site-request");
}

#[tokio::test]
async fn a_request_names_exactly_one_host() {
    let gateway = closed().await;
    for (request, status) in [
        (
            "GET /menu HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
            200,
        ),
        (
            "GET http://a/menu HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
            200,
        ),
        ("GET /healthz HTTP/1.0\r\n\r\n", 200),
        ("GET /menu HTTP/1.0\r\nhost: a\r\n\r\n", 200),
        ("GET /menu HTTP/1.1\r\nconnection: close\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n", 400),
        ("GET /menu HTTP/1.0\r\n\r\n", 400),
        (
            "GET /menu HTTP/1.1\r\nhost:\r\nconnection: close\r\n\r\n",
            400,
        ),
        (
            "GET /menu HTTP/1.1\r\nhost: a\r\nhost: a\r\nconnection: close\r\n\r\n",
            400,
        ),
        (
            "GET /menu HTTP/1.1\r\nhost: a\r\nHost: b\r\nconnection: close\r\n\r\n",
            400,
        ),
        (
            "GET /menu HTTP/1.1\r\nhost: ann@a\r\nconnection: close\r\n\r\n",
            400,
        ),
        (
            "GET /menu HTTP/1.1\r\nhost: a, b\r\nconnection: close\r\n\r\n",
            400,
        ),
        (
            "GET http://a/menu HTTP/1.1\r\nhost: b\r\nconnection: close\r\n\r\n",
            400,
        ),
        (
            "GET http://a/menu HTTP/1.1\r\nconnection: close\r\n\r\n",
            200,
        ),
    ] {
        let said = raw(&gateway, request).await;
        let line = format!(" {status} ");
        let first = said.lines().next().unwrap_or_default();
        assert!(first.contains(&line), "{request:?}: {said}");
        if status == 400 {
            assert!(said.contains("\"field\":\"Host\""), "{request:?}: {said}");
        }
    }
}

/// It is what the gateway listens at, and no address that a client can be told.
#[tokio::test]
async fn an_address_that_stands_for_all_is_no_host_of_an_order() {
    for gateway in [TestGateway::start().await, closed().await] {
        for host in ["0.0.0.0", "0.0.0.0:8080", "[::]:8080", "0"] {
            let headers = [("host", host)];
            for (method, path) in [("POST", "/orders"), ("GET", "/menu"), ("GET", ORDER)] {
                let refused = ask(&gateway, method, path, &headers).await;
                assert_eq!(refused.status(), 400, "{method} {path} at {host}");
                let refused = problem(refused).await;
                assert_eq!(refused["code"], "invalid-request", "{host}");
                assert_eq!(refused["field"], "Host", "{host}");
            }
            let probe = ask(&gateway, "GET", "/healthz", &headers).await;
            assert_eq!(probe.status(), 200, "{host}");
        }
    }
}

/// A proxy in front of a developer's gateway asks for others.
#[tokio::test]
async fn nobody_is_signed_in_without_a_key_through_a_proxy() {
    let gateway = TestGateway::with(|gateway| gateway.development = true).await;
    let sign_in = async |host: &str, forwarded: Option<&'static str>| {
        crate::support::choose_cryptography();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        let client = client.build().expect("a client");
        let mut request = client
            .post(gateway.url("/sign-in"))
            .header("host", host)
            .header("accept", "text/html")
            .header("content-type", "application/x-www-form-urlencoded")
            .body("as=operator");
        if let Some(name) = forwarded {
            let value = HeaderValue::from_static("198.51.100.1");
            request = request.header(HeaderName::from_static(name), value);
        }
        let answer = request.send().await.expect("an answer");
        let has_cookie = answer.headers().contains_key("set-cookie");
        (answer.status().as_u16(), has_cookie)
    };
    assert_eq!(sign_in("localhost", None).await, (303, true));
    for name in [
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "forwarded",
        "forwarded-for",
        "via",
        "x-real-ip",
        "x-client-ip",
        "x-original-host",
        "cf-connecting-ip",
        "true-client-ip",
        "fly-client-ip",
        "ngrok-auth-user-email",
        "tailscale-user-login",
        "cdn-loop",
    ] {
        assert_eq!(
            sign_in("localhost", Some(name)).await,
            (401, false),
            "{name}"
        );
        let page = [("accept", "text/html"), (name, "198.51.100.1")];
        let page = ask(&gateway, "GET", "/sign-in", &page).await;
        let page = page.text().await.expect("text");
        assert!(!page.contains("No key is needed"), "{name}: {page}");
    }
    // It is allowed to be asked for by this name, which may lead anywhere.
    assert_eq!(sign_in("a", None).await, (401, false));
}

#[tokio::test]
async fn browsers_are_told_to_come_over_tls_where_they_can() {
    const HEADER: &str = "strict-transport-security";
    let plain = TestGateway::start().await;
    assert!(!plain.get("/menu").await.headers().contains_key(HEADER));
    let proxied = TestGateway::with(|gateway| {
        gateway.public_url = Some("https://pizza.example".parse().expect("a URL"));
    })
    .await;
    for path in ["/menu", "/", "/nothing"] {
        let answer = proxied.get(path).await;
        assert_eq!(answer.headers()[HEADER], "max-age=31536000", "{path}");
    }
}

/// An operator's key is worth as much by any host of ours.
#[tokio::test]
async fn a_known_key_opens_no_foreign_host() {
    let gateway = TestGateway::start().await;
    let bearer = format!("Bearer {OPERATOR_KEY}");
    let headers = [("host", "evil.example"), ("authorization", bearer.as_str())];
    let answer = ask(&gateway, "GET", "/failures", &headers).await;
    assert_eq!(answer.status(), 421);
}
