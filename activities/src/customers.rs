//! Steps towards the customer, and the messenger who carries them.

#![allow(
    missing_docs,
    reason = "the macros generate items without documentation"
)]

use std::sync::Arc;

use async_trait::async_trait;
use pizza_store::Store;
use pizza_workflows::steps::{Notification, customers};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::fault::{Answer, PartyError};

/// Tells customers. They hear once for each idempotency key.
#[async_trait]
pub trait Messenger: Send + Sync {
    /// Tells a customer that an order failed.
    ///
    /// # Errors
    /// A refusal, or a fault when they may not have heard.
    async fn order_failed(&self, notification: &Notification) -> Result<(), PartyError>;
}

/// A messenger that writes down what customers would have been told.
pub(crate) struct SimulatedMessenger {
    store: Store,
}

impl SimulatedMessenger {
    pub(crate) const fn new(store: Store) -> Self {
        Self { store }
    }
}

#[async_trait]
impl Messenger for SimulatedMessenger {
    async fn order_failed(&self, notification: &Notification) -> Result<(), PartyError> {
        Ok(self.store.book_notification(notification).await?)
    }
}

/// Carries out the steps towards the customer.
pub struct CustomerActivities {
    messenger: Arc<dyn Messenger>,
}

impl CustomerActivities {
    /// Sends `messenger`.
    #[must_use]
    pub const fn new(messenger: Arc<dyn Messenger>) -> Self {
        Self { messenger }
    }
}

#[activities]
impl CustomerActivities {
    #[activity(definition = customers::NotifyCustomer)]
    pub async fn notify_customer(
        self: Arc<Self>,
        ctx: ActivityContext,
        notification: Notification,
    ) -> Result<(), ActivityError> {
        self.messenger
            .order_failed(&notification)
            .await
            .answer(&ctx)
    }
}
