//! Which tasks are meant.

use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;
use pizza_contract::{Integer, ListFailures, StartBulk};
use pizza_domain::{CustomerId, OrderId};
use pizza_workflows::steps::Parked;

use super::action::Action;
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
    /// Whether every task passes.
    pub(super) fn is_empty(&self) -> bool {
        self.list() == ListFailures::default()
    }

    /// The list of the tasks that pass.
    pub(super) fn list(&self) -> ListFailures {
        let seconds = |age: Option<Duration>| age.map(|age| age.as_secs().into());
        ListFailures {
            queue: self.queue.clone(),
            message_type: self.message_type.clone(),
            error_code: self.error_code.clone(),
            older_than_seconds: seconds(self.older_than),
            newer_than_seconds: seconds(self.newer_than),
            order_id: self.order.map(|id| id.to_string()),
            customer_id: self.customer.as_ref().map(|id| id.to_string()),
            ..ListFailures::default()
        }
    }

    /// A bulk operation on the tasks that pass.
    pub(super) fn bulk(&self, action: &Action, tasks_per_second: f64) -> StartBulk {
        let tasks = self.list();
        StartBulk {
            action: action.of_bulk(),
            // Spelled out, since a request without a filter is a mistake.
            all: self.is_empty().then_some(true),
            queue: tasks.queue,
            message_type: tasks.message_type,
            error_code: tasks.error_code,
            older_than_seconds: tasks.older_than_seconds,
            newer_than_seconds: tasks.newer_than_seconds,
            order_id: tasks.order_id,
            customer_id: tasks.customer_id,
            reason: action.reason().map(str::to_owned),
            rate_per_second: Some(tasks_per_second),
            dry_run: None,
        }
    }

    /// For a person.
    pub(super) fn in_words(&self) -> String {
        let tasks = self.list();
        let seconds = |age: Option<Integer>| age.map(|seconds| seconds.to_string());
        let filters = [
            ("queue", tasks.queue),
            ("messageType", tasks.message_type),
            ("errorCode", tasks.error_code),
            ("olderThanSeconds", seconds(tasks.older_than_seconds)),
            ("newerThanSeconds", seconds(tasks.newer_than_seconds)),
            ("orderId", tasks.order_id),
            ("customerId", tasks.customer_id),
        ];
        let given = filters
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name}={}", value?)));
        match given.collect::<Vec<_>>() {
            none if none.is_empty() => "in all queues".to_owned(),
            given => format!("with {}", given.join(", ")),
        }
    }
}
