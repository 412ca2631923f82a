//! The end of each scenario, as the specification has it. The command
//! `scenarios`, the load and the journeys hold orders against it.

use crate::{ErrorOnStep, MoneyState, OrderStatus, PointsState, Step};

/// How an order ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectedEnd {
    /// Its last status.
    pub status: OrderStatus,
    /// What became of the money.
    pub money: MoneyState,
    /// What became of the points.
    pub points: PointsState,
    /// The step that waits in a failure queue.
    pub parked: Option<Step>,
}

impl ErrorOnStep {
    /// How an order of this scenario ends. A step that is not named here fails
    /// after the charge: its order is rolled back.
    #[must_use]
    pub const fn expected_end(self) -> ExpectedEnd {
        const DELIVERED: ExpectedEnd = ExpectedEnd {
            status: OrderStatus::DeliveryConfirmed,
            money: MoneyState::Charged,
            points: PointsState::Awarded,
            parked: None,
        };
        const ROLLED_BACK: ExpectedEnd = ExpectedEnd {
            status: OrderStatus::Cancelled,
            money: MoneyState::Refunded,
            points: PointsState::Reclaimed,
            parked: None,
        };
        match self {
            Self::None => DELIVERED,
            Self::Step(Step::CreateOrder | Step::ProcessPayment) => ExpectedEnd {
                money: MoneyState::NotCharged,
                points: PointsState::None,
                ..ROLLED_BACK
            },
            Self::Step(step @ Step::AddLoyaltyPoints) => ExpectedEnd {
                points: PointsState::Parked,
                parked: Some(step),
                ..DELIVERED
            },
            // The points stay until the refund is settled.
            Self::Step(step @ Step::RefundPayment) => ExpectedEnd {
                money: MoneyState::RefundParked,
                points: PointsState::Awarded,
                parked: Some(step),
                ..ROLLED_BACK
            },
            Self::Step(step @ Step::ReclaimLoyaltyPoints) => ExpectedEnd {
                points: PointsState::ReclaimParked,
                parked: Some(step),
                ..ROLLED_BACK
            },
            Self::Step(_) => ROLLED_BACK,
        }
    }
}
