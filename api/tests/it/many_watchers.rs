//! Two thousand who watch, each on a connection of its own.

use std::time::Duration;

use futures::future::join_all;
use futures::{StreamExt, stream};
use pizza_api::Limits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::shop::{Shop, Written, id};
use crate::support::TestGateway;

const WATCHERS: u32 = 2_000;
/// Each is watched by as many.
const ORDERS: u32 = 40;
/// Connections that are opened at once; more than the backlog would be reset.
const AT_ONCE: usize = 100;
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_are_all_told() {
    // Both ends of each connection are this process's.
    allow_files(u64::from(WATCHERS) * 2 + 1_000);
    // All of them are one address.
    let gateway = TestGateway::with_limits(Limits {
        connections_per_address: WATCHERS as usize * 2,
        watchers_per_client: WATCHERS as usize,
        ..Limits::default()
    })
    .await;
    let mut shop = Shop::of(&gateway).await;
    for number in 0..ORDERS {
        let id = id(number);
        shop.order(Written {
            id: &id,
            ..Written::default()
        })
        .await;
    }
    let opening = stream::iter(0..WATCHERS)
        .map(async |number| {
            let mut watcher = Watcher::of(&gateway, number % ORDERS).await;
            watcher.until("id: 1\n").await;
            watcher
        })
        .buffer_unordered(AT_ONCE);
    let mut watchers: Vec<_> = opening.collect().await;
    assert_eq!(watchers.len(), WATCHERS as usize);
    assert_eq!(
        gateway.get(&format!("/orders/{}", id(0))).await.status(),
        200
    );

    for number in 0..ORDERS {
        shop.change(&id(number), "PaymentProcessing").await;
    }
    let told = watchers.iter_mut().map(async |watcher| {
        watcher.until("id: 2\n").await;
        watcher
            .until(&format!("\"orderId\":\"{}\"", watcher.order))
            .await;
        assert_eq!(watcher.said.matches("event: change").count(), 2);
    });
    join_all(told).await;
}

struct Watcher {
    order: String,
    stream: TcpStream,
    said: String,
}

impl Watcher {
    async fn of(gateway: &TestGateway, number: u32) -> Self {
        let order = id(number);
        let mut stream = TcpStream::connect(gateway.address)
            .await
            .expect("a connection");
        let request = format!("GET /orders/{order}/events HTTP/1.1\r\nhost: a\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        Self {
            order,
            stream,
            said: String::new(),
        }
    }

    /// Reads until the gateway has said this, and the whole event with it.
    async fn until(&mut self, part: &str) {
        let reading = async {
            while !(self.said.contains(part) && self.said.ends_with("\n\n\r\n")) {
                let mut bytes = [0; 4096];
                let length = self.stream.read(&mut bytes).await.expect("bytes");
                assert_ne!(length, 0, "{}", self.said);
                self.said
                    .push_str(&String::from_utf8_lossy(&bytes[..length]));
            }
        };
        timeout(PATIENCE, reading).await.expect("in time");
    }
}

/// Lets this process have as many files open, as far as it may.
fn allow_files(number: u64) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < number) {
        let most = limit.maximum.map_or(number, |maximum| maximum.min(number));
        let raised = Rlimit {
            current: Some(most),
            maximum: limit.maximum,
        };
        setrlimit(Resource::Nofile, raised).expect("more files");
    }
}
