//! Amends an order, if it can be.

use pizza_contract::AmendOrder;
use pizza_domain::{
    Amendment, Flavour, InvalidField, Money, OrderId, OrderStatus, PricedFlavour, Quantity, Size,
};
use pizza_workflows::{AmendReceipt, ChangeRefusal};

use super::OrderState;
use super::error::{UseCaseError, Violation};
use super::idempotency::KeyedAmendment;
use super::idempotency_key::IdempotencyKey;
use super::temporal::Changed;
use super::use_cases::UseCases;
use crate::access::Viewer;

/// An order that was amended.
#[derive(Clone, Debug)]
pub struct Amended {
    /// The order as it is now.
    pub order: OrderState,
    /// What was charged on top (or given back, when negative).
    pub difference: Money,
}

impl UseCases {
    /// Amends an order that the kitchen has not accepted. Sent again with the
    /// same key, the request acts once; where it failed and the order is as it
    /// was, it is tried again. One that changes nothing is a yes, too.
    ///
    /// # Errors
    /// When a field is not allowed, when there is no such order for this
    /// viewer, when it is too late, when the difference could not be charged
    /// (the order is as it was then), or when the saga did not answer in time.
    pub async fn amend_order(
        &self,
        viewer: &Viewer,
        id: OrderId,
        request: AmendOrder,
        key: Option<IdempotencyKey>,
    ) -> Result<Amended, UseCaseError> {
        let amendment = self.parse_amendment(request)?;
        let before = self.get_order(viewer, id).await?.record;
        let keyed = key.as_ref().map(|key| KeyedAmendment {
            customer: &before.customer_id,
            order: id,
            key,
            asked: &amendment,
        });
        if let Some(keyed) = &keyed
            && self.changed_nothing(keyed).await?
        {
            return self.unchanged(viewer, id).await;
        }
        let changed = match &keyed {
            Some(keyed) => self.amend_once(keyed).await,
            None => self.send_amendment(id, &amendment, None).await,
        };
        match changed? {
            Changed::Yes(receipt) => self.amended(viewer, id, &amendment, receipt).await,
            Changed::No(ChangeRefusal::Unchanged) => {
                let status = self.get_order(viewer, id).await?.record.status;
                still_amendable(status)?;
                if let Some(keyed) = &keyed {
                    self.keep_that_nothing_changed(keyed).await?;
                }
                self.unchanged(viewer, id).await
            }
            Changed::No(refusal) => {
                let status = self.get_order(viewer, id).await?.record.status;
                Err(UseCaseError::of_refusal(refusal, status))
            }
            Changed::Closed => Err(match before.status {
                OrderStatus::DeliveryConfirmed => UseCaseError::OrderDelivered,
                OrderStatus::Cancelled => UseCaseError::OrderOver {
                    status: before.status,
                },
                _ => UseCaseError::OrderUnattended,
            }),
        }
    }

    /// Amends an order once under a key. An attempt that failed had no effect:
    /// once a client was told of it, the key stands for another attempt.
    async fn amend_once(
        &self,
        keyed: &KeyedAmendment<'_>,
    ) -> Result<Changed<AmendReceipt>, UseCaseError> {
        // An attempt that was refused at once leaves no trace in Temporal, so
        // its id is never sent again once a later one may have acted.
        let attempt = self.failed_attempts(keyed).await?;
        let under = Some((keyed.key, attempt));
        let sent = self.send_amendment(keyed.order, keyed.asked, under);
        let changed = sent.await?;
        if let Changed::No(ChangeRefusal::Failed(_)) = &changed {
            self.keep_that_it_failed(keyed, attempt).await?;
        }
        Ok(changed)
    }

    async fn send_amendment(
        &self,
        id: OrderId,
        asked: &Amendment,
        attempt: Option<(&IdempotencyKey, u32)>,
    ) -> Result<Changed<AmendReceipt>, UseCaseError> {
        let limit = self.settings.report_timeout;
        let sent = self.temporal.amend_order(id, asked.clone(), attempt, limit);
        self.answered(id, sent.await).await
    }

    /// The answer to a receipt, which may be that of an earlier request with
    /// the same key.
    async fn amended(
        &self,
        viewer: &Viewer,
        id: OrderId,
        amendment: &Amendment,
        receipt: AmendReceipt,
    ) -> Result<Amended, UseCaseError> {
        if !receipt.asked.asks_for_the_same(amendment) {
            return Err(UseCaseError::IdempotencyKeyReused);
        }
        Ok(Amended {
            order: self.get_order(viewer, id).await?,
            difference: receipt.difference,
        })
    }

    /// The answer to an amendment that changes nothing.
    async fn unchanged(&self, viewer: &Viewer, id: OrderId) -> Result<Amended, UseCaseError> {
        Ok(Amended {
            order: self.get_order(viewer, id).await?,
            difference: Money::default(),
        })
    }

    fn parse_amendment(&self, request: AmendOrder) -> Result<Amendment, UseCaseError> {
        let value = |refusal| UseCaseError::invalid(Violation::InvalidValue, refusal);
        let flavour = request.flavour.map(Flavour::try_from).transpose();
        let amendment = Amendment {
            flavour: flavour.map_err(value)?.map(|flavour| {
                let prices = self.settings.menu.prices_of(&flavour);
                PricedFlavour::at(flavour, prices)
            }),
            size: request
                .size
                .map(|size| size.parse::<Size>())
                .transpose()
                .map_err(value)?,
            quantity: request
                .quantity
                .map(|quantity| Quantity::try_from(u64::try_from(quantity).unwrap_or(u64::MAX)))
                .transpose()
                .map_err(|refusal| UseCaseError::invalid(Violation::OutOfRange, refusal))?,
        };
        if amendment == Amendment::default() {
            return Err(UseCaseError::invalid(
                Violation::Missing,
                InvalidField {
                    field: "flavour",
                    expected: "or size or quantity must be given".to_owned(),
                },
            ));
        }
        Ok(amendment)
    }
}

/// Whether an order of this status may be amended yet. What changes it, the
/// saga decides; this is for what does not.
const fn still_amendable(status: OrderStatus) -> Result<(), UseCaseError> {
    match status {
        OrderStatus::Pending | OrderStatus::PaymentProcessing | OrderStatus::PaymentComplete => {
            Ok(())
        }
        OrderStatus::CookingStarted | OrderStatus::CookingCompleted => {
            Err(UseCaseError::OrderCooking { status })
        }
        OrderStatus::DeliveryStarted => Err(UseCaseError::OrderOnItsWay),
        OrderStatus::DeliveryConfirmed => Err(UseCaseError::OrderDelivered),
        OrderStatus::PaymentFailed | OrderStatus::Refunding | OrderStatus::Cancelled => {
            Err(UseCaseError::OrderOver { status })
        }
    }
}
