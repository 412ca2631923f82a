//! What to say of an order that does not answer since somebody paused it.

use futures::future::join_all;
use pizza_domain::OrderId;
use pizza_workflows::names::{fulfilment_workflow_id, loyalty_workflow_id, order_workflow_id};

use super::error::UseCaseError;
use super::temporal_error::TemporalError;
use super::use_cases::UseCases;

/// The workflows that take an order's changes and reports.
pub(super) fn workflows_of(id: OrderId) -> [String; 3] {
    [
        order_workflow_id(id),
        loyalty_workflow_id(id),
        fulfilment_workflow_id(id),
    ]
}

impl UseCases {
    /// An answer of the order's workflows. Where there was none, and one of
    /// them is paused, the error names it and says how it goes on.
    ///
    /// # Errors
    /// Those of the answer.
    pub(super) async fn answered<T>(
        &self,
        id: OrderId,
        answer: Result<T, TemporalError>,
    ) -> Result<T, UseCaseError> {
        let error = match answer {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let was_refused = matches!(error, TemporalError::Paused);
        let paused = match was_refused || error.may_have_happened() {
            true => self.paused_workflow(id).await,
            false => None,
        };
        Err(match paused {
            Some(workflow) => UseCaseError::OrderPaused {
                workflow,
                was_refused,
            },
            None => error.into(),
        })
    }

    /// The first of an order's workflows that is paused, as far as Temporal
    /// tells.
    async fn paused_workflow(&self, id: OrderId) -> Option<String> {
        let limit = self.settings.temporal_timeout;
        let looks = workflows_of(id).map(async |workflow| {
            let is_paused = self.temporal.is_paused(workflow.clone(), limit).await;
            is_paused.is_ok_and(|paused| paused).then_some(workflow)
        });
        join_all(looks).await.into_iter().flatten().next()
    }
}
