//! Hands the kitchen's word to the saga.

use pizza_domain::{
    InvalidField, KitchenReport, OrderId, OrderStatus, ReportRefusal, TicketProgress, TicketReport,
};

use super::temporal::Report;
use super::{UseCaseError, UseCases, Violation};

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
    /// order is over, the id is another report's, or the saga did not answer
    /// in time.
    pub async fn report_kitchen_event(
        &self,
        request: ReportKitchenEvent,
    ) -> Result<ReportAnswer, UseCaseError> {
        check_reason(&request.report)?;
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
        answer_to(refusal, order.map(|order| order.status), &request)
    }

    /// Nobody waits for reports on this ticket: no longer, not yet, or never.
    /// The list of the reports that were taken outlives the workflows. What
    /// the saga said last counts beside it, since the store may be a moment
    /// behind.
    async fn closed(&self, request: ReportKitchenEvent) -> Result<ReportAnswer, UseCaseError> {
        let id = request.ticket_id;
        let mut status = self.store.order(id).await?.map(|order| order.status);
        let mut unwritten = None;
        if !status.is_some_and(OrderStatus::is_final) {
            let limit = self.settings.temporal_timeout;
            unwritten = self.temporal.delivery(id, limit).await?;
        }
        let mut taken = self.store.kitchen_reports(id).await?;
        if let Some(delivery) = unwritten {
            status = Some(OrderStatus::DeliveryConfirmed);
            taken.retain(|report| report.report != KitchenReport::Delivered);
            taken.push(TicketReport {
                report_id: delivery.report_id,
                ..KitchenReport::Delivered.into()
            });
        }
        if status == Some(OrderStatus::DeliveryConfirmed) && taken.is_empty() {
            // Its reports were not listed yet, and had no ids.
            taken.push(KitchenReport::Delivered.into());
        }
        let had_no_ticket = matches!(
            status,
            None | Some(
                OrderStatus::Pending
                    | OrderStatus::PaymentProcessing
                    | OrderStatus::PaymentComplete
            )
        );
        if had_no_ticket && taken.is_empty() && !self.store.has_ticket(id).await? {
            return Err(UseCaseError::TicketNotFound(id));
        }
        match TicketProgress::ended_after(taken).check(&request.report) {
            Ok(()) => Err(UseCaseError::ReportLate { status }),
            Err(refusal) => answer_to(refusal, status, &request),
        }
    }
}

/// The answer to a report that is not taken now.
fn answer_to(
    refusal: ReportRefusal,
    status: Option<OrderStatus>,
    request: &ReportKitchenEvent,
) -> Result<ReportAnswer, UseCaseError> {
    match refusal {
        ReportRefusal::Repeated => Ok(ReportAnswer::repeated(
            status.unwrap_or(request.report.report.order_status()),
        )),
        ReportRefusal::OutOfOrder => Err(UseCaseError::ReportOutOfOrder { status }),
        ReportRefusal::Late => Err(UseCaseError::ReportLate { status }),
        ReportRefusal::IdReused => Err(UseCaseError::ReportIdReused),
    }
}

/// Only what does not come has a reason.
fn check_reason(report: &TicketReport) -> Result<(), UseCaseError> {
    if report.reason.is_none() || report.report == KitchenReport::Rejected {
        return Ok(());
    }
    let field = InvalidField {
        field: "reason",
        expected: "is for the event rejected alone".to_owned(),
    };
    Err(UseCaseError::invalid(Violation::InvalidValue, field))
}
