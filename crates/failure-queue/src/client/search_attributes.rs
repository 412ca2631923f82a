//! The search attributes that a namespace must know.

use temporalio_common::protos::temporal::api::enums::v1::IndexedValueType;
use temporalio_common::protos::temporal::api::operatorservice::v1::{
    AddSearchAttributesRequest, ListSearchAttributesRequest,
};
use tonic::{Code, IntoRequest};

use super::{Error, FailureQueues};
use crate::names::search_attribute;

impl FailureQueues {
    /// Registers the search attributes of parked tasks, and as keywords those
    /// of their subjects, unless the namespace has them. One that is missing
    /// holds up the parking of a task until it is registered.
    ///
    /// # Errors
    /// [`Error::Unexpected`] when only an administrator may do that, others
    /// when Temporal is away.
    pub async fn register_search_attributes(&self, subject: &[&str]) -> Result<(), Error> {
        self.within(async {
            let namespace = self.client.options().namespace.clone();
            let mut operator = self.client.connection().operator_service();
            let list = ListSearchAttributesRequest {
                namespace: namespace.clone(),
            };
            let known = operator.list_search_attributes(list.into_request()).await?;
            let known = known.into_inner().custom_attributes;
            let keywords = subject.iter().map(|name| (*name, "Keyword"));
            let missing: Vec<_> = search_attribute::all()
                .into_iter()
                .chain(keywords)
                .filter(|(name, _)| !known.contains_key(*name))
                .collect();
            if missing.is_empty() {
                return Ok(());
            }
            let add = AddSearchAttributesRequest {
                namespace,
                search_attributes: missing
                    .into_iter()
                    .map(|(name, kind)| (name.to_owned(), value_type(kind) as i32))
                    .collect(),
            };
            match operator.add_search_attributes(add.into_request()).await {
                // Somebody else was quicker.
                Err(status) if status.code() == Code::AlreadyExists => Ok(()),
                result => Ok(result.map(drop)?),
            }
        })
        .await
    }
}

fn value_type(name: &str) -> IndexedValueType {
    match name {
        "Datetime" => IndexedValueType::Datetime,
        _ => IndexedValueType::Keyword,
    }
}
