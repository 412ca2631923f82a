//! Hands the kitchen's word to the saga.

use pizza_domain::{
    InvalidField, KitchenReport, OrderId, OrderStatus, ReportRefusal, TicketProgress, TicketReport,
};
use pizza_store::meters::Replay;

use super::error::{UseCaseError, Violation};
use super::temporal::{Fulfilment, Report};
use super::temporal_error::TemporalError;
use super::use_cases::UseCases;
use super::use_cases::about_order;

/// How often a report is handed on at most: the saga may begin to wait for it
/// between two looks.
const TRIES: u32 = 3;

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
        about_order(request.ticket_id);
        if self.is_over(request.ticket_id).await
            && let Some(answer) = self.closed(&request).await?
        {
            return Ok(answer);
        }
        if self.reuses_an_id(&request).await {
            return Err(UseCaseError::ReportIdReused);
        }
        for _ in 0..TRIES {
            let report = request.report.clone();
            let limit = self.settings.report_timeout;
            let id = request.ticket_id;
            let reported = self.temporal.report(id, report, limit).await;
            match self.answered(id, reported).await? {
                Report::Taken(status) => {
                    return Ok(ReportAnswer {
                        status,
                        repeated: false,
                    });
                }
                Report::Refused(refusal) => return self.refused(request, refusal).await,
                Report::Closed => {}
            }
            if let Some(answer) = self.closed(&request).await? {
                return Ok(answer);
            }
        }
        Err(TemporalError::TimedOut.into())
    }

    /// Whether the order has ended, or is being rolled back: nobody waits for
    /// reports on it then, also where a workflow of it is run again. A store
    /// that does not answer leaves that to the saga.
    async fn is_over(&self, id: OrderId) -> bool {
        let order = self.store.order(id).await.ok().flatten();
        order.is_some_and(|order| is_at_its_end(order.status))
    }

    /// Whether another report in the store bears this one's id. A workflow that
    /// was reset may not know that. A store that does not answer leaves it to the
    /// saga, and so does a repetition: a report is written before its workflow
    /// task is complete, and a worker that dies then takes the saga's knowledge
    /// of it along.
    async fn reuses_an_id(&self, request: &ReportKitchenEvent) -> bool {
        if request.report.report_id.is_none() {
            return false;
        }
        let taken = self.store.kitchen_reports(request.ticket_id).await;
        let known = TicketProgress::after(taken.unwrap_or_default());
        known.check(&request.report) == Err(ReportRefusal::IdReused)
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

    /// Nobody waited for reports on this ticket: no longer, never, or not yet;
    /// no answer when somebody does by now. The list of the reports that were
    /// taken outlives the workflows. What the saga said last counts beside it,
    /// since the store may be a moment behind.
    async fn closed(
        &self,
        request: &ReportKitchenEvent,
    ) -> Result<Option<ReportAnswer>, UseCaseError> {
        let id = request.ticket_id;
        let mut status = self.store.order(id).await?.map(|order| order.status);
        // Looked for before Temporal is asked: a ticket that is handed over
        // meanwhile is not one that Temporal has forgotten.
        let was_there = is_beyond_hand_over(status) || self.store.has_ticket(id).await?;
        let mut unwritten = None;
        if !status.is_some_and(is_at_its_end) {
            let limit = self.settings.temporal_timeout;
            match self.temporal.fulfilment(id, limit).await? {
                Fulfilment::UnderWay => return Ok(None),
                Fulfilment::Unknown if !was_there => {
                    return Err(UseCaseError::TicketNotFound(id));
                }
                Fulfilment::Unknown | Fulfilment::Over => {}
                Fulfilment::Delivered(delivery) => unwritten = Some(delivery),
            }
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
        match TicketProgress::ended_after(taken).check(&request.report) {
            Ok(()) => Err(UseCaseError::ReportLate { status }),
            Err(refusal) => answer_to(refusal, status, request).map(Some),
        }
    }
}

/// Whether the fulfilment of an order of this status is over for good.
const fn is_at_its_end(status: OrderStatus) -> bool {
    status.is_final() || matches!(status, OrderStatus::Refunding | OrderStatus::PaymentFailed)
}

/// Whether an order of this status has had a ticket, or will never have one.
const fn is_beyond_hand_over(status: Option<OrderStatus>) -> bool {
    !matches!(
        status,
        None | Some(
            OrderStatus::Pending | OrderStatus::PaymentProcessing | OrderStatus::PaymentComplete
        )
    )
}

/// The answer to a report that is not taken now.
fn answer_to(
    refusal: ReportRefusal,
    status: Option<OrderStatus>,
    request: &ReportKitchenEvent,
) -> Result<ReportAnswer, UseCaseError> {
    match refusal {
        ReportRefusal::Repeated => {
            Replay::ReportKitchenEvent.count();
            // The store may be a moment behind what the report brought about.
            let brought = request.report.report.order_status();
            let now = status.filter(|status| status.rank() > brought.rank());
            Ok(ReportAnswer::repeated(now.unwrap_or(brought)))
        }
        ReportRefusal::OutOfOrder => Err(UseCaseError::ReportOutOfOrder { status }),
        ReportRefusal::Late => Err(UseCaseError::ReportLate { status }),
        ReportRefusal::IdReused => Err(UseCaseError::ReportIdReused),
        ReportRefusal::TooMany => Err(UseCaseError::TooManyReports { status }),
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
