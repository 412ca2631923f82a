//! Whether orders can be placed and looked up right now.

use std::time::Duration;

use failure_queue::error_chain;
use pizza_store::StoreError;
use tokio::time::timeout;

use super::error::UseCaseError;
use super::temporal_error::TemporalError;
use super::use_cases::UseCases;

/// What is wrong with a part: as a client is told, and with its causes, as
/// the log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What a client is told.
    pub told: String,
    /// What is logged.
    pub cause: String,
}

/// Why what is needed is not there; none where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// What is wrong with the store.
    pub store: Option<Fault>,
    /// What is wrong with Temporal.
    pub temporal: Option<Fault>,
}

impl Missing {
    /// Which parts are there: the store, and Temporal.
    pub const fn there(&self) -> [bool; 2] {
        [self.store.is_none(), self.temporal.is_none()]
    }

    /// Whether everything is there.
    pub const fn is_ready(&self) -> bool {
        self.store.is_none() && self.temporal.is_none()
    }
}

impl UseCases {
    /// Whether everything is there, and why not. Each part is given `limit` to
    /// answer; what was found holds for a second.
    pub async fn missing(&self, limit: Duration) -> Missing {
        self.missing_lately.get(self.look(limit)).await
    }

    /// Looks at the store and at Temporal at the same time.
    async fn look(&self, limit: Duration) -> Missing {
        let store = async {
            match timeout(limit, self.store.prove()).await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(Fault {
                    told: told(&error).to_owned(),
                    cause: error_chain(&error),
                }),
                Err(_) => Some(Fault {
                    told: "the store is away".to_owned(),
                    cause: format!("it took nothing within {limit:?}"),
                }),
            }
        };
        let temporal = async {
            let error = self.temporal.ping(limit).await.err()?;
            let cause = error_chain(&error);
            // In the words of every other answer.
            let told = match error {
                TemporalError::NoNamespace(name) => UseCaseError::NoNamespace(name).to_string(),
                _ => "Temporal is away".to_owned(),
            };
            Some(Fault { told, cause })
        };
        let (store, temporal) = tokio::join!(store, temporal);
        Missing { store, temporal }
    }
}

/// What is wrong with a store, in words that hold nothing of its address.
const fn told(error: &StoreError) -> &'static str {
    match error {
        StoreError::Outdated { .. } => "the store lacks the schema of this version",
        StoreError::Replaced { .. } => "the store's file was removed or replaced",
        _ => "the store is away, or cannot be written to",
    }
}
