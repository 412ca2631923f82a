//! Tells where an order is right now, for those who look on.

use futures::future::join_all;
use pizza_domain::OrderId;
use pizza_store::OwedTask;

use super::error::UseCaseError;
use super::histories::Runs;
use super::paused::workflows_of;
use super::use_cases::UseCases;
use super::{OrderState, PendingStep};
use crate::access::Viewer;
use crate::timeline::Timeline;

/// Where an order is right now.
#[derive(Clone, Debug)]
pub struct OrderNow {
    /// How it stands.
    pub state: OrderState,
    /// What happened to it.
    pub timeline: Timeline,
    /// What is being tried, as far as Temporal says.
    pub pending: Vec<PendingStep>,
    /// Until when the kitchen has to report, in milliseconds since the Unix
    /// epoch, if it has the order.
    pub due_at_ms: Option<i64>,
}

impl OrderNow {
    /// What the order owes, or is owed.
    pub fn owed(&self) -> &[OwedTask] {
        &self.state.owed
    }
}

impl UseCases {
    /// Where an order is right now. What only Temporal knows is left out while
    /// it is away.
    ///
    /// # Errors
    /// When there is no such order for this viewer, or who could tell is away.
    pub async fn follow_order(
        &self,
        viewer: &Viewer,
        id: OrderId,
    ) -> Result<OrderNow, UseCaseError> {
        let state = self.get_order(viewer, id).await?;
        let timeline = self
            .timeline_of(viewer, &state.record, Runs::Latest)
            .await?;
        let due_at_ms = self.store.report_due_at_ms(id).await?;
        let pending = if state.record.status.is_final() {
            Vec::new()
        } else {
            self.pending_steps(id).await
        };
        Ok(OrderNow {
            state,
            timeline,
            pending,
            due_at_ms,
        })
    }

    /// The steps of an order that are being tried; none that cannot be read.
    async fn pending_steps(&self, id: OrderId) -> Vec<PendingStep> {
        let limit = self.settings.temporal_timeout;
        let asked = workflows_of(id).map(|workflow| self.temporal.pending_steps(workflow, limit));
        let answers = join_all(asked).await;
        answers.into_iter().flatten().flatten().collect()
    }
}
