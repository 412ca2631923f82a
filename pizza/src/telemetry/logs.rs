//! Structured logs on stderr: text on a terminal, JSON otherwise.
//!
//! A line says what it belongs to, as far as that is known where it is
//! written: the request, the order, the workflow and its run, the trace and
//! the span. The SDK's lines go the same way.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::io::{self, IsTerminal};

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;
use pizza_workflows::names::{
    fulfilment_workflow_id, loyalty_workflow_id, order_of_workflow_id, order_workflow_id,
};
use serde_json::{Map, Value};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::client::output;
use crate::streams::LogLine;

/// What is logged unless `RUST_LOG` says otherwise. That a collector is away
/// we say ourselves, and not for each batch.
const DEFAULT_FILTER: &str =
    "warn,opentelemetry_otlp=off,pizza=info,pizza_api=info,pizza_activities=info,pizza_store=info";

/// Chooses what is logged.
const FILTER: &str = "RUST_LOG";

/// Chooses the form of lines.
const FORMAT: &str = "PIZZA_LOG_FORMAT";

/// The form of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Text { coloured: bool },
}

impl Format {
    /// As the environment wishes; else for who reads it, a person or a
    /// program.
    ///
    /// # Errors
    /// When it wishes for something that there is not.
    pub(super) fn from_env() -> anyhow::Result<Self> {
        let terminal = io::stderr().is_terminal();
        let text = Self::Text {
            coloured: terminal && output::escapes_are_welcome(),
        };
        match env::var_os(FORMAT)
            .as_deref()
            .map_or(Some("auto"), OsStr::to_str)
        {
            Some("text") => Ok(text),
            Some("json") => Ok(Self::Json),
            Some("auto") if terminal => Ok(text),
            Some("auto") => Ok(Self::Json),
            _ => bail!("{FORMAT} must be text, json or auto"),
        }
    }
}

/// What is logged, as the environment wishes.
///
/// # Errors
/// When it cannot be read.
pub(super) fn filter_from_env() -> anyhow::Result<EnvFilter> {
    match env::var_os(FILTER) {
        None => Ok(EnvFilter::new(DEFAULT_FILTER)),
        Some(wish) => wish
            .to_str()
            .context("it is no text")
            .and_then(|wish| Ok(EnvFilter::try_new(wish)?))
            .with_context(|| format!("{FILTER} cannot be obeyed")),
    }
}

/// Starts logging, and tracing by `traces`. Data goes to stdout, so logs go
/// to stderr. A line never waits for whoever reads them.
pub(super) fn start<L>(format: Format, filter: EnvFilter, traces: Option<L>)
where
    L: Layer<Registry> + Send + Sync,
{
    let lines = tracing_subscriber::fmt::layer()
        .fmt_fields(JsonFields::new())
        .event_format(Lines(format))
        .with_writer(|| LogLine)
        .with_filter(filter.or(filter_fn(names_a_workflow)));
    Registry::default().with(traces).with(lines).init();
}

/// The SDK's span of an activity says for which workflow it runs. It is below
/// the level at which the SDK's events are of interest.
fn names_a_workflow(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target() == "temporalio_sdk" && metadata.name() == "RunActivity"
}

/// Writes a line for each event.
struct Lines(Format);

impl<S> FormatEvent<S, JsonFields> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = of_spans(context);
        fields.extend(of_event(context, event)?);
        about(&mut fields);
        let message = fields.remove("message");
        let now = Timestamp::now();
        match self.0 {
            Format::Json => {
                let mut line = Map::new();
                line.insert("timestamp".to_owned(), now.to_string().into());
                line.insert("level".to_owned(), event.metadata().level().as_str().into());
                line.insert("target".to_owned(), event.metadata().target().into());
                line.extend(message.map(|message| ("message".to_owned(), message)));
                // What a line is about may be called as what every line has.
                for (name, value) in fields {
                    line.entry(name).or_insert(value);
                }
                writeln!(writer, "{}", Value::Object(line))
            }
            Format::Text { coloured } => {
                let level = level(*event.metadata().level(), coloured);
                write!(writer, "{now:.3} {level}")?;
                if let Some(message) = message {
                    write!(writer, " {}", shown(&message))?;
                }
                for (name, value) in &fields {
                    write!(writer, " {name}={}", shown(value))?;
                }
                writeln!(writer)
            }
        }
    }
}

/// The fields of all spans that an event is in; the inner ones go before.
fn of_spans<S>(context: &FmtContext<'_, S, JsonFields>) -> Map<String, Value>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let mut fields = Map::new();
    for span in context
        .event_scope()
        .into_iter()
        .flat_map(|scope| scope.from_root())
    {
        let extensions = span.extensions();
        if let Some(own) = extensions.get::<FormattedFields<JsonFields>>() {
            fields.extend(read(own));
        }
    }
    // What a span is called in traces, the line of a request says itself.
    fields.retain(|name, _| {
        !["otel.", "http.", "rpc."]
            .iter()
            .any(|it| name.starts_with(it))
    });
    fields
}

fn of_event<S>(
    context: &FmtContext<'_, S, JsonFields>,
    event: &Event<'_>,
) -> Result<Map<String, Value>, fmt::Error>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let mut text = String::new();
    context
        .field_format()
        .format_fields(Writer::new(&mut text), event)?;
    Ok(read(&text))
}

fn read(fields: &str) -> Map<String, Value> {
    serde_json::from_str(fields).unwrap_or_default()
}

/// Adds what follows from what is known: the order of a workflow, the
/// workflow of an order, the trace.
fn about(fields: &mut Map<String, Value>) {
    for (from, to) in [
        ("temporalWorkflowID", "workflow_id"),
        ("temporalRunID", "run_id"),
    ] {
        if let Some(value) = fields.remove(from) {
            fields.entry(to).or_insert(value);
        }
    }
    fields.remove("temporalActivityID");
    let text = |name: &str| Some(fields.get(name)?.as_str()?.to_owned());
    let (order, workflow) = (text("order_id"), text("workflow_id"));
    match (order, workflow) {
        (None, Some(workflow)) => {
            if let Some(order) = order_of(&workflow) {
                fields.insert("order_id".to_owned(), order.into());
            }
        }
        (Some(order), None) => {
            if let Ok(order) = order.parse() {
                let workflow = order_workflow_id(order);
                fields.insert("workflow_id".to_owned(), workflow.into());
            }
        }
        _ => {}
    }
    Context::map_current(|here| {
        let span = here.span();
        let span = span.span_context();
        if span.is_valid() {
            fields.insert("trace_id".to_owned(), span.trace_id().to_string().into());
            fields.insert("span_id".to_owned(), span.span_id().to_string().into());
        }
    });
}

/// The order that a workflow belongs to: its own, a branch of it, or a parked
/// task, whose id ends with the order's.
fn order_of(workflow: &str) -> Option<String> {
    let own = workflow.split_inclusive('-').take(6).collect::<String>();
    let branch = order_of_workflow_id(own.trim_end_matches('-')).filter(|order| {
        [
            order_workflow_id(*order),
            loyalty_workflow_id(*order),
            fulfilment_workflow_id(*order),
        ]
        .iter()
        .any(|id| id == workflow)
    });
    let parked = || {
        let order = workflow.get(workflow.len().checked_sub(36)?..)?;
        order_of_workflow_id(&format!("order-{order}"))
    };
    branch.or_else(parked).map(|order| order.to_string())
}

/// A value on a terminal, which it must not steer.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => output::plain(text),
        other => other.to_string(),
    }
}

fn level(level: Level, coloured: bool) -> String {
    let name = format!("{level:>5}");
    let colour = match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        _ => 34,
    };
    if coloured {
        format!("\u{1b}[{colour}m{name}\u{1b}[0m")
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &str = "6f1b6c1e-3a0a-4c55-8a55-0d9f6f0e9b11";

    #[test]
    fn a_line_of_a_workflow_names_its_order() {
        for workflow in [
            format!("order-{ORDER}"),
            format!("order-{ORDER}-loyalty"),
            format!("order-{ORDER}-fulfilment"),
            format!("failed-refund-payment-{ORDER}"),
        ] {
            assert_eq!(order_of(&workflow).as_deref(), Some(ORDER), "{workflow}");
        }
        for other in ["reconcile-orders", "order-7", "", "é".repeat(30).as_str()] {
            assert_eq!(order_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_line_says_what_its_spans_are_about() {
        use std::io::Write;
        use std::sync::{Arc, Mutex};

        #[derive(Clone, Default)]
        struct Kept(Arc<Mutex<Vec<u8>>>);
        impl Write for Kept {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().expect("no panic").write(bytes)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let kept = Kept::default();
        let writer = kept.clone();
        let layer = tracing_subscriber::fmt::layer()
            .fmt_fields(JsonFields::new())
            .event_format(Lines(Format::Json))
            .with_writer(move || writer.clone());
        let workflow = format!("order-{ORDER}-fulfilment");
        tracing::subscriber::with_default(Registry::default().with(layer), || {
            let span = tracing::info_span!(
                "RunActivity",
                otel.name = "RunActivity:prepareOrder",
                temporalActivityID = "1",
                temporalWorkflowID = workflow,
                temporalRunID = tracing::field::Empty
            );
            span.record("temporalRunID", "run");
            span.in_scope(|| tracing::warn!(attempt = 2, "failed"));
        });
        let text = String::from_utf8(kept.0.lock().expect("no panic").clone()).expect("text");
        let mut line: Map<String, Value> = serde_json::from_str(&text).expect("JSON");
        line.remove("timestamp").expect("a time");
        let expected = serde_json::json!({
            "level": "WARN", "target": module_path!(), "message": "failed", "attempt": 2,
            "order_id": ORDER, "workflow_id": workflow, "run_id": "run",
        });
        assert_eq!(Value::Object(line), expected);
    }

    #[test]
    fn no_value_steers_a_terminal() {
        let value = Value::from("a\u{1b}[2Jb\nc\u{2028}\u{202e}");
        assert_eq!(shown(&value), "a\\u001b[2Jb\\u000ac\\u2028\\u202e");
    }
}
