//! `/metrics`: what a process counts, for Prometheus to collect.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use metrics::{Unit, counter, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;
use pizza_store::Store;
use pizza_store::meters::{self, Kind, Metric, Process};
use pizza_workflows::names::task_queue;
use pizza_workflows::steps::Parked;
use temporalio_common::telemetry::metrics::{
    ACTIVITY_EXEC_LATENCY_HISTOGRAM_NAME, ACTIVITY_SCHED_TO_START_LATENCY_HISTOGRAM_NAME,
    WORKFLOW_E2E_LATENCY_HISTOGRAM_NAME, WORKFLOW_TASK_EXECUTION_LATENCY_HISTOGRAM_NAME,
    WORKFLOW_TASK_REPLAY_LATENCY_HISTOGRAM_NAME,
    WORKFLOW_TASK_SCHED_TO_START_LATENCY_HISTOGRAM_NAME, default_buckets_for,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{books, sdk_meter, server};
use crate::audit::invariant::Invariant;

/// How often what was measured is sorted into its buckets, so that it does
/// not pile up where nobody collects it.
const UPKEEP: Duration = Duration::from_secs(5);

static ARE_ON: AtomicBool = AtomicBool::new(false);

/// Whether this process exports metrics.
pub(super) fn are_on() -> bool {
    ARE_ON.load(Ordering::Relaxed)
}

/// Where metrics are to be had.
#[derive(Args, Clone, Debug)]
pub(crate) struct MetricsArgs {
    /// Serve /metrics and /healthz at this address, 127.0.0.1:9464 for
    /// example; nowhere unless given. No key is asked for there
    #[arg(long, value_name = "ADDRESS", env = "PIZZA_METRICS_LISTEN")]
    metrics_listen: Option<SocketAddr>,
}

/// A part that the process plays, which decides what it exports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Gateway,
    /// The worker of this task queue.
    Worker(String),
}

impl Part {
    fn exports(&self, metric: &Metric) -> bool {
        match (metric.process, self) {
            (Process::Each, _) | (Process::Gateway, Self::Gateway) => true,
            (Process::Worker, Self::Worker(_)) => true,
            (Process::FailuresWorker, Self::Worker(queue)) => queue == task_queue::FAILURES,
            (Process::ReconciliationWorker, Self::Worker(queue)) => {
                queue == task_queue::RECONCILIATION
            }
            _ => false,
        }
    }
}

/// The port of the metrics, bound, and counting what happens from now on.
pub(crate) struct Metrics {
    listener: TcpListener,
    handle: PrometheusHandle,
    parts: Vec<Part>,
}

impl MetricsArgs {
    /// Begins to count, if anybody asked for it. What was made before knows
    /// nothing of it: clients and workers of Temporal come after.
    ///
    /// # Errors
    /// When the port cannot be had.
    pub(crate) async fn open(&self, parts: Vec<Part>) -> anyhow::Result<Option<Metrics>> {
        let Some(address) = self.metrics_listen else {
            return Ok(None);
        };
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!(
                "the metrics cannot be served on {address}: end the process that holds port {}, \
                 or choose another with --metrics-listen (PIZZA_METRICS_LISTEN)",
                address.port()
            )
        })?;
        let handle = recorder()?;
        ARE_ON.store(true, Ordering::Relaxed);
        meters::exported();
        for metric in meters::ALL {
            if parts.iter().any(|part| part.exports(metric)) {
                describe(metric);
            }
        }
        gauge!(
            meters::BUILD_INFO.name,
            "version" => env!("CARGO_PKG_VERSION"),
            "sdk" => "temporal-rust"
        )
        .set(1);
        Ok(Some(Metrics {
            listener,
            handle,
            parts,
        }))
    }
}

impl Metrics {
    /// Serves until `shutdown`, and keeps what the books of `store` tell up to
    /// date meanwhile. It belongs to the process: whatever becomes of single
    /// workers, it goes on.
    pub(crate) fn serve(self, store: &Store, shutdown: &CancellationToken) {
        if let Ok(address) = self.listener.local_addr() {
            tracing::info!(%address, "metrics");
        }
        let failures = Part::Worker(task_queue::FAILURES.to_owned());
        if self.parts.contains(&failures) {
            tokio::spawn(until(shutdown, books::keep_reading(store.clone())));
        }
        let handle = self.handle.clone();
        tokio::spawn(until(shutdown, async move {
            let mut upkeep = tokio::time::interval(UPKEEP);
            loop {
                upkeep.tick().await;
                handle.run_upkeep();
            }
        }));
        let works = self.parts.iter().any(|part| *part != Part::Gateway);
        let collector = Collector::default();
        collector.describe();
        let (handle, counted) = (self.handle, store.clone());
        let render = move || {
            collector.collect();
            books::note_connections(&counted);
            handle.render()
        };
        tokio::spawn(server::serve(
            self.listener,
            render,
            works,
            store.clone(),
            shutdown.clone(),
        ));
    }
}

fn until<W: Future<Output = ()>>(
    shutdown: &CancellationToken,
    work: W,
) -> impl Future<Output = ()> + use<W> {
    let shutdown = shutdown.clone();
    async move {
        shutdown.run_until_cancelled_owned(work).await;
    }
}

/// Installs what takes the counts of the whole process.
fn recorder() -> anyhow::Result<PrometheusHandle> {
    let prefixed = |name: &str| format!("{}{name}", sdk_meter::PREFIX);
    let mut builder = PrometheusBuilder::new().set_buckets_for_metric(
        Matcher::Prefix(prefixed("")),
        default_buckets_for("", false),
    )?;
    for name in [
        ACTIVITY_EXEC_LATENCY_HISTOGRAM_NAME,
        ACTIVITY_SCHED_TO_START_LATENCY_HISTOGRAM_NAME,
        WORKFLOW_E2E_LATENCY_HISTOGRAM_NAME,
        WORKFLOW_TASK_EXECUTION_LATENCY_HISTOGRAM_NAME,
        WORKFLOW_TASK_REPLAY_LATENCY_HISTOGRAM_NAME,
        WORKFLOW_TASK_SCHED_TO_START_LATENCY_HISTOGRAM_NAME,
    ] {
        let buckets = default_buckets_for(name, false);
        builder = builder.set_buckets_for_metric(Matcher::Full(prefixed(name)), buckets)?;
    }
    for metric in meters::ALL {
        if let Kind::Histogram(buckets) = metric.kind {
            let name = Matcher::Full(metric.name.to_owned());
            builder = builder.set_buckets_for_metric(name, buckets)?;
        }
    }
    builder
        .install_recorder()
        .context("metrics are counted already")
}

/// Describes a metric, and exports it as 0 where its labels are known: what
/// has not happened yet is none, and not unknown.
fn describe(metric: &Metric) {
    let unit = if metric.name.ends_with("_seconds") {
        Unit::Seconds
    } else {
        Unit::Count
    };
    match metric.kind {
        Kind::Counter => metrics::describe_counter!(metric.name, unit, metric.help),
        Kind::Gauge => metrics::describe_gauge!(metric.name, unit, metric.help),
        Kind::Histogram(_) => metrics::describe_histogram!(metric.name, unit, metric.help),
    }
    for labels in series(metric) {
        match metric.kind {
            Kind::Counter => counter!(metric.name, &labels).increment(0),
            Kind::Gauge => gauge!(metric.name, &labels).set(0),
            Kind::Histogram(_) => drop(histogram!(metric.name, &labels)),
        }
    }
}

type Labels = Vec<(&'static str, &'static str)>;

/// Every combination of the values of a metric's labels; none where they are
/// not all known.
fn series(metric: &Metric) -> Vec<Labels> {
    let mut all = vec![Labels::new()];
    for label in metric.labels {
        let values = match (label.name, label.values) {
            (_, Some(values)) => values.to_vec(),
            ("queue", None) => Parked::ALL.map(|it| it.queue).to_vec(),
            ("invariant", None) => Invariant::ALL.map(Invariant::name).to_vec(),
            (_, None) => return Vec::new(),
        };
        all = all
            .iter()
            .flat_map(|labels| {
                values
                    .iter()
                    .map(|value| [labels.as_slice(), &[(label.name, *value)]].concat())
            })
            .collect();
    }
    all
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use pizza_domain::Step;

    use super::*;

    /// The list is the table in the code: `UPDATE_DOCS=1` writes it anew.
    #[test]
    fn docs_list_every_metric() {
        let mut expected = String::from(
            "# Metrics\n\nWhat `/metrics` of a gateway and of a worker has of the product. \
             Made from `store/src/meters.rs`; what it is for stands in \
             [observability.md](observability.md).\n\n\
             | metric | kind | labels | exported by | what it says |\n|---|---|---|---|---|\n",
        );
        for metric in meters::ALL {
            let labels: Vec<_> = metric
                .labels
                .iter()
                .map(|label| format!("`{}`", label.name))
                .collect();
            let (name, kind) = (metric.name, metric.kind.as_str());
            let (process, labels) = (metric.process.as_str(), labels.join(", "));
            let help = metric.help;
            writeln!(
                expected,
                "| `{name}` | {kind} | {labels} | {process} | {help} |"
            )
            .expect("a line");
        }
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, &expected).expect("written");
        }
        let written = std::fs::read_to_string(path).expect("docs/metrics.md");
        assert_eq!(
            written, expected,
            "UPDATE_DOCS=1 writes docs/metrics.md anew"
        );
    }

    #[test]
    fn what_did_not_happen_yet_is_known_to_be_none() {
        let ends = series(&meters::ORDERS_ENDED);
        assert!(ends.contains(&vec![("end", "delivered"), ("step", "none")]));
        assert_eq!(ends.len(), 2 * (Step::ALL.len() + 1));
        assert_eq!(series(&meters::ORDERS_ACCEPTED), [vec![]]);
        assert!(series(&meters::HTTP_REQUESTS).is_empty());
        assert_eq!(
            series(&meters::FAILURE_QUEUE_DEPTH).len(),
            Parked::ALL.len()
        );
    }
}
