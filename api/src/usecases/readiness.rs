//! Whether orders can be placed and looked up right now.

use std::time::Duration;

use tokio::time::timeout;

use super::UseCases;
use crate::problem::chain;

/// What the use cases need, and whether it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// Whether the store answers.
    pub store: bool,
    /// Whether Temporal answers and knows the namespace.
    pub temporal: bool,
}

impl Readiness {
    /// Whether everything is there.
    #[must_use]
    pub const fn is_ready(self) -> bool {
        self.store && self.temporal
    }
}

/// Why what is needed is not there; none where it is.
#[derive(Debug, Default)]
pub(crate) struct Missing {
    pub(crate) store: Option<String>,
    pub(crate) temporal: Option<String>,
}

impl Missing {
    /// What is there.
    pub(crate) const fn readiness(&self) -> Readiness {
        Readiness {
            store: self.store.is_none(),
            temporal: self.temporal.is_none(),
        }
    }
}

impl UseCases {
    /// Asks the store and Temporal at the same time; either may take `limit`.
    pub async fn readiness(&self, limit: Duration) -> Readiness {
        self.missing(limit).await.readiness()
    }

    /// The same, with the reasons.
    pub(crate) async fn missing(&self, limit: Duration) -> Missing {
        let store = async {
            match timeout(limit, self.store.ping()).await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(chain(&error)),
                Err(_) => Some(format!("no answer within {limit:?}")),
            }
        };
        let temporal = async { self.temporal.ping(limit).await.err().map(|e| chain(&e)) };
        let (store, temporal) = tokio::join!(store, temporal);
        Missing { store, temporal }
    }
}
