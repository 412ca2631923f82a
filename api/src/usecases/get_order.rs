//! Tells how an order stands.

use pizza_activities::store::{OrderRecord, OwedTask};
use pizza_domain::{MoneyState, Order, OrderId, OrderStatus, PointsState};

use super::{UseCaseError, UseCases};

/// How an order stands.
#[derive(Clone, Debug)]
pub struct OrderState {
    /// Its record.
    pub record: OrderRecord,
    /// What its parked and discarded tasks owe.
    pub owed: Vec<OwedTask>,
}

impl UseCases {
    /// The order as the store has it. Temporal is asked only while no worker
    /// has written the order yet; then it is Pending, at version 0.
    ///
    /// # Errors
    /// When there is no such order, or who could tell is away.
    pub async fn get_order(&self, id: OrderId) -> Result<OrderState, UseCaseError> {
        if let Some(record) = self.store.order(id).await? {
            let owed = self.store.owed(id).await?;
            return Ok(OrderState { record, owed });
        }
        self.temporal
            .accepted_order(id, self.settings.temporal_timeout)
            .await?
            .map(pending)
            .ok_or(UseCaseError::OrderNotFound(id))
    }
}

/// An order that was accepted and not taken up yet.
fn pending(order: Order) -> OrderState {
    let record = OrderRecord {
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
    };
    let owed = Vec::new();
    OrderState { record, owed }
}
