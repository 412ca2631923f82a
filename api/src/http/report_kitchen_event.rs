//! `POST /kitchen/tickets/{id}/events`.

use axum::Json;
use axum::extract::State;
use pizza_app::access::KitchenAccess;
use pizza_app::{ReportKitchenEvent, UseCaseError, Violation};
use pizza_contract as contract;
use pizza_domain::{InvalidField, Rejection, ReportId, TicketReport};

use super::json::Body;
use crate::extract::OrderIdInPath;
use crate::gateway::AppState;
use crate::problem::Problem;

/// Report progress on a kitchen ticket.
///
/// A ticket carries its order's id. To report again under the same id is
/// safe, also after the order is over. A report that comes too early or too
/// late is refused with the order's status.
#[utoipa::path(
    post, path = "/kitchen/tickets/{id}/events", operation_id = "reportKitchenEvent", tag = "kitchen",
    params(("id" = String, Path, format = "uuid", description = "The ticket's id, which is its order's.")),
    request_body = contract::ReportKitchenEvent,
    responses(
        (status = 200, description = "The report was taken, now or before.", body = contract::KitchenEventReported),
        (status = 400, description = "The id or the body cannot be read."),
        (status = 404, description = "The kitchen has no such ticket."),
        (status = 409, description = "Another report has to come first, or the order is over."),
        (status = 422, description = "A field is missing, unknown or not allowed, or the id is another report's."),
        (status = 503, description = "The saga did not answer in time; report again."),
    ),
    security(("kitchenKey" = [])),
)]
pub(super) async fn report_kitchen_event(
    _: KitchenAccess,
    State(app): State<AppState>,
    OrderIdInPath(ticket_id): OrderIdInPath,
    Body(report): Body<contract::ReportKitchenEvent>,
) -> Result<Json<contract::KitchenEventReported>, Problem> {
    let report = checked(report)?;
    let event = report.report;
    let report = ReportKitchenEvent { ticket_id, report };
    let answer = app.use_cases().report_kitchen_event(report).await?;
    Ok(Json(contract::KitchenEventReported {
        order_id: ticket_id,
        event: event.as_str().into(),
        status: answer.status.as_str().into(),
        outcome: if answer.repeated {
            contract::ReportOutcome::Repeated
        } else {
            contract::ReportOutcome::Taken
        }
        .into(),
    }))
}

fn checked(report: contract::ReportKitchenEvent) -> Result<TicketReport, UseCaseError> {
    let read = || -> Result<TicketReport, InvalidField> {
        Ok(TicketReport {
            report: report.event.parse()?,
            report_id: report.report_id.map(ReportId::try_from).transpose()?,
            reason: report.reason.map(Rejection::try_from).transpose()?,
        })
    };
    read().map_err(|refusal| UseCaseError::invalid(Violation::InvalidValue, refusal))
}
