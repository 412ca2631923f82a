//! Descriptions of workflows.
//!
//! A worker encrypts the summaries of the children that its workflows start,
//! as it does every payload. The SDK's client (1.1.1) decrypts all of a
//! workflow's description but them, and refuses it then. [`OpenDescriptions`]
//! decrypts them before the client looks. It also leaves out what nobody can
//! decrypt any more, which the client refuses as well: how a workflow stands is
//! worth knowing without its memo.

use std::collections::BTreeSet;

use futures::FutureExt;
use futures::future::BoxFuture;
use temporalio_client::errors::WorkflowInteractionError;
use temporalio_client::interceptors::{
    ClientInterceptor, DescribeWorkflowInput, DescribeWorkflowOutput, Next,
};
use temporalio_common::protos::temporal::api::common::v1::Payload;

use crate::Cipher;
use crate::cipher::{is_encrypted, key_id_of};
use crate::reading::open_what_can_be_opened;

/// The field that a memo has in the place of those that were left out: the ids
/// of the keys that would open them, as one text.
pub const LOST_KEYS: &str = "payload-codec-lost-keys";

/// The ids as a JSON text. They may be anybody's: what may not stand in one, or
/// is no ASCII, is left out.
fn named(keys: &BTreeSet<String>) -> Payload {
    let mut text = keys.iter().cloned().collect::<Vec<_>>().join(", ");
    text.retain(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\'));
    Payload {
        metadata: [("encoding".to_owned(), b"json/plain".to_vec())].into(),
        data: format!("\"{text}\"").into_bytes(),
        ..Payload::default()
    }
}

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
                let lost: BTreeSet<_> = memo.fields.values().filter_map(key_id_of).collect();
                memo.fields.retain(|_, value| !is_encrypted(value));
                if !lost.is_empty() {
                    memo.fields.insert(LOST_KEYS.to_owned(), named(&lost));
                }
            }
            Ok(output)
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_of_lost_keys_are_told_as_json_whatever_they_are() {
        let keys = ["2027-02", "a\"b\\c\n"].map(str::to_owned).into();
        assert_eq!(named(&keys).data, b"\"2027-02, abc\"");
    }
}
