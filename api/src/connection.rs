//! One connection, and how long it may stay open.
//!
//! HTTP/1.1 and HTTP/2 without upgrade are told apart by their first bytes.
//! Nothing in that, nor in the protocols themselves, bounds the time that a
//! client may take, so each connection is watched from outside.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::iter::successors;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::{Body, Bytes};
use h2::Reason;
use http::{Extensions, HeaderValue, Request, StatusCode, Version, header};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use metrics::counter;
use pizza_contract::ErrorCode;
use pizza_store::meters;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::Limits;
use crate::client::Client;
use crate::places::{MOMENT, Place};
use crate::problem::Problem;
use crate::proxies::Peer;
use crate::tls::Tls;

/// How much of an answer an HTTP/2 client must take before it counts as
/// having taken something, in bytes: the size of its frames.
const PIECE_BYTES: usize = 16 * 1024;

/// How many local errors, each of which resets a stream, an HTTP/2 connection
/// may cause before it is ended.
const LOCAL_RESETS: usize = 100;

/// How many streams an HTTP/2 client may have reset that are not accepted yet.
const PENDING_RESETS: usize = 20;

/// What connections are served with.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) app: Router,
    pub(crate) limits: Limits,
    /// What connections are opened with; none for plain text.
    pub(crate) tls: Option<Tls>,
    /// Whether they are the gateway's, whose cut ones are counted.
    pub(crate) is_gateway: bool,
    /// Asks connections to finish what is under way.
    pub(crate) shutdown: CancellationToken,
    /// Ends them at once.
    pub(crate) cut: CancellationToken,
}

/// Whose requests a connection serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serves {
    /// Everybody's.
    All,
    /// Those with a known key, and probes: its address has as many other
    /// connections as one may have.
    KnownKeys,
    /// Those of staff, and probes: all connections for others are taken.
    Staff,
}

impl Serves {
    /// What the connection of a request is there for.
    #[must_use]
    pub fn of<B>(request: &Request<B>) -> Self {
        let serves = request.extensions().get().copied();
        serves.unwrap_or(Self::All)
    }

    /// Why a request of this client is not served, if it is not. Probes are
    /// for staff.
    #[must_use]
    pub fn refusal(self, client: &Client, is_for_staff: bool) -> Option<Problem> {
        match self {
            Self::KnownKeys if !is_for_staff && !client.has_known_key() => {
                let whose = client.told();
                Some(Problem::rate_limited("connections", whose, MOMENT))
            }
            Self::Staff if !is_for_staff => {
                let detail = "too many connections are open; try again in a moment";
                Some(Problem::new(ErrorCode::Overloaded, detail))
            }
            Self::All | Self::KnownKeys | Self::Staff => None,
        }
    }

    /// Whether a connection ends with an answer of this status. A client
    /// that is refused because of what others do, or for what it does itself,
    /// keeps no connection open; over HTTP/2, others of its requests may still
    /// be under way. The rest of a body that is late is not waited for.
    #[must_use]
    pub fn ends_with(self, status: StatusCode, version: Version, is_probe: bool) -> bool {
        let is_refusal = [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT];
        let is_refusal = is_refusal.contains(&status);
        match self {
            Self::All => version < Version::HTTP_2 && is_refusal,
            Self::KnownKeys | Self::Staff => {
                is_probe || is_refusal || status == StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }
}

/// Put on an answer, ends its connection after it. HTTP/2 then finishes the
/// requests that are under way.
#[derive(Clone, Copy, Debug)]
pub struct LastAnswer;

/// The place of an exchange: a request from the end of its header to the last
/// byte of its answer. Put on an answer, it is kept until the answer was taken,
/// as everything that is put on one.
#[derive(Clone, Debug)]
pub struct ExchangePlace(#[expect(dead_code, reason = "held to be dropped")] Arc<Place>);

impl From<Place> for ExchangePlace {
    fn from(place: Place) -> Self {
        Self(Arc::new(place))
    }
}

/// Serves one connection to its end: its own, its time's, or the gateway's.
pub(crate) async fn serve(stream: TcpStream, peer: Peer, serves: Serves, served: Served) {
    let is_gateway = served.is_gateway;
    match cut_for(stream, peer, serves, served).await {
        Some(reason) if is_gateway => {
            counter!(meters::CONNECTIONS_CUT.name, "reason" => reason).increment(1);
        }
        Some(reason) => tracing::debug!(reason, "a connection was cut"),
        None => {}
    }
}

/// Serves it, and returns why it was cut, if its client gave a reason to: a
/// label of [`meters::CONNECTIONS_CUT`].
async fn cut_for(
    stream: TcpStream,
    peer: Peer,
    serves: Serves,
    served: Served,
) -> Option<&'static str> {
    let watch = Arc::new(Watch::new(Instant::now()));
    let stream = WatchedStream {
        stream,
        watch: Arc::clone(&watch),
    };
    let Some(tls) = &served.tls else {
        return converse(stream, watch, peer, serves, served).await;
    };
    let opened = {
        let in_time = watch.accepted + served.limits.first_request;
        let mut opening = pin!(timeout_at(in_time, tls.open(stream)));
        // A handshake is no request: at the end of the gateway none is waited for.
        let opened = served.shutdown.run_until_cancelled(opening.as_mut()).await;
        if !matches!(opened, Some(Ok(_))) {
            watch.change(|usage| usage.is_cut = true);
        }
        opened
    };
    match opened {
        Some(Ok(Some(stream))) => converse(stream, watch, peer, serves, served).await,
        Some(Ok(None)) | None => None,
        Some(Err(_)) => Some("no-request"),
    }
}

async fn converse<S>(
    stream: S,
    watch: Arc<Watch>,
    peer: Peer,
    serves: Serves,
    served: Served,
) -> Option<&'static str>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Served {
        app,
        limits,
        shutdown,
        cut,
        is_gateway: _,
        tls: _,
    } = served;
    let io = TokioIo::new(stream);
    let requests = Arc::clone(&watch);
    let closing = Closing::default();
    let asked_to_close = closing.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(closing.clone());
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(serves);
        let version = request.version();
        let mut under_way = requests.request_began(version);
        let answer = app.clone().oneshot(request.map(Body::new));
        async move {
            let mut answer = answer.await?;
            under_way.is_answered = true;
            if answer.extensions_mut().remove::<LastAnswer>().is_some() {
                if version < Version::HTTP_2 {
                    let close = HeaderValue::from_static("close");
                    answer.headers_mut().insert(header::CONNECTION, close);
                }
                under_way.watch.change(|usage| usage.is_to_close = true);
            }
            let held = mem::take(answer.extensions_mut());
            Ok::<_, Infallible>(answer.map(|body| AnswerBody {
                body,
                rest: Bytes::new(),
                in_pieces: version >= Version::HTTP_2,
                request: under_way,
                _held: held,
            }))
        }
    });
    let protocol = protocol(&limits);
    let mut connection = pin!(protocol.serve_connection(io, service));
    let mut finish_by: Option<Instant> = None;
    let reason = loop {
        let was_asked = finish_by.is_some();
        tokio::select! {
            biased;
            () = cut.cancelled() => break None,
            // Errors here are the client's: it went away, or spoke no HTTP.
            ended = connection.as_mut() => return match ended {
                _ if watch.usage().is_given_up => Some("unread"),
                Err(error) if is_calmed(&*error) => Some("resets"),
                _ => None,
            },
            () = shutdown.cancelled(), if !was_asked => {}
            verdict = watch.verdict(&limits, finish_by) => match verdict {
                Verdict::Close => {}
                Verdict::Cut(reason) => break Some(reason),
            },
        }
        finish_by = Some(Instant::now() + limits.grace);
        asked_to_close.0.cancel();
        connection.as_mut().graceful_shutdown();
    };
    watch.change(|usage| usage.is_cut = true);
    reason
}

/// Whether HTTP/2 ended a connection whose client does much that comes to
/// nothing: that is seen there first where it does so all at once.
fn is_calmed(error: &(dyn Error + 'static)) -> bool {
    let mut causes = successors(Some(error), |&error| error.source());
    causes.any(|cause| {
        let cause = cause.downcast_ref::<h2::Error>();
        cause.is_some_and(|it| it.is_library() && it.reason() == Some(Reason::ENHANCE_YOUR_CALM))
    })
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
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_local_error_reset_streams(LOCAL_RESETS)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX));
    builder
}

/// What is to become of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Let it finish what is under way.
    Close,
    /// End it now, for this reason, a label of [`meters::CONNECTIONS_CUT`].
    Cut(&'static str),
}

/// What a connection is used for right now.
pub(crate) struct Watch {
    accepted: Instant,
    usage: Mutex<Usage>,
    changed: Notify,
}

struct Usage {
    /// The protocol of the first request, once there was one.
    version: Option<Version>,
    /// The requests under way, by number, and since when the client has been
    /// owed a piece of the answer that it does not take.
    under_way: BTreeMap<u64, Option<Instant>>,
    requests: u64,
    idle_since: Instant,
    /// When the first byte of an HTTP/1 header came that is not complete yet.
    header_since: Option<Instant>,
    /// Since when the network has taken nothing of what is to be sent.
    blocked_since: Option<Instant>,
    /// Requests that the client gave up before they were answered, less those
    /// that it waited for.
    given_up: u32,
    /// Whether an answer was to be the last one.
    is_to_close: bool,
    /// Whether the kernel ended it, since the client took nothing.
    is_given_up: bool,
    /// Whether it is not let end, but cut.
    is_cut: bool,
}

impl Watch {
    fn new(accepted: Instant) -> Self {
        Self {
            accepted,
            usage: Mutex::new(Usage {
                version: None,
                under_way: BTreeMap::new(),
                requests: 0,
                idle_since: accepted,
                header_since: None,
                blocked_since: None,
                given_up: 0,
                is_to_close: false,
                is_given_up: false,
                is_cut: false,
            }),
            changed: Notify::new(),
        }
    }

    /// The usage. A panic cannot leave it half changed.
    fn usage(&self) -> MutexGuard<'_, Usage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Usage) -> T) -> T {
        let changed = change(&mut self.usage());
        self.changed.notify_one();
        changed
    }

    fn request_began(self: &Arc<Self>, version: Version) -> RequestUnderWay {
        let number = self.change(|usage| {
            usage.version = Some(version);
            usage.header_since = None;
            usage.requests += 1;
            usage.under_way.insert(usage.requests, None);
            usage.requests
        });
        RequestUnderWay {
            watch: Arc::clone(self),
            number,
            is_answered: false,
        }
    }

    fn bytes_came(&self) {
        self.change(|usage| {
            let http1 = usage
                .version
                .is_some_and(|version| version < Version::HTTP_2);
            if http1 && usage.under_way.is_empty() {
                usage.header_since.get_or_insert_with(Instant::now);
            }
        });
    }

    /// Notes whether the network took anything of what was to be sent.
    fn wrote(&self, is_blocked: bool) {
        let was_blocked = self.usage().blocked_since.is_some();
        if was_blocked != is_blocked {
            self.change(|usage| usage.blocked_since = is_blocked.then(Instant::now));
        }
    }

    /// What came of reading or writing. Notes when the kernel has given the
    /// client up.
    fn noted<T>(&self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &result {
            let is_given_up = error.kind() == io::ErrorKind::TimedOut;
            self.change(|usage| usage.is_given_up |= is_given_up);
        }
        result
    }

    /// Waits until the connection has outlived one of its limits.
    async fn verdict(&self, limits: &Limits, finish_by: Option<Instant>) -> Verdict {
        loop {
            let (at, verdict) = match finish_by {
                Some(at) => (at, Verdict::Cut("grace")),
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
        let usage = self.usage();
        let phase = if usage.version.is_none() {
            Some((
                self.accepted + limits.first_request,
                Verdict::Cut("no-request"),
            ))
        } else if let Some(since) = usage.header_since {
            Some((since + limits.header_read, Verdict::Cut("slow-header")))
        } else if usage.under_way.is_empty() {
            Some((usage.idle_since + limits.idle, Verdict::Close))
        } else {
            None
        };
        let untaken = usage.under_way.values().flatten().copied();
        let untaken = untaken.chain(usage.blocked_since).min();
        let untaken = untaken.map(|since| (since + limits.unread, Verdict::Cut("unread")));
        let at_once = self.accepted;
        let resets = (at_once, Verdict::Cut("resets"));
        let resets = (usage.given_up > limits.given_up).then_some(resets);
        let asked = usage.is_to_close.then_some((at_once, Verdict::Close));
        let aged = (self.accepted + limits.connection_age, Verdict::Close);
        let others = [phase, untaken, asked, resets];
        others.into_iter().flatten().fold(
            aged,
            |first, other| if other.0 < first.0 { other } else { first },
        )
    }
}

/// A request from the end of its header to the end of its answer.
struct RequestUnderWay {
    watch: Arc<Watch>,
    number: u64,
    is_answered: bool,
}

impl RequestUnderWay {
    /// Notes whether the client is owed a piece of the answer from now on.
    fn owes(&self, is_owed: bool) {
        // A change wakes the connection, which asks its answers for more. One
        // that has nothing new must not wake it again, or both never rest.
        if is_owed || self.is_owing() {
            let since = is_owed.then(Instant::now);
            self.watch
                .change(|usage| usage.under_way.insert(self.number, since));
        }
    }

    fn is_owing(&self) -> bool {
        let usage = self.watch.usage();
        usage
            .under_way
            .get(&self.number)
            .is_some_and(Option::is_some)
    }
}

impl Drop for RequestUnderWay {
    fn drop(&mut self) {
        self.watch.change(|usage| {
            usage.under_way.remove(&self.number);
            usage.idle_since = Instant::now();
            usage.given_up = match self.is_answered {
                true => usage.given_up.saturating_sub(1),
                false => usage.given_up.saturating_add(1),
            };
        });
    }
}

/// An answer's body, which ends its request when it is dropped.
///
/// An HTTP/2 client says how much it takes, and hyper takes a piece of the
/// body as soon as the client takes a single byte of the piece before: what is
/// left of that one is kept, and nobody is told. So the body is handed over in
/// small pieces, of which the last is one byte: once that is asked for, all
/// the rest was taken.
struct AnswerBody {
    body: Body,
    /// What the body gave and was not handed over yet.
    rest: Bytes,
    in_pieces: bool,
    request: RequestUnderWay,
    /// What the answer holds, such as places.
    _held: Extensions,
}

impl AnswerBody {
    /// The next piece to hand over.
    fn piece(&mut self) -> Option<Bytes> {
        let length = match self.rest.len() {
            0 => return None,
            1 => 1,
            more if self.in_pieces => (more - 1).min(PIECE_BYTES),
            all => all,
        };
        Some(self.rest.split_to(length))
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            self.request.owes(false);
            match ready!(Pin::new(&mut self.body).poll_frame(cx)?) {
                Some(frame) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                None => return Poll::Ready(None),
            }
        }
        let piece = self.piece().unwrap_or_default();
        self.request.owes(true);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let of_body = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(of_body.lower() + rest);
        if let Some(upper) = of_body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

/// A stream that says when bytes come, and when none can be sent.
pub(crate) struct WatchedStream {
    pub(crate) stream: TcpStream,
    watch: Arc<Watch>,
}

/// One that was cut leaves nothing behind: what is not delivered is discarded,
/// and the client gets a reset. After a plain close, the kernel would go on with it.
impl Drop for WatchedStream {
    fn drop(&mut self) {
        if self.watch.usage().is_cut {
            // It fails where there is no connection any more.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for WatchedStream {
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
        self.watch.noted(read)
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buffer);
        self.watch.wrote(written.is_pending());
        self.watch.noted(written)
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
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, buffers);
        self.watch.wrote(written.is_pending());
        self.watch.noted(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;
    use futures::future::poll_fn;
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpSocket};
    use tokio::time::timeout;

    use super::*;
    use crate::listener::give_up_after;

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
        assert_eq!(watch.deadline(&limits()), at(5, Verdict::Cut("no-request")));
        let request = watch.request_began(Version::HTTP_11);
        assert_eq!(watch.deadline(&limits()), at(600, Verdict::Close));
        drop(request);
        watch.change(|usage| usage.idle_since = start + seconds(10));
        assert_eq!(watch.deadline(&limits()), at(70, Verdict::Close));
        watch.bytes_came();
        watch.change(|usage| usage.header_since = usage.header_since.map(|_| start + seconds(20)));
        watch.bytes_came();
        assert_eq!(
            watch.deadline(&limits()),
            at(24, Verdict::Cut("slow-header"))
        );
        let request = watch.request_began(Version::HTTP_11);
        assert_eq!(watch.deadline(&limits()), at(600, Verdict::Close));
        drop(request);
        watch.change(|usage| usage.idle_since = start + seconds(590));
        assert_eq!(watch.deadline(&limits()), at(600, Verdict::Close));
    }

    #[test]
    fn an_answer_that_waits_for_news_leaves_its_connection_alone() {
        let watch = Arc::new(Watch::new(Instant::now()));
        let request = watch.request_began(Version::HTTP_11);
        let is_woken = || watch.changed.notified().now_or_never().is_some();
        request.owes(true);
        assert!(is_woken());
        request.owes(false);
        assert!(is_woken());
        request.owes(false);
        assert!(!is_woken());
    }

    #[test]
    fn pings_on_an_idle_http2_connection_are_no_header() {
        let watch = Arc::new(Watch::new(Instant::now()));
        drop(watch.request_began(Version::HTTP_2));
        let before = watch.deadline(&limits());
        watch.bytes_came();
        assert_eq!(watch.deadline(&limits()), before);
    }

    fn verdict(watch: &Watch) -> Verdict {
        watch.deadline(&limits()).1
    }

    #[test]
    fn an_answer_that_is_not_taken_ends_its_connection() {
        let watch = Arc::new(Watch::new(Instant::now()));
        let stuck = watch.request_began(Version::HTTP_2);
        let other = watch.request_began(Version::HTTP_2);
        stuck.owes(true);
        for _ in 0..3 {
            other.owes(true);
            other.owes(false);
        }
        assert_eq!(verdict(&watch), Verdict::Cut("unread"));
        stuck.owes(false);
        assert_eq!(verdict(&watch), Verdict::Close);
        watch.wrote(true);
        assert_eq!(verdict(&watch), Verdict::Cut("unread"));
        watch.wrote(false);
        assert_eq!(verdict(&watch), Verdict::Close);
    }

    /// Why the connection of a client was cut that says this and reads nothing.
    async fn cut(said: &[u8]) -> Option<&'static str> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a size");
        let address = listener.local_addr().expect("an address");
        let (client, accepted) = tokio::join!(socket.connect(address), listener.accept());
        let mut client = client.expect("a connection");
        client.write_all(said).await.expect("sent");
        let (stream, peer) = accepted.expect("a connection");
        let limits = Limits {
            first_request: Duration::from_millis(400),
            unread: Duration::from_millis(400),
            ..limits()
        };
        give_up_after(&stream, limits.unread);
        let served = Served {
            app: Router::new().fallback(|| async { vec![b'a'; 100_000] }),
            limits,
            tls: None,
            is_gateway: false,
            shutdown: CancellationToken::new(),
            cut: CancellationToken::new(),
        };
        let end = cut_for(stream, Peer(peer), Serves::All, served);
        timeout(seconds(60), end).await.expect("an end")
    }

    #[tokio::test]
    async fn a_connection_that_is_cut_says_why_whatever_notices_first() {
        assert_eq!(cut(b"GET / HTTP/1.1\r\n").await, Some("no-request"));
        let bad = "GET /\r\n\r\n".as_bytes();
        assert_eq!(cut(bad).await, None, "it ends with an answer");
        // The kernel: the gateway itself has sent all of the answer.
        #[cfg(target_os = "linux")]
        assert_eq!(
            cut(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await,
            Some("unread")
        );
        // HTTP/2: the requests are given up before they begin.
        let mut storm = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
        for stream in (1..100).step_by(2) {
            let header = b"\x82\x86\x84\x01\x01a";
            storm.extend([0, 0, 6, 1, 5, 0, 0, 0, stream]);
            storm.extend(header);
            storm.extend([0, 0, 4, 3, 0, 0, 0, 0, stream, 0, 0, 0, 8]);
        }
        assert_eq!(cut(&storm).await, Some("resets"));
    }

    #[test]
    fn a_client_that_gives_up_more_than_it_waits_for_loses_its_connection() {
        let watch = Arc::new(Watch::new(Instant::now()));
        let waited = || {
            let mut request = watch.request_began(Version::HTTP_2);
            request.is_answered = true;
        };
        for _ in 0..100 {
            drop(watch.request_began(Version::HTTP_2));
            drop(watch.request_began(Version::HTTP_2));
            waited();
        }
        assert_eq!(verdict(&watch), Verdict::Close, "as many as are allowed");
        drop(watch.request_began(Version::HTTP_2));
        assert_eq!(verdict(&watch), Verdict::Cut("resets"));
    }

    #[test]
    fn the_last_piece_of_an_http2_answer_is_one_byte() {
        let pieces = |in_pieces| {
            let watch = Arc::new(Watch::new(Instant::now()));
            let mut answer = AnswerBody {
                body: Body::from(vec![b'a'; 40_000]),
                rest: Bytes::new(),
                in_pieces,
                request: watch.request_began(Version::HTTP_2),
                _held: Extensions::new(),
            };
            assert_eq!(answer.size_hint().exact(), Some(40_000));
            let mut pieces = Vec::new();
            while !answer.is_end_stream() {
                let frame = poll_fn(|cx| Pin::new(&mut answer).poll_frame(cx));
                let frame = frame.now_or_never().flatten().expect("a piece");
                let piece = frame.expect("no error").into_data().expect("data");
                pieces.push(piece.len());
            }
            pieces
        };
        assert_eq!(pieces(true), [16_384, 16_384, 7_231, 1]);
        assert_eq!(pieces(false), [40_000]);
    }
}
