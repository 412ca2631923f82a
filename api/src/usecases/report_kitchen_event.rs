//! Hands the kitchen's word to the saga.

use pizza_domain::{OrderId, OrderStatus, ReportRefusal, TicketReport};

use super::temporal::Report;
use super::{UseCaseError, UseCases};

/// The kitchen's word on a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportKitchenEvent {
    /// The ticket, which carries its order's id.
    pub ticket_id: OrderId,
    /// What happened.
    pub report: TicketReport,
}

/// The answer to a report that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportAnswer {
    /// The order's status now.
    pub status: OrderStatus,
    /// Whether it had been taken before, and changed nothing now.
    pub repeated: bool,
}

impl ReportAnswer {
    const fn repeated(status: OrderStatus) -> Self {
        Self {
            status,
            repeated: true,
        }
    }
}

impl UseCases {
    /// Reports progress on a ticket. To report again is safe.
    ///
    /// # Errors
    /// When the ticket is unknown, another report has to come first, the
    /// order is over, or the saga did not answer in time.
    pub async fn report_kitchen_event(
        &self,
        request: ReportKitchenEvent,
    ) -> Result<ReportAnswer, UseCaseError> {
        let limit = self.settings.report_timeout;
        let report = request.report.clone();
        match self
            .temporal
            .report(request.ticket_id, report, limit)
            .await?
        {
            Report::Taken(status) => Ok(ReportAnswer {
                status,
                repeated: false,
            }),
            Report::Refused(refusal) => self.refused(request, refusal).await,
            Report::Closed => self.closed(request).await,
        }
    }

    async fn refused(
        &self,
        request: ReportKitchenEvent,
        refusal: ReportRefusal,
    ) -> Result<ReportAnswer, UseCaseError> {
        // The refusal is certain; where the order stands is only told along.
        let order = self.store.order(request.ticket_id).await.ok().flatten();
        let status = order.map(|order| order.status);
        match refusal {
            ReportRefusal::Repeated => Ok(ReportAnswer::repeated(
                status.unwrap_or(request.report.report.order_status()),
            )),
            ReportRefusal::OutOfOrder => Err(UseCaseError::ReportOutOfOrder { status }),
            ReportRefusal::Late => Err(UseCaseError::ReportLate { status }),
            ReportRefusal::IdReused => Err(UseCaseError::ReportIdReused),
        }
    }

    /// Nobody waits for reports on this ticket: no longer, not yet, or never.
    /// What the saga said last counts, since the store may be a moment behind
    /// it; the store is for orders that Temporal has forgotten.
    async fn closed(&self, request: ReportKitchenEvent) -> Result<ReportAnswer, UseCaseError> {
        let limit = self.settings.temporal_timeout;
        let delivered = self
            .temporal
            .was_delivered(request.ticket_id, limit)
            .await?;
        let order = self.store.order(request.ticket_id).await?;
        match order.map(|order| order.status) {
            // A delivered order has taken every report.
            Some(OrderStatus::DeliveryConfirmed) => {
                Ok(ReportAnswer::repeated(OrderStatus::DeliveryConfirmed))
            }
            Some(_) if delivered => Ok(ReportAnswer::repeated(OrderStatus::DeliveryConfirmed)),
            None
            | Some(
                OrderStatus::Pending
                | OrderStatus::PaymentProcessing
                | OrderStatus::PaymentComplete,
            ) => Err(UseCaseError::TicketNotFound(request.ticket_id)),
            status @ Some(_) => Err(UseCaseError::ReportLate { status }),
        }
    }
}
