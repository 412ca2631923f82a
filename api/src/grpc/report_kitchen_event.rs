//! `KitchenService/ReportKitchenEvent`.

use pizza_app::{ReportKitchenEvent, UseCaseError, Violation};
use pizza_domain::{InvalidField, KitchenReport, Rejection, ReportId, TicketReport};

use super::get_order::status;
use super::proto::{KitchenEvent, ReportKitchenEventRequest, ReportKitchenEventResponse};
use crate::gateway::App;

pub(super) async fn serve(
    app: &App,
    request: ReportKitchenEventRequest,
) -> Result<ReportKitchenEventResponse, UseCaseError> {
    let ticket_id = super::convert::order_id(&request.ticket_id)?;
    let report = TicketReport {
        report: event(request.event)?,
        report_id: parsed(request.report_id, ReportId::try_from)?,
        reason: parsed(request.reason, Rejection::try_from)?,
    };
    let report = ReportKitchenEvent { ticket_id, report };
    let answer = app.use_cases().report_kitchen_event(report).await?;
    Ok(ReportKitchenEventResponse {
        order_id: ticket_id.to_string(),
        event: request.event,
        status: status(answer.status).into(),
        repeated: answer.repeated,
    })
}

/// A report in the protocol's words.
pub(super) const fn in_protocol(report: KitchenReport) -> KitchenEvent {
    match report {
        KitchenReport::Accepted => KitchenEvent::Accepted,
        KitchenReport::Cooked => KitchenEvent::Cooked,
        KitchenReport::PickedUp => KitchenEvent::PickedUp,
        KitchenReport::Delivered => KitchenEvent::Delivered,
        KitchenReport::Rejected => KitchenEvent::Rejected,
    }
}

fn parsed<T>(
    text: Option<String>,
    parse: impl FnOnce(String) -> Result<T, InvalidField>,
) -> Result<Option<T>, UseCaseError> {
    text.map(parse)
        .transpose()
        .map_err(|field| UseCaseError::invalid(Violation::InvalidValue, field))
}

fn event(number: i32) -> Result<KitchenReport, UseCaseError> {
    let refused = |violation, expected: &str| {
        let field = InvalidField {
            field: "event",
            expected: expected.to_owned(),
        };
        Err(UseCaseError::invalid(violation, field))
    };
    match KitchenEvent::try_from(number) {
        Ok(KitchenEvent::Accepted) => Ok(KitchenReport::Accepted),
        Ok(KitchenEvent::Rejected) => Ok(KitchenReport::Rejected),
        Ok(KitchenEvent::Cooked) => Ok(KitchenReport::Cooked),
        Ok(KitchenEvent::PickedUp) => Ok(KitchenReport::PickedUp),
        Ok(KitchenEvent::Delivered) => Ok(KitchenReport::Delivered),
        Ok(KitchenEvent::Unspecified) => refused(Violation::Missing, "is missing"),
        Err(_) => refused(
            Violation::InvalidValue,
            "must be one of the protocol's events",
        ),
    }
}
