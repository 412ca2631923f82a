//! Tells how an order stands.

use std::time::Duration;

use pizza_domain::{MoneyState, Order, OrderId, OrderStatus, PointsState};
use pizza_store::{OrderRecord, OwedTask, now_ms};
use uuid::Uuid;

use super::error::UseCaseError;
use super::use_cases::UseCases;
use super::use_cases::about_order;
use crate::access::Viewer;

/// How an order stands.
#[derive(Clone, Debug)]
pub struct OrderState {
    /// Its record.
    pub record: OrderRecord,
    /// What its parked and discarded tasks owe.
    pub owed: Vec<OwedTask>,
    /// How long ago the record last changed, by the gateway's clock.
    pub age: Duration,
}

impl UseCases {
    /// The order as the store has it. Temporal is asked only while no worker
    /// has written the order yet; then it is Pending, at version 0.
    ///
    /// # Errors
    /// When there is no such order for this viewer, or who could tell is away.
    pub async fn get_order(
        &self,
        viewer: &Viewer,
        id: OrderId,
    ) -> Result<OrderState, UseCaseError> {
        let record = self.order_record(viewer, id).await?;
        let owed = self.store.owed(id).await?;
        let age_ms = now_ms().saturating_sub(record.updated_at_ms);
        Ok(OrderState {
            record,
            owed,
            // Another clock may be ahead of this one.
            age: Duration::from_millis(u64::try_from(age_ms).unwrap_or_default()),
        })
    }

    /// The same, without what is owed.
    pub async fn order_record(
        &self,
        viewer: &Viewer,
        id: OrderId,
    ) -> Result<OrderRecord, UseCaseError> {
        about_order(id);
        let is_theirs = |record: &OrderRecord| viewer.may_see(&record.customer_id);
        let written = self.store.order(id).await?;
        let asked = match written {
            Some(record) if is_theirs(&record) => return Ok(record),
            // Another customer's order is looked for as one that is not there,
            // so that neither the answer nor its time tells them apart.
            Some(_) => OrderId::from_uuid(Uuid::new_v4()),
            None => id,
        };
        let limit = self.settings.temporal_timeout;
        let accepted = self.temporal.accepted_order(asked, limit).await?;
        let record = accepted.map(pending).filter(is_theirs);
        record.ok_or(UseCaseError::OrderNotFound(id))
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
