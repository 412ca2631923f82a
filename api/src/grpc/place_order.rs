//! `OrderService/PlaceOrder`.

use pizza_app::access::Viewer;
use pizza_app::{IdempotencyKey, PlaceOrder, PlacedOrder, UseCaseError, Violation};
use pizza_contract::{self as contract, ORDER_PLACED};
use pizza_domain::{InvalidField, Size};

use super::proto::place_order_request::ErrorOnStep;
use super::proto::{self, PlaceOrderRequest, PlaceOrderResponse};
use crate::client::Client;
use crate::gateway::App;
use crate::problem::Problem;
use crate::request::ReachedAt;

pub(super) async fn serve(
    app: &App,
    client: &Client,
    viewer: &Viewer,
    key: Option<IdempotencyKey>,
    reached_at: Option<ReachedAt>,
    request: PlaceOrderRequest,
) -> Result<PlaceOrderResponse, Problem> {
    let request = parse(key, request)?;
    let placed = app.place_order(client, viewer, request).await?;
    let authority = reached_at.map(|ReachedAt(authority)| authority);
    let status_check = |order: &PlacedOrder| app.status_check(authority.as_ref(), order.order_id);
    Ok(PlaceOrderResponse {
        message: ORDER_PLACED.to_owned(),
        order_id: placed.first.order_id.to_string(),
        status_check: status_check(&placed.first),
        orders: placed
            .all
            .iter()
            .map(|order| proto::PlacedOrder {
                error_on_step: order.error_on_step.as_str().to_owned(),
                order_id: order.order_id.to_string(),
                status_check: status_check(order),
            })
            .collect(),
    })
}

fn parse(
    key: Option<IdempotencyKey>,
    request: PlaceOrderRequest,
) -> Result<PlaceOrder, UseCaseError> {
    Ok(PlaceOrder {
        key,
        size: size(request.size)?,
        flavour: request.flavour,
        per_step_delay_seconds: request.per_step_delay_seconds,
        error_on_step: request.error_on_step.map(|choice| match choice {
            ErrorOnStep::ErrorOnStepNumber(number) => contract::ErrorOnStep::Number(number.into()),
            ErrorOnStep::ErrorOnStepName(name) => contract::ErrorOnStep::Name(name),
        }),
        quantity: request.quantity.map(i128::from),
        customer_id: request.customer_id,
    })
}

/// The size's name; none when it is unspecified.
pub(super) fn size(number: i32) -> Result<Option<String>, UseCaseError> {
    let size = match proto::Size::try_from(number) {
        Ok(proto::Size::Unspecified) => return Ok(None),
        Ok(proto::Size::Small) => Size::Small,
        Ok(proto::Size::Medium) => Size::Medium,
        Ok(proto::Size::Large) => Size::Large,
        Err(unknown) => {
            let field = InvalidField {
                field: "size",
                expected: format!("must be one of the sizes of the protocol: {unknown}"),
            };
            return Err(UseCaseError::invalid(Violation::InvalidValue, field));
        }
    };
    Ok(Some(size.as_str().to_owned()))
}
