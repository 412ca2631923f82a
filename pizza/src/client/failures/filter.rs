//! Which tasks are meant.

use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;
use pizza_domain::{CustomerId, OrderId};
use pizza_workflows::steps::Parked;
use serde_json::{Map, Value, json};

use super::{arguments, span};

/// Filters, all of which a task has to pass.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct FilterArgs {
    /// Tasks in this queue
    #[arg(long, value_parser = queue_names())]
    queue: Option<String>,
    /// Tasks of this message type
    #[arg(long, value_name = "TYPE", value_parser = message_types())]
    message_type: Option<String>,
    /// Tasks that failed with this error's code, `refund-failed` for example
    #[arg(long, value_name = "CODE", value_parser = arguments::name)]
    error_code: Option<String>,
    /// Tasks that were parked so long ago or longer: 90s, 15m, 2h, 3d
    #[arg(long, value_name = "DURATION", value_parser = span::age)]
    older_than: Option<Duration>,
    /// Tasks that were parked within this time: 90s, 15m, 2h, 3d
    #[arg(long, value_name = "DURATION", value_parser = span::age)]
    newer_than: Option<Duration>,
    /// Tasks of this order
    #[arg(long, value_name = "ID")]
    order: Option<OrderId>,
    /// Tasks of this customer
    #[arg(long, value_name = "ID")]
    customer: Option<CustomerId>,
}

/// The queues there are.
pub(super) fn queue_names() -> PossibleValuesParser {
    Parked::ALL.map(|it| it.queue).into()
}

fn message_types() -> PossibleValuesParser {
    Parked::ALL.map(|it| it.message_type).into()
}

impl FilterArgs {
    /// The filters that were given, by the names that the gateway knows.
    fn given(&self) -> Vec<(&'static str, Value)> {
        let text = |text: &Option<String>| text.as_ref().map(|text| json!(text));
        [
            ("queue", text(&self.queue)),
            ("messageType", text(&self.message_type)),
            ("errorCode", text(&self.error_code)),
            ("olderThanSeconds", self.older_than.map(span::seconds)),
            ("newerThanSeconds", self.newer_than.map(span::seconds)),
            ("orderId", self.order.map(|id| json!(id))),
            ("customerId", self.customer.as_ref().map(|id| json!(id))),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }

    /// Whether every task passes.
    pub(super) fn is_empty(&self) -> bool {
        self.given().is_empty()
    }

    /// As the query of a URL.
    pub(super) fn query(&self) -> Vec<(&'static str, String)> {
        self.given()
            .into_iter()
            .map(|(name, value)| match value {
                Value::String(text) => (name, text),
                other => (name, other.to_string()),
            })
            .collect()
    }

    /// As fields of a JSON object.
    pub(super) fn fields(&self) -> Map<String, Value> {
        self.given()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    /// For a person.
    pub(super) fn in_words(&self) -> String {
        if self.is_empty() {
            return "in all queues".to_owned();
        }
        let filters: Vec<_> = self
            .query()
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        format!("with {}", filters.join(", "))
    }
}
