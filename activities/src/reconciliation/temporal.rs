//! Every call of the reconciliation to Temporal.

use std::collections::BTreeMap;

use failure_queue::Bytes;
use pizza_domain::{CancelReason, CustomerId, Order, OrderId, Recovery};
use pizza_workflows::names::{
    MEMO_ORDER, failure_type, fulfilment_workflow_id, order_of_workflow_id, order_workflow_id,
    task_queue, workflow_type,
};
use pizza_workflows::{FulfilmentWorkflow, OrderWorkflow, search_attributes};
use temporalio_client::errors::{
    WorkflowGetResultError, WorkflowInteractionError, WorkflowStartError,
};
use temporalio_client::request_extensions::RetryConfigForCall;
use temporalio_client::{
    Client, WorkflowExecutionDescription, WorkflowExecutionInfo, WorkflowExecutionStatus as Status,
    WorkflowGetResultOptions, WorkflowHandle, WorkflowIdConflictPolicy, WorkflowIdReusePolicy,
    WorkflowStartOptions,
};
use temporalio_common::MemoValues;
use temporalio_common::error::IncomingError;
use temporalio_common::protos::temporal::api::enums::v1::WorkflowExecutionStatus as ListedStatus;
use temporalio_common::protos::temporal::api::workflowservice::v1::ListWorkflowExecutionsRequest;
use tonic::{Code, IntoRequest};

use super::trouble::Trouble;
use super::verdict::Outside;
use crate::branches;
use crate::temporal_calls::{ANSWER, describe_options, retries, rpc_options};

/// Ended workflows on a page.
const PAGE: i32 = 100;

/// How long ago a workflow may have failed to be looked at. It fails where a
/// worker is, so a reconciliation comes soon after; and those that failed are
/// mostly cancelled orders, of which there are many. The others are rare, and
/// may have been ended while nobody was there: they are looked at for as long
/// as Temporal knows them.
const FAILED_WITHIN_MS: i64 = 60 * 60 * 1000;

/// How an order's workflow stands.
pub(super) struct Standing {
    pub(super) workflow: Workflow,
    /// The order that it was accepted with, if it says so.
    pub(super) order: Option<Order>,
}

pub(super) enum Workflow {
    Running,
    Completed,
    /// It failed as cancelled orders do.
    Cancelled(CancelReason),
    Ended(Outside),
}

/// How an order's fulfilment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fulfilment {
    Running,
    /// The food is at the door.
    Completed,
    /// It ended otherwise, or never began.
    Ended,
}

/// A page of workflows that ended otherwise than with a delivery.
pub(super) struct EndedPage {
    /// Their orders, with whether it was by itself: a failed workflow is
    /// mostly that of a cancelled order.
    pub(super) orders: BTreeMap<OrderId, ByItself>,
    /// The page that follows; none after the last.
    pub(super) next: Option<Bytes>,
}

pub(super) type ByItself = bool;

/// The server that the orders run on.
pub(super) struct Temporal {
    client: Client,
    alias: Option<CustomerAlias>,
}

/// What stands for a customer in search attributes.
pub(super) type CustomerAlias = Box<dyn Fn(&CustomerId) -> String + Send + Sync>;

impl Temporal {
    pub(super) const fn new(client: Client) -> Self {
        Self {
            client,
            alias: None,
        }
    }

    pub(super) fn with_alias(self, alias: CustomerAlias) -> Self {
        Self {
            alias: Some(alias),
            ..self
        }
    }

    /// How the workflow of an order stands, by its last run.
    pub(super) async fn order(&self, id: OrderId) -> Result<Standing, Trouble> {
        let workflow = order_workflow_id(id);
        let handle = self.client.get_workflow_handle::<OrderWorkflow>(workflow);
        let description = match Box::pin(handle.describe(describe_options())).await {
            Ok(description) => description,
            Err(WorkflowInteractionError::NotFound(_)) => {
                return Ok(Standing {
                    workflow: Workflow::Ended(Outside::Lost),
                    order: None,
                });
            }
            Err(error) => return Err(error.into()),
        };
        if description.workflow_type() != workflow_type::ORDER {
            return Err(Trouble::Stuck(format!(
                "a workflow of type {} has the order's id",
                description.workflow_type()
            )));
        }
        let order = description.memo().get::<Order>(MEMO_ORDER).ok().flatten();
        let workflow = match description.status() {
            Status::Completed => Workflow::Completed,
            Status::Failed => self.failed(&description).await?,
            Status::Terminated => Workflow::Ended(Outside::Terminated),
            Status::TimedOut => Workflow::Ended(Outside::TimedOut),
            Status::Canceled => Workflow::Ended(Outside::Canceled),
            // Also what a later server calls by a name of its own.
            _ => Workflow::Running,
        };
        Ok(Standing {
            workflow,
            order: order.filter(|order| order.order_id == id),
        })
    }

    /// How the described run failed.
    async fn failed(
        &self,
        description: &WorkflowExecutionDescription,
    ) -> Result<Workflow, Trouble> {
        // Of this run: another one may have begun since.
        let run = WorkflowExecutionInfo::builder()
            .namespace(self.client.options().namespace.clone())
            .workflow_id(description.id())
            .run_id(description.run_id())
            .build();
        let handle = WorkflowHandle::<Client, OrderWorkflow>::new(self.client.clone(), run);
        let options = WorkflowGetResultOptions::builder()
            .rpc_options(rpc_options())
            .build();
        let failure = match Box::pin(handle.get_result(options)).await {
            Err(WorkflowGetResultError::Failed(failure)) => failure,
            Err(WorkflowGetResultError::Rpc(status)) => return Err(rpc(&status)),
            Ok(_) | Err(_) => return Ok(Workflow::Ended(Outside::Failed)),
        };
        let reason = match &*failure {
            IncomingError::Application(failure)
                if failure.type_name() == Some(failure_type::ORDER_CANCELLED) =>
            {
                failure.details::<CancelReason>().ok().flatten()
            }
            _ => None,
        };
        Ok(reason.map_or(Workflow::Ended(Outside::Failed), Workflow::Cancelled))
    }

    /// How the fulfilment of an order stands, by its last run.
    pub(super) async fn fulfilment(&self, id: OrderId) -> Result<Fulfilment, Trouble> {
        let workflow = fulfilment_workflow_id(id);
        let handle = self
            .client
            .get_workflow_handle::<FulfilmentWorkflow>(workflow);
        match Box::pin(handle.describe(describe_options())).await {
            Ok(description) => Ok(match description.status() {
                Status::Completed => Fulfilment::Completed,
                Status::Failed | Status::Terminated | Status::TimedOut | Status::Canceled => {
                    Fulfilment::Ended
                }
                _ => Fulfilment::Running,
            }),
            Err(WorkflowInteractionError::NotFound(_)) => Ok(Fulfilment::Ended),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends the fulfilment of an order whose workflow has ended: mostly it is
    /// ended with that. One that an earlier run of the order's workflow started
    /// is not, and could wait for a change for good.
    pub(super) async fn end_fulfilment(&self, id: OrderId) -> Result<(), Trouble> {
        Ok(branches::stop(&self.client, id).await?)
    }

    /// Takes an order up again: a new run of its workflow under the same id.
    /// Whether it was begun here; a run that there is, is not touched.
    pub(super) async fn take_up(
        &self,
        mut order: Order,
        recovery: Recovery,
    ) -> Result<bool, Trouble> {
        if let Some(alias) = &self.alias {
            order.customer_alias = Some(alias(&order.customer_id));
        }
        let mut memo = MemoValues::new();
        memo.insert(MEMO_ORDER, order.clone());
        let options =
            WorkflowStartOptions::new(task_queue::ORDERS, order_workflow_id(order.order_id))
                .id_reuse_policy(WorkflowIdReusePolicy::AllowDuplicate)
                .id_conflict_policy(WorkflowIdConflictPolicy::Fail)
                .search_attributes(search_attributes(&order))
                .static_summary(format!(
                    "{} x {}, taken up again",
                    order.size,
                    order.quantity.get()
                ))
                .memo(memo)
                .rpc_options(rpc_options())
                .build();
        let input = Order {
            recovery: Some(recovery),
            ..order
        };
        let start = self
            .client
            .start_workflow(OrderWorkflow::run, input, options);
        match Box::pin(start).await {
            Ok(_) => Ok(true),
            Err(WorkflowStartError::AlreadyStarted { .. }) => Ok(false),
            Err(WorkflowStartError::Rpc(status)) => Err(rpc(&status)),
            Err(error) => Err(Trouble::Stuck(error.to_string())),
        }
    }

    /// A page of the order workflows that ended otherwise than with a
    /// delivery, by the time `unchanged_since_ms`.
    pub(super) async fn ended(
        &self,
        unchanged_since_ms: i64,
        page: Bytes,
    ) -> Result<EndedPage, Trouble> {
        let mut request = ListWorkflowExecutionsRequest {
            namespace: self.client.options().namespace.clone(),
            page_size: PAGE,
            next_page_token: page.0,
            query: ended_query(unchanged_since_ms),
        }
        .into_request();
        request.set_timeout(ANSWER);
        request
            .extensions_mut()
            .insert(RetryConfigForCall(retries()));
        let mut service = self.client.connection().workflow_service();
        let listing = service
            .list_workflow_executions(request)
            .await
            .map_err(|status| rpc(&status))?
            .into_inner();
        let mut orders = BTreeMap::new();
        for info in listing.executions {
            let failed = info.status() == ListedStatus::Failed;
            let id = info.execution.unwrap_or_default().workflow_id;
            if let Some(order) = order_of_workflow_id(&id) {
                // Of several runs, one that was ended from outside counts.
                let by_itself = orders.entry(order).or_insert(true);
                *by_itself &= failed;
            }
        }
        let next = listing.next_page_token;
        Ok(EndedPage {
            orders,
            next: (!next.is_empty()).then_some(Bytes(next)),
        })
    }
}

fn ended_query(unchanged_since_ms: i64) -> String {
    let failed_since_ms = unchanged_since_ms.saturating_sub(FAILED_WITHIN_MS);
    format!(
        "WorkflowType = '{}' AND CloseTime <= '{}' AND \
         (ExecutionStatus IN ('Terminated', 'TimedOut', 'Canceled') \
         OR (ExecutionStatus = 'Failed' AND CloseTime >= '{}'))",
        workflow_type::ORDER,
        rfc_3339(unchanged_since_ms),
        rfc_3339(failed_since_ms),
    )
}

/// A time of a query, in UTC with milliseconds.
fn rfc_3339(ms: i64) -> String {
    let time = prost_types::Timestamp {
        seconds: ms.div_euclid(1000),
        // Below a thousand million, so it fits.
        nanos: i32::try_from(ms.rem_euclid(1000) * 1_000_000).unwrap_or_default(),
    };
    time.to_string()
}

impl From<WorkflowInteractionError> for Trouble {
    fn from(error: WorkflowInteractionError) -> Self {
        match error {
            WorkflowInteractionError::Rpc(status) => rpc(&status),
            other => Self::Stuck(other.to_string()),
        }
    }
}

/// What Temporal refuses to hear of one order is that order's trouble; all
/// else is everybody's.
fn rpc(status: &tonic::Status) -> Trouble {
    let text = format!("Temporal answered: {}", status.message());
    match status.code() {
        Code::InvalidArgument | Code::FailedPrecondition => Trouble::Stuck(text),
        _ => Trouble::Fault(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_of_what_ended_long_enough_ago_and_of_failures_of_late() {
        assert_eq!(
            ended_query(3_600_000 + 86_400_000 + 1_500),
            "WorkflowType = 'PizzaOrder' AND CloseTime <= '1970-01-02T01:00:01.500Z' AND \
             (ExecutionStatus IN ('Terminated', 'TimedOut', 'Canceled') \
             OR (ExecutionStatus = 'Failed' AND CloseTime >= '1970-01-02T00:00:01.500Z'))"
        );
    }
}
