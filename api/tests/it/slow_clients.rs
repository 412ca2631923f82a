//! Clients that take their time. Each is let go after its limit, and not
//! before.

use std::time::Duration;

use pizza_api::Limits;
use tokio::time::Instant;

use crate::support::TestGateway;

const SHORT: Duration = Duration::from_millis(400);
/// Slack for a busy machine.
const SLACK: Duration = Duration::from_secs(8);

async fn gateway(change: impl FnOnce(&mut Limits)) -> TestGateway {
    let mut limits = Limits::default();
    change(&mut limits);
    TestGateway::with_limits(limits).await
}

fn assert_took_its_limit(since: Instant) {
    let took = since.elapsed();
    assert!(took >= SHORT && took < SLACK, "closed after {took:?}");
}

#[tokio::test]
async fn one_that_sends_nothing_is_closed() {
    let gateway = gateway(|limits| limits.first_request = SHORT).await;
    let connected = Instant::now();
    let mut client = gateway.connect().await;
    assert_eq!(client.rest().await, "");
    assert_took_its_limit(connected);
}

#[tokio::test]
async fn one_that_drips_its_first_header_is_closed() {
    let gateway = gateway(|limits| limits.first_request = SHORT).await;
    let connected = Instant::now();
    let mut client = gateway.connect().await;
    client.send("GET /healthz HTTP/1.1\r\n").await;
    client.drip(b"a: b\r\n", Duration::from_millis(20)).await;
    assert_eq!(client.rest().await, "");
    assert_took_its_limit(connected);
}

#[tokio::test]
async fn one_that_drips_a_later_header_is_closed() {
    let gateway = gateway(|limits| limits.header_read = SHORT).await;
    let mut client = gateway.connect().await;
    client
        .send("GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
        .await;
    let mut first = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut client.0, &mut first)
        .await
        .expect("an answer");
    tokio::time::sleep(SHORT).await;
    let began = Instant::now();
    client.send("GET /healthz HTTP/1.1\r\n").await;
    let mut rest = Vec::new();
    let (mut read, mut write) = client.0.split();
    tokio::join!(
        async { drop(tokio::io::AsyncReadExt::read_to_end(&mut read, &mut rest).await) },
        async {
            while tokio::io::AsyncWriteExt::write_all(&mut write, b"a: b\r\n")
                .await
                .is_ok()
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        },
    );
    assert!(!String::from_utf8_lossy(&rest).contains("HTTP/1.1"));
    assert_took_its_limit(began);
}

#[tokio::test]
async fn one_that_drips_its_body_is_answered_and_closed() {
    let gateway = gateway(|limits| limits.request = SHORT).await;
    let connected = Instant::now();
    let mut client = gateway.connect().await;
    let header = "POST /orders HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
                  content-length: 10000\r\n\r\n";
    client.send(header).await;
    client.drip(b" ", Duration::from_millis(20)).await;
    let answer = client.rest().await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("\"code\":\"request-timeout\""), "{answer}");
    assert_took_its_limit(connected);
}

#[tokio::test]
async fn one_that_sends_half_a_preface_is_closed() {
    let gateway = gateway(|limits| limits.first_request = SHORT).await;
    for half in ["P", "PRI * HTTP/2.0\r\n\r\nSM"] {
        let connected = Instant::now();
        let mut client = gateway.connect().await;
        client.send(half).await;
        assert_eq!(client.rest().await, "");
        assert_took_its_limit(connected);
    }
}

/// The preface and an empty SETTINGS frame, and then no request.
#[tokio::test]
async fn one_that_opens_http2_and_asks_nothing_is_closed() {
    let gateway = gateway(|limits| limits.first_request = SHORT).await;
    let connected = Instant::now();
    let mut client = gateway.connect().await;
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    client.send([0, 0, 0, 4, 0, 0, 0, 0, 0]).await;
    client.rest().await;
    assert_took_its_limit(connected);
}

#[tokio::test]
async fn one_that_stays_without_asking_is_closed() {
    let gateway = gateway(|limits| limits.idle = SHORT).await;
    let connected = Instant::now();
    let mut client = gateway.connect().await;
    client
        .send("GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
        .await;
    assert!(client.rest().await.starts_with("HTTP/1.1 200"));
    assert_took_its_limit(connected);
}

#[tokio::test]
async fn one_that_never_stops_asking_is_closed_when_it_is_old() {
    let gateway = gateway(|limits| limits.connection_age = SHORT).await;
    let connected = Instant::now();
    let mut client = gateway.connect().await;
    let mut said = 0;
    let request = b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";
    while tokio::io::AsyncWriteExt::write_all(&mut client.0, request)
        .await
        .is_ok()
    {
        said += 1;
        let pause = tokio::time::sleep(Duration::from_millis(20));
        let mut end = [0; 4096];
        pause.await;
        if matches!(client.0.try_read(&mut end), Ok(0)) {
            break;
        }
        assert!(connected.elapsed() < SLACK, "still open");
    }
    assert!(said > 1);
    assert_took_its_limit(connected);
}

/// A full house makes newcomers wait, and serves them when there is room.
#[tokio::test]
async fn one_too_many_waits_for_its_turn() {
    let gateway = gateway(|limits| {
        limits.connections = 1;
        limits.first_request = SHORT;
    })
    .await;
    let connected = Instant::now();
    let _first = gateway.connect().await;
    let mut second = gateway.connect().await;
    second
        .send("GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .await;
    assert!(second.rest().await.starts_with("HTTP/1.1 200"));
    assert_took_its_limit(connected);
}
