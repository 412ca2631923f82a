//! The last door before spans leave the process.
//!
//! The SDK writes errors into spans with all that their texts hold: a reason
//! that a kitchen gave, a flavour. And it names updates by their ids, in which
//! a client's idempotency key stands. None of that is for a trace store.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::trace::Status;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

/// The attributes of spans that may leave: names, ids of orders and
/// workflows, codes.
const ALLOWED: [&str; 13] = [
    "temporalWorkflowID",
    "temporalRunID",
    "temporalActivityID",
    "temporalActivityType",
    "http.request.method",
    "http.route",
    "http.response.status_code",
    "rpc.response.status_code",
    "request_id",
    "order_id",
    "level",
    "code.module.name",
    "target",
];

/// How often a collector that is away is spoken of.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// Lets out what may leave. A collector that does not take it is spoken of now
/// and then, whatever the number of batches.
pub(super) struct Discreet<E> {
    inner: E,
    lost: AtomicU64,
    said: Mutex<Option<Instant>>,
}

impl<E> Discreet<E> {
    pub(super) const fn new(inner: E) -> Self {
        Self {
            inner,
            lost: AtomicU64::new(0),
            said: Mutex::new(None),
        }
    }

    fn lost(&self, spans: u64, error: &dyn fmt::Display) {
        let lost = self.lost.fetch_add(spans, Ordering::Relaxed) + spans;
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_some_and(|at| at.elapsed() < SAY_EVERY) {
            return;
        }
        *said = Some(Instant::now());
        self.lost.store(0, Ordering::Relaxed);
        tracing::warn!(%error, spans = lost, "traces are being lost: the collector does not take them");
    }
}

impl<E> fmt::Debug for Discreet<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discreet").finish_non_exhaustive()
    }
}

impl<E: SpanExporter> SpanExporter for Discreet<E> {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        batch.iter_mut().for_each(silence);
        let spans = batch.len() as u64;
        if let Err(error) = self.inner.export(batch).await {
            self.lost(spans, &error);
        }
        // What was said once, the batches need not say again.
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

/// Takes out of a span what may not leave. That something failed stays.
fn silence(span: &mut SpanData) {
    span.attributes
        .retain(|attribute| ALLOWED.contains(&attribute.key.as_str()));
    for event in &mut span.events.events {
        event.attributes.clear();
    }
    if let Status::Error { description } = &mut span.status {
        *description = "".into();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use opentelemetry::KeyValue;
    use opentelemetry::trace::{Span, Tracer, TracerProvider};
    use opentelemetry_sdk::error::OTelSdkError;
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;

    /// Keeps what leaves, or takes nothing.
    #[derive(Clone, Debug, Default)]
    struct Collector {
        kept: Arc<Mutex<Vec<SpanData>>>,
        is_away: bool,
    }

    impl SpanExporter for Collector {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            if self.is_away {
                return Err(OTelSdkError::InternalFailure("away".to_owned()));
            }
            self.kept.lock().expect("no panic").extend(batch);
            Ok(())
        }
    }

    #[test]
    fn no_text_of_an_error_and_no_key_leaves_with_a_span() {
        let collector = Collector::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(Discreet::new(collector.clone()))
            .build();
        let mut span = provider.tracer("test").start("HandleUpdate:amendOrder");
        span.set_attribute(KeyValue::new("temporalWorkflowID", "order-7"));
        span.set_attribute(KeyValue::new("temporalUpdateID", "amend-secret"));
        span.add_event(
            "exception",
            vec![KeyValue::new("exception.message", "secret")],
        );
        span.set_status(Status::error("secret"));
        span.end();
        let spans = collector.kept.lock().expect("no panic");
        let all = format!("{spans:?}");
        assert!(!all.contains("secret"), "{all}");
        assert!(
            all.contains("order-7") && all.contains("exception"),
            "{all}"
        );
        assert_eq!(spans[0].status, Status::error(""));
    }

    #[tokio::test]
    async fn a_collector_that_is_away_is_spoken_of_once_in_a_while() {
        let exporter = Discreet::new(Collector {
            is_away: true,
            ..Collector::default()
        });
        for _ in 0..5 {
            exporter
                .export(Vec::new())
                .await
                .expect("nobody else says it");
        }
        exporter.lost(3, &"away");
        let first = *exporter.said.lock().expect("no panic");
        exporter.lost(4, &"away");
        assert_eq!(*exporter.said.lock().expect("no panic"), first);
        assert_eq!(exporter.lost.load(Ordering::Relaxed), 7, "told next time");
    }
}
