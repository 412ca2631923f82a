//! Descriptions of workflows.
//!
//! A worker encrypts the summaries of the children that its workflows start,
//! as it does every payload. The SDK's client (1.1.1) decrypts all of a
//! workflow's description but them, and refuses it then. [`OpenDescriptions`]
//! decrypts them before the client looks. It also leaves out what nobody can
//! decrypt any more, which the client refuses as well: how a workflow stands is
//! worth knowing without its memo.

use futures::FutureExt;
use futures::future::BoxFuture;
use temporalio_client::errors::WorkflowInteractionError;
use temporalio_client::interceptors::{
    ClientInterceptor, DescribeWorkflowInput, DescribeWorkflowOutput, Next,
};

use crate::Cipher;
use crate::cipher::is_encrypted;
use crate::reading::open_what_can_be_opened;

/// Decrypts the summary and the memo in a workflow's description, and leaves
/// out those whose key is lost.
#[derive(Clone, Debug)]
pub struct OpenDescriptions(pub Cipher);

impl ClientInterceptor for OpenDescriptions {
    fn describe_workflow<'a>(
        &'a self,
        input: DescribeWorkflowInput,
        next: Next<
            'a,
            DescribeWorkflowInput,
            BoxFuture<'a, Result<DescribeWorkflowOutput, WorkflowInteractionError>>,
        >,
    ) -> BoxFuture<'a, Result<DescribeWorkflowOutput, WorkflowInteractionError>> {
        async move {
            let mut output = next.run(input).await?;
            let config = output.response.execution_config.as_mut();
            if let Some(metadata) = config.and_then(|config| config.user_metadata.as_mut()) {
                open_what_can_be_opened(metadata, &self.0).await;
                metadata.summary.take_if(|summary| is_encrypted(summary));
                metadata.details.take_if(|details| is_encrypted(details));
            }
            let info = output.response.workflow_execution_info.as_mut();
            if let Some(memo) = info.and_then(|info| info.memo.as_mut()) {
                open_what_can_be_opened(memo, &self.0).await;
                memo.fields.retain(|_, value| !is_encrypted(value));
            }
            Ok(output)
        }
        .boxed()
    }
}
