//! `GET /failures`.

use axum::Json;
use axum::extract::State;
use failure_queue::client::StateFilter;
use pizza_app::access::Operator;
use pizza_app::{FailureFilter, ListFailures, UseCaseError, Violation};
use pizza_contract as contract;
use pizza_domain::InvalidField;

use super::failures::listed;
use super::query::Query;
use crate::gateway::AppState;
use crate::problem::Problem;

/// List parked tasks.
///
/// Temporal's list is a moment behind what it does.
#[utoipa::path(
    get, path = "/failures", operation_id = "listFailures", tag = "failures",
    params(contract::ListFailures),
    responses(
        (status = 200, description = "A page of parked tasks.", body = contract::Failures),
        (status = 400, description = "The query cannot be read."),
        (status = 422, description = "A value is not allowed."),
        (status = 503, description = "Temporal cannot tell right now."),
    ),
    security(("operatorKey" = [])),
)]
pub(super) async fn list_failures(
    _: Operator,
    State(app): State<AppState>,
    Query(query): Query<contract::ListFailures>,
) -> Result<Json<contract::Failures>, Problem> {
    let page = app.use_cases().list_failures(wanted(query)?).await?;
    Ok(Json(contract::Failures {
        failures: page.failures.into_iter().map(listed).collect(),
        next_cursor: page.next_cursor,
    }))
}

fn wanted(query: contract::ListFailures) -> Result<ListFailures, UseCaseError> {
    let named = query.state.as_deref();
    Ok(ListFailures {
        state: named.map_or(Ok(StateFilter::Open), state)?,
        filter: FailureFilter {
            queue: query.queue,
            message_type: query.message_type,
            error_code: query.error_code,
            older_than_seconds: query.older_than_seconds,
            newer_than_seconds: query.newer_than_seconds,
            order_id: query.order_id,
            customer_id: query.customer_id,
        },
        limit: query.limit,
        cursor: query.cursor,
    })
}

fn state(name: &str) -> Result<StateFilter, UseCaseError> {
    match name {
        "open" => Ok(StateFilter::Open),
        "done" => Ok(StateFilter::Done),
        "discarded" => Ok(StateFilter::Discarded),
        _ => {
            let field = InvalidField {
                field: "state",
                expected: "must be open, done or discarded".to_owned(),
            };
            Err(UseCaseError::invalid(Violation::InvalidValue, field))
        }
    }
}
