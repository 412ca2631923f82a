//! One connection, and how long it may stay open.
//!
//! HTTP/1.1 and HTTP/2 without upgrade are told apart by their first bytes.
//! Nothing in that, nor in the protocols themselves, bounds the time that a
//! client may take, so each connection is watched from outside.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use http::{Request, Version};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::Limits;
use crate::proxies::Peer;
use crate::tls::Tls;

/// What connections are served with.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) app: Router,
    pub(crate) limits: Limits,
    /// What connections are opened with; none for plain text.
    pub(crate) tls: Option<Tls>,
    /// Asks connections to finish what is under way.
    pub(crate) shutdown: CancellationToken,
    /// Ends them at once.
    pub(crate) cut: CancellationToken,
}

/// Serves one connection to its end: its own, its time's, or the gateway's.
pub(crate) async fn serve(stream: TcpStream, peer: Peer, served: Served) {
    let accepted = Instant::now();
    let Some(tls) = &served.tls else {
        return converse(stream, peer, accepted, served).await;
    };
    // A handshake is no request: at the end of the gateway none is waited for.
    let opened = tls.open(stream);
    let opened = timeout_at(accepted + served.limits.first_request, opened);
    let opened = served.shutdown.run_until_cancelled(opened).await;
    if let Some(Ok(Some(stream))) = opened {
        converse(stream, peer, accepted, served).await;
    }
}

async fn converse<S>(stream: S, peer: Peer, accepted: Instant, served: Served)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Served {
        app,
        limits,
        shutdown,
        cut,
        tls: _,
    } = served;
    let watch = Arc::new(Watch::new(accepted));
    let io = TokioIo::new(WatchedStream {
        stream,
        watch: Arc::clone(&watch),
    });
    let requests = Arc::clone(&watch);
    let closing = Closing::default();
    let asked_to_close = closing.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(closing.clone());
        request.extensions_mut().insert(peer);
        let usage = requests.request_began(request.version());
        let answer = app.clone().oneshot(request.map(Body::new));
        async move {
            let answer = answer.await?;
            Ok::<_, Infallible>(answer.map(|body| UsedBody {
                body,
                _usage: usage,
            }))
        }
    });
    let protocol = protocol(&limits);
    let mut connection = pin!(protocol.serve_connection(io, service));
    let mut finish_by: Option<Instant> = None;
    loop {
        let was_asked = finish_by.is_some();
        tokio::select! {
            biased;
            () = cut.cancelled() => return,
            // Errors here are the client's: it went away, or spoke no HTTP.
            _ = connection.as_mut() => return,
            () = shutdown.cancelled(), if !was_asked => {}
            verdict = watch.verdict(&limits, finish_by) => match verdict {
                Verdict::Close => {}
                Verdict::Cut => return,
            },
        }
        finish_by = Some(Instant::now() + limits.grace);
        asked_to_close.0.cancel();
        connection.as_mut().graceful_shutdown();
    }
}

/// Says when a request's connection was asked to close: whatever would go on
/// without end ends then.
#[derive(Clone, Debug, Default)]
pub(crate) struct Closing(CancellationToken);

impl Closing {
    /// Waits until it was.
    pub(crate) async fn asked(self) {
        self.0.cancelled_owned().await;
    }
}

fn protocol(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // It would also run while a kept connection is idle: see `Watch`.
        .header_read_timeout(None)
        .max_buf_size(limits.header_bytes.max(8192));
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.ping_interval)
        .keep_alive_timeout(limits.ping_timeout)
        .max_concurrent_streams(limits.streams_per_connection)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX));
    builder
}

/// What is to become of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Let it finish what is under way.
    Close,
    /// End it now.
    Cut,
}

/// What a connection is used for right now.
struct Watch {
    accepted: Instant,
    usage: Mutex<Usage>,
    changed: Notify,
}

struct Usage {
    /// The protocol of the first request, once there was one.
    version: Option<Version>,
    requests_under_way: usize,
    idle_since: Instant,
    /// When the first byte of an HTTP/1 header came that is not complete yet.
    header_since: Option<Instant>,
}

impl Watch {
    fn new(accepted: Instant) -> Self {
        Self {
            accepted,
            usage: Mutex::new(Usage {
                version: None,
                requests_under_way: 0,
                idle_since: accepted,
                header_since: None,
            }),
            changed: Notify::new(),
        }
    }

    /// Changes the usage. A panic cannot leave it half changed.
    fn change(&self, change: impl FnOnce(&mut Usage)) {
        change(&mut self.usage.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_one();
    }

    fn request_began(self: &Arc<Self>, version: Version) -> RequestUnderWay {
        self.change(|usage| {
            usage.version = Some(version);
            usage.requests_under_way += 1;
            usage.header_since = None;
        });
        RequestUnderWay(Arc::clone(self))
    }

    fn bytes_came(&self) {
        self.change(|usage| {
            let http1 = usage
                .version
                .is_some_and(|version| version < Version::HTTP_2);
            if http1 && usage.requests_under_way == 0 {
                usage.header_since.get_or_insert_with(Instant::now);
            }
        });
    }

    /// Waits until the connection has outlived one of its limits.
    async fn verdict(&self, limits: &Limits, finish_by: Option<Instant>) -> Verdict {
        loop {
            let (at, verdict) = match finish_by {
                Some(at) => (at, Verdict::Cut),
                None => self.deadline(limits),
            };
            tokio::select! {
                () = sleep_until(at) => return verdict,
                () = self.changed.notified() => {}
            }
        }
    }

    /// The next moment at which something is overdue, as things stand.
    fn deadline(&self, limits: &Limits) -> (Instant, Verdict) {
        let usage = self.usage.lock().unwrap_or_else(PoisonError::into_inner);
        let aged = (self.accepted + limits.connection_age, Verdict::Close);
        let waiting = if usage.version.is_none() {
            Some((self.accepted + limits.first_request, Verdict::Cut))
        } else if let Some(since) = usage.header_since {
            Some((since + limits.header_read, Verdict::Cut))
        } else if usage.requests_under_way == 0 {
            Some((usage.idle_since + limits.idle, Verdict::Close))
        } else {
            None
        };
        waiting.map_or(
            aged,
            |waiting| if waiting.0 < aged.0 { waiting } else { aged },
        )
    }
}

/// A request from the end of its header to the end of its answer.
struct RequestUnderWay(Arc<Watch>);

impl Drop for RequestUnderWay {
    fn drop(&mut self) {
        self.0.change(|usage| {
            usage.requests_under_way -= 1;
            usage.idle_since = Instant::now();
        });
    }
}

/// An answer's body, which ends its request when it is dropped.
struct UsedBody {
    body: Body,
    _usage: RequestUnderWay,
}

impl HttpBody for UsedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that says when bytes come.
struct WatchedStream<S> {
    stream: S,
    watch: Arc<Watch>,
}

impl<S: AsyncRead + Unpin> AsyncRead for WatchedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.watch.bytes_came();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WatchedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn limits() -> Limits {
        Limits {
            first_request: Duration::from_secs(5),
            header_read: Duration::from_secs(4),
            idle: Duration::from_secs(60),
            connection_age: Duration::from_secs(600),
            ..Limits::default()
        }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_connection_is_watched_in_each_of_its_phases() {
        let watch = Arc::new(Watch::new(Instant::now()));
        let start = watch.accepted;
        let at = |after: u64, verdict| (start + seconds(after), verdict);
        assert_eq!(watch.deadline(&limits()), at(5, Verdict::Cut));
        let request = watch.request_began(Version::HTTP_11);
        assert_eq!(watch.deadline(&limits()), at(600, Verdict::Close));
        drop(request);
        watch.change(|usage| usage.idle_since = start + seconds(10));
        assert_eq!(watch.deadline(&limits()), at(70, Verdict::Close));
        watch.bytes_came();
        watch.change(|usage| usage.header_since = usage.header_since.map(|_| start + seconds(20)));
        watch.bytes_came();
        assert_eq!(watch.deadline(&limits()), at(24, Verdict::Cut));
        let request = watch.request_began(Version::HTTP_11);
        assert_eq!(watch.deadline(&limits()), at(600, Verdict::Close));
        drop(request);
        watch.change(|usage| usage.idle_since = start + seconds(590));
        assert_eq!(watch.deadline(&limits()), at(600, Verdict::Close));
    }

    #[test]
    fn pings_on_an_idle_http2_connection_are_no_header() {
        let watch = Arc::new(Watch::new(Instant::now()));
        drop(watch.request_began(Version::HTTP_2));
        let before = watch.deadline(&limits());
        watch.bytes_came();
        assert_eq!(watch.deadline(&limits()), before);
    }
}
