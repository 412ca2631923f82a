//! What the gateway takes from its clients, and how long it waits for them.

use std::time::Duration;

/// The gateway's limits. Together they bound what one client can hold on to,
/// however slowly it sends or reads; see each for what it covers.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The largest request body, and the largest gRPC message, in bytes.
    /// The longest legal order takes about 1 KiB.
    pub body_bytes: usize,
    /// The largest header of a request, in bytes.
    pub header_bytes: usize,
    /// From the accept to the end of the first request's header. Covers
    /// clients that send nothing, or only half of an HTTP/2 preface.
    pub first_request: Duration,
    /// From the first byte of a later HTTP/1 header to its last.
    pub header_read: Duration,
    /// From the end of a request's header to its answer, the body's arrival
    /// included: a client that drips its body is cut off here, and holds an
    /// exchange of its own until then, but no place among the requests.
    pub request: Duration,
    /// How long a connection may stay open without a request.
    pub idle: Duration,
    /// How long a client may take nothing of an answer that waits for it,
    /// before its connection is cut. Covers clients that do not read over
    /// HTTP/1.1, and windows of 0 over HTTP/2, also of a single stream. A
    /// phone that changes its cell is back in less. The kernel ends a connection
    /// after the same time if what it holds for the client is not taken (Linux).
    pub unread: Duration,
    /// Requests that a client may give up on one HTTP/2 connection before
    /// they are answered, beyond those that it waits for ("rapid reset"). A
    /// browser that leaves a page gives up some dozens.
    pub given_up: u32,
    /// The age at which a connection is asked to close, whatever it does.
    /// Covers endless streams.
    pub connection_age: Duration,
    /// How long a connection that was asked to close, and at a shutdown all
    /// of them, may take to finish its requests.
    pub grace: Duration,
    /// How often a silent HTTP/2 client is pinged.
    pub ping_interval: Duration,
    /// How long its answer may take.
    pub ping_timeout: Duration,
    /// Streams that one HTTP/2 connection may have open at once.
    pub streams_per_connection: u32,
    /// Connections open at once. Further ones wait in the listener's backlog.
    /// An idle one takes about 45 KB, so all of them take 370 MB.
    pub connections: usize,
    /// Connections of one address (IPv6: of its /64), TLS handshakes included;
    /// those of a trusted proxy are not counted. A browser opens six, so this
    /// is an office of 80. Connections beyond are served where they show a
    /// known key or ask for a probe, as far as there are places for staff, and
    /// are closed at once otherwise. At most half of all.
    pub connections_per_address: usize,
    /// How many of the connections serve staff and probes alone: once all
    /// others are taken, what customers ask there is answered `overloaded`.
    /// At most an eighth of all.
    pub staff_connections: usize,
    /// How many of those one address may have.
    pub staff_connections_per_address: usize,
    /// Exchanges under way at once, each from the end of a request's header to
    /// the last byte of its answer, whether the client sends, waits or reads.
    /// Streams do not count once they have begun. An exchange holds a body of
    /// `body_bytes` or an answer of at most some hundred KB.
    pub exchanges: usize,
    /// Exchanges of one client: as many as an HTTP/2 connection has streams,
    /// and half of the requests that may be under way. Further ones are
    /// answered `rate-limited`.
    pub exchanges_per_client: usize,
    /// Exchanges beside those, for staff and probes.
    pub staff_exchanges: usize,
    /// Requests under way at once, from the arrival of the body to the
    /// answer. Further ones are answered `overloaded` at once, since a queue
    /// would only grow while the saga's server is slow.
    pub requests: usize,
    /// Requests beside those, for staff. Probes need no place.
    pub staff_requests: usize,
    /// Orders watched at once by all customers and addresses. A stream counts
    /// once for each order that it shows, and not as a request under way. A
    /// gRPC stream on which health or reflection is told counts as one.
    /// Further ones are answered `overloaded`.
    pub watchers: usize,
    /// Orders and boards watched at once by all kitchens and operators, beside
    /// those: no number of customers takes a board's place.
    pub staff_watchers: usize,
    /// Of either, how many one client may have. Further ones are answered
    /// `rate-limited`.
    pub watchers_per_client: usize,
    /// How often a stream on which nothing happens says that it is alive.
    /// Shorter than what proxies wait for.
    pub keep_alive: Duration,
    /// How long the store and Temporal each may take to say that they are
    /// there, before `/readyz` says that they are not.
    pub readiness: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 16 * 1024,
            header_bytes: 32 * 1024,
            first_request: Duration::from_secs(5),
            header_read: Duration::from_secs(5),
            request: Duration::from_secs(15),
            idle: Duration::from_secs(60),
            unread: Duration::from_secs(10),
            given_up: 100,
            connection_age: Duration::from_secs(10 * 60),
            grace: Duration::from_secs(10),
            ping_interval: Duration::from_secs(20),
            ping_timeout: Duration::from_secs(10),
            streams_per_connection: 128,
            // A place for each watcher that has a connection of its own, and
            // as many for others.
            connections: 8192,
            connections_per_address: 512,
            staff_connections: 256,
            staff_connections_per_address: 16,
            exchanges: 4096,
            exchanges_per_client: 128,
            staff_exchanges: 512,
            requests: 256,
            staff_requests: 64,
            watchers: 4096,
            staff_watchers: 512,
            // An office of 40, each with a browser's six pages of one order,
            // or an application that shows all orders of the day.
            watchers_per_client: 256,
            keep_alive: Duration::from_secs(15),
            readiness: Duration::from_secs(1),
        }
    }
}
