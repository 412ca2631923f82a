//! How Temporal says that a namespace is not there.

use prost::Message;
use temporalio_common::protos::google::rpc;
use temporalio_common::protos::temporal::api::errordetails::v1::NamespaceNotFoundFailure;
use tonic::{Code, Status};

/// The namespace that is not there, where that is what an answer says. Its code
/// is that of a workflow that is not there, too.
#[must_use]
pub fn missing_namespace(status: &Status) -> Option<String> {
    if status.code() != Code::NotFound {
        return None;
    }
    let details = rpc::Status::decode(status.details()).ok()?.details;
    let detail = details
        .iter()
        .find(|detail| detail.type_url.ends_with(".NamespaceNotFoundFailure"))?;
    let failure = NamespaceNotFoundFailure::decode(detail.value.as_slice()).ok()?;
    Some(failure.namespace)
}
