//! A refund fails for good, is found in its failure queue, and is redriven.
//!
//! Runs by itself against the Temporal at `TEMPORAL_ADDRESS`, by default
//! 127.0.0.1:7233 (`temporal server start-dev`).

#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "those bans are for workflows"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use failure_queue::client::{FailureQueues, Redriven};
use failure_queue::names::failed_task_workflow_id;
use failure_queue::worker::FailureQueueActivities;
use failure_queue::{
    BulkWorkflow, FailedTaskWorkflow, FailureQueueWorkflow, ParkableStep, RedriveRequest,
    StepPolicy, Steps,
};
use serde::{Deserialize, Serialize};
use temporalio_client::{
    Client, ClientOptions, Connection, ConnectionOptions, WorkflowGetResultOptions,
    WorkflowStartOptions,
};
use temporalio_macros::{activities, workflow, workflow_methods};
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use temporalio_sdk::{Runtime, Worker, WorkerOptions, WorkflowContext, WorkflowResult};
use url::Url;

/// The application's workflows and activities.
const SHOP: &str = "shop";
/// The parked tasks.
const FAILURES: &str = "failures";

/// What the bank is asked. Under one key it refunds once.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Refund {
    order: String,
    cents: u64,
    idempotency_key: String,
}

/// A bank that is away at first.
#[derive(Clone, Default)]
struct Bank {
    is_open: Arc<AtomicBool>,
}

#[activities]
impl Bank {
    #[activity(name = "refund")]
    async fn refund(
        self: Arc<Self>,
        _ctx: ActivityContext,
        refund: Refund,
    ) -> Result<(), ActivityError> {
        if !self.is_open.load(Ordering::SeqCst) {
            return Err(std::io::Error::other("the bank is away").into());
        }
        println!(
            "the bank refunds {} cents for {}",
            refund.cents, refund.order
        );
        Ok(())
    }
}

/// Gives the money of an order back, or leaves behind who owes it.
#[workflow]
#[derive(Default)]
struct CancelOrder;

#[workflow_methods]
impl CancelOrder {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, order: String) -> WorkflowResult<bool> {
        let refund = Refund {
            order: order.clone(),
            cents: 1250,
            idempotency_key: format!("refund-{order}"),
        };
        let step = ParkableStep {
            queue: "refund-payment".to_owned(),
            message_type: "RefundFailed".to_owned(),
            id: order.clone(),
            subject: BTreeMap::from([("OrderId".to_owned(), order)]),
            aliases: BTreeMap::new(),
            policy: StepPolicy {
                attempts: Some(3),
                first_wait: Duration::from_millis(100),
                backoff: 2.0,
                longest_wait: Duration::from_secs(1),
            },
            idempotency_key: refund.idempotency_key.clone(),
            failures_task_queue: FAILURES.to_owned(),
            local_first: false,
            recorder: None,
            follow_ups: Vec::new(),
        };
        let refunded = Steps::new(ctx)
            .run_or_park(Bank::refund, refund, step, "refund")
            .await;
        Ok(refunded.is_ok())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::var("TEMPORAL_ADDRESS").unwrap_or("127.0.0.1:7233".to_owned());
    let target = Url::parse(&format!("http://{address}"))?;
    let connection = Connection::connect(ConnectionOptions::new(target).build()).await?;
    let client = Client::new(connection, ClientOptions::new("default").build())?;
    let queues = FailureQueues::new(client.clone(), FAILURES, Duration::from_secs(30));
    queues.register_search_attributes(&["OrderId"]).await?;

    let bank = Bank::default();
    let runtime = Runtime::from_current_tokio(Default::default())?;
    let shop = WorkerOptions::new(SHOP)
        .register_workflow::<CancelOrder>()?
        .register_activities(bank.clone())
        .build();
    let failures = WorkerOptions::new(FAILURES)
        .register_workflow::<FailedTaskWorkflow>()?
        .register_workflow::<FailureQueueWorkflow>()?
        .register_workflow::<BulkWorkflow>()?
        .register_activities(FailureQueueActivities::new(queues.clone()))
        .build();
    let mut shop = Worker::new(&runtime, client.clone(), shop)?;
    let mut failures = Worker::new(&runtime, client.clone(), failures)?;
    tokio::select! {
        ended = shop.run() => Ok(ended?),
        ended = failures.run() => Ok(ended?),
        result = operate(&client, &queues, &bank) => result,
    }
}

async fn operate(
    client: &Client,
    queues: &FailureQueues,
    bank: &Bank,
) -> Result<(), Box<dyn Error>> {
    let since_1970 = SystemTime::UNIX_EPOCH.elapsed()?;
    let order = format!("order-{}", since_1970.as_millis());
    let options = WorkflowStartOptions::new(SHOP, format!("cancel-{order}")).build();
    let cancel = client
        .start_workflow(CancelOrder::run, order.clone(), options)
        .await?;
    let refunded = cancel
        .get_result(WorkflowGetResultOptions::default())
        .await?;
    println!("{order} is cancelled, refunded: {refunded}");

    let task = failed_task_workflow_id("refund-payment", &order);
    let parked = queues.show(&task).await?;
    println!(
        "{task} is {}: {} after {} attempts, input {}",
        parked.state.as_str(),
        parked.failure.message,
        parked.attempts,
        parked.input.as_json().unwrap_or("opaque"),
    );

    bank.is_open.store(true, Ordering::SeqCst);
    let request = RedriveRequest {
        principal: "alice".to_owned(),
        reason: Some("the bank is back".to_owned()),
        ..RedriveRequest::default()
    };
    match queues.redrive(&task, request).await? {
        Redriven::Ended(answer) => println!(
            "{task} is {} after {} attempts",
            answer.state.as_str(),
            answer.attempts
        ),
        Redriven::StillRunning => println!("{task} is being redriven"),
    }
    for line in queues.show(&task).await?.audit {
        println!("{} redrove it: {:?}", line.principal, line.outcome);
    }
    Ok(())
}
