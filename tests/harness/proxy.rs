//! A proxy between the product and Temporal that can hold back what either
//! says.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A proxy, which ends with this value.
pub(crate) struct Proxy {
    address: SocketAddr,
    answers_held: watch::Sender<bool>,
    requests_held: watch::Sender<bool>,
    closed_to_new: watch::Sender<bool>,
    cut_off: watch::Sender<bool>,
    _serving: JoinSet<()>,
}

impl Proxy {
    /// Starts to pass on everything to `target`, `host:port`, and back.
    pub(crate) async fn start(target: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        let (answers_held, answers) = watch::channel(false);
        let (requests_held, requests) = watch::channel(false);
        let (closed_to_new, closed) = watch::channel(false);
        let (cut_off, cut) = watch::channel(false);
        let mut serving = JoinSet::new();
        serving.spawn(accept(
            listener,
            target.to_owned(),
            closed,
            requests,
            answers,
            cut,
        ));
        Self {
            address,
            answers_held,
            requests_held,
            closed_to_new,
            cut_off,
            _serving: serving,
        }
    }

    /// Where it listens, `host:port`.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Whether who comes new is turned away. Who is there stays.
    pub(crate) fn close_to_new(&self, closed: bool) {
        self.closed_to_new.send_replace(closed);
    }

    /// Ends every connection, and turns away who comes, until [`Self::go_on`].
    pub(crate) fn cut(&self) {
        self.close_to_new(true);
        self.cut_off.send_replace(true);
    }

    /// Lets in who comes.
    pub(crate) fn go_on(&self) {
        self.cut_off.send_replace(false);
        self.close_to_new(false);
    }

    /// From now on nothing that the target says gets through.
    pub(crate) fn hold_answers(&self) {
        self.answers_held.send_replace(true);
    }

    /// From now on nothing that is said to the target gets through.
    pub(crate) fn hold_requests(&self) {
        self.requests_held.send_replace(true);
    }
}

async fn accept(
    listener: TcpListener,
    target: String,
    closed_to_new: watch::Receiver<bool>,
    requests_held: watch::Receiver<bool>,
    answers_held: watch::Receiver<bool>,
    cut_off: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        if *closed_to_new.borrow() {
            continue;
        }
        let Ok(server) = TcpStream::connect(&target).await else {
            continue;
        };
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let there = forward(from_client, to_server, requests_held.clone());
        let back = forward(from_server, to_client, answers_held.clone());
        let mut cut = cut_off.clone();
        connections.spawn(async move {
            tokio::select! {
                _ = async { tokio::join!(there, back) } => {}
                _ = cut.wait_for(|cut| *cut) => {}
            }
        });
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut held: watch::Receiver<bool>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if held.wait_for(|held| !held).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
