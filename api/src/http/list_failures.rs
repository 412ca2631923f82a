//! `GET /failures`.

use axum::Json;
use axum::extract::State;
use failure_queue::client::StateFilter;
use pizza_app::access::Operator;
use pizza_app::{FailureFilter, ListFailures, UseCaseError, Violation};
use pizza_contract as contract;
use pizza_domain::InvalidField;
use serde::Deserialize;
use utoipa::IntoParams;

use super::failures::{StrictQuery, integer_in_query, listed};
use crate::gateway::AppState;
use crate::problem::Problem;

/// Which parked tasks to list.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListFailuresQuery {
    /// Only this queue: `add-loyalty-points`, `refund-payment`,
    /// `remove-loyalty-points` or `notify-customer`.
    queue: Option<String>,
    /// Only tasks about this: `AddLoyaltyPointsFailed`,
    /// `RefundPaymentFailed`, `RemoveLoyaltyPointsFailed` or
    /// `NotifyCustomerFailed`.
    message_type: Option<String>,
    /// Only tasks whose last error has this code.
    #[param(min_length = 1, max_length = 128)]
    error_code: Option<String>,
    /// Only tasks that have been parked for longer than this.
    #[param(minimum = 0, maximum = 315_360_000)]
    #[serde(default, deserialize_with = "integer_in_query")]
    older_than_seconds: Option<i64>,
    /// Only tasks that have been parked for less than this.
    #[param(minimum = 0, maximum = 315_360_000)]
    #[serde(default, deserialize_with = "integer_in_query")]
    newer_than_seconds: Option<i64>,
    /// Only tasks of this order.
    #[param(format = "uuid")]
    order_id: Option<String>,
    /// Only tasks of this customer's orders.
    #[param(pattern = "^[A-Za-z0-9._-]{1,64}$")]
    customer_id: Option<String>,
    /// `open`, or those that are closed: `done` or `discarded`.
    #[param(default = "open")]
    state: Option<String>,
    /// Tasks on a page.
    #[param(minimum = 1, maximum = 100, default = 50)]
    #[serde(default, deserialize_with = "integer_in_query")]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

/// List parked tasks.
///
/// Temporal's list is a moment behind what it does.
#[utoipa::path(
    get, path = "/failures", operation_id = "listFailures", tag = "failures",
    params(ListFailuresQuery),
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
    StrictQuery(query): StrictQuery<ListFailuresQuery>,
) -> Result<Json<contract::Failures>, Problem> {
    let page = app.use_cases().list_failures(query.try_into()?).await?;
    Ok(Json(contract::Failures {
        failures: page.failures.into_iter().map(listed).collect(),
        next_cursor: page.next_cursor,
    }))
}

impl TryFrom<ListFailuresQuery> for ListFailures {
    type Error = UseCaseError;

    fn try_from(query: ListFailuresQuery) -> Result<Self, Self::Error> {
        Ok(Self {
            filter: FailureFilter {
                queue: query.queue,
                message_type: query.message_type,
                error_code: query.error_code,
                older_than_seconds: query.older_than_seconds.map(Into::into),
                newer_than_seconds: query.newer_than_seconds.map(Into::into),
                order_id: query.order_id,
                customer_id: query.customer_id,
            },
            state: query
                .state
                .as_deref()
                .map_or(Ok(StateFilter::Open), state)?,
            limit: query.limit,
            cursor: query.cursor,
        })
    }
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
