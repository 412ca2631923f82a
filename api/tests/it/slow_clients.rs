//! Clients that take their time. Each is let go after its limit, and not
//! before.

use std::io::ErrorKind;
use std::time::Duration;

use pizza_api::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

use crate::http2;
#[cfg(target_os = "linux")]
use crate::support::until_listed;
use crate::support::{TestGateway, temporal_at};

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
    assert_eq!(client.first_line().await, "HTTP/1.1 200 OK\r\n");
    client.until_closed().await.expect("a close, and no reset");
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

/// It asks again and again, and reads nothing.
#[tokio::test]
async fn one_that_does_not_read_its_answers_is_cut_off() {
    let gateway = gateway(|limits| limits.unread = SHORT).await;
    let connected = Instant::now();
    let mut client = gateway.connect_with_small_buffer().await;
    let request = b"GET /openapi.json HTTP/1.1\r\nhost: a\r\n\r\n";
    let asking = async { while client.0.write_all(request).await.is_ok() {} };
    timeout(SLACK, asking).await.expect("it is cut off");
    assert_took_its_limit(connected);
}

/// After a plain close, the kernel would try for many minutes to deliver what
/// was written.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn one_that_is_cut_off_is_reset_and_leaves_nothing_behind() {
    let gateway = gateway(|limits| {
        limits.first_request = SHORT;
        limits.unread = SHORT;
    })
    .await;
    let unread = "GET /openapi.json HTTP/1.1\r\nhost: a\r\n\r\n".repeat(40);
    for said in ["", "GET /healthz HTTP/1.1\r\n", "PRI * HTTP/2.0", &unread] {
        let mut client = gateway.connect_with_small_buffer().await;
        let end = client.listed_as();
        client.send(said).await;
        until_listed(&end, false).await;
        let cut = client.until_closed().await.expect_err("a reset");
        assert_eq!(cut.kind(), ErrorKind::ConnectionReset, "{said}");
    }
}

/// It is written, so the gateway itself has nothing more to send.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn one_that_reads_nothing_of_an_answer_that_the_kernel_holds_is_cut_off() {
    let gateway = gateway(|limits| limits.unread = SHORT).await;
    for then in ["keep-alive", "close"] {
        let connected = Instant::now();
        let mut client = gateway.connect_with_small_buffer().await;
        let end = client.listed_as();
        let request =
            format!("GET /openapi.json HTTP/1.1\r\nhost: a\r\nconnection: {then}\r\n\r\n");
        client.send(&request).await;
        until_listed(&end, false).await;
        assert_took_its_limit(connected);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn one_that_reads_late_is_not_cut_off_by_the_usual_close() {
    // How Linux lists a connection that is closed, and not all delivered.
    const FIN_WAIT_1: &str = "04";
    let gateway = gateway(|_| {}).await;
    let mut client = gateway.connect_with_small_buffer().await;
    let closed = format!("{} {FIN_WAIT_1}", client.listed_as());
    client
        .send("GET /openapi.json HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .await;
    until_listed(&closed, true).await;
    let said = client.rest().await;
    let (head, body) = said.split_once("\r\n\r\n").expect("a header");
    let length = format!("content-length: {}\r\n", body.len());
    assert!(head.contains(&length), "{} bytes came: {head}", body.len());
}

/// A stream whose window is closed, or open for one byte, while the answers of
/// others are taken.
#[tokio::test]
async fn one_that_reads_all_but_one_answer_is_cut_off() {
    for window in [0, 1, 1000] {
        let gateway = gateway(|limits| limits.unread = SHORT).await;
        let connected = Instant::now();
        let mut client = gateway.connect().await;
        client.open_http2(window).await;
        client.send(http2::get(1, "/openapi.json")).await;
        let (mut read, mut write) = client.0.split();
        let mut stream = 1;
        let asking = async {
            loop {
                stream += 2;
                // Only a header comes back.
                let other = http2::head(stream, "/healthz");
                if write.write_all(&other).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let mut said = Vec::new();
        let reading = read.read_to_end(&mut said);
        let cut = async {
            tokio::select! {
                () = asking => {}
                _ = reading => {}
            }
        };
        timeout(SLACK, cut).await.expect("it is cut off");
        assert!(stream > 3, "the others were answered meanwhile");
        assert_took_its_limit(connected);
    }
}

#[tokio::test]
async fn one_that_gives_up_its_requests_is_cut_off() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let temporal = temporal_at(silent.local_addr().expect("its number"));
    let gateway = TestGateway::with(|gateway| {
        gateway.limits.given_up = 10;
        gateway.use_cases.temporal = temporal;
        gateway.use_cases.settings.temporal_timeout = Duration::from_secs(10);
    })
    .await;
    let mut patient = gateway.connect().await;
    patient.open_http2(65_535).await;
    let mut client = gateway.connect().await;
    client.open_http2(65_535).await;
    let giving_up = async {
        for number in 0.. {
            let stream = 2 * number + 1;
            patient.send(http2::get(stream, "/menu")).await;
            // Each is under way for long enough to be noticed.
            for said in [http2::post(stream, "/orders"), http2::reset(stream)] {
                if client.0.write_all(&said).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            patient.send(http2::reset(stream)).await;
        }
    };
    timeout(SLACK, giving_up).await.expect("it is cut off");
    let kept = timeout(SHORT, patient.until_closed()).await;
    assert!(kept.is_err(), "one that waits is kept");
}

/// A storm of requests that are given up before they are looked at.
#[tokio::test]
async fn a_rapid_reset_is_cut_off_at_once() {
    let gateway = gateway(|_| {}).await;
    let mut client = gateway.connect().await;
    client.open_http2(65_535).await;
    let storm = async {
        for number in 0.. {
            let stream = 2 * number + 1;
            let pair = [http2::get(stream, "/menu"), http2::reset(stream)].concat();
            if client.0.write_all(&pair).await.is_err() {
                return;
            }
        }
    };
    timeout(SLACK, storm).await.expect("it is cut off");
    assert_eq!(gateway.get("/menu").await.status(), 200);
}
