//! Steps on the order's own record.

#![allow(
    missing_docs,
    reason = "the macros generate items without documentation"
)]

use std::sync::Arc;

use failure_queue::TaskChange;
use pizza_domain::{Order, OrderId, Step};
use pizza_store::Store;
use pizza_workflows::steps::{
    AmendmentNotTaken, Cancellation, EarlierRun, RecordedAmendment, StatusChange, orders,
};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::fault::{Answer, simulated_failure, simulation_in};

/// Carries out the steps on the order's own record.
pub struct OrderActivities {
    store: Store,
}

impl OrderActivities {
    /// Keeps the record in `store`.
    #[must_use]
    pub const fn new(store: Store) -> Self {
        Self { store }
    }
}

#[activities]
impl OrderActivities {
    #[activity(definition = orders::CreateOrder)]
    pub async fn create_order(
        self: Arc<Self>,
        ctx: ActivityContext,
        order: Order,
    ) -> Result<Option<EarlierRun>, ActivityError> {
        let simulation = simulation_in(&ctx, order.simulation);
        simulated_failure(simulation, Step::CreateOrder).answer(&ctx)?;
        let earlier = self.store.create_order(&order).await.answer(&ctx)?;
        let (Some(_), Some(run)) = (&earlier, &ctx.info().workflow_run_id) else {
            return Ok(earlier);
        };
        self.store.take_over(order.order_id, run).await.answer(&ctx)
    }

    #[activity(definition = orders::ReadEarlierRun)]
    pub async fn read_earlier_run(
        self: Arc<Self>,
        ctx: ActivityContext,
        order_id: OrderId,
    ) -> Result<Option<EarlierRun>, ActivityError> {
        self.store.earlier_run(order_id).await.answer(&ctx)
    }

    #[activity(definition = orders::SetOrderStatus)]
    pub async fn set_order_status(
        self: Arc<Self>,
        ctx: ActivityContext,
        change: StatusChange,
    ) -> Result<(), ActivityError> {
        self.store.set_order_status(&change).await.answer(&ctx)
    }

    #[activity(definition = orders::RecordAmendment)]
    pub async fn record_amendment(
        self: Arc<Self>,
        ctx: ActivityContext,
        amendment: RecordedAmendment,
    ) -> Result<Option<AmendmentNotTaken>, ActivityError> {
        let is_taken = self.store.record_amendment(&amendment).await.answer(&ctx)?;
        Ok((!is_taken).then_some(AmendmentNotTaken {}))
    }

    #[activity(definition = orders::RecordParkedTask)]
    pub async fn record_parked_task(
        self: Arc<Self>,
        ctx: ActivityContext,
        change: TaskChange,
    ) -> Result<(), ActivityError> {
        self.store.record_failed_task(&change).await.answer(&ctx)
    }

    #[activity(definition = orders::CancelOrder)]
    pub async fn cancel_order(
        self: Arc<Self>,
        ctx: ActivityContext,
        cancellation: Cancellation,
    ) -> Result<(), ActivityError> {
        self.store
            .cancel_order(&cancellation.order, cancellation.reason)
            .await
            .answer(&ctx)
    }
}
