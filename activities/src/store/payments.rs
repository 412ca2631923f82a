//! The payment provider's books. Each entry is one transaction, and there is
//! at most one of a kind for each order.

use pizza_domain::OrderId;
use pizza_workflows::steps::Payment;
use sqlx::AnyConnection;

use super::{Store, StoreError, now_ms};

/// What a refund came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refund {
    /// The charge was given back, now or before.
    Given,
    /// There was no charge, and now there cannot be one.
    NothingCharged,
}

impl Store {
    /// Books a charge, unless the order's charge was called off. Whether it
    /// stands, booked now or before.
    pub(crate) async fn book_charge(&self, payment: &Payment) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let stands = !is_booked(&mut transaction, payment.order_id, "void").await?;
        if stands {
            book(&mut transaction, payment, "charge").await?;
        }
        transaction.commit().await?;
        Ok(stands)
    }

    /// Books a refund of a charge, or calls off the charge that is not there.
    pub(crate) async fn book_refund(&self, payment: &Payment) -> Result<Refund, StoreError> {
        let mut transaction = self.begin().await?;
        let (kind, refund) = if is_booked(&mut transaction, payment.order_id, "charge").await? {
            ("refund", Refund::Given)
        } else {
            ("void", Refund::NothingCharged)
        };
        book(&mut transaction, payment, kind).await?;
        transaction.commit().await?;
        Ok(refund)
    }
}

async fn is_booked(
    connection: &mut AnyConnection,
    order: OrderId,
    kind: &str,
) -> Result<bool, StoreError> {
    let found = sqlx::query("SELECT 1 FROM payments WHERE order_id = $1 AND kind = $2")
        .bind(order.to_string())
        .bind(kind.to_owned())
        .fetch_optional(connection)
        .await?;
    Ok(found.is_some())
}

async fn book(
    connection: &mut AnyConnection,
    payment: &Payment,
    kind: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO payments \
         (order_id, kind, customer_id, amount, idempotency_key, booked_at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(payment.order_id.to_string())
    .bind(kind.to_owned())
    .bind(payment.customer_id.to_string())
    .bind(payment.amount.minor())
    .bind(payment.idempotency_key.clone())
    .bind(now_ms())
    .execute(connection)
    .await?;
    Ok(())
}
