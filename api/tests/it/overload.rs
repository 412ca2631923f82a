//! Too many requests, and the end of the gateway.

use std::time::Duration;

use pizza_api::{Limits, TrustedProxies};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::http2;
use crate::support::{KITCHEN_KEY, RawClient, TestGateway, problem, temporal_at};

const HELD: &str = "POST /orders HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n";
const GET_MENU: &str = "GET /menu HTTP/1.1\r\nhost: a\r\n\r\n";

/// A gateway behind a proxy, here: clients are told apart by what it says.
async fn behind_a_proxy(limits: Limits) -> TestGateway {
    TestGateway::with(|gateway| {
        gateway.limits = limits;
        let networks = vec!["127.0.0.0/8".parse().expect("a network")];
        gateway.proxies = TrustedProxies {
            networks,
            ..TrustedProxies::default()
        };
    })
    .await
}

/// The status of a GET by a client.
async fn asked_by(gateway: &TestGateway, client: &str, path: &str) -> u16 {
    let request = gateway.http.get(gateway.url(path));
    let answer = request.header("x-forwarded-for", client).send().await;
    answer.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn what_is_too_much_is_refused_at_once_and_staff_and_probes_never() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let temporal = temporal_at(silent.local_addr().expect("its number"));
    let gateway = TestGateway::with(|gateway| {
        gateway.limits.requests = 1;
        gateway.use_cases.temporal = temporal;
        gateway.use_cases.settings.temporal_timeout = Duration::from_secs(10);
    })
    .await;
    let mut under_way = Vec::new();
    loop {
        let mut slow = gateway.connect().await;
        slow.send("POST /orders HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n")
            .await;
        under_way.push(slow);
        let answer = gateway.get("/orders/1").await;
        if answer.status() == 503 {
            let answer = problem(answer).await;
            assert_eq!(answer["code"], "overloaded");
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(gateway.get("/healthz").await.status(), 200);
    let board = gateway.cook("get", "/kitchen/tickets", "").await;
    assert_eq!(board.status(), 200);
}

/// However many bodies are awaited: the gateway decides how long a place among
/// the requests is held.
#[tokio::test]
async fn a_body_that_does_not_come_takes_no_place() {
    let gateway = TestGateway::with_limits(Limits {
        requests: 1,
        ..Limits::default()
    })
    .await;
    let mut held = Vec::new();
    for _ in 0..20 {
        let mut client = gateway.connect().await;
        client.send(HELD).await;
        held.push(client);
    }
    let mut grpc = gateway.connect().await;
    grpc.open_http2(65_535).await;
    for stream in 0..20 {
        let path = "/cloud_pizza.v1.OrderService/PlaceOrder";
        grpc.send(http2::call(2 * stream + 1, path)).await;
    }
    for _ in 0..20 {
        assert_eq!(gateway.get("/menu").await.status(), 200);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Once it has come, the request goes on.
    let mut client = held.pop().expect("a client");
    client.send("nine byte").await;
    let said = client.first_line().await;
    assert_eq!(said, "HTTP/1.1 415 Unsupported Media Type\r\n");
}

#[tokio::test]
async fn one_client_has_a_share_of_what_is_under_way_and_no_more() {
    let gateway = behind_a_proxy(Limits {
        exchanges_per_client: 4,
        ..Limits::default()
    })
    .await;
    let held = HELD.replace("host: a", "host: a\r\nx-forwarded-for: 198.51.100.1");
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = gateway.connect().await;
        client.send(&held).await;
        clients.push(client);
    }
    // Until all four have come in.
    while asked_by(&gateway, "198.51.100.1", "/menu").await != 429 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut fifth = gateway.connect().await;
    fifth.send(&held).await;
    let said = fifth.rest().await;
    assert!(said.starts_with("HTTP/1.1 429"), "{said}");
    assert!(said.contains("\"code\":\"rate-limited\""), "{said}");
    assert!(said.contains("too many requests under way from this address"));
    assert_eq!(asked_by(&gateway, "198.51.100.2", "/menu").await, 200);
    // A probe, and a key, are not the address's.
    assert_eq!(asked_by(&gateway, "198.51.100.1", "/healthz").await, 200);
    assert_eq!(
        gateway.cook("get", "/kitchen/tickets", "").await.status(),
        200
    );
    clients.pop().expect("one").send("nine byte").await;
    while asked_by(&gateway, "198.51.100.1", "/menu").await != 200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A connection that was answered, and is kept open.
async fn idle(gateway: &TestGateway) -> RawClient {
    let mut client = gateway.connect().await;
    client.send(GET_MENU).await;
    assert_eq!(client.first_line().await, "HTTP/1.1 200 OK\r\n");
    client
}

/// What a new connection is told until it is closed.
async fn told(gateway: &TestGateway, request: &str) -> String {
    let mut client = gateway.connect().await;
    // It may be closed already.
    let _ = client.0.write_all(request.as_bytes()).await;
    client.rest().await
}

#[tokio::test]
async fn an_address_with_too_many_connections_has_some_left_for_keys_and_probes() {
    let gateway = TestGateway::with_limits(Limits {
        connections_per_address: 2,
        staff_connections_per_address: 1,
        ..Limits::default()
    })
    .await;
    let _idle = [idle(&gateway).await, idle(&gateway).await];
    let said = told(&gateway, GET_MENU).await;
    assert!(said.starts_with("HTTP/1.1 429"), "{said}");
    assert!(
        said.contains("too many connections from this address"),
        "{said}"
    );
    let said = told(&gateway, "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");

    let mut kitchen = gateway.connect().await;
    let board = format!(
        "GET /kitchen/tickets HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {KITCHEN_KEY}\r\n\r\n"
    );
    kitchen.send(&board).await;
    assert_eq!(kitchen.first_line().await, "HTTP/1.1 200 OK\r\n");
    // Now that one is taken as well.
    assert_eq!(told(&gateway, GET_MENU).await, "");
    kitchen.send(&board).await;
    assert_ne!(kitchen.first_line().await, "", "it is kept");
}

#[tokio::test]
async fn where_all_connections_are_taken_staff_and_probes_are_served() {
    let gateway = behind_a_proxy(Limits {
        connections: 16,
        ..Limits::default()
    })
    .await;
    let mut clients = Vec::new();
    for _ in 0..14 {
        clients.push(idle(&gateway).await);
    }
    let said = told(&gateway, GET_MENU).await;
    assert!(said.starts_with("HTTP/1.1 503"), "{said}");
    assert!(said.contains("\"code\":\"overloaded\""), "{said}");
    for _ in 0..3 {
        let said = told(&gateway, "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(said.starts_with("HTTP/1.1 200"), "{said}");
        assert_eq!(
            gateway.cook("get", "/kitchen/tickets", "").await.status(),
            200
        );
    }
    drop(clients);
    while asked_by(&gateway, "198.51.100.1", "/menu").await != 200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_shutdown_lets_requests_finish_and_waits_for_nobody_else() {
    let limits = Limits {
        grace: Duration::from_secs(1),
        ..Limits::default()
    };
    let gateway = TestGateway::with_limits(limits.clone()).await;
    let _silent = gateway.connect().await;
    let mut idle = gateway.connect().await;
    idle.send("GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut answer = [0; 12];
    idle.0.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 200");
    assert!(gateway.stop().await < limits.grace, "nobody is waited for");
    idle.rest().await;

    let gateway = TestGateway::with_limits(limits.clone()).await;
    let mut under_way = gateway.connect().await;
    let order = "POST /orders HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\
                 content-type: application/json\r\n\r\n{";
    under_way.send(order).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (stopped_after, answer) = tokio::join!(gateway.stop(), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        under_way.send("}").await;
        under_way.rest().await
    });
    assert!(
        answer.starts_with("HTTP/1.1 503"),
        "it is answered: {answer}"
    );
    assert!(stopped_after >= Duration::from_millis(200));

    let gateway = TestGateway::with_limits(limits.clone()).await;
    let mut stuck = gateway.connect().await;
    stuck.send(order).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let stopped_after = gateway.stop().await;
    assert!(stopped_after >= limits.grace && stopped_after < limits.grace * 3);
    stuck.until_closed().await.expect_err("a reset");
}
