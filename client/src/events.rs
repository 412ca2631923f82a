//! An order's changes, as server-sent events.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use pizza_contract::OrderChange;
use pizza_domain::OrderId;
use reqwest::{Method, Response, StatusCode};
use sse_stream::{Sse, SseByteStream};
use tokio::time::timeout;

use crate::error::{CallError, Problem};
use crate::gateway::Gateway;

/// How long a stream may last. Longer than any is watched.
const STREAM_LIMIT: Duration = Duration::from_secs(24 * 3600);

/// How long a stream may be silent: three times as long as the gateway keeps
/// silent.
const SILENCE: Duration = Duration::from_secs(45);

/// Changes, as they come.
pub struct Changes(BoxStream<'static, Result<Sse, sse_stream::Error>>);

impl Changes {
    /// The next change; none when the stream has ended or is broken off.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn next(&mut self) -> Result<Option<OrderChange>, CallError> {
        while let Some(Ok(event)) = self.0.next().await {
            // A later gateway may tell of other things, too.
            if let (Some("change"), Some(data)) = (event.event.as_deref(), event.data) {
                return Ok(Some(serde_json::from_str(&data)?));
            }
        }
        Ok(None)
    }
}

impl Gateway {
    /// The changes of an order after a version; none when it had ended by
    /// then.
    ///
    /// # Errors
    /// When the gateway cannot be asked, or refuses.
    pub async fn changes(&self, id: OrderId, after: i64) -> Result<Option<Changes>, CallError> {
        let path = ["orders", &id.to_string(), "events"];
        let request = self
            .request(Method::GET, &path)?
            .header("last-event-id", after)
            .timeout(STREAM_LIMIT);
        let response = self.send(request).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NO_CONTENT => return Ok(None),
            _ => return Err(self.refusal(Problem::of(response).await)),
        }
        let events = SseByteStream::new(bytes(response).boxed());
        Ok(Some(Changes(events.boxed())))
    }
}

/// An answer's bytes, as long as some come.
fn bytes(response: Response) -> impl Stream<Item = io::Result<Bytes>> {
    stream::unfold(response, async |mut response| {
        let chunk = match timeout(SILENCE, response.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk?),
            Ok(Err(error)) => Err(io::Error::other(error)),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        Some((chunk, response))
    })
}
