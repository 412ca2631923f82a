//! `OrderService/ListOrders`.

use jiff::Timestamp;
use pizza_app::access::Viewer;
use pizza_app::{ListOrders, UseCaseError, Violation};
use pizza_domain::{InvalidField, OrderStatus};

use super::get_order;
use super::proto::{self, ListOrdersRequest, ListOrdersResponse};
use crate::gateway::App;
use crate::times::protobuf_instant;

pub(super) async fn serve(
    app: &App,
    viewer: &Viewer,
    request: ListOrdersRequest,
) -> Result<ListOrdersResponse, UseCaseError> {
    let request = ListOrders {
        status: status(request.status)?,
        customer_id: request.customer_id,
        flavour: request.flavour,
        placed_after: time("placedAfter", request.placed_after)?,
        placed_before: time("placedBefore", request.placed_before)?,
        failed_step: request.failed_step,
        limit: request.limit.map(Into::into),
        cursor: request.cursor,
    };
    let page = app.use_cases().list_orders(viewer, request).await?;
    Ok(ListOrdersResponse {
        orders: page.orders.into_iter().map(Into::into).collect(),
        next_cursor: page.next_cursor,
    })
}

/// The status with a number of the protocol's; none for any.
fn status(number: i32) -> Result<Option<OrderStatus>, UseCaseError> {
    if number == i32::from(proto::OrderStatus::Unspecified) {
        return Ok(None);
    }
    let mut all = OrderStatus::ALL.iter().copied();
    let named = all.find(|status| i32::from(get_order::status(*status)) == number);
    named
        .map(Some)
        .ok_or_else(|| invalid("status", "must be a status, or unspecified for any"))
}

fn time(
    field: &'static str,
    time: Option<prost_types::Timestamp>,
) -> Result<Option<Timestamp>, UseCaseError> {
    time.map(|time| protobuf_instant(field, time)).transpose()
}

fn invalid(field: &'static str, expected: &str) -> UseCaseError {
    let expected = expected.to_owned();
    UseCaseError::invalid(Violation::InvalidValue, InvalidField { field, expected })
}
