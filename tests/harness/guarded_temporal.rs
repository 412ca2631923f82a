//! A door in front of Temporal that lets in whoever shows a certificate of its
//! authority and an API key, as those of hosted ones do.

use std::net::Ipv4Addr;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use futures::stream;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::{Certificate, Channel, Endpoint, Identity, Server, ServerTlsConfig};
use tower::ServiceExt;

use super::certificates::Authority;

/// The door, which closes with this value.
pub(crate) struct GuardedTemporal {
    address: String,
    _serving: JoinSet<()>,
}

#[derive(Clone)]
struct Door {
    temporal: Channel,
    bearer: String,
}

impl GuardedTemporal {
    /// Opens a door to the Temporal at `target`, `host:port`.
    pub(crate) async fn start(target: &str, authority: &Authority, api_key: &str) -> Self {
        let pair = authority.issue();
        let tls = ServerTlsConfig::new()
            .identity(Identity::from_pem(pair.certificate, pair.key))
            .client_ca_root(Certificate::from_pem(authority.certificate()));
        let temporal = Endpoint::from_shared(format!("http://{target}")).expect("a URL");
        let door = Door {
            temporal: temporal.connect_lazy(),
            bearer: format!("Bearer {api_key}"),
        };
        let routes = Routes::from(Router::new().fallback(pass).with_state(door));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let arrivals = stream::unfold(listener, async |listener| {
            let arrival = listener.accept().await.map(|(stream, _)| stream);
            Some((arrival, listener))
        });
        let server = Server::builder().tls_config(tls).expect("TLS");
        let serving = server
            .clone()
            .add_routes(routes)
            .serve_with_incoming(arrivals);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { serving.await.expect("the door is open") });
        Self {
            address,
            _serving: tasks,
        }
    }

    /// Where it is, `host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

async fn pass(State(door): State<Door>, request: Request) -> Response {
    let shown = request.headers().get("authorization");
    if shown.is_none_or(|shown| shown.as_bytes() != door.bearer.as_bytes()) {
        let status = Status::unauthenticated("an API key is needed at this door");
        return status.into_http::<Body>().into_response();
    }
    let passed = door.temporal.oneshot(request.map(Body::new)).await;
    match passed {
        Ok(answer) => answer.into_response(),
        Err(error) => Status::unavailable(error.to_string())
            .into_http::<Body>()
            .into_response(),
    }
}
