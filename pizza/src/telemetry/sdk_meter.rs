//! The SDK's metrics, carried into the same exporter as the product's.
//!
//! The names are those of the SDK's own exporter to Prometheus: `temporal_`
//! before them, no suffix behind, durations in milliseconds.

use std::borrow::Cow;
use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use metrics::{
    Counter as OurCounter, Gauge as OurGauge, Histogram as OurHistogram, Key, KeyName, Label,
    Level, Metadata, SharedString, Unit, with_recorder,
};
use temporalio_common::telemetry::TaskQueueLabelStrategy;
use temporalio_common::telemetry::metrics::{
    CoreMeter, Counter, CounterBase, Gauge, GaugeBase, GaugeF64, GaugeF64Base, Histogram,
    HistogramBase, HistogramDuration, HistogramDurationBase, HistogramF64, HistogramF64Base,
    MetricAttributable, MetricAttributes, MetricParameters, NewAttributes, TemporalMeter,
    UpDownCounter, UpDownCounterBase,
};

use super::polling::POLLING;

/// What the names of all of the SDK's metrics begin with.
pub(super) const PREFIX: &str = "temporal_";

/// The meter of workers, to whose metrics the SDK itself gives the prefix.
pub(super) fn of_workers() -> Arc<dyn CoreMeter> {
    Arc::new(Meter { prefix: "" })
}

/// The meter of clients.
pub(super) fn of_clients() -> TemporalMeter {
    TemporalMeter::new(
        Arc::new(Meter { prefix: PREFIX }),
        NewAttributes::default(),
        TaskQueueLabelStrategy::UseNormal,
    )
}

#[derive(Debug)]
struct Meter {
    prefix: &'static str,
}

impl Meter {
    /// Describes a metric, and gives its name.
    fn described(
        &self,
        params: &MetricParameters,
        describe: impl FnOnce(&dyn metrics::Recorder, KeyName, SharedString),
    ) -> Name {
        let name = format!("{}{}", self.prefix, params.name);
        let description = SharedString::from(params.description.to_string());
        with_recorder(|recorder| describe(recorder, KeyName::from(name.clone()), description));
        Name(name.into())
    }

    fn counted(&self, params: &MetricParameters) -> Name {
        let name = self.described(params, |recorder, name, text| {
            recorder.describe_counter(name, None, text);
        });
        // One that has not been counted yet is 0, and not unknown.
        name.counter(&[]).increment(0);
        name
    }

    fn gauged(&self, params: &MetricParameters) -> Name {
        self.described(params, |recorder, name, text| {
            recorder.describe_gauge(name, None, text);
        })
    }

    fn measured(&self, params: &MetricParameters, unit: Option<Unit>) -> Name {
        let name = self.described(params, |recorder, name, text| {
            recorder.describe_histogram(name, unit, text);
        });
        drop(name.histogram(&[]));
        name
    }
}

impl CoreMeter for Meter {
    fn new_attributes(&self, attributes: NewAttributes) -> MetricAttributes {
        // The one kind that every build of the SDK has and that keeps labels
        // readable. It is called `NoOp` for the meter that it was made for.
        MetricAttributes::NoOp(Arc::new(attributes.into()))
    }

    fn extend_attributes(
        &self,
        existing: MetricAttributes,
        more: NewAttributes,
    ) -> MetricAttributes {
        let mut all = labels_of(&existing).cloned().unwrap_or_default();
        all.extend(HashMap::from(more));
        MetricAttributes::NoOp(Arc::new(all))
    }

    fn counter(&self, params: MetricParameters) -> Counter {
        Counter::new(Arc::new(self.counted(&params)))
    }

    fn histogram(&self, params: MetricParameters) -> Histogram {
        Histogram::new(Arc::new(self.measured(&params, None)))
    }

    fn histogram_f64(&self, params: MetricParameters) -> HistogramF64 {
        HistogramF64::new(Arc::new(self.measured(&params, None)))
    }

    fn histogram_duration(&self, params: MetricParameters) -> HistogramDuration {
        HistogramDuration::new(Arc::new(self.measured(&params, Some(Unit::Milliseconds))))
    }

    fn gauge(&self, params: MetricParameters) -> Gauge {
        Gauge::new(Arc::new(self.gauged(&params)))
    }

    fn gauge_f64(&self, params: MetricParameters) -> GaugeF64 {
        GaugeF64::new(Arc::new(self.gauged(&params)))
    }

    fn up_down_counter(&self, params: MetricParameters) -> UpDownCounter {
        UpDownCounter::new(Arc::new(self.gauged(&params)))
    }
}

fn labels_of(attributes: &MetricAttributes) -> Option<&HashMap<String, String>> {
    match attributes {
        MetricAttributes::NoOp(labels) => Some(labels),
        _ => None,
    }
}

/// The name of a metric, from which its single series are made.
#[derive(Clone)]
struct Name(Arc<str>);

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

impl Name {
    fn key(&self, labels: &[Label]) -> Key {
        Key::from_parts(self.0.to_string(), labels.to_vec())
    }

    fn counter(&self, labels: &[Label]) -> OurCounter {
        with_recorder(|recorder| recorder.register_counter(&self.key(labels), &METADATA))
    }

    fn gauge(&self, labels: &[Label]) -> OurGauge {
        with_recorder(|recorder| recorder.register_gauge(&self.key(labels), &METADATA))
    }

    fn histogram(&self, labels: &[Label]) -> OurHistogram {
        with_recorder(|recorder| recorder.register_histogram(&self.key(labels), &METADATA))
    }
}

fn labels(attributes: &MetricAttributes) -> Vec<Label> {
    let labels = labels_of(attributes).into_iter().flatten();
    let mut labels: Vec<_> = labels
        .map(|(name, value)| Label::new(name.clone(), value.clone()))
        .collect();
    // The same labels in another order would be another series.
    labels.sort();
    labels
}

type Bound<T> = Result<Box<T>, Box<dyn Error>>;

/// A counter, and the polls that it is told of.
struct Count {
    counter: OurCounter,
    poll: Option<Poll>,
}

#[derive(Clone, Copy)]
enum Poll {
    Answered,
    Failed,
}

impl CounterBase for Count {
    fn adds(&self, value: u64) {
        self.counter.increment(value);
        match self.poll {
            Some(Poll::Answered) => POLLING.answered(),
            Some(Poll::Failed) => POLLING.failed(),
            None => {}
        }
    }
}

impl MetricAttributable<Box<dyn CounterBase>> for Name {
    fn with_attributes(&self, attributes: &MetricAttributes) -> Bound<dyn CounterBase> {
        let is_poll = labels_of(attributes)
            .and_then(|labels| labels.get("operation"))
            .is_some_and(|operation| operation.starts_with("Poll"));
        let poll = match &*self.0 {
            "temporal_long_request" if is_poll => Some(Poll::Answered),
            "temporal_long_request_failure" if is_poll => Some(Poll::Failed),
            _ => None,
        };
        let counter = self.counter(&labels(attributes));
        Ok(Box::new(Count { counter, poll }))
    }
}

/// A gauge, and what it is called where it counts pollers.
struct Size {
    gauge: OurGauge,
    pollers: Option<String>,
}

impl GaugeBase for Size {
    fn records(&self, value: u64) {
        // Of the sizes that are measured here, none comes near what a float
        // cannot hold.
        #[allow(clippy::cast_precision_loss, reason = "they are small")]
        self.gauge.set(value as f64);
        if let Some(pollers) = &self.pollers {
            POLLING.pollers(pollers, value);
        }
    }
}

impl MetricAttributable<Box<dyn GaugeBase>> for Name {
    fn with_attributes(&self, attributes: &MetricAttributes) -> Bound<dyn GaugeBase> {
        let labels = labels(attributes);
        let pollers = (&*self.0 == "temporal_num_pollers").then(|| {
            let values: Vec<Cow<'_, str>> = labels
                .iter()
                .map(|label| Cow::Borrowed(label.value()))
                .collect();
            values.join(" ")
        });
        let gauge = self.gauge(&labels);
        Ok(Box::new(Size { gauge, pollers }))
    }
}

struct Measure(OurHistogram);

impl HistogramBase for Measure {
    fn records(&self, value: u64) {
        #[allow(clippy::cast_precision_loss, reason = "a bucket is coarser")]
        self.0.record(value as f64);
    }
}

impl HistogramF64Base for Measure {
    fn records(&self, value: f64) {
        self.0.record(value);
    }
}

impl HistogramDurationBase for Measure {
    fn records(&self, value: Duration) {
        self.0.record(value.as_secs_f64() * 1000.0);
    }
}

impl MetricAttributable<Box<dyn HistogramBase>> for Name {
    fn with_attributes(&self, attributes: &MetricAttributes) -> Bound<dyn HistogramBase> {
        Ok(Box::new(Measure(self.histogram(&labels(attributes)))))
    }
}

impl MetricAttributable<Box<dyn HistogramF64Base>> for Name {
    fn with_attributes(&self, attributes: &MetricAttributes) -> Bound<dyn HistogramF64Base> {
        Ok(Box::new(Measure(self.histogram(&labels(attributes)))))
    }
}

impl MetricAttributable<Box<dyn HistogramDurationBase>> for Name {
    fn with_attributes(&self, attributes: &MetricAttributes) -> Bound<dyn HistogramDurationBase> {
        Ok(Box::new(Measure(self.histogram(&labels(attributes)))))
    }
}

struct Moving(OurGauge);

impl GaugeF64Base for Moving {
    fn records(&self, value: f64) {
        self.0.set(value);
    }
}

impl UpDownCounterBase for Moving {
    fn adds(&self, value: i64) {
        #[allow(clippy::cast_precision_loss, reason = "they are small")]
        self.0.increment(value as f64);
    }
}

impl MetricAttributable<Box<dyn GaugeF64Base>> for Name {
    fn with_attributes(&self, attributes: &MetricAttributes) -> Bound<dyn GaugeF64Base> {
        Ok(Box::new(Moving(self.gauge(&labels(attributes)))))
    }
}

impl MetricAttributable<Box<dyn UpDownCounterBase>> for Name {
    fn with_attributes(&self, attributes: &MetricAttributes) -> Bound<dyn UpDownCounterBase> {
        Ok(Box::new(Moving(self.gauge(&labels(attributes)))))
    }
}
