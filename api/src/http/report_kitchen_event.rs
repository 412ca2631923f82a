//! `POST /kitchen/tickets/{id}/events`.

use axum::Json;
use axum::extract::State;
use pizza_app::access::KitchenAccess;
use pizza_app::{ReportKitchenEvent, UseCaseError, Violation};
use pizza_contract::ErrorCode;
use pizza_domain::{InvalidField, Rejection, ReportId, TicketReport};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::json::Fields;
use super::problem::ProblemBody;
use crate::extract::OrderIdInPath;
use crate::gateway::AppState;
use crate::problem::Problem;

/// The kitchen's word on a ticket.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ReportKitchenEvent)]
#[expect(
    dead_code,
    reason = "only its schema is used: `Fields` says more about what is wrong"
)]
struct ReportKitchenEventBody {
    /// What happened.
    event: KitchenEventBody,
    /// The report's own id: the same report is sent again under the same id.
    /// 1 to 64 of `A-Z a-z 0-9 . _ : / -`.
    #[schema(pattern = "^[A-Za-z0-9._:/-]{1,64}$", nullable = false)]
    report_id: Option<String>,
    /// Why, when it is a rejection, and then alone: 1 to 200 characters, at
    /// least one of them visible, for the customer.
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    reason: Option<String>,
}

/// What the kitchen reports, in the order in which it must; that it rejects,
/// at any time before the last.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KitchenEvent)]
pub(super) enum KitchenEventBody {
    Accepted,
    Cooked,
    PickedUp,
    Delivered,
    Rejected,
}

/// The answer to a report that was taken, now or before.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KitchenEventReported)]
pub(super) struct KitchenEventReportedBody {
    /// The order's id.
    #[schema(format = "uuid")]
    order_id: String,
    /// The report that is answered.
    #[schema(value_type = KitchenEventBody)]
    event: &'static str,
    /// The order's status now.
    #[schema(value_type = pizza_contract::schemas::OrderStatus)]
    status: &'static str,
    /// What became of the report.
    outcome: ReportOutcomeBody,
}

/// What became of a report.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ReportOutcome)]
enum ReportOutcomeBody {
    /// It brought the order on.
    Taken,
    /// It was taken before, and changed nothing now.
    Repeated,
}

/// Report progress on a kitchen ticket.
///
/// A ticket carries its order's id. To report again under the same id is
/// safe, also after the order is over. A report that comes too early or too
/// late is refused with the order's status.
#[utoipa::path(
    post, path = "/kitchen/tickets/{id}/events", operation_id = "reportKitchenEvent", tag = "kitchen",
    params(("id" = String, Path, format = "uuid", description = "The ticket's id, which is its order's.")),
    request_body = ReportKitchenEventBody,
    responses(
        (status = 200, description = "The report was taken, now or before.", body = KitchenEventReportedBody),
        (status = 400, description = "The id or the body cannot be read.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "A kitchen's key is needed.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "This gateway has no kitchens, or the key is not one's.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "The kitchen has no such ticket.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 408, description = "The body did not arrive in time.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "Another report has to come first, or the order is over.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "A field is missing, unknown or not allowed, or the id is another report's.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The saga did not answer in time; report again.", body = ProblemBody, content_type = "application/problem+json",
         headers(("Retry-After" = u32, description = "Seconds to wait before another try."))),
    ),
    security(("kitchenKey" = [])),
)]
pub(super) async fn report_kitchen_event(
    _: KitchenAccess,
    State(app): State<AppState>,
    OrderIdInPath(ticket_id): OrderIdInPath,
    fields: Fields,
) -> Result<Json<KitchenEventReportedBody>, Problem> {
    let report = report(fields)?;
    let event = report.report;
    let report = ReportKitchenEvent { ticket_id, report };
    let answer = app.use_cases().report_kitchen_event(report).await?;
    Ok(Json(KitchenEventReportedBody {
        order_id: ticket_id.to_string(),
        event: event.as_str(),
        status: answer.status.as_str(),
        outcome: if answer.repeated {
            ReportOutcomeBody::Repeated
        } else {
            ReportOutcomeBody::Taken
        },
    }))
}

fn report(fields: Fields) -> Result<TicketReport, Problem> {
    let mut fields = fields.only(&["event", "reportId", "reason"])?;
    let event = fields
        .text("event")?
        .ok_or_else(|| Problem::new(ErrorCode::MissingField, "event is missing").field("event"))?;
    let report_id = fields.text("reportId")?;
    let reason = fields.text("reason")?;
    Ok(TicketReport {
        report: event.parse().map_err(refused)?,
        report_id: report_id
            .map(ReportId::try_from)
            .transpose()
            .map_err(refused)?,
        reason: reason
            .map(Rejection::try_from)
            .transpose()
            .map_err(refused)?,
    })
}

fn refused(refusal: InvalidField) -> UseCaseError {
    UseCaseError::invalid(Violation::InvalidValue, refusal)
}
