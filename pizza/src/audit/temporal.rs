//! What the audit reads from Temporal: its lists of orders and parked tasks,
//! which follow what is so after a moment.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context;
use pizza_domain::OrderId;
use pizza_workflows::names::{search_attribute, workflow_type};
use temporalio_client::request_extensions::RetryConfigForCall;
use temporalio_client::{Client, RetryOptions};
use temporalio_common::protos::temporal::api::enums::v1::WorkflowExecutionStatus;
use temporalio_common::protos::temporal::api::workflow::v1::WorkflowExecutionInfo;
use temporalio_common::protos::temporal::api::workflowservice::v1::ListWorkflowExecutionsRequest;
use temporalio_common::search_attributes::SearchAttributes;
use tonic::IntoRequest;

use super::rules::{InTemporal, OrderWorkflow};

/// Workflows on a page; servers allow no more than 1000.
const PAGE: i32 = 500;

/// The longest wait for one page.
const ANSWER: Duration = Duration::from_secs(30);

/// How long a page is asked for again before the audit is given up. A server
/// that is asked too often says so, and is asked more slowly.
const PATIENCE: Duration = Duration::from_mins(2);

/// The server that the orders run on.
pub(crate) struct Temporal {
    client: Client,
}

/// A page of a list.
pub(crate) struct Page {
    pub(crate) workflows: Vec<Listed>,
    /// Asks for the next page; empty after the last.
    pub(crate) next: Vec<u8>,
}

/// An order's workflow, a branch of it, or a parked task.
pub(crate) struct Listed {
    pub(crate) id: String,
    /// The order that it belongs to, if that can be told.
    pub(crate) order_id: Option<String>,
    pub(crate) kind: Kind,
    running: bool,
    started_at_ms: i64,
}

/// What a listed workflow is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Order,
    Branch,
    Task,
}

impl Kind {
    fn of(workflow_type: &str) -> Self {
        match workflow_type {
            workflow_type::ORDER => Self::Order,
            workflow_type::FULFILMENT | workflow_type::LOYALTY => Self::Branch,
            _ => Self::Task,
        }
    }
}

impl Temporal {
    pub(crate) const fn new(client: Client) -> Self {
        Self { client }
    }

    /// A page of every order that the server still knows, and of every branch
    /// and every parked task that is open.
    pub(crate) async fn everything(&self, page: Vec<u8>) -> anyhow::Result<Page> {
        let query = format!(
            "WorkflowType = '{}' OR (WorkflowType IN ('{}', '{}', '{}') \
             AND CloseTime IS NULL)",
            workflow_type::ORDER,
            workflow_type::FULFILMENT,
            workflow_type::LOYALTY,
            workflow_type::FAILED_TASK,
        );
        self.list(query, page).await
    }

    /// What the server has of these orders.
    pub(crate) async fn of_orders(
        &self,
        ids: &[String],
    ) -> anyhow::Result<HashMap<String, InTemporal>> {
        // The ids stand in a query; those that are none are in no workflow.
        let quoted: Vec<String> = ids
            .iter()
            .filter_map(|id| id.parse::<OrderId>().ok())
            .map(|id| format!("'{id}'"))
            .collect();
        let mut found = HashMap::new();
        if quoted.is_empty() {
            return Ok(found);
        }
        let query = format!(
            "{} IN ({}) AND WorkflowType IN ('{}', '{}', '{}', '{}')",
            search_attribute::ORDER_ID.name(),
            quoted.join(", "),
            workflow_type::ORDER,
            workflow_type::FULFILMENT,
            workflow_type::LOYALTY,
            workflow_type::FAILED_TASK,
        );
        let mut next = Vec::new();
        loop {
            let page = self.list(query.clone(), next).await?;
            gather(page.workflows, &mut found);
            next = page.next;
            if next.is_empty() {
                return Ok(found);
            }
        }
    }

    async fn list(&self, query: String, page: Vec<u8>) -> anyhow::Result<Page> {
        let mut request = ListWorkflowExecutionsRequest {
            namespace: self.client.options().namespace.clone(),
            page_size: PAGE,
            next_page_token: page,
            query,
        }
        .into_request();
        request.set_timeout(ANSWER);
        let patient = RetryOptions::builder()
            .max_elapsed_time(Some(PATIENCE))
            .build();
        request.extensions_mut().insert(RetryConfigForCall(patient));
        let mut service = self.client.connection().workflow_service();
        let listing = service
            .list_workflow_executions(request)
            .await
            .context("Temporal did not list its workflows")?
            .into_inner();
        Ok(Page {
            workflows: listing.executions.into_iter().map(listed).collect(),
            next: listing.next_page_token,
        })
    }
}

/// Puts each workflow with its order. An order that was reset has several
/// runs, of which one runs at most.
pub(crate) fn gather(workflows: Vec<Listed>, orders: &mut HashMap<String, InTemporal>) {
    for workflow in workflows {
        let Some(order_id) = workflow.order_id else {
            continue;
        };
        let order = orders.entry(order_id).or_default();
        match workflow.kind {
            Kind::Order => {
                let run = OrderWorkflow {
                    running: workflow.running,
                    started_at_ms: workflow.started_at_ms,
                };
                let keeps = order.order.is_some_and(|known| known.running);
                if !keeps {
                    order.order = Some(run);
                }
            }
            Kind::Branch if workflow.running => {
                order.branches.insert(workflow.id);
            }
            Kind::Task if workflow.running => {
                order.tasks.insert(workflow.id);
            }
            Kind::Branch | Kind::Task => {}
        }
    }
}

fn listed(info: WorkflowExecutionInfo) -> Listed {
    // One that somebody paused goes on when they let it.
    let running = matches!(
        info.status(),
        WorkflowExecutionStatus::Running | WorkflowExecutionStatus::Paused
    );
    let order_id = info
        .search_attributes
        .as_ref()
        .map(SearchAttributes::from_proto)
        .and_then(|attributes| attributes.get(&search_attribute::ORDER_ID));
    Listed {
        id: info.execution.unwrap_or_default().workflow_id,
        order_id,
        kind: Kind::of(&info.r#type.unwrap_or_default().name),
        running,
        started_at_ms: info
            .start_time
            .map(|time| time.seconds * 1000 + i64::from(time.nanos) / 1_000_000)
            .unwrap_or_default(),
    }
}
