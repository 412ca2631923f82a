//! Cancels an order, if it can be.

use pizza_domain::{OrderId, OrderStatus};
use pizza_workflows::ChangeRefusal;

use super::error::UseCaseError;
use super::temporal::Changed;
use super::use_cases::UseCases;
use crate::access::Viewer;

impl UseCases {
    /// Cancels an order. What this says yes to is rolled back whatever comes;
    /// to cancel an order again, or one that is cancelled, is a yes as well.
    /// Gives the status that the record has now.
    ///
    /// # Errors
    /// When there is no such order for this viewer, when it is on its way or
    /// delivered, or when the saga did not answer in time; to ask again is
    /// safe then.
    pub async fn cancel_order(
        &self,
        viewer: &Viewer,
        id: OrderId,
    ) -> Result<OrderStatus, UseCaseError> {
        self.get_order(viewer, id).await?;
        let limit = self.settings.report_timeout;
        let changed = self.temporal.cancel_order(id, limit).await;
        let changed = self.answered(id, changed).await?;
        let status = self.get_order(viewer, id).await?.record.status;
        match changed {
            Changed::Yes(()) | Changed::No(ChangeRefusal::Over) => Ok(status),
            // Asked again, the cancellation is told what it was told then.
            Changed::No(_) if status == OrderStatus::DeliveryConfirmed => {
                Err(UseCaseError::OrderDelivered)
            }
            Changed::No(refusal) => Err(UseCaseError::of_refusal(refusal, status)),
            Changed::Closed => match status {
                OrderStatus::Cancelled => Ok(status),
                OrderStatus::DeliveryConfirmed => Err(UseCaseError::OrderDelivered),
                _ => Err(UseCaseError::OrderUnattended),
            },
        }
    }
}
