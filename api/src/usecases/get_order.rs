//! Tells how an order stands.

use pizza_activities::store::OrderRecord;
use pizza_domain::{MoneyState, Order, OrderId, OrderStatus, PointsState};

use super::{UseCaseError, UseCases};

impl UseCases {
    /// The order as the store has it. Temporal is asked only while no worker
    /// has written the order yet; then it is Pending, at version 0.
    ///
    /// # Errors
    /// When there is no such order, or who could tell is away.
    pub async fn get_order(&self, id: OrderId) -> Result<OrderRecord, UseCaseError> {
        if let Some(record) = self.store.order(id).await? {
            return Ok(record);
        }
        self.temporal
            .accepted_order(id, self.settings.temporal_timeout)
            .await?
            .map(pending)
            .ok_or(UseCaseError::OrderNotFound(id))
    }
}

/// An order that was accepted and not taken up yet.
fn pending(order: Order) -> OrderRecord {
    OrderRecord {
        order_id: order.order_id,
        customer_id: order.customer_id,
        flavour: order.flavour,
        size: order.size,
        quantity: order.quantity.get().into(),
        total: order.total.minor(),
        discount: order.discount,
        status: OrderStatus::Pending,
        money: MoneyState::NotCharged,
        points: PointsState::None,
        cancelled: None,
        version: 0,
        placed_at_ms: order.placed_at_ms,
        updated_at_ms: order.placed_at_ms,
    }
}
