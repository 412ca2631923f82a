//! `OrderService/AmendOrder`.

use pizza_app::UseCaseError;
use pizza_app::access::Viewer;
use pizza_contract::AmendOrder;

use super::convert::key;
use super::place_order::size;
use super::proto::{AmendOrderRequest, AmendOrderResponse};
use crate::gateway::App;

pub(super) async fn serve(
    app: &App,
    viewer: &Viewer,
    request: AmendOrderRequest,
) -> Result<AmendOrderResponse, UseCaseError> {
    let id = super::convert::order_id(&request.order_id)?;
    let key = key(request.idempotency_key)?;
    let amendment = AmendOrder {
        flavour: request.flavour,
        size: size(request.size)?,
        quantity: request.quantity.map(i128::from),
    };
    let amended = app
        .use_cases()
        .amend_order(viewer, id, amendment, key)
        .await?;
    Ok(AmendOrderResponse {
        order: Some(amended.order.into()),
        difference_minor: amended.difference.minor(),
    })
}
