//! Steps on the customer's points, and the loyalty programme.

#![allow(
    missing_docs,
    reason = "the macros generate items without documentation"
)]

use std::sync::Arc;

use async_trait::async_trait;
use pizza_domain::{PointsState, Step};
use pizza_store::{Given, POINTS, Store, TakenBack};
use pizza_workflows::steps::{Points, PointsAdjustment, loyalty};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::fault::{Answer, PartyError, is_redriven, simulated_failure, simulation_in};

/// A loyalty programme. It acts once for each idempotency key.
#[async_trait]
pub trait LoyaltyProgramme: Send + Sync {
    /// Awards points, unless they were called off.
    ///
    /// # Errors
    /// A refusal, or a fault when whether they were awarded may be unknown.
    async fn award(&self, points: &Points) -> Result<Given, PartyError>;

    /// Has an order earn more points, or fewer. They count together with its
    /// award, also when that is still to come.
    ///
    /// # Errors
    /// A refusal, or a fault when whether it is booked may be unknown.
    async fn adjust(&self, adjustment: &PointsAdjustment) -> Result<(), PartyError>;

    /// Takes an adjustment back. One that was not made cannot be any more.
    ///
    /// # Errors
    /// A fault when it may not have been taken back.
    async fn void(&self, adjustment: &PointsAdjustment) -> Result<(), PartyError>;

    /// Takes the points of an order back. Where there are none, none can be
    /// awarded any more: an award that is still to come is called off.
    ///
    /// # Errors
    /// A refusal, or a fault when they may not have been taken back.
    async fn reclaim(&self, points: &Points) -> Result<TakenBack, PartyError>;
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
    async fn award(&self, points: &Points) -> Result<Given, PartyError> {
        simulated_failure(points.simulation, Step::AddLoyaltyPoints)?;
        Ok(self.store.give(&POINTS, points).await?)
    }

    async fn adjust(&self, adjustment: &PointsAdjustment) -> Result<(), PartyError> {
        if self.store.book_points_adjustment(adjustment).await? {
            return Ok(());
        }
        Err(PartyError::Refused {
            code: "points-called-off",
            message: "the points were called off",
        })
    }

    async fn void(&self, adjustment: &PointsAdjustment) -> Result<(), PartyError> {
        Ok(self.store.void_points_adjustment(adjustment).await?)
    }

    async fn reclaim(&self, points: &Points) -> Result<TakenBack, PartyError> {
        simulated_failure(points.simulation, Step::ReclaimLoyaltyPoints)?;
        Ok(self.store.take_back(&POINTS, points).await?)
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
        let change = match self.programme.award(points).await? {
            Given::Stands => PointsState::Awarded,
            // Nothing was left to give, and nothing is owed any more.
            Given::CalledOff => PointsState::Reclaimed,
        };
        Ok(self.store.change_order(points.order_id, change).await?)
    }

    /// Awards what the order's record says. A run that was reset to a later
    /// task may not know what was amended.
    async fn award_as_recorded(&self, mut points: Points) -> Result<(), PartyError> {
        if let Some(recorded) = self.store.points_to_award(points.order_id).await? {
            points.points = recorded;
        }
        self.award(&points).await
    }

    async fn reclaim(&self, points: &Points) -> Result<(), PartyError> {
        let id = points.order_id;
        let settled = match self.programme.reclaim(points).await? {
            TakenBack::Taken => true,
            // A record that has them in a failure queue has waited for this
            // answer; any other was right that there are none.
            TakenBack::NothingGiven => self
                .store
                .order(id)
                .await?
                .is_some_and(|order| order.points == PointsState::ReclaimParked),
        };
        if settled {
            let change = PointsState::Reclaimed;
            self.store.change_order(id, change).await?;
        }
        Ok(())
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
        // What an operator gives a redrive as its input holds.
        let awarded = if is_redriven(&ctx) {
            self.award(&points).await
        } else {
            self.award_as_recorded(points).await
        };
        awarded.answer(&ctx)
    }

    #[activity(definition = loyalty::AdjustLoyaltyPoints)]
    pub async fn adjust_loyalty_points(
        self: Arc<Self>,
        ctx: ActivityContext,
        adjustment: PointsAdjustment,
    ) -> Result<(), ActivityError> {
        self.programme.adjust(&adjustment).await.answer(&ctx)
    }

    #[activity(definition = loyalty::VoidPointsAdjustment)]
    pub async fn void_points_adjustment(
        self: Arc<Self>,
        ctx: ActivityContext,
        adjustment: PointsAdjustment,
    ) -> Result<(), ActivityError> {
        self.programme.void(&adjustment).await.answer(&ctx)
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pizza_domain::{
        MoneyState, Order, OrderId, OrderRequest, Prices, Simulation, StageDeadlines,
    };
    use pizza_workflows::names::idempotency_key;
    use uuid::Uuid;

    use super::*;
    use pizza_store::{Change, StoreOptions};
    use tempfile::TempDir;

    struct Shop {
        activities: LoyaltyActivities,
        order: Order,
        _folder: TempDir,
    }

    impl Shop {
        /// A shop with an order whose points stand at `points`.
        async fn with_points_at(points: PointsState) -> Self {
            let folder = TempDir::new().expect("a folder");
            let options = StoreOptions::in_file(&folder.path().join("pizza.db"));
            let store = Store::open(options).await.expect("a store");
            let id = OrderId::from_uuid(Uuid::new_v4());
            let stages = StageDeadlines::all(Duration::from_secs(10));
            let order = Order::accept(OrderRequest::default(), id, Prices::FIRST, stages, 0);
            store.create_order(&order).await.expect("created");
            let change = Change {
                money: Some(MoneyState::Charged),
                points: Some(points),
                ..Change::default()
            };
            store.change_order(id, change).await.expect("changed");
            let programme = Arc::new(SimulatedProgramme::new(store.clone()));
            Self {
                activities: LoyaltyActivities::new(programme, store),
                order,
                _folder: folder,
            }
        }

        fn points(&self, step: Step) -> Points {
            Points {
                order_id: self.order.order_id,
                customer_id: self.order.customer_id.clone(),
                points: self.order.points(),
                idempotency_key: idempotency_key(self.order.order_id, step),
                simulation: Simulation::default(),
            }
        }

        async fn award(&self) -> PointsState {
            let points = self.points(Step::AddLoyaltyPoints);
            self.activities.award(&points).await.expect("answered");
            self.stands().await
        }

        async fn reclaim(&self) -> PointsState {
            let points = self.points(Step::ReclaimLoyaltyPoints);
            self.activities.reclaim(&points).await.expect("answered");
            self.stands().await
        }

        async fn stands(&self) -> PointsState {
            let id = self.order.order_id;
            let record = self.activities.store.order(id).await.expect("answered");
            record.expect("there").points
        }
    }

    #[tokio::test]
    async fn points_that_waited_in_a_queue_are_not_given_once_the_order_is_rolled_back() {
        let shop = Shop::with_points_at(PointsState::Parked).await;
        assert_eq!(shop.reclaim().await, PointsState::Parked);
        assert_eq!(shop.award().await, PointsState::Reclaimed);
    }

    #[tokio::test]
    async fn a_reclaim_that_waited_in_a_queue_and_finds_nothing_is_settled() {
        let shop = Shop::with_points_at(PointsState::ReclaimParked).await;
        assert_eq!(shop.reclaim().await, PointsState::Reclaimed);
    }

    #[tokio::test]
    async fn an_order_without_points_stays_one_without() {
        let shop = Shop::with_points_at(PointsState::None).await;
        assert_eq!(shop.reclaim().await, PointsState::None);
    }
}
