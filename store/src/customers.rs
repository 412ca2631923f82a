//! What customers were told.

use pizza_workflows::steps::Notification;

use super::{Store, StoreError, now_ms};

impl Store {
    /// Books that a customer was told. Booking it again changes nothing.
    ///
    /// # Errors
    /// When the store does not answer.
    #[tracing::instrument(name = "store.book_notification", level = "debug", skip_all)]
    pub async fn book_notification(&self, notification: &Notification) -> Result<(), StoreError> {
        self.within(async {
            sqlx::query(
                "INSERT INTO notifications \
             (order_id, kind, customer_id, message, idempotency_key, sent_at_ms) \
             VALUES ($1, 'orderFailed', $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            )
            .bind(notification.order_id.to_string())
            .bind(notification.customer_id.to_string())
            .bind(notification.reason.to_string())
            .bind(notification.idempotency_key.clone())
            .bind(now_ms())
            .execute(&self.pool)
            .await?;
            Ok(())
        })
        .await
    }
}
