//! Too many requests, and the end of the gateway.

use std::time::Duration;

use pizza_api::Limits;
use tokio::io::AsyncReadExt;

use crate::support::{TestGateway, problem};

#[tokio::test]
async fn what_is_too_much_is_refused_at_once_and_probes_never() {
    let limits = Limits {
        requests: 1,
        ..Limits::default()
    };
    let gateway = TestGateway::with_limits(limits).await;
    let mut slow = gateway.connect().await;
    slow.send("POST /orders HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n")
        .await;
    loop {
        let answer = gateway.get("/orders/1").await;
        if answer.status() == 503 {
            let answer = problem(answer).await;
            assert_eq!(answer["code"], "overloaded");
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(gateway.get("/healthz").await.status(), 200);
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
}
