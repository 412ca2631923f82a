//! Steps on the customer's money, and the payment provider.

#![allow(
    missing_docs,
    reason = "the macros generate items without documentation"
)]

use std::sync::Arc;

use async_trait::async_trait;
use pizza_domain::{Money, MoneyState, OrderStatus, Step};
use pizza_store::{Change, Given, PAYMENTS, Store, TakenBack};
use pizza_workflows::steps::{Payment, PaymentAdjustment, payments};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::fault::{Answer, PartyError, simulated_failure, simulation_in};

/// A payment provider. It acts once for each idempotency key.
#[async_trait]
pub trait PaymentProvider: Send + Sync {
    /// Charges a customer.
    ///
    /// # Errors
    /// A refusal when the payment is declined; a fault when whether it was
    /// charged may be unknown.
    async fn charge(&self, payment: &Payment) -> Result<(), PartyError>;

    /// Charges the difference to a higher price, or gives back that to a
    /// lower one.
    ///
    /// # Errors
    /// A refusal when the payment is declined, or the order's payment or this
    /// adjustment was called off; a fault when what was moved may be unknown.
    async fn adjust(&self, adjustment: &PaymentAdjustment) -> Result<(), PartyError>;

    /// Takes an adjustment back. One that was not made cannot be any more.
    ///
    /// # Errors
    /// A fault when it may not have been taken back.
    async fn void(&self, adjustment: &PaymentAdjustment) -> Result<(), PartyError>;

    /// Gives back everything that was charged for an order, its adjustments
    /// included. Where there is no charge, none can be made any more: one that
    /// is still on its way is void.
    ///
    /// # Errors
    /// A fault when it may not have been given back.
    async fn refund(&self, payment: &Payment) -> Result<TakenBack, PartyError>;
}

/// A provider that keeps its books in the store.
pub(crate) struct SimulatedProvider {
    store: Store,
}

impl SimulatedProvider {
    pub(crate) const fn new(store: Store) -> Self {
        Self { store }
    }
}

#[async_trait]
impl PaymentProvider for SimulatedProvider {
    async fn charge(&self, payment: &Payment) -> Result<(), PartyError> {
        simulated_failure(payment.simulation, Step::ProcessPayment)?;
        stands(self.store.give(&PAYMENTS, payment).await? == Given::Stands)
    }

    async fn adjust(&self, adjustment: &PaymentAdjustment) -> Result<(), PartyError> {
        stands(self.store.book_payment_adjustment(adjustment).await?)
    }

    async fn void(&self, adjustment: &PaymentAdjustment) -> Result<(), PartyError> {
        Ok(self.store.void_payment_adjustment(adjustment).await?)
    }

    async fn refund(&self, payment: &Payment) -> Result<TakenBack, PartyError> {
        simulated_failure(payment.simulation, Step::RefundPayment)?;
        Ok(self.store.take_back(&PAYMENTS, payment).await?)
    }
}

/// Refuses what was not booked.
fn stands(booked: bool) -> Result<(), PartyError> {
    if booked {
        return Ok(());
    }
    Err(PartyError::Refused {
        code: "payment-void",
        message: "the payment was called off",
    })
}

/// Carries out the steps on the customer's money.
pub struct PaymentActivities {
    provider: Arc<dyn PaymentProvider>,
    store: Store,
}

impl PaymentActivities {
    /// Asks `provider`, and keeps the order's record in `store`.
    #[must_use]
    pub const fn new(provider: Arc<dyn PaymentProvider>, store: Store) -> Self {
        Self { provider, store }
    }

    async fn charge(&self, mut payment: Payment) -> Result<(), PartyError> {
        let id = payment.order_id;
        // A run that was reset to a later task may not know what was amended.
        if let Some(order) = self.store.order(id).await?
            && order.money == MoneyState::NotCharged
        {
            payment.amount = Money::from_minor(order.total);
        }
        self.store
            .change_order(id, OrderStatus::PaymentProcessing)
            .await?;
        let charged = self.provider.charge(&payment).await;
        let change = match &charged {
            Ok(()) => Change {
                money: Some(MoneyState::Charged),
                ..OrderStatus::PaymentComplete.into()
            },
            Err(PartyError::Refused { .. }) => OrderStatus::PaymentFailed.into(),
            Err(PartyError::Fault(_)) => return charged,
        };
        self.store.change_order(id, change).await?;
        charged
    }

    async fn refund(&self, payment: &Payment) -> Result<(), PartyError> {
        let id = payment.order_id;
        self.store.change_order(id, OrderStatus::Refunding).await?;
        let change = match self.provider.refund(payment).await? {
            TakenBack::Taken => Change {
                money: Some(MoneyState::Refunded),
                ..Change::default()
            },
            TakenBack::NothingGiven => return Ok(()),
        };
        Ok(self.store.change_order(id, change).await?)
    }
}

#[activities]
impl PaymentActivities {
    #[activity(definition = payments::ProcessPayment)]
    pub async fn process_payment(
        self: Arc<Self>,
        ctx: ActivityContext,
        mut payment: Payment,
    ) -> Result<(), ActivityError> {
        payment.simulation = simulation_in(&ctx, payment.simulation);
        self.charge(payment).await.answer(&ctx)
    }

    #[activity(definition = payments::AdjustPayment)]
    pub async fn adjust_payment(
        self: Arc<Self>,
        ctx: ActivityContext,
        adjustment: PaymentAdjustment,
    ) -> Result<(), ActivityError> {
        self.provider.adjust(&adjustment).await.answer(&ctx)
    }

    #[activity(definition = payments::VoidPaymentAdjustment)]
    pub async fn void_payment_adjustment(
        self: Arc<Self>,
        ctx: ActivityContext,
        adjustment: PaymentAdjustment,
    ) -> Result<(), ActivityError> {
        self.provider.void(&adjustment).await.answer(&ctx)
    }

    #[activity(definition = payments::RefundPayment)]
    pub async fn refund_payment(
        self: Arc<Self>,
        ctx: ActivityContext,
        mut payment: Payment,
    ) -> Result<(), ActivityError> {
        payment.simulation = simulation_in(&ctx, payment.simulation);
        self.refund(&payment).await.answer(&ctx)
    }
}
