//! `OrderService/GetOrder`.

use pizza_app::access::Viewer;
use pizza_app::{OrderState, UseCaseError};
use pizza_domain::{CancelReason, MoneyState, OrderStatus, PointsState, Size};
use pizza_store::{FailedTaskState, OrderRecord, OwedTask};

use super::convert::timestamp;
use super::proto::{self, GetOrderRequest, GetOrderResponse};
use crate::gateway::App;

pub(super) async fn serve(
    app: &App,
    viewer: &Viewer,
    request: GetOrderRequest,
) -> Result<GetOrderResponse, UseCaseError> {
    let id = super::convert::order_id(&request.order_id)?;
    let state = app.use_cases().get_order(viewer, id).await?;
    Ok(GetOrderResponse {
        age_seconds: state.age.as_secs_f64(),
        order: Some(state.into()),
    })
}

impl From<OrderState> for proto::Order {
    fn from(state: OrderState) -> Self {
        Self {
            owed: state.owed.into_iter().map(Into::into).collect(),
            ..state.record.into()
        }
    }
}

impl From<OrderRecord> for proto::Order {
    fn from(order: OrderRecord) -> Self {
        Self {
            order_id: order.order_id.to_string(),
            status: status(order.status).into(),
            flavour: order.flavour.into(),
            size: size(order.size).into(),
            quantity: u32::try_from(order.quantity).unwrap_or_default(),
            discount_percent: order.discount.percent().into(),
            discount_reason: order.discount.reason().map(str::to_owned),
            total_minor: order.total,
            money: money(order.money).into(),
            points: points(order.points).into(),
            cancelled: order.cancelled.map(Into::into),
            customer_id: order.customer_id.into(),
            version: order.version,
            placed_at: Some(timestamp(order.placed_at_ms)),
            updated_at: Some(timestamp(order.updated_at_ms)),
            owed: Vec::new(),
        }
    }
}

impl From<CancelReason> for proto::CancelReason {
    fn from(reason: CancelReason) -> Self {
        Self {
            step: reason.step.as_str().to_owned(),
            code: reason.code,
            message: reason.message,
        }
    }
}

impl From<OwedTask> for proto::Owed {
    fn from(task: OwedTask) -> Self {
        let state = match task.state {
            FailedTaskState::Parked => proto::OwedState::Parked,
            FailedTaskState::Discarded => proto::OwedState::Discarded,
            // What is done owes nothing, so nobody is told of it.
            FailedTaskState::Done => proto::OwedState::Unspecified,
        };
        Self {
            queue: task.queue,
            message_type: task.message_type,
            task_id: task.task_id,
            state: state.into(),
        }
    }
}

pub(super) const fn status(status: OrderStatus) -> proto::OrderStatus {
    match status {
        OrderStatus::Pending => proto::OrderStatus::Pending,
        OrderStatus::PaymentProcessing => proto::OrderStatus::PaymentProcessing,
        OrderStatus::PaymentComplete => proto::OrderStatus::PaymentComplete,
        OrderStatus::CookingStarted => proto::OrderStatus::CookingStarted,
        OrderStatus::CookingCompleted => proto::OrderStatus::CookingCompleted,
        OrderStatus::DeliveryStarted => proto::OrderStatus::DeliveryStarted,
        OrderStatus::DeliveryConfirmed => proto::OrderStatus::DeliveryConfirmed,
        OrderStatus::PaymentFailed => proto::OrderStatus::PaymentFailed,
        OrderStatus::Cancelled => proto::OrderStatus::Cancelled,
        OrderStatus::Refunding => proto::OrderStatus::Refunding,
    }
}

pub(super) const fn size(size: Size) -> proto::Size {
    match size {
        Size::Small => proto::Size::Small,
        Size::Medium => proto::Size::Medium,
        Size::Large => proto::Size::Large,
    }
}

pub(super) const fn money(money: MoneyState) -> proto::MoneyState {
    match money {
        MoneyState::NotCharged => proto::MoneyState::NotCharged,
        MoneyState::Charged => proto::MoneyState::Charged,
        MoneyState::Refunded => proto::MoneyState::Refunded,
        MoneyState::RefundParked => proto::MoneyState::RefundParked,
    }
}

pub(super) const fn points(points: PointsState) -> proto::PointsState {
    match points {
        PointsState::None => proto::PointsState::None,
        PointsState::Awarded => proto::PointsState::Awarded,
        PointsState::Parked => proto::PointsState::Parked,
        PointsState::Reclaimed => proto::PointsState::Reclaimed,
        PointsState::ReclaimParked => proto::PointsState::ReclaimParked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The protocol numbers statuses as the specification does.
    #[test]
    fn statuses_keep_their_numbers() {
        for (number, value) in (1..).zip(OrderStatus::ALL) {
            assert_eq!(status(*value) as i32, number, "{value}");
        }
    }
}
