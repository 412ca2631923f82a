//! A collector of traces, as OTLP describes one.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span as OtlpSpan;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// A span that was collected.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) service: String,
    /// What its process tells of itself.
    pub(super) resource: String,
    pub(super) id: String,
    /// Empty for one that begins a trace.
    pub(super) parent: String,
    pub(super) name: String,
    pub(super) started_at: u64,
    pub(super) milliseconds: f64,
    pub(super) has_failed: bool,
    /// All of it, as it came.
    pub(super) whole: String,
}

/// Takes what is sent, for as long as the tests run.
pub(super) struct Collector {
    url: String,
    spans: Spans,
}

type Spans = Arc<Mutex<HashMap<String, Vec<Span>>>>;

impl Collector {
    /// The collector of this run. It has a thread of its own, since each test
    /// takes its runtime with it.
    pub(super) fn shared() -> &'static Self {
        static SHARED: OnceLock<Collector> = OnceLock::new();
        SHARED.get_or_init(|| {
            let spans = Spans::default();
            let service = TraceServiceServer::new(Receiver(Arc::clone(&spans)));
            let (tell, told) = std::sync::mpsc::channel();
            thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime");
                runtime.block_on(async move {
                    let any = "127.0.0.1:0".parse().expect("an address");
                    let incoming = TcpIncoming::bind(any).expect("a port");
                    tell.send(incoming.local_addr().expect("an address"))
                        .expect("somebody waits");
                    Server::builder()
                        .add_service(service)
                        .serve_with_incoming(incoming)
                        .await
                        .expect("served");
                });
            });
            let address = told.recv().expect("an address");
            Self {
                url: format!("http://{address}"),
                spans,
            }
        })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The spans of a trace that came so far, by their start.
    pub(super) fn trace(&self, id: &str) -> Trace {
        let spans = self.spans.lock().expect("no panic");
        let mut spans = spans.get(id).cloned().unwrap_or_default();
        spans.sort_by_key(|span| span.started_at);
        Trace(spans)
    }

    /// All traces.
    pub(super) fn all(&self) -> Vec<Trace> {
        let spans = self.spans.lock().expect("no panic");
        spans.values().cloned().map(Trace).collect()
    }
}

struct Receiver(Spans);

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut spans = self.0.lock().expect("no panic");
        for of_resource in request.into_inner().resource_spans {
            let resource = format!("{:?}", of_resource.resource);
            let service = ["pizza-gateway", "pizza-worker"]
                .into_iter()
                .find(|name| resource.contains(name))
                .unwrap_or("unknown");
            for span in of_resource.scope_spans.into_iter().flat_map(|it| it.spans) {
                let trace = hex(&span.trace_id);
                spans
                    .entry(trace)
                    .or_default()
                    .push(read(service, &resource, span));
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn read(service: &str, resource: &str, span: OtlpSpan) -> Span {
    #[allow(clippy::cast_precision_loss, reason = "nobody reads that closely")]
    let milliseconds = span
        .end_time_unix_nano
        .saturating_sub(span.start_time_unix_nano) as f64
        / 1e6;
    Span {
        service: service.to_owned(),
        resource: resource.to_owned(),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        started_at: span.start_time_unix_nano,
        milliseconds,
        has_failed: span.status.as_ref().is_some_and(|status| status.code == 2),
        whole: format!("{span:?}"),
        name: span.name,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The spans of a trace.
#[derive(Debug)]
pub(super) struct Trace(pub(super) Vec<Span>);

impl Trace {
    pub(super) fn count(&self, name: &str) -> usize {
        self.0.iter().filter(|span| span.name == name).count()
    }

    /// The spans whose parent is this one.
    pub(super) fn children<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a Span> {
        self.0.iter().filter(move |span| span.parent == id)
    }

    /// The spans whose parent is not among them.
    pub(super) fn roots(&self) -> Vec<&Span> {
        let is_known = |id: &str| self.0.iter().any(|span| span.id == id);
        self.0
            .iter()
            .filter(|span| !is_known(&span.parent))
            .collect()
    }

    /// As a tree, a line for each span.
    pub(super) fn drawn(&self) -> String {
        let mut tree = String::new();
        for root in self.roots() {
            self.draw(root, 0, &mut tree);
        }
        tree
    }

    fn draw(&self, span: &Span, depth: usize, tree: &mut String) {
        let mark = if span.has_failed { "  FAILED" } else { "" };
        let _ = writeln!(
            tree,
            "{:indent$}{}  [{}, {:.1} ms]{mark}",
            "",
            span.name,
            span.service,
            span.milliseconds,
            indent = depth * 2
        );
        for child in self.children(&span.id) {
            self.draw(child, depth + 1, tree);
        }
    }
}
