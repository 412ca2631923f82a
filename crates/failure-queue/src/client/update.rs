//! Updates of workflows: the one that gets lost on the way, and what a failed
//! one says.

use std::iter::successors;

use temporalio_client::Client;
use temporalio_client::errors::WorkflowUpdateError;
use temporalio_common::data_converters::{
    NoopDecodeHint, SerializationContextData, WorkflowSerializationContext,
};
use temporalio_common::protos::temporal::api::failure::v1::Failure;
use temporalio_common::protos::temporal::api::failure::v1::failure::FailureInfo;
use temporalio_common_full::payload_visitor::decode_payloads;
use tokio::time::sleep;
use tonic::{Code, Status};

use super::ASK_AGAIN;

/// How the server answers an update that a workflow took and then ended
/// without answering.
pub const COMPLETED_WITHOUT_ANSWER: &str = "AcceptedUpdateCompletedWorkflow";

/// How the server answers an update that no worker processed although one
/// had it.
pub const UNPROCESSED: &str = "UnprocessedUpdate";

/// Sends an update by `client`, and again as often as it is lost. It has no
/// deadline of its own. What a failure says is read as the client's data
/// converter wrote it: the client itself hands it on as it came.
///
/// # Errors
/// Those of an update that was not lost.
pub async fn until_processed<T, F>(
    client: &Client,
    send: impl Fn() -> F,
) -> Result<T, WorkflowUpdateError>
where
    F: Future<Output = Result<T, WorkflowUpdateError>>,
{
    loop {
        match send().await {
            // Its workflow task was lost, with whatever it had done.
            Err(error) if is_lost(&error) => sleep(ASK_AGAIN).await,
            Err(WorkflowUpdateError::Failed(failure)) => {
                let failure = in_plain(client, *failure).await;
                return Err(WorkflowUpdateError::Failed(Box::new(failure)));
            }
            result => return result,
        }
    }
}

/// The failure in plain words. Where it cannot be read it stays as it came:
/// its type still says what it means.
async fn in_plain(client: &Client, failure: Failure) -> Failure {
    let context = SerializationContextData::Workflow(WorkflowSerializationContext::new());
    let converter = &client.options().data_converter;
    let mut opened = failure.clone();
    if decode_payloads(&mut opened, converter.codec(), &context)
        .await
        .is_err()
    {
        return failure;
    }
    converter
        .to_error(&context, opened, NoopDecodeHint)
        .map_or(failure, |error| error.failure().clone())
}

/// Whether an update had no effect because the workflow task that it came
/// with was lost: several came at once, or a timer fired meanwhile.
#[must_use]
pub fn is_lost(error: &WorkflowUpdateError) -> bool {
    match error {
        WorkflowUpdateError::Failed(failure) => types(failure).any(|(kind, _)| kind == UNPROCESSED),
        WorkflowUpdateError::Rpc(status) => {
            status.code() == Code::FailedPrecondition && !is_paused(status)
        }
        _ => false,
    }
}

/// Whether the server refuses an update because somebody paused the workflow.
/// It says so in its text alone.
#[must_use]
pub fn is_paused(status: &Status) -> bool {
    status.code() == Code::FailedPrecondition && status.message().contains("paused")
}

/// The types and messages of the application failures in a failure and its
/// causes, outermost first.
pub fn types(failure: &Failure) -> impl Iterator<Item = (&str, &str)> {
    causes(failure).filter_map(|failure| match &failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) => {
            Some((info.r#type.as_str(), failure.message.as_str()))
        }
        _ => None,
    })
}

/// A failure and its causes in one line.
#[must_use]
pub fn failure_text(failure: &Failure) -> String {
    causes(failure)
        .map(|failure| failure.message.as_str())
        .collect::<Vec<_>>()
        .join(": ")
}

/// A failure and its causes, outermost first.
fn causes(failure: &Failure) -> impl Iterator<Item = &Failure> {
    successors(Some(failure), |failure| failure.cause.as_deref())
}
