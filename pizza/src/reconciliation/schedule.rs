//! The schedule that starts the reconciliation.

use std::time::Duration;

use failure_queue::error_chain;
use payload_codec::key_ids;
use pizza_workflows::names::{schedule, task_queue};
use pizza_workflows::{Reconciliation, ReconciliationWorkflow};
use temporalio_client::schedules::{
    CreateScheduleOptions, ScheduleAction, ScheduleDescription, ScheduleDescriptionAction,
    ScheduleError, ScheduleOverlapPolicy, ScheduleSpec,
};
use temporalio_client::{Client, RetryOptions, RpcOptions};
use temporalio_common::data_converters::SerializationContextData;
use tonic::Code;

use super::ReconciliationArgs;

/// A run that came this much too late is left out: the next one does the same.
/// Servers allow no less.
const CATCH_UP: Duration = Duration::from_secs(10);

/// The longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Sees to it that the schedule is there, and as it was asked for. One that an
/// operator paused stays paused. Without it orders are worked on all the same,
/// so a worker that cannot have it says so and goes on.
pub(crate) async fn keep(client: &Client, args: &ReconciliationArgs) {
    match Box::pin(make(client, args)).await {
        Ok(()) => tracing::debug!(every = ?args.every(), "the reconciliation is scheduled"),
        Err(error) => tracing::error!(
            error = error_chain(&error),
            "the reconciliation is not scheduled: records that fall behind stay so until \
             `pizza reconcile`"
        ),
    }
}

async fn make(client: &Client, args: &ReconciliationArgs) -> Result<(), ScheduleError> {
    let options = CreateScheduleOptions::builder()
        .action(action(args))
        .spec(ScheduleSpec::from_interval(args.every()))
        .overlap_policy(ScheduleOverlapPolicy::Skip)
        .rpc_options(rpc_options())
        .build();
    match client
        .create_schedule(schedule::RECONCILE_ORDERS, options)
        .await
    {
        Ok(_) => {}
        Err(ScheduleError::Rpc(status)) if status.code() == Code::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    // What a new one cannot be given, and what an old one has otherwise.
    let handle = client.get_schedule_handle(schedule::RECONCILE_ORDERS);
    let description = handle.describe(rpc_options()).await?;
    if is_as_wished(&description, args).await && is_readable_for_long(client, &description).await {
        return Ok(());
    }
    let mut update = description.into_update();
    update
        .set_spec(ScheduleSpec::from_interval(args.every()))
        .set_action(action(args))
        .set_overlap_policy(ScheduleOverlapPolicy::Skip)
        .set_catchup_window(CATCH_UP);
    // Not `update`, which would read the input that is there: its key may be
    // lost.
    handle.send_update(update, rpc_options()).await
}

/// Whether the schedule's input is written as this process would: it lives
/// longer than the keys that are to be removed.
async fn is_readable_for_long(client: &Client, description: &ScheduleDescription) -> bool {
    let converter = &client.options().data_converter;
    let wished = converter
        .to_payload(&SerializationContextData::None, &())
        .await;
    let Some(mut action) = description
        .raw()
        .schedule
        .as_ref()
        .and_then(|schedule| schedule.action.clone())
    else {
        return false;
    };
    match wished {
        Ok(mut wished) => key_ids(&mut action).await == key_ids(&mut wished).await,
        Err(_) => false,
    }
}

fn action(args: &ReconciliationArgs) -> ScheduleAction {
    ScheduleAction::start_workflow(
        ReconciliationWorkflow::run,
        Reconciliation::with_grace(args.reconcile_grace_seconds),
        task_queue::RECONCILIATION,
        schedule::RECONCILE_ORDERS,
    )
}

/// Each update is an event of the schedule, so there is none without a reason.
async fn is_as_wished(description: &ScheduleDescription, args: &ReconciliationArgs) -> bool {
    let wished = Reconciliation::with_grace(args.reconcile_grace_seconds);
    let starts_it = match description.action() {
        ScheduleDescriptionAction::StartWorkflow(start) => {
            let input = start.args::<Reconciliation>().await;
            start.task_queue() == task_queue::RECONCILIATION
                && input.is_ok_and(|input| input == Some(wished))
        }
        _ => false,
    };
    let catch_up = description
        .raw()
        .schedule
        .as_ref()
        .and_then(|schedule| schedule.policies.as_ref())
        .and_then(|policies| policies.catchup_window);
    let short = catch_up.and_then(|window| Duration::try_from(window).ok()) == Some(CATCH_UP);
    starts_it && short && every(description) == Some(args.every())
}

/// How often the schedule starts a run; none where it is not by one interval.
pub(super) fn every(description: &ScheduleDescription) -> Option<Duration> {
    let spec = description.raw().schedule.as_ref()?.spec.as_ref()?;
    match spec.interval.as_slice() {
        [interval] => Duration::try_from(interval.interval?).ok(),
        _ => None,
    }
}

pub(super) fn rpc_options() -> RpcOptions {
    let retry = RetryOptions::builder()
        .max_elapsed_time(Some(ANSWER))
        .build();
    RpcOptions::builder()
        .timeout(ANSWER)
        .retry_options(retry)
        .build()
}
