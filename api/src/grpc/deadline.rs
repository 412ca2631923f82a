//! The deadline that a caller sets with `grpc-timeout`. What is under way when
//! it passes is given up: nothing that was not sent by then is sent later.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::stream;
use http::HeaderMap;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body as _, Frame};
use pizza_contract::ErrorCode;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::status;
use crate::problem::Problem;
use crate::request::ArrivedAt;

/// The name of the header.
const TIMEOUT: &str = "grpc-timeout";
/// The most digits that it has.
const DIGITS: usize = 8;

/// Answers a call until its caller's deadline, and then with that it passed.
pub(super) async fn obeyed(request: Request, next: Next) -> Response {
    let arrived = request.extensions().get::<ArrivedAt>();
    let arrived = arrived.map_or_else(Instant::now, |it| Instant::from_std(it.0));
    let limit = match timeout(request.headers()) {
        Ok(limit) => limit,
        Err(problem) => return problem.into_response(),
    };
    // A deadline that no clock shows is none.
    let Some(deadline) = limit.and_then(|limit| arrived.checked_add(limit)) else {
        return next.run(request).await;
    };
    // A timer rounds up: by itself it would let a call of no time begin.
    if deadline <= Instant::now() {
        return passed().into_response();
    }
    tokio::select! {
        // First, so that nothing begins once it has passed.
        biased;
        () = sleep_until(deadline) => passed().into_response(),
        response = next.run(request) => response.map(|body| bounded(body, deadline)),
    }
}

fn passed() -> Problem {
    let detail = format!("the call was not complete within its {TIMEOUT}");
    Problem::new(ErrorCode::RequestTimeout, detail)
}

/// How long a call may take; none where its caller does not say.
///
/// # Errors
/// When what it says is none: up to 8 digits and a unit, once.
fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Problem> {
    let mut given = headers.get_all(TIMEOUT).iter();
    let Some(text) = given.next() else {
        return Ok(None);
    };
    let only = given.next().is_none();
    let read = text.to_str().ok().filter(|_| only).and_then(read);
    read.map(Some).ok_or_else(|| {
        let detail = format!("{TIMEOUT} must be 1 to {DIGITS} digits and one of H, M, S, m, u, n");
        Problem::new(ErrorCode::InvalidRequest, detail).field(TIMEOUT)
    })
}

fn read(text: &str) -> Option<Duration> {
    let unit = text.chars().next_back()?;
    let digits = text.strip_suffix(unit)?;
    let fits = (1..=DIGITS).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit());
    let number: u64 = digits.parse().ok().filter(|_| fits)?;
    match unit {
        'H' => Some(Duration::from_secs(number * 3600)),
        'M' => Some(Duration::from_secs(number * 60)),
        'S' => Some(Duration::from_secs(number)),
        'm' => Some(Duration::from_millis(number)),
        'u' => Some(Duration::from_micros(number)),
        'n' => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// The body of an answer, a stream perhaps, which ends at the deadline.
fn bounded(body: Body, deadline: Instant) -> Body {
    // Its status stands in the header.
    if body.is_end_stream() {
        return body;
    }
    let frames = stream::unfold(Some(body), move |body| async move {
        let mut body = body?;
        // What is there already is what was asked for.
        if let Ok(frame) = timeout_at(deadline, body.frame()).await {
            return Some((frame?, Some(body)));
        }
        let mut trailers = HeaderMap::new();
        status::of(&passed()).add_header(&mut trailers).ok()?;
        Some((Ok(Frame::trailers(trailers)), None))
    });
    Body::new(StreamBody::new(frames))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use axum::Router;
    use axum::middleware::from_fn;
    use axum::routing::any;
    use tokio::sync::Notify;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn nothing_begins_or_goes_on_after_the_deadline() {
        for (timeout, waited, is_open, begun, done) in [
            ("0n", 0, true, 0, 0),
            // Its body came too late.
            ("50m", 1, true, 0, 0),
            ("50m", 0, false, 1, 0),
            ("1H", 1, true, 1, 1),
        ] {
            let steps: [Arc<AtomicU32>; 2] = Default::default();
            let [began, ended] = steps.clone();
            let gate = Arc::new(Notify::new());
            let at_gate = Arc::clone(&gate);
            let handler = async move || {
                began.fetch_add(1, Ordering::SeqCst);
                at_gate.notified().await;
                ended.fetch_add(1, Ordering::SeqCst);
            };
            if is_open {
                gate.notify_one();
            }
            let service = Router::new()
                .route("/", any(handler))
                .layer(from_fn(obeyed));
            let now = std::time::Instant::now();
            let arrived = now.checked_sub(Duration::from_secs(waited));
            let request = Request::builder()
                .header(TIMEOUT, timeout)
                .extension(ArrivedAt(arrived.expect("a time")));
            let request = request.body(Body::empty()).expect("a request");
            let answer = service.oneshot(request).await.expect("an answer");
            // Whatever still waited would go on now.
            gate.notify_one();
            tokio::task::yield_now().await;
            let counted = steps.map(|it| it.load(Ordering::SeqCst));
            assert_eq!(counted, [begun, done], "{timeout}");
            assert_eq!(answer.status().is_success(), done == 1, "{timeout}");
        }
    }

    #[test]
    fn a_timeout_is_up_to_eight_digits_and_a_unit() {
        for (text, expected) in [
            ("1H", Duration::from_secs(3600)),
            ("2M", Duration::from_secs(120)),
            ("3S", Duration::from_secs(3)),
            ("4m", Duration::from_millis(4)),
            ("5u", Duration::from_micros(5)),
            ("00000006n", Duration::from_nanos(6)),
            ("0m", Duration::ZERO),
            ("99999999H", Duration::from_secs(99_999_999 * 3600)),
        ] {
            assert_eq!(read(text), Some(expected), "{text}");
        }
        for bad in [
            "",
            "S",
            "5",
            "5s",
            "5h",
            "-1S",
            "+1S",
            "1.5S",
            "123456789S",
            " 1S",
            "1 S",
            "1SS",
            "٣S",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_timeout_is_given_once() {
        let mut headers = HeaderMap::new();
        assert_eq!(timeout(&headers).ok(), Some(None));
        headers.append(TIMEOUT, "1S".parse().expect("a value"));
        assert_eq!(timeout(&headers).ok(), Some(Some(Duration::from_secs(1))));
        headers.append(TIMEOUT, "1S".parse().expect("a value"));
        let refused = timeout(&headers).expect_err("twice");
        assert_eq!(refused.field.as_deref(), Some(TIMEOUT));
    }
}
