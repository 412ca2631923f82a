//! Whether orders can be placed and looked up right now.

use std::time::Duration;

use tokio::time::timeout;

use super::UseCases;

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

impl UseCases {
    /// Asks the store and Temporal at the same time; either may take `limit`.
    pub async fn readiness(&self, limit: Duration) -> Readiness {
        let store = async { matches!(timeout(limit, self.store.ping()).await, Ok(Ok(()))) };
        let temporal = async { self.temporal.ping(limit).await.is_ok() };
        let (store, temporal) = tokio::join!(store, temporal);
        Readiness { store, temporal }
    }
}
