//! The gateway's listener: from its first connection to its last.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use pizza_activities::meters::{self, Present};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::connection::Served;
use crate::gateway::App;
use crate::proxies::Peer;
use crate::{Gateway, connection, grpc, http, layers, pages};

/// The pause after an accept that failed for want of a resource, file
/// descriptors for example: without one the loop would spin until there are
/// some again.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(200);

/// Serves HTTP/1.1 and HTTP/2 on `listener`, over TLS (ALPN) or in plain text
/// (prior knowledge), until `shutdown`. Then no connection is accepted any more, requests under
/// way have [`crate::Limits::grace`] to finish, and what is left is cut.
///
/// # Errors
/// When the listener has no local address. Errors of single connections end
/// those alone.
pub async fn run(
    listener: TcpListener,
    gateway: Gateway,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let limits = gateway.limits.clone();
    let app = Arc::new(App::new(gateway, listener.local_addr()?));
    let (health, grpc) = grpc::router(&app)?;
    let routes = http::router(&app).merge(pages::router(&app)).merge(grpc);
    let router = layers::around(routes, &app);
    let slots = Slots::new(limits.connections);
    let cut = CancellationToken::new();
    let served = Served {
        app: router,
        limits: limits.clone(),
        tls: app.gateway.tls.clone(),
        shutdown: shutdown.clone(),
        cut: cut.clone(),
    };
    let watched = grpc::health::watch(health, Arc::clone(&app), shutdown.clone());
    let accepting = async {
        while let Some(((stream, peer), slot)) = next(&listener, &slots, &shutdown).await {
            let open = Present::of(meters::CONNECTIONS);
            let connection = connection::serve(stream, peer, served.clone());
            tokio::spawn(async move {
                connection.await;
                drop((slot, open));
            });
        }
    };
    let certificate = async {
        if let Some(tls) = &app.gateway.tls {
            tls.follow(shutdown.clone()).await;
        }
    };
    tokio::join!(
        accepting,
        watched,
        certificate,
        app.rates.forget(shutdown.clone()),
        app.refusals.tell(shutdown.clone()),
        app.feed.run(shutdown.clone()),
    );
    drop(listener);
    if timeout(limits.grace, slots.all_free()).await.is_err() {
        cut.cancel();
        slots.all_free().await;
    }
    Ok(())
}

/// The places for connections.
struct Slots {
    free: Arc<Semaphore>,
    total: u32,
}

type Slot = tokio::sync::OwnedSemaphorePermit;

impl Slots {
    fn new(total: usize) -> Self {
        let total = u32::try_from(total).unwrap_or(u32::MAX);
        Self {
            free: Arc::new(Semaphore::new(total as usize)),
            total,
        }
    }

    /// A place, once there is one. None is never the answer: the semaphore
    /// is not closed.
    async fn take(&self) -> Option<Slot> {
        Arc::clone(&self.free).acquire_owned().await.ok()
    }

    /// Waits until no connection is open.
    async fn all_free(&self) {
        drop(self.free.acquire_many(self.total).await);
    }
}

/// The next connection, once there is room for it; none at the shutdown.
async fn next(
    listener: &TcpListener,
    slots: &Slots,
    shutdown: &CancellationToken,
) -> Option<((TcpStream, Peer), Slot)> {
    let arrival = async {
        let slot = slots.take().await?;
        Some((accept(listener).await, slot))
    };
    shutdown.run_until_cancelled(arrival).await.flatten()
}

async fn accept(listener: &TcpListener) -> (TcpStream, Peer) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Answers are small and written whole.
                let _ = stream.set_nodelay(true);
                return (stream, Peer(peer));
            }
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
}

/// Whether the connection went away while it waited to be accepted.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}
