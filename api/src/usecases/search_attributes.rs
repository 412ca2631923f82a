//! Makes the namespace know our search attributes.

use pizza_workflows::names::search_attribute;
use temporalio_client::{Client, NamespacedClient};
use temporalio_common::protos::temporal::api::enums::v1::IndexedValueType;
use temporalio_common::protos::temporal::api::operatorservice::v1::{
    AddSearchAttributesRequest, ListSearchAttributesRequest,
};
use tonic::{Code, IntoRequest, Status};

use super::TemporalError;

/// Registers the search attributes that the client's namespace lacks. Where
/// only an administrator may do that, they have to be there already, which
/// is logged and not an error.
///
/// # Errors
/// When Temporal is away.
pub async fn register_search_attributes(client: &Client) -> Result<(), TemporalError> {
    match register(client).await {
        Ok(()) => Ok(()),
        Err(status) if is_forbidden(&status) => {
            tracing::warn!(
                %status,
                needed = ?search_attribute::all(),
                "the namespace's search attributes are not ours to register"
            );
            Ok(())
        }
        Err(status) => Err(TemporalError::Rpc(status)),
    }
}

async fn register(client: &Client) -> Result<(), Status> {
    let mut operator = client.connection().operator_service();
    let known = operator
        .list_search_attributes(
            ListSearchAttributesRequest {
                namespace: client.namespace(),
            }
            .into_request(),
        )
        .await?
        .into_inner()
        .custom_attributes;
    let missing: Vec<_> = search_attribute::all()
        .into_iter()
        .filter(|(name, _)| !known.contains_key(*name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let request = AddSearchAttributesRequest {
        namespace: client.namespace(),
        search_attributes: missing
            .iter()
            .map(|(name, kind)| ((*name).to_owned(), value_type(kind) as i32))
            .collect(),
    };
    match operator.add_search_attributes(request.into_request()).await {
        Ok(_) => {
            tracing::info!(?missing, "registered search attributes");
            Ok(())
        }
        // Another process was quicker.
        Err(status) if status.code() == Code::AlreadyExists => Ok(()),
        Err(status) => Err(status),
    }
}

fn value_type(name: &str) -> IndexedValueType {
    match name {
        "Datetime" => IndexedValueType::Datetime,
        _ => IndexedValueType::Keyword,
    }
}

fn is_forbidden(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::PermissionDenied | Code::Unauthenticated | Code::Unimplemented
    )
}
