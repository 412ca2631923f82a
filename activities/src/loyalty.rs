//! Steps on the customer's points, and the loyalty programme.

#![allow(
    missing_docs,
    reason = "the macros generate items without documentation"
)]

use std::sync::Arc;

use async_trait::async_trait;
use pizza_domain::{PointsState, Step};
use pizza_workflows::steps::{Points, loyalty};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::fault::{Answer, PartyError, simulated_failure, simulation_in};
use crate::store::{Reclaim, Store};

/// A loyalty programme. It acts once for each idempotency key.
#[async_trait]
pub trait LoyaltyProgramme: Send + Sync {
    /// Awards points.
    ///
    /// # Errors
    /// A refusal, or a fault when whether they were awarded may be unknown.
    async fn award(&self, points: &Points) -> Result<(), PartyError>;

    /// Takes the points of an order back, if it was awarded any.
    ///
    /// # Errors
    /// A refusal, or a fault when they may not have been taken back.
    async fn reclaim(&self, points: &Points) -> Result<Reclaim, PartyError>;
}

/// A programme that keeps its books in the store.
pub(crate) struct SimulatedProgramme {
    store: Store,
}

impl SimulatedProgramme {
    pub(crate) const fn new(store: Store) -> Self {
        Self { store }
    }
}

#[async_trait]
impl LoyaltyProgramme for SimulatedProgramme {
    async fn award(&self, points: &Points) -> Result<(), PartyError> {
        simulated_failure(points.simulation, Step::AddLoyaltyPoints)?;
        Ok(self.store.book_award(points).await?)
    }

    async fn reclaim(&self, points: &Points) -> Result<Reclaim, PartyError> {
        simulated_failure(points.simulation, Step::ReclaimLoyaltyPoints)?;
        Ok(self.store.book_reclaim(points).await?)
    }
}

/// Carries out the steps on the customer's points.
pub struct LoyaltyActivities {
    programme: Arc<dyn LoyaltyProgramme>,
    store: Store,
}

impl LoyaltyActivities {
    /// Asks `programme`, and keeps the order's record in `store`.
    #[must_use]
    pub const fn new(programme: Arc<dyn LoyaltyProgramme>, store: Store) -> Self {
        Self { programme, store }
    }

    async fn award(&self, points: &Points) -> Result<(), PartyError> {
        self.programme.award(points).await?;
        let change = PointsState::Awarded;
        Ok(self.store.change_order(points.order_id, change).await?)
    }

    async fn reclaim(&self, points: &Points) -> Result<(), PartyError> {
        let change = match self.programme.reclaim(points).await? {
            Reclaim::Taken => PointsState::Reclaimed,
            Reclaim::NothingAwarded => return Ok(()),
        };
        Ok(self.store.change_order(points.order_id, change).await?)
    }
}

#[activities]
impl LoyaltyActivities {
    #[activity(definition = loyalty::AddLoyaltyPoints)]
    pub async fn add_loyalty_points(
        self: Arc<Self>,
        ctx: ActivityContext,
        mut points: Points,
    ) -> Result<(), ActivityError> {
        points.simulation = simulation_in(&ctx, points.simulation);
        self.award(&points).await.answer(&ctx)
    }

    #[activity(definition = loyalty::ReclaimLoyaltyPoints)]
    pub async fn reclaim_loyalty_points(
        self: Arc<Self>,
        ctx: ActivityContext,
        mut points: Points,
    ) -> Result<(), ActivityError> {
        points.simulation = simulation_in(&ctx, points.simulation);
        self.reclaim(&points).await.answer(&ctx)
    }
}
