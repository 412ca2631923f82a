//! What an address alone says of a request, before anything serves it.

use http::{HeaderMap, header};

/// Whether a request is one of gRPC.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|media_type| {
        let rest = media_type.as_bytes().strip_prefix(b"application/grpc");
        rest.is_some_and(|rest| rest.is_empty() || b"+;".contains(&rest[0]))
    })
}

/// Whether the method at this path takes a stream of messages. Reflection
/// alone does.
pub(crate) fn takes_stream(path: &str) -> bool {
    path.starts_with("/grpc.reflection.")
}

/// Whether the method at this path answers with a stream.
pub(crate) fn answers_stream(path: &str) -> bool {
    path.ends_with("/WatchOrder") || path == "/grpc.health.v1.Health/Watch" || takes_stream(path)
}

/// Whether the method at this path asks only if the gateway is ready.
pub(crate) fn is_grpc_probe(path: &str) -> bool {
    path == "/grpc.health.v1.Health/Check"
}

/// Whether a path is `/healthz` or `/readyz`. They are answered even when the
/// gateway has all that it can do: who asks decides on its restart.
pub(crate) fn is_http_probe(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz")
}

/// Whether a route is asked many times a second by whoever waits for something
/// to do.
pub(crate) fn is_polled(route: &str) -> bool {
    ["/kitchen/tickets", "/kitchen/simulation"].contains(&route)
}

/// Whether this address is for holders of an operator's or a kitchen's key
/// alone. Requests without a known key are refused there before their body has
/// come.
pub(crate) fn is_for_staff(path: &str) -> bool {
    let roots = ["/failures", "/failure-queues", "/kitchen/"];
    roots.iter().any(|root| path.starts_with(root))
}
