//! The payment provider's books. Each entry is one transaction, and there is
//! at most one of a kind for each order.

use pizza_domain::OrderId;
use pizza_workflows::steps::Payment;
use sqlx::{AnyConnection, Row};

use super::amendments::payment_difference;
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
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.book_charge", level = "debug", skip_all)]
    pub async fn book_charge(&self, payment: &Payment) -> Result<bool, StoreError> {
        self.within(async {
            let mut transaction = self.begin(payment.order_id).await?;
            let void = booked(&mut transaction, payment.order_id, "void").await?;
            let stands = void.is_none();
            if stands {
                book(&mut transaction, payment, "charge", payment.amount.minor()).await?;
            }
            transaction.commit().await?;
            Ok(stands)
        })
        .await
    }

    /// Books a refund of what was charged, whatever the caller believes that
    /// is, or calls off the charge that is not there.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.book_refund", level = "debug", skip_all)]
    pub async fn book_refund(&self, payment: &Payment) -> Result<Refund, StoreError> {
        self.within(async {
            let id = payment.order_id;
            let mut transaction = self.begin(id).await?;
            let refund = match booked(&mut transaction, id, "charge").await? {
                Some(charged) => {
                    let left = charged + payment_difference(&mut transaction, id).await?;
                    book(&mut transaction, payment, "refund", left).await?;
                    Refund::Given
                }
                None => {
                    book(&mut transaction, payment, "void", payment.amount.minor()).await?;
                    Refund::NothingCharged
                }
            };
            transaction.commit().await?;
            Ok(refund)
        })
        .await
    }
}

/// The amount of an order's entry of this kind, if there is one.
async fn booked(
    connection: &mut AnyConnection,
    order: OrderId,
    kind: &str,
) -> Result<Option<i64>, StoreError> {
    let found = sqlx::query("SELECT amount FROM payments WHERE order_id = $1 AND kind = $2")
        .bind(order.to_string())
        .bind(kind.to_owned())
        .fetch_optional(connection)
        .await?;
    Ok(found.map(|row| row.try_get("amount")).transpose()?)
}

async fn book(
    connection: &mut AnyConnection,
    payment: &Payment,
    kind: &str,
    amount: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO payments \
         (order_id, kind, customer_id, amount, idempotency_key, booked_at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(payment.order_id.to_string())
    .bind(kind.to_owned())
    .bind(payment.customer_id.to_string())
    .bind(amount)
    .bind(payment.idempotency_key.clone())
    .bind(now_ms())
    .execute(connection)
    .await?;
    Ok(())
}
