//! Connections: how many, how slow, and how they end.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Connections at once.
const CONNECTIONS: usize = 128;

/// How long a client may take for a request's header, and may keep silent
/// between two requests.
const HEADER: Duration = Duration::from_secs(15);

/// How long requests under way have once the server is stopped.
const GRACE: Duration = Duration::from_secs(5);

/// The pause after an accept that failed, for want of file descriptors for
/// example.
const BACKOFF: Duration = Duration::from_millis(200);

/// Serves until `shutdown`, and until what is under way has ended.
pub(super) async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let accept_all = async {
        // The semaphore is never closed.
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            let stream = accept(&listener).await;
            let connection = connection(stream, router.clone(), shutdown.clone());
            tokio::spawn(async move {
                connection.await;
                drop(place);
            });
        }
    };
    shutdown.run_until_cancelled(accept_all).await;
    drop(listener);
    let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
    let _ = timeout(GRACE, places.acquire_many(all)).await;
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                sleep(BACKOFF).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, router: Router, shutdown: CancellationToken) {
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADER);
    let service = TowerToHyperService::new(router);
    let mut serving = pin!(server.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = shutdown.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
