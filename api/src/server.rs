//! The gateway, from its first connection to its last.

use std::io;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::gateway::AppState;
use crate::listener::Service;
use crate::{Gateway, grpc, http, layers, pages};

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
    let app = AppState::new(gateway, listener.local_addr()?);
    let (health, grpc) = grpc::router(&app)?;
    let routes = http::router(&app).merge(pages::router(&app)).merge(grpc);
    let router = layers::around(routes, &app);
    let Gateway {
        limits,
        proxies,
        tls,
        ..
    } = &app.gateway;
    let service = Service::of_gateway(router, limits.clone(), proxies.clone(), tls.clone());
    let certificate = async {
        if let Some(tls) = tls {
            tls.follow(shutdown.clone()).await;
        }
    };
    tokio::join!(
        service.serve(listener, shutdown.clone()),
        grpc::health::watch(health, app.clone(), shutdown.clone()),
        certificate,
        app.rates.forget(shutdown.clone()),
        app.refusals.tell(shutdown.clone()),
        app.feed.run(shutdown.clone()),
    );
    Ok(())
}
