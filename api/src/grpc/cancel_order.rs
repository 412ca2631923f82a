//! `OrderService/CancelOrder`.

use pizza_app::UseCaseError;
use pizza_app::access::Viewer;
use pizza_domain::OrderStatus;

use super::get_order::status;
use super::proto::{CancelOrderRequest, CancelOrderResponse};
use crate::gateway::App;

pub(super) async fn serve(
    app: &App,
    viewer: &Viewer,
    request: CancelOrderRequest,
) -> Result<CancelOrderResponse, UseCaseError> {
    let id = super::convert::order_id(&request.order_id)?;
    let now = app.use_cases().cancel_order(viewer, id).await?;
    Ok(CancelOrderResponse {
        order_id: id.to_string(),
        cancelled: now == OrderStatus::Cancelled,
        status: status(now).into(),
    })
}
