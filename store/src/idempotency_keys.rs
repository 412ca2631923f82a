//! What customers asked for under keys of their own.

use pizza_domain::{CustomerId, InvalidField, OrderId};
use sqlx::Row;

use super::{Store, StoreError, now_ms};

/// What a customer asked for under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptRequest {
    /// A digest of what was asked for.
    pub fingerprint: String,
    /// The orders that answer it.
    pub order_ids: Vec<OrderId>,
}

impl Store {
    /// Keeps a request under its customer's key, and gives the one that is
    /// kept: this one, or the one that came first. It is kept for good, since
    /// a key is worth as much as the order that it answers for.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.keep_request", level = "debug", skip_all)]
    pub async fn keep_request(
        &self,
        customer: &CustomerId,
        key: &str,
        request: &KeptRequest,
    ) -> Result<KeptRequest, StoreError> {
        self.within(async {
            let ids: Vec<String> = request.order_ids.iter().map(ToString::to_string).collect();
            sqlx::query(
                "INSERT INTO idempotency_keys \
             (customer_id, idempotency_key, fingerprint, order_ids, created_at_ms) \
             VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (customer_id, idempotency_key) DO NOTHING",
            )
            .bind(customer.as_str().to_owned())
            .bind(key.to_owned())
            .bind(request.fingerprint.clone())
            .bind(ids.join(" "))
            .bind(now_ms())
            .execute(&self.pool)
            .await?;
            let kept = self.read_request(customer, key).await?;
            Ok(kept.ok_or(sqlx::Error::RowNotFound)?)
        })
        .await
    }

    /// The request that is kept under its customer's key; none when there is
    /// none.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.kept_request", level = "debug", skip_all)]
    pub async fn kept_request(
        &self,
        customer: &CustomerId,
        key: &str,
    ) -> Result<Option<KeptRequest>, StoreError> {
        self.within(self.read_request(customer, key)).await
    }

    async fn read_request(
        &self,
        customer: &CustomerId,
        key: &str,
    ) -> Result<Option<KeptRequest>, StoreError> {
        let row = sqlx::query(
            "SELECT fingerprint, order_ids FROM idempotency_keys \
             WHERE customer_id = $1 AND idempotency_key = $2",
        )
        .bind(customer.as_str().to_owned())
        .bind(key.to_owned())
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let order_ids: Result<Vec<OrderId>, InvalidField> = row
            .try_get::<String, _>("order_ids")?
            .split(' ')
            .map(str::parse)
            .collect();
        Ok(Some(KeptRequest {
            fingerprint: row.try_get("fingerprint")?,
            order_ids: order_ids?,
        }))
    }
}
