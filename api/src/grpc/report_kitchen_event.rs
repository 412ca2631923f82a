//! `KitchenService/ReportKitchenEvent`.

use pizza_domain::{InvalidField, KitchenReport};

use super::get_order::status;
use super::proto::{KitchenEvent, ReportKitchenEventRequest, ReportKitchenEventResponse};
use crate::gateway::App;
use crate::usecases::{ReportKitchenEvent, UseCaseError, Violation};

pub(super) async fn serve(
    app: &App,
    request: ReportKitchenEventRequest,
) -> Result<ReportKitchenEventResponse, UseCaseError> {
    let ticket_id = super::order_id(&request.ticket_id)?;
    let event = event(request.event)?;
    let report = ReportKitchenEvent { ticket_id, event };
    let answer = app.use_cases().report_kitchen_event(report).await?;
    Ok(ReportKitchenEventResponse {
        order_id: ticket_id.to_string(),
        event: request.event,
        status: status(answer.status).into(),
        repeated: answer.repeated,
    })
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
