//! The gateway's listener: from its first connection to its last.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use pizza_activities::meters::{self, Present};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::connection::{Served, Serves};
use crate::gateway::App;
use crate::places::{Full, Place, Places, count_refusal};
use crate::proxies::{Peer, TrustedProxies};
use crate::{Gateway, Limits, connection, grpc, http, layers, pages};

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
    let slots = Slots::new(&limits);
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
        let proxies = &app.gateway.proxies;
        while let Some((stream, peer, slot)) = next(&listener, &slots, proxies, &shutdown).await {
            let open = Present::of(meters::CONNECTIONS);
            let connection = connection::serve(stream, peer, slot.serves, served.clone());
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
    everybody: Arc<Places>,
    staff: Arc<Places>,
}

/// A connection's place.
struct Slot {
    serves: Serves,
    _place: Place,
    _one_of_all: OwnedSemaphorePermit,
}

impl Slots {
    fn new(limits: &Limits) -> Self {
        let all = limits.connections;
        let staff = limits.staff_connections.min(all / 8);
        let for_everybody = all - staff;
        let each = limits.connections_per_address.min(all.div_ceil(2));
        let total = u32::try_from(all).unwrap_or(u32::MAX);
        Self {
            free: Arc::new(Semaphore::new(total as usize)),
            total,
            everybody: Places::new(for_everybody, each),
            staff: Places::new(staff, limits.staff_connections_per_address),
        }
    }

    /// One of all places, once there is one. None is never the answer: the
    /// semaphore is not closed.
    async fn wait(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).acquire_owned().await.ok()
    }

    /// The place of a connection from this address; none when the address
    /// has too many. The connections of trusted proxies are not an address's.
    fn place(
        &self,
        peer: Peer,
        proxies: &TrustedProxies,
        one_of_all: OwnedSemaphorePermit,
    ) -> Option<Slot> {
        let address = peer.0.ip().to_canonical();
        let client = (!proxies.trusts(address)).then(|| Client::at(address));
        let (serves, place) = match self.everybody.take(client.as_ref()) {
            Ok(place) => (Serves::All, place),
            Err(full) => {
                count_refusal(full, "connection");
                let serves = match full {
                    Full::ForClient => Serves::KnownKeys,
                    Full::ForAll => Serves::Staff,
                };
                (serves, self.staff.take(client.as_ref()).ok()?)
            }
        };
        Some(Slot {
            serves,
            _place: place,
            _one_of_all: one_of_all,
        })
    }

    /// Waits until no connection is open.
    async fn all_free(&self) {
        drop(self.free.acquire_many(self.total).await);
    }
}

/// The next connection, once there is room for it; none at the shutdown. Those
/// for whose address there is none are closed.
async fn next(
    listener: &TcpListener,
    slots: &Slots,
    proxies: &TrustedProxies,
    shutdown: &CancellationToken,
) -> Option<(TcpStream, Peer, Slot)> {
    let arrival = async {
        loop {
            let one_of_all = slots.wait().await?;
            let (stream, peer) = accept(listener).await;
            if let Some(slot) = slots.place(peer, proxies, one_of_all) {
                return Some((stream, peer, slot));
            }
        }
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
