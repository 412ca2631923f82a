//! What ties a request to the trace that it belongs to.
//!
//! A client may bring a trace along (W3C Trace Context, `traceparent`), and is
//! told which one its request became part of (`traceresponse`, of the second
//! level of that standard). Nothing else is taken from it: neither vendors'
//! states nor baggage travel on to workflows, whose headers are kept for long.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::global;
use opentelemetry::propagation::Extractor;
use opentelemetry::trace::TraceContextExt;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

const TRACEPARENT: &str = "traceparent";
const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// Lets a request's span, which has not begun, go on with the trace that the
/// client brought.
pub(crate) fn go_on(span: &Span, headers: &HeaderMap) {
    let brought = global::get_text_map_propagator(|standard| standard.extract(&Parent(headers)));
    if brought.span().span_context().is_valid() {
        // Refused only for a span that has begun.
        let _ = span.set_parent(brought);
    }
}

/// Tells the client which trace its request is part of, when there is one.
pub(crate) fn tell(headers: &mut HeaderMap) {
    let context = Span::current().context();
    let span = context.span();
    let here = span.span_context();
    if !here.is_valid() {
        return;
    }
    let told = format!(
        "00-{}-{}-{:02x}",
        here.trace_id(),
        here.span_id(),
        here.trace_flags()
    );
    if let Ok(told) = HeaderValue::from_str(&told) {
        headers.insert(TRACERESPONSE, told);
    }
}

/// The one header that is looked at.
struct Parent<'a>(&'a HeaderMap);

impl Extractor for Parent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT)
            .then(|| self.0.get(key)?.to_str().ok())
            .flatten()
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}
