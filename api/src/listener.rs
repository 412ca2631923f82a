//! A listener: which connections it takes, and how they end.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use pizza_store::meters::{self, Present};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::connection::{self, Served, Serves};
use crate::places::{Full, Place, Places, count_refusal};
use crate::proxies::{Peer, TrustedProxies};
use crate::{Limits, Tls};

/// The pause after an accept that failed for want of a resource, file
/// descriptors for example: without one the loop would spin until there are
/// some again.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(200);

/// What is served on a listener.
#[derive(Debug)]
pub struct Service {
    app: Router,
    limits: Limits,
    proxies: TrustedProxies,
    tls: Option<Tls>,
    /// Whether it is the gateway's, whose connections are counted.
    is_gateway: bool,
}

impl Service {
    /// A service beside the gateway, in plain text and behind no proxy. Of
    /// the limits, those of connections are kept here; those of requests are
    /// [`crate::Exchanges`]'.
    #[must_use]
    pub fn new(app: Router, limits: Limits) -> Self {
        Self {
            app,
            limits,
            proxies: TrustedProxies::default(),
            tls: None,
            is_gateway: false,
        }
    }

    /// The gateway's.
    pub(crate) const fn of_gateway(
        app: Router,
        limits: Limits,
        proxies: TrustedProxies,
        tls: Option<Tls>,
    ) -> Self {
        Self {
            app,
            limits,
            proxies,
            tls,
            is_gateway: true,
        }
    }

    /// Serves HTTP/1.1 and HTTP/2 on `listener` until `shutdown`. Then no
    /// connection is accepted any more, requests under way have
    /// [`Limits::grace`] to finish, and what is left is cut.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) {
        let (grace, unread) = (self.limits.grace, self.limits.unread);
        let slots = Slots::new(&self.limits, self.is_gateway);
        let cut = CancellationToken::new();
        let served = Served {
            app: self.app,
            limits: self.limits,
            tls: self.tls,
            is_gateway: self.is_gateway,
            shutdown: shutdown.clone(),
            cut: cut.clone(),
        };
        let proxies = &self.proxies;
        while let Some((stream, peer, slot)) =
            next(&listener, &slots, proxies, unread, &shutdown).await
        {
            let open = self.is_gateway.then(|| Present::of(meters::CONNECTIONS));
            let connection = connection::serve(stream, peer, slot.serves, served.clone());
            tokio::spawn(async move {
                connection.await;
                drop((slot, open));
            });
        }
        drop(listener);
        if timeout(grace, slots.all_free()).await.is_err() {
            cut.cancel();
            slots.all_free().await;
        }
    }
}

/// Has the kernel end a connection whose client takes nothing for so long of
/// what the kernel holds for it, also after the connection was closed here. By
/// itself it waits for good where the client says again and again that it has no
/// room, and tries for a quarter of an hour where nothing comes back.
#[cfg(target_os = "linux")]
pub(crate) fn give_up_after(stream: &TcpStream, time: Duration) {
    // It fails where there is no connection any more.
    let _ = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(time));
}

/// Other systems have nothing like it.
#[cfg(not(target_os = "linux"))]
pub(crate) fn give_up_after(_: &TcpStream, _: Duration) {}

/// The places for connections.
struct Slots {
    free: Arc<Semaphore>,
    total: u32,
    everybody: Arc<Places>,
    staff: Arc<Places>,
    is_gateway: bool,
}

/// A connection's place.
struct Slot {
    serves: Serves,
    _place: Place,
    _one_of_all: OwnedSemaphorePermit,
}

impl Slots {
    fn new(limits: &Limits, is_gateway: bool) -> Self {
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
            is_gateway,
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
                if self.is_gateway {
                    count_refusal(full, "connection");
                }
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
    unread: Duration,
    shutdown: &CancellationToken,
) -> Option<(TcpStream, Peer, Slot)> {
    let arrival = async {
        loop {
            let one_of_all = slots.wait().await?;
            let (stream, peer) = accept(listener).await;
            give_up_after(&stream, unread);
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
