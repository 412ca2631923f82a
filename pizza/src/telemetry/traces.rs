//! Traces: one for each order, from the request to the statements.
//!
//! The SDK's plugin makes the spans of clients, workflows and activities, and
//! carries the trace in the headers of starts, signals and updates; `tracing`'s
//! spans of the gateway and of the store nest with them, since entering one
//! makes it the current one of OpenTelemetry, and one that begins takes that
//! for its parent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use futures::future::BoxFuture;
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry::{Context, KeyValue, global};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::resource::{SdkProvidedResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracerProvider};
use pizza_workflows::names::message;
use temporalio_client::errors::WorkflowUpdateError;
use temporalio_client::{
    ClientInterceptor, Next, StartWorkflowUpdateInput, StartWorkflowUpdateOutput,
};
use temporalio_sdk::SimplePlugin;
use temporalio_sdk::opentelemetry::{OpenTelemetryPlugin, TRACE_HEADER_KEY, WorkflowIdGenerator};
use tracing::Metadata;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::{Layer, Registry};

use super::discreet::Discreet;
use super::otel_variables::{self, variable};

/// What the specification calls the name of who traces.
const SERVICE_NAME: &str = "service.name";

/// How long the end of a process waits for a collector.
const FLUSH: Duration = Duration::from_secs(5);

static ARE_ON: AtomicBool = AtomicBool::new(false);

/// Whether this process traces.
pub(super) fn are_on() -> bool {
    ARE_ON.load(Ordering::Relaxed)
}

/// Tracing that was switched on.
pub(super) struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// Tracing under the name of a service, by the variables of the
    /// specification; none unless they say where to.
    ///
    /// # Errors
    /// When a variable cannot be obeyed. It is named.
    pub(super) fn from_env(service: &'static str) -> anyhow::Result<Option<Self>> {
        let Some(endpoint) = otel_variables::endpoint()? else {
            return Ok(None);
        };
        // The other variables are read by the exporter itself.
        let exporter = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(&endpoint)
            .build()
            .with_context(|| format!("traces cannot be sent to {endpoint}"))?;
        let provider = SdkTracerProvider::builder()
            .with_id_generator(WorkflowIdGenerator::default())
            .with_resource(resource(service)?)
            .with_span_processor(BatchSpanProcessor::builder(Discreet::new(exporter)).build())
            .build();
        global::set_tracer_provider(provider.clone());
        global::set_text_map_propagator(TraceContextPropagator::new());
        ARE_ON.store(true, Ordering::Relaxed);
        Ok(Some(Self { provider }))
    }

    /// What makes spans of `tracing`'s. Without the events in them, whose
    /// texts are for logs.
    pub(super) fn layer(&self) -> impl Layer<Registry> + Send + Sync + use<> {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("pizza"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_target(false)
            .with_level(false)
            .with_filter(
                dynamic_filter_fn(|metadata, _| is_traced(metadata))
                    .with_callsite_filter(is_of_interest_to_traces),
            )
    }

    /// Sends what is left, if the collector takes it in time.
    pub(super) fn finish(self) {
        if let Err(error) = self.provider.shutdown_with_timeout(FLUSH) {
            tracing::warn!(%error, "the last traces may be lost");
        }
    }
}

/// A request, or what the store does within a trace: what it does beside,
/// for those who only ask for news, belongs to none.
fn is_traced(metadata: &Metadata<'_>) -> bool {
    is_a_request(metadata)
        || (is_of_the_store(metadata) && Context::map_current(|here| here.has_active_span()))
}

fn is_a_request(metadata: &Metadata<'_>) -> bool {
    metadata.is_span()
        && metadata.target().starts_with("pizza_api")
        && *metadata.level() <= tracing::Level::INFO
}

fn is_of_the_store(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target().starts_with("pizza_store")
}

fn is_of_interest_to_traces(metadata: &Metadata<'_>) -> tracing::subscriber::Interest {
    if is_a_request(metadata) {
        tracing::subscriber::Interest::always()
    } else if is_of_the_store(metadata) {
        tracing::subscriber::Interest::sometimes()
    } else {
        tracing::subscriber::Interest::never()
    }
}

/// What carries traces through a client of Temporal and the workers that use
/// it, in the order in which calls pass.
pub(crate) fn plugins() -> [SimplePlugin; 2] {
    let carrier = OpenTelemetryPlugin::builder()
        // Not the baggage, which is the client's to fill.
        .propagator(TraceContextPropagator::new())
        .build();
    let kitchen = SimplePlugin::builder("kitchen-reports")
        .client_interceptors(vec![Arc::new(KitchenReports) as Arc<dyn ClientInterceptor>])
        .build();
    [carrier, kitchen]
}

/// Leaves a kitchen's report, once it is with the workflow, to the order's own
/// trace: the steps of an order stand in one, whoever reports on it.
struct KitchenReports;

impl ClientInterceptor for KitchenReports {
    fn start_workflow_update<'a>(
        &'a self,
        mut input: StartWorkflowUpdateInput,
        next: Next<
            'a,
            StartWorkflowUpdateInput,
            BoxFuture<'a, Result<StartWorkflowUpdateOutput, WorkflowUpdateError>>,
        >,
    ) -> BoxFuture<'a, Result<StartWorkflowUpdateOutput, WorkflowUpdateError>> {
        if input.update_name == message::REPORT_KITCHEN_EVENT
            && let Some(header) = &mut input.options.header
        {
            header.fields.remove(TRACE_HEADER_KEY);
        }
        next.run(input)
    }
}

/// Traces as a process does that was told to, and exports nothing.
#[cfg(test)]
pub(crate) fn trace_nowhere() {
    let provider = SdkTracerProvider::builder()
        .with_id_generator(WorkflowIdGenerator::default())
        .build();
    global::set_tracer_provider(provider);
}

/// Who traces. What the environment says goes before.
fn resource(service: &'static str) -> anyhow::Result<Resource> {
    let mut attributes = otel_variables::resource_attributes()?;
    let is_name = |(name, _): &(String, String)| name == SERVICE_NAME;
    if variable("OTEL_SERVICE_NAME")?.is_some() {
        attributes.retain(|attribute| !is_name(attribute));
    } else if !attributes.iter().any(is_name) {
        attributes.push((SERVICE_NAME.to_owned(), service.to_owned()));
    }
    let attributes = attributes
        .into_iter()
        .map(|(name, value)| KeyValue::new(name, value));
    // Without the detector of attributes in the environment: it leaves them
    // encoded.
    let resource = Resource::builder_empty()
        .with_detector(Box::new(SdkProvidedResourceDetector))
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attributes(attributes);
    Ok(resource.build())
}
