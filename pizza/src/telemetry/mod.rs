//! What a process tells about itself: logs, metrics, traces.
//!
//! They belong to the process and not to a worker or a client in it: workers
//! are made anew while the process runs, and what counts them goes on.

mod books;
mod discreet;
mod logs;
mod metrics;
mod otel_variables;
mod polling;
mod sdk_meter;
mod server;
mod traces;

use anyhow::Context;
use temporalio_client::ClientOptions;
use temporalio_common::telemetry::TelemetryOptions;
use temporalio_common::telemetry::metrics::TemporalMeter;
use temporalio_sdk::runtime::RuntimeOptions;

pub(crate) use metrics::{MetricsArgs, Part};
use traces::Traces;
#[cfg(test)]
pub(crate) use traces::{plugins, trace_nowhere};

/// What was started, until [`Telemetry::finish`].
pub(crate) struct Telemetry {
    traces: Option<Traces>,
}

/// Starts logging, and tracing where the process has a name under which it
/// traces, and the environment says where to. Has to be called inside of the
/// runtime, which carries the spans away.
///
/// # Errors
/// When a variable's value is unusable. It is named.
pub(crate) fn start(service: Option<&'static str>) -> anyhow::Result<Telemetry> {
    let format = logs::Format::from_env()?;
    let filter = logs::filter_from_env()?;
    let traces = service.map(Traces::from_env).transpose()?.flatten();
    logs::start(format, filter, traces.as_ref().map(Traces::layer));
    Ok(Telemetry { traces })
}

impl Telemetry {
    /// Hands over what is left of the traces, within a deadline.
    pub(crate) fn finish(self) {
        if let Some(traces) = self.traces {
            traces.finish();
        }
    }
}

/// The meter of a client of Temporal; none when nobody asked for metrics.
pub(crate) fn client_meter() -> Option<TemporalMeter> {
    metrics::are_on().then(sdk_meter::of_clients)
}

/// The options of a client of Temporal, and of the workers that use it, with
/// all that carries traces where they are on.
pub(crate) fn traced(options: ClientOptions) -> ClientOptions {
    if !traces::are_on() {
        return options;
    }
    ClientOptions::new(options.namespace.clone())
        .plugins(options.plugins().to_vec())
        .plugins(traces::plugins())
        .data_converter(options.data_converter)
        .client_interceptors(options.client_interceptors)
        .build()
}

/// The options of the workers' runtime.
///
/// # Errors
/// Never, as things are: the defaults are within what the SDK allows.
pub(crate) fn runtime_options() -> anyhow::Result<RuntimeOptions> {
    let telemetry = TelemetryOptions::builder()
        .maybe_metrics(metrics::are_on().then(sdk_meter::of_workers))
        .build();
    RuntimeOptions::builder()
        .telemetry_options(telemetry)
        .build()
        .map_err(anyhow::Error::msg)
        .context("the workers' runtime cannot be set up")
}
