//! Every call to Temporal.
//!
//! The client's generic code is compiled into the file that calls it, so all
//! calls stand here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use failure_queue::client::update::{
    COMPLETED_WITHOUT_ANSWER, failure_text, is_paused, types, until_processed,
};
use payload_codec::{Cipher, LOST_KEYS, open_what_can_be_opened};
use pizza_domain::{Amendment, Order, OrderId, OrderStatus, ReportRefusal, TicketReport};
use pizza_workflows::names::{
    MEMO_ORDER, failure_type, fulfilment_workflow_id, order_workflow_id, task_queue, workflow_type,
};
use pizza_workflows::steps::DeliveryReport;
use pizza_workflows::{
    AmendReceipt, ChangeRefusal, FulfilmentWorkflow, OrderWorkflow, search_attributes,
};
use temporalio_client::errors::{
    WorkflowGetResultError, WorkflowInteractionError, WorkflowStartError, WorkflowUpdateError,
};
use temporalio_client::request_extensions::RetryConfigForCall;
use temporalio_client::tonic::{Code, IntoRequest, Status};
use temporalio_client::{
    Client, ClientOptions, ConnectionOptions, RetryOptions, RpcOptions, WorkflowDescribeOptions,
    WorkflowExecuteUpdateOptions, WorkflowExecutionStatus as ClientStatus,
    WorkflowGetResultOptions, WorkflowIdReusePolicy, WorkflowStartOptions,
};
use temporalio_common::MemoValues;
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
use temporalio_common::protos::temporal::api::enums::v1::{
    PendingActivityState, WorkflowExecutionStatus,
};
use temporalio_common::protos::temporal::api::failure::v1::Failure;
use temporalio_common::protos::temporal::api::workflow::v1::{
    PendingActivityInfo, WorkflowExecutionInfo,
};
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeNamespaceRequest, DescribeWorkflowExecutionRequest, DescribeWorkflowExecutionResponse,
    GetWorkflowExecutionHistoryRequest, GetWorkflowExecutionHistoryResponse,
    ListWorkflowExecutionsRequest,
};
use temporalio_common::search_attributes::SearchAttributes;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use uuid::Uuid;

use super::idempotency_key::IdempotencyKey;
use super::search_attributes::register_search_attributes;
use super::temporal_error::{TemporalError, is_sealed, without};

/// The way to Temporal. It is connected at the first call that gets through,
/// so that the gateway starts while Temporal is away; from then on the
/// connection mends itself.
#[derive(Clone)]
pub struct TemporalGateway {
    shared: Arc<Shared>,
    /// Encrypts what its client sends; none where nothing is encrypted.
    cipher: Option<Cipher>,
}

struct Shared {
    /// How to connect; none for a client that came connected.
    target: Option<(ConnectionOptions, ClientOptions)>,
    client: OnceCell<Client>,
}

impl fmt::Debug for TemporalGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TemporalGateway")
            .field("connected", &self.shared.client.initialized())
            .finish_non_exhaustive()
    }
}

/// A workflow as Temporal lists it.
#[derive(Clone, Debug)]
pub(super) struct ListedWorkflow {
    pub(super) id: String,
    pub(super) run_id: String,
    pub(super) workflow_type: String,
    /// `Running`, `Completed`, `Failed` and so on.
    pub(super) status: &'static str,
    /// In milliseconds since the Unix epoch.
    pub(super) started_at_ms: i64,
    pub(super) attributes: SearchAttributes,
}

/// A step that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingStep {
    /// Its activity.
    pub activity: String,
    /// The attempt that is under way or waited for, from 1.
    pub attempt: u32,
    /// When that begins, in milliseconds since the Unix epoch, unless it has.
    pub next_at_ms: Option<i64>,
}

/// The saga's word on a kitchen report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// Taken; the order's status now.
    Taken(OrderStatus),
    /// Not taken.
    Refused(ReportRefusal),
    /// There is nobody to take it, or not any more.
    Closed,
}

/// The saga's word on a change of an order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Changed<T> {
    /// It was made.
    Yes(T),
    /// It was not.
    No(ChangeRefusal),
    /// There is nobody to make it, or not any more.
    Closed,
}

/// Where the fulfilment of an order stands, as Temporal knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fulfilment {
    /// It has not begun, or Temporal has forgotten it.
    Unknown,
    /// It takes reports.
    UnderWay,
    /// It ended at the door, with the kitchen's last word.
    Delivered(DeliveryReport),
    /// It ended without.
    Over,
}

impl TemporalGateway {
    /// A way that connects when it is first used, and tries again with each
    /// use until it is connected.
    #[must_use]
    pub fn new(connection: ConnectionOptions, client: ClientOptions) -> Self {
        Self {
            shared: Arc::new(Shared {
                target: Some((connection, client)),
                client: OnceCell::new(),
            }),
            cipher: None,
        }
    }

    /// A way over a client that is connected.
    #[must_use]
    pub fn from_client(client: Client) -> Self {
        Self {
            shared: Arc::new(Shared {
                target: None,
                client: OnceCell::new_with(Some(client)),
            }),
            cipher: None,
        }
    }

    /// Lets an alias that `cipher` makes stand for a customer where nothing is
    /// encrypted: in search attributes. Its client's data converter is to be
    /// made with the same one.
    #[must_use]
    pub fn with_cipher(mut self, cipher: Option<Cipher>) -> Self {
        self.cipher = cipher;
        self
    }

    /// The namespace that the orders are in.
    #[must_use]
    pub fn namespace(&self) -> &str {
        match (&self.shared.target, self.shared.client.get()) {
            (Some((_, options)), _) => &options.namespace,
            (None, Some(client)) => &client.options().namespace,
            (None, None) => "",
        }
    }

    pub(super) const fn cipher(&self) -> Option<&Cipher> {
        self.cipher.as_ref()
    }

    /// The client, once it is connected.
    pub(super) async fn connected(&self, limit: Duration) -> Result<Client, TemporalError> {
        self.within(limit, async |client| Ok(client)).await
    }

    /// Answers when Temporal does and knows the namespace.
    pub(super) async fn ping(&self, limit: Duration) -> Result<(), TemporalError> {
        self.within(limit, async |client| {
            let mut request = DescribeNamespaceRequest {
                namespace: client.options().namespace.clone(),
                ..Default::default()
            }
            .into_request();
            request.set_timeout(limit);
            let once = RetryConfigForCall(RetryOptions::no_retries());
            request.extensions_mut().insert(once);
            let mut service = client.connection().workflow_service();
            service
                .describe_namespace(request)
                .await
                .map_err(TemporalError::from)?;
            Ok(())
        })
        .await
    }

    /// Starts an order's saga; when this returns, Temporal has it. One that
    /// was started before under this id is the same order, at the price that
    /// it was accepted at then.
    pub(super) async fn start_order(
        &self,
        mut order: Order,
        limit: Duration,
    ) -> Result<(), TemporalError> {
        let customer = order.customer_id.to_string();
        let cipher = self.cipher();
        order.customer_alias = cipher.map(|cipher| cipher.keys().alias(&customer));
        let mut memo = MemoValues::new();
        memo.insert(MEMO_ORDER, order.clone());
        let options =
            WorkflowStartOptions::new(task_queue::ORDERS, order_workflow_id(order.order_id))
                .id_reuse_policy(WorkflowIdReusePolicy::RejectDuplicate)
                .search_attributes(search_attributes(&order))
                // Summaries are never encrypted: nothing that the customer wrote.
                .static_summary(format!("{} x {}", order.size, order.quantity.get()))
                .memo(memo)
                .rpc_options(rpc_options(limit))
                .build();
        self.within(limit, async |client| {
            match client
                .start_workflow(OrderWorkflow::run, order, options)
                .await
            {
                Ok(_) | Err(WorkflowStartError::AlreadyStarted { .. }) => Ok(()),
                Err(error) => Err(start_error(error)),
            }
        })
        .await
    }

    /// The order that a saga was started with; none when there is no such
    /// saga.
    pub(super) async fn accepted_order(
        &self,
        id: OrderId,
        limit: Duration,
    ) -> Result<Option<Order>, TemporalError> {
        let options = WorkflowDescribeOptions::builder()
            .rpc_options(rpc_options(limit))
            .build();
        self.within(limit, async |client| {
            let saga = client.get_workflow_handle::<OrderWorkflow>(order_workflow_id(id));
            let description = match saga.describe(options).await {
                Ok(description) => description,
                Err(WorkflowInteractionError::NotFound(status)) => return without(&status, None),
                Err(error) => return Err(interaction_error(error)),
            };
            if description.workflow_type() != workflow_type::ORDER {
                return Ok(None);
            }
            let memo = description.memo();
            match memo.get::<Order>(MEMO_ORDER) {
                Ok(Some(order)) => Ok(Some(order).filter(|order| order.order_id == id)),
                Err(error) if is_sealed(&error) => Err(TemporalError::Sealed(error.into())),
                // A saga that this gateway did not start may have no memo, or
                // another one: then it is none of its orders.
                Ok(None) | Err(_) => match memo.get::<String>(LOST_KEYS) {
                    Ok(Some(keys)) => {
                        let text = format!("no key has the id {keys}");
                        Err(TemporalError::Sealed(text.into()))
                    }
                    _ => Ok(None),
                },
            }
        })
        .await
    }

    /// Hands a kitchen report to the fulfilment of its order and waits for
    /// the answer. Each is an update of its own: whether it repeats one that was
    /// taken is for the saga to say, and what it refuses leaves no trace.
    pub(super) async fn report(
        &self,
        ticket: OrderId,
        report: TicketReport,
        limit: Duration,
    ) -> Result<Report, TemporalError> {
        let options = WorkflowExecuteUpdateOptions::builder()
            .rpc_options(rpc_options(limit))
            .build();
        self.within(limit, async |client| {
            let id = fulfilment_workflow_id(ticket);
            let fulfilment = client.get_workflow_handle::<FulfilmentWorkflow>(id);
            let send = || {
                let update = FulfilmentWorkflow::report;
                fulfilment.execute_update(update, report.clone(), options.clone())
            };
            match until_processed(&client, send).await {
                Ok(receipt) => Ok(Report::Taken(receipt.status)),
                Err(error) => update_error(error),
            }
        })
        .await
    }

    /// Cancels an order in its workflow and waits for the answer. To ask
    /// again is safe, and is the same update as long as the workflow runs.
    pub(super) async fn cancel_order(
        &self,
        id: OrderId,
        limit: Duration,
    ) -> Result<Changed<()>, TemporalError> {
        let options = WorkflowExecuteUpdateOptions::builder()
            .rpc_options(rpc_options(limit))
            .update_id(CANCELLATION.to_owned())
            .build();
        self.within(limit, async |client| {
            let saga = client.get_workflow_handle::<OrderWorkflow>(order_workflow_id(id));
            let send = || saga.execute_update(OrderWorkflow::cancel, (), options.clone());
            changed(until_processed(&client, send).await)
        })
        .await
    }

    /// Amends an order in its workflow and waits for the answer. With a key,
    /// and the number of the attempt under it, to ask again is safe.
    pub(super) async fn amend_order(
        &self,
        id: OrderId,
        amendment: Amendment,
        attempt: Option<(&IdempotencyKey, u32)>,
        limit: Duration,
    ) -> Result<Changed<AmendReceipt>, TemporalError> {
        let options = WorkflowExecuteUpdateOptions::builder()
            .rpc_options(rpc_options(limit))
            .maybe_update_id(attempt.map(|(key, attempt)| amendment_id(key, attempt)))
            .build();
        self.within(limit, async |client| {
            let saga = client.get_workflow_handle::<OrderWorkflow>(order_workflow_id(id));
            let send =
                || saga.execute_update(OrderWorkflow::amend, amendment.clone(), options.clone());
            changed(until_processed(&client, send).await)
        })
        .await
    }

    /// Where the fulfilment of an order stands.
    pub(super) async fn fulfilment(
        &self,
        ticket: OrderId,
        limit: Duration,
    ) -> Result<Fulfilment, TemporalError> {
        let options = WorkflowDescribeOptions::builder()
            .rpc_options(rpc_options(limit))
            .build();
        self.within(limit, async |client| {
            let id = fulfilment_workflow_id(ticket);
            let fulfilment = client.get_workflow_handle::<FulfilmentWorkflow>(id);
            match fulfilment.describe(options).await {
                Ok(description) => match description.status() {
                    ClientStatus::Completed => {}
                    ClientStatus::Running | ClientStatus::Paused => {
                        return Ok(Fulfilment::UnderWay);
                    }
                    _ => return Ok(Fulfilment::Over),
                },
                Err(WorkflowInteractionError::NotFound(status)) => {
                    return without(&status, Fulfilment::Unknown);
                }
                Err(error) => return Err(interaction_error(error)),
            }
            let options = WorkflowGetResultOptions::builder()
                .rpc_options(rpc_options(limit))
                .build();
            match fulfilment.get_result(options).await {
                Ok(delivery) => Ok(Fulfilment::Delivered(delivery.unwrap_or_default())),
                Err(WorkflowGetResultError::NotFound(status)) => {
                    without(&status, Fulfilment::Unknown)
                }
                Err(WorkflowGetResultError::Rpc(status)) => Err(status.into()),
                Err(other) => Err(TemporalError::of_answer(other)),
            }
        })
        .await
    }

    /// The workflows that match a visibility query, at most `most`. What
    /// Temporal lists is a moment behind what it does.
    pub(super) async fn list(
        &self,
        query: String,
        most: u32,
        limit: Duration,
    ) -> Result<Vec<ListedWorkflow>, TemporalError> {
        self.within(limit, async |client| {
            let mut request = ListWorkflowExecutionsRequest {
                namespace: client.options().namespace.clone(),
                page_size: i32::try_from(most).unwrap_or(i32::MAX),
                next_page_token: Vec::new(),
                query,
            }
            .into_request();
            request.set_timeout(limit);
            let mut service = client.connection().workflow_service();
            let listing = service
                .list_workflow_executions(request)
                .await
                .map_err(TemporalError::from)?
                .into_inner();
            Ok(listing.executions.into_iter().map(listed).collect())
        })
        .await
    }

    /// The steps that a workflow's latest run is trying; none when there is no
    /// such workflow.
    pub(super) async fn pending_steps(
        &self,
        workflow_id: String,
        limit: Duration,
    ) -> Result<Vec<PendingStep>, TemporalError> {
        let described = self.described(workflow_id, limit).await?;
        let pending = described.unwrap_or_default().pending_activities;
        Ok(pending.into_iter().map(pending_step).collect())
    }

    /// Whether somebody paused a workflow; not where there is none.
    pub(super) async fn is_paused(
        &self,
        workflow_id: String,
        limit: Duration,
    ) -> Result<bool, TemporalError> {
        let described = self.described(workflow_id, limit).await?;
        let info = described.and_then(|described| described.workflow_execution_info);
        Ok(info.is_some_and(|info| info.status() == WorkflowExecutionStatus::Paused))
    }

    /// The latest run of a workflow, as the server describes it; none when
    /// there is no such workflow.
    async fn described(
        &self,
        workflow_id: String,
        limit: Duration,
    ) -> Result<Option<DescribeWorkflowExecutionResponse>, TemporalError> {
        self.within(limit, async |client| {
            let mut request = DescribeWorkflowExecutionRequest {
                namespace: client.options().namespace.clone(),
                execution: Some(WorkflowExecution {
                    workflow_id,
                    run_id: String::new(),
                }),
            }
            .into_request();
            request.set_timeout(limit);
            let mut service = client.connection().workflow_service();
            match service.describe_workflow_execution(request).await {
                Ok(described) => Ok(Some(described.into_inner())),
                Err(status) if status.code() == Code::NotFound => without(&status, None),
                Err(status) => Err(status.into()),
            }
        })
        .await
    }

    /// A page of a workflow's history, no longer than `most` events, that
    /// begins where the page with this token ended; none when there is no such
    /// run, or not any more. Without a run's id it is the latest.
    pub(super) async fn history_page(
        &self,
        run: WorkflowExecution,
        most: u32,
        token: Vec<u8>,
        limit: Duration,
    ) -> Result<Option<GetWorkflowExecutionHistoryResponse>, TemporalError> {
        self.within(limit, async |client| {
            let mut request = GetWorkflowExecutionHistoryRequest {
                namespace: client.options().namespace.clone(),
                execution: Some(run),
                maximum_page_size: i32::try_from(most).unwrap_or(i32::MAX),
                next_page_token: token,
                ..Default::default()
            }
            .into_request();
            request.set_timeout(limit);
            let mut service = client.connection().workflow_service();
            match service.get_workflow_execution_history(request).await {
                Ok(page) => Ok(Some(opened(page.into_inner(), &client).await)),
                Err(status) if status.code() == Code::NotFound => without(&status, None),
                Err(status) => Err(status.into()),
            }
        })
        .await
    }

    /// Makes a call, connecting first if need be, all within `limit`.
    async fn within<T>(
        &self,
        limit: Duration,
        call: impl AsyncFnOnce(Client) -> Result<T, TemporalError>,
    ) -> Result<T, TemporalError> {
        let connected_call = async {
            let client = self.client().await?;
            call(client).await
        };
        // The client's futures are large; boxed, they stay off the stack.
        timeout(limit, Box::pin(connected_call))
            .await
            .unwrap_or(Err(TemporalError::TimedOut))
    }

    async fn client(&self) -> Result<Client, TemporalError> {
        let connect = || async {
            let (connection, client) = self.shared.target.clone().ok_or(TemporalError::TimedOut)?;
            let client = Client::connect(connection, client)
                .await
                .map_err(TemporalError::Connect)?;
            // A start with attributes that the namespace lacks is refused.
            register_search_attributes(&client).await?;
            Ok(client)
        };
        self.shared.client.get_or_try_init(connect).await.cloned()
    }
}

/// The id of the update that cancels an order.
const CANCELLATION: &str = "cancel";

/// The id of an attempt at an amendment that was sent under a key. Ids are
/// never encrypted, and the key is the client's own text.
fn amendment_id(key: &IdempotencyKey, attempt: u32) -> String {
    let key = Uuid::new_v5(&Uuid::NAMESPACE_OID, key.as_str().as_bytes());
    match attempt {
        0 => format!("amend-{key}"),
        attempt => format!("amend-{key}-{attempt}"),
    }
}

/// A page of a history with its payloads decrypted, as far as there are keys.
async fn opened(
    mut page: GetWorkflowExecutionHistoryResponse,
    client: &Client,
) -> GetWorkflowExecutionHistoryResponse {
    let codec = client.options().data_converter.codec();
    let unread = open_what_can_be_opened(&mut page, codec).await;
    if unread > 0 {
        tracing::warn!(unread, "payloads of a history cannot be decrypted");
    }
    page
}

fn pending_step(info: PendingActivityInfo) -> PendingStep {
    let is_waiting = info.state() == PendingActivityState::Scheduled;
    let next = info.next_attempt_schedule_time.filter(|_| is_waiting);
    PendingStep {
        activity: info.activity_type.unwrap_or_default().name,
        attempt: u32::try_from(info.attempt).unwrap_or(1),
        next_at_ms: next.map(|time| time.seconds * 1000 + i64::from(time.nanos) / 1_000_000),
    }
}

fn listed(info: WorkflowExecutionInfo) -> ListedWorkflow {
    let status = status_name(info.status());
    let execution = info.execution.unwrap_or_default();
    ListedWorkflow {
        id: execution.workflow_id,
        run_id: execution.run_id,
        workflow_type: info.r#type.unwrap_or_default().name,
        status,
        started_at_ms: info
            .start_time
            .map(|time| time.seconds * 1000 + i64::from(time.nanos) / 1_000_000)
            .unwrap_or_default(),
        attributes: info
            .search_attributes
            .as_ref()
            .map(SearchAttributes::from_proto)
            .unwrap_or_default(),
    }
}

/// A workflow's status in the words of the Temporal CLI.
const fn status_name(status: WorkflowExecutionStatus) -> &'static str {
    match status {
        WorkflowExecutionStatus::Unspecified => "Unspecified",
        WorkflowExecutionStatus::Running => "Running",
        WorkflowExecutionStatus::Completed => "Completed",
        WorkflowExecutionStatus::Failed => "Failed",
        WorkflowExecutionStatus::Canceled => "Canceled",
        WorkflowExecutionStatus::Terminated => "Terminated",
        WorkflowExecutionStatus::ContinuedAsNew => "ContinuedAsNew",
        WorkflowExecutionStatus::TimedOut => "TimedOut",
        WorkflowExecutionStatus::Paused => "Paused",
    }
}

/// The client retries by itself what may pass; no longer than its caller
/// waits.
fn rpc_options(limit: Duration) -> RpcOptions {
    let retry = RetryOptions::builder()
        .max_elapsed_time(Some(limit))
        .build();
    RpcOptions::builder()
        .timeout(limit)
        .retry_options(retry)
        .build()
}

fn start_error(error: WorkflowStartError) -> TemporalError {
    match error {
        WorkflowStartError::Rpc(status) => status.into(),
        other => TemporalError::of_answer(other),
    }
}

fn interaction_error(error: WorkflowInteractionError) -> TemporalError {
    match error {
        WorkflowInteractionError::Rpc(status) => status.into(),
        other => TemporalError::of_answer(other),
    }
}

/// The meaning of the answer to a change.
fn changed<T>(answer: Result<T, WorkflowUpdateError>) -> Result<Changed<T>, TemporalError> {
    let failure = match answer {
        Ok(receipt) => return Ok(Changed::Yes(receipt)),
        Err(WorkflowUpdateError::NotFound(status)) => return without(&status, Changed::Closed),
        Err(WorkflowUpdateError::Failed(failure)) => failure,
        Err(WorkflowUpdateError::Rpc(status)) => return Err(update_status(status)),
        Err(other) => return Err(TemporalError::of_answer(other)),
    };
    types(&failure)
        .find_map(|(kind, message)| match kind {
            COMPLETED_WITHOUT_ANSWER => Some(Changed::Closed),
            kind => ChangeRefusal::from_failure(kind, message).map(Changed::No),
        })
        .ok_or_else(|| TemporalError::Unexpected(failure_text(&failure).into()))
}

fn update_status(status: Status) -> TemporalError {
    if is_paused(&status) {
        TemporalError::Paused
    } else {
        status.into()
    }
}

fn update_error(error: WorkflowUpdateError) -> Result<Report, TemporalError> {
    match error {
        WorkflowUpdateError::NotFound(status) => without(&status, Report::Closed),
        WorkflowUpdateError::Failed(failure) => known_failure(&failure)
            .ok_or_else(|| TemporalError::Unexpected(failure_text(&failure).into())),
        WorkflowUpdateError::Rpc(status) => Err(update_status(status)),
        other => Err(TemporalError::of_answer(other)),
    }
}

/// The meaning of a failed update, wherever in its causes it says so.
fn known_failure(failure: &Failure) -> Option<Report> {
    types(failure).find_map(|(kind, _)| match kind {
        COMPLETED_WITHOUT_ANSWER => Some(Report::Closed),
        kind => REFUSALS
            .into_iter()
            .find(|(type_name, _)| kind == *type_name)
            .map(|(_, refusal)| Report::Refused(refusal)),
    })
}

/// The refusals that a fulfilment gives, by the types of their failures.
const REFUSALS: [(&str, ReportRefusal); 5] = [
    (failure_type::REPORT_REPEATED, ReportRefusal::Repeated),
    (failure_type::REPORT_OUT_OF_ORDER, ReportRefusal::OutOfOrder),
    (failure_type::REPORT_LATE, ReportRefusal::Late),
    (failure_type::REPORT_ID_REUSED, ReportRefusal::IdReused),
    (failure_type::TOO_MANY_REPORTS, ReportRefusal::TooMany),
];

#[cfg(test)]
mod tests {
    use super::*;
    use failure_queue::client::update::{UNPROCESSED, is_lost};
    use payload_codec::OpenError;
    use temporalio_common::data_converters::PayloadConversionError;
    use temporalio_common::protos::temporal::api::failure::v1::ApplicationFailureInfo;
    use temporalio_common::protos::temporal::api::failure::v1::failure::FailureInfo;

    fn failure(type_name: &str, message: &str, cause: Option<Failure>) -> Failure {
        Failure {
            message: message.to_owned(),
            cause: cause.map(Box::new),
            failure_info: Some(FailureInfo::ApplicationFailureInfo(
                ApplicationFailureInfo {
                    r#type: type_name.to_owned(),
                    ..Default::default()
                },
            )),
            ..Default::default()
        }
    }

    #[test]
    fn a_server_that_has_yet_to_hear_of_our_search_attributes_is_asked_again() {
        let told = "Namespace default has no mapping defined for search attribute OrderId";
        let early = TemporalError::Rpc(Status::invalid_argument(told));
        assert!(early.may_pass() && !early.may_have_happened());
        let wrong = TemporalError::Rpc(Status::invalid_argument("WorkflowId is too long"));
        assert!(!wrong.may_pass());
    }

    #[test]
    fn what_cannot_be_read_for_want_of_a_key_names_the_setting_and_may_pass() {
        let unknown = OpenError::UnknownKey("2027-02".to_owned());
        for error in [
            PayloadConversionError::WrongEncoding,
            PayloadConversionError::EncodingError(unknown.into()),
        ] {
            let error = update_error(WorkflowUpdateError::PayloadConversion(error));
            let error = error.expect_err("not read");
            assert!(error.to_string().contains("PIZZA_CODEC_KEYS"), "{error}");
            assert!(error.may_pass() && error.may_have_happened());
        }
        let broken = PayloadConversionError::EncodingError("no JSON".into());
        assert!(!interaction_error(broken.into()).may_pass());
    }

    #[test]
    fn a_refusal_is_known_by_its_type_wherever_it_stands() {
        for (type_name, refusal) in REFUSALS {
            let wrapped = failure("", "wrapped", Some(failure(type_name, "x", None)));
            assert_eq!(known_failure(&wrapped), Some(Report::Refused(refusal)));
        }
        let closed = failure(COMPLETED_WITHOUT_ANSWER, "", None);
        assert_eq!(known_failure(&closed), Some(Report::Closed));
        assert_eq!(known_failure(&failure("Other", "no", None)), None);
        let lost = failure(UNPROCESSED, "lost", None);
        assert!(is_lost(&WorkflowUpdateError::Failed(Box::new(lost))));
    }
}
